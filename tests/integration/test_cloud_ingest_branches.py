"""Restored disks, clones and forks: what is taken, what is held until somebody decides, and what is known to be lost."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.errors import Forbidden, GuardFailed, ReasonMissing, WrongState
from cloud.ingest.branches import decide, leases_alternate, list_branches
from cloud.ingest.models import Lost
from cloud.ingest.receive import receive_frame
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.receiving.decisions import decide_exception, post
from cloud.receiving.models import ProjectionFault, Receipt
from cloud.receiving.projection import project_all
from sync_protocol.answers import Ack, Refused
from sync_protocol.entries import NoteEntry

ADMIN = Actor.user("root", "admin")
NOA = Actor.user("noa", "supervisor")


async def _send(sessions: Sessions, box, run, first: int = 0, count: int | None = None) -> Ack:
    answer = await receive_frame(sessions, box=box.id, frame=box.frame(first, count, run), now=box.clock.now)
    assert isinstance(answer, Ack), answer
    box.clock.go(seconds=1)
    return answer


async def _branches(sessions: Sessions) -> list[tuple[str, str, str, int]]:
    async with sessions.read() as session:
        return [(row.read_as, row.older_run, row.newer_run, row.at_seq) for row in await list_branches(session)]


async def _lost(sessions: Sessions) -> list[tuple[str, int, int | None, str]]:
    async with sessions.read() as session:
        rows = await session.scalars(select(Lost).order_by(Lost.run, Lost.first))
        return [(row.run, row.first, row.until, row.cause) for row in rows]


async def _events(sessions: Sessions) -> list[str]:
    async with sessions.read() as session:
        rows = await session.scalars(select(Event.action).where(Event.kind.in_(["run", "box"])).order_by(Event.id))
        return [action for action in rows if not action.startswith("register")]


async def _states(sessions: Sessions) -> dict[str, tuple[str, bool]]:
    async with sessions.read() as session:
        return {row.document_no: (row.state, row.needs_review) for row in await session.scalars(select(Receipt))}


async def _decide(sessions: Sessions, which: str, decision: str, *, actor: Actor = ADMIN, reason: str | None = "seen") -> None:
    async with sessions.write() as session:
        (branch,) = await list_branches(session)
        taken = Taken(actor, branch.seen_at + timedelta(hours=1), reason)
        await decide(session, branch=branch.id, which=which, decision=decision, taken=taken)


async def test_runs_one_after_the_other_are_no_branch(sessions, box) -> None:
    for _ in range(4):
        run = box.start((box.run, len(box.run.entries) - 1) if box.runs else None)
        box.note()
        await _send(sessions, box, run)
    assert (await _branches(sessions), await _events(sessions)) == ([], [])


async def test_newer_run_ahead_of_its_parents_backlog_is_no_branch(sessions, box) -> None:
    old = box.start()
    for _ in range(9):
        box.note()
    live = box.start((old, 9))
    box.note()
    await _send(sessions, box, old, 0, 3)
    await _send(sessions, box, live)
    await _send(sessions, box, old, 3)
    assert (await _branches(sessions), await _events(sessions)) == ([], [])


async def test_restored_disk_goes_on_and_what_the_older_branch_kept_to_itself_is_lost(sessions, box, clock) -> None:
    trunk = box.start()
    for _ in range(9):
        box.note()
    await _send(sessions, box, trunk, 0, 8)
    restored = box.start((trunk, 4))
    answer = await _send(sessions, box, restored)
    assert answer.hold is None
    assert await _branches(sessions) == [("restored", trunk.run, restored.run, 4)]
    assert await _lost(sessions) == [(trunk.run, 8, None, "restored_image")]
    assert await _events(sessions) == ["sibling_run"]
    box.note()
    assert (await _send(sessions, box, restored, 1)).hold is None
    following = box.start((restored, 1))
    assert (await _send(sessions, box, following)).hold is None
    assert await _events(sessions) == ["sibling_run"]


async def test_backlog_from_before_the_branch_may_still_come(sessions, box) -> None:
    trunk = box.start()
    for _ in range(9):
        box.note()
    later = box.start((trunk, 9))
    restored = box.start((trunk, 6))
    await _send(sessions, box, trunk, 0, 3)
    await _send(sessions, box, later)
    await _send(sessions, box, restored)
    assert (await _send(sessions, box, trunk, 3, 4)).hold is None
    assert [row[0] for row in await _branches(sessions)] == ["restored"]


async def _clone(sessions, box, story):
    """Two boxes of one image, each with a receipt of its own; both have sent."""
    story.whole("1.000", "DN-before")
    trunk = box.run
    await _send(sessions, box, trunk)
    point = len(trunk.entries) - 1
    older = box.start((trunk, point))
    story.whole("2.000", "DN-older")
    await _send(sessions, box, older)
    await project_all(sessions)
    newer = box.start((trunk, point))
    story.whole("3.000", "DN-newer")
    await _send(sessions, box, newer)
    return older, newer


async def _goes_on(sessions, box, run) -> Ack:
    box.runs.append(run)
    box.note()
    return await _send(sessions, box, run, len(run.entries) - 1)


async def test_both_sides_alive_are_held_and_nothing_of_them_is_posted(sessions, box, demo, story) -> None:
    older, newer = await _clone(sessions, box, story)
    answer = await _goes_on(sessions, box, older)
    assert (answer.acked, answer.hold) == (len(older.entries), "overlap")
    await project_all(sessions)
    # Made before anybody could know: posted already, so it asks for a look.
    assert await _states(sessions) == {"DN-before": ("posted", False), "DN-older": ("posted", True)}
    assert (await _goes_on(sessions, box, newer)).hold == "overlap"
    child = box.start((newer, len(newer.entries) - 1))
    assert (await _send(sessions, box, child)).hold == "overlap"
    assert [row[0] for row in await _branches(sessions)] == ["overlap"]
    assert await _lost(sessions) == []
    assert await _events(sessions) == ["sibling_run", "branches_overlap"]
    await project_all(sessions)
    assert "DN-newer" not in await _states(sessions)


async def test_released_sides_are_made_into_records_and_discarded_ones_never(sessions, box, demo, story) -> None:
    older, _newer = await _clone(sessions, box, story)
    await _goes_on(sessions, box, older)
    await project_all(sessions)
    await _decide(sessions, "newer", "release")
    await project_all(sessions)
    assert (await _states(sessions))["DN-newer"] == ("posted", False)
    await _decide(sessions, "older", "discard")
    box.runs.append(older)
    story.whole("4.000", "DN-late")
    answer = await _send(sessions, box, older, answered(older, box))
    assert answer.hold == "dropped"
    await project_all(sessions)
    assert "DN-late" not in await _states(sessions)
    async with sessions.read() as session:
        codes = set(await session.scalars(select(ProjectionFault.code)))
    assert codes == {"branch_discarded"}


def answered(run, box) -> int:
    """Where the story's last receipt begins in a run that was sent before."""
    return next(seq for seq, entry in enumerate(run.entries) if b"DN-late" in entry) - 1


async def test_receipt_that_waits_for_a_decision_is_not_posted_while_its_journal_is_held(
    sessions, box, demo, story, clock
) -> None:
    box.start()
    await _send(sessions, box, box.run)
    trunk = box.run
    older = box.start((trunk, 0))
    story.open(document="DN-1")
    story.chicken("1.000")
    story.chicken("1.000", lot=None)
    story.finish(1, 2)
    await _send(sessions, box, older)
    await project_all(sessions)
    newer = box.start((trunk, 0))
    await _send(sessions, box, newer)
    taken = Taken(NOA, clock.now, "fine")
    async with sessions.read() as session:
        receipt = (await session.scalars(select(Receipt))).one()
        assert receipt.state == "check"
        asked = [row.id for row in receipt.exceptions if row.severity == "decision"]
    for number in asked:
        await decide_exception(sessions, ref=receipt.ref, exception=number, decision="accept", taken=taken, version=None)
    await _goes_on(sessions, box, older)
    with pytest.raises(GuardFailed, match="journal_held"):
        await post(sessions, ref=receipt.ref, taken=taken, version=None)
    await _decide(sessions, "older", "release")
    await post(sessions, ref=receipt.ref, taken=taken, version=None)
    assert (await _states(sessions))["DN-1"][0] == "posted"


async def test_only_an_admin_with_a_reason_decides_and_only_about_an_overlap(sessions, box, demo, story) -> None:
    older, _ = await _clone(sessions, box, story)
    with pytest.raises(WrongState):
        await _decide(sessions, "older", "release")
    await _goes_on(sessions, box, older)
    with pytest.raises(Forbidden):
        await _decide(sessions, "older", "release", actor=NOA)
    with pytest.raises(ReasonMissing):
        await _decide(sessions, "older", "release", reason=" ")
    await _decide(sessions, "older", "discard")
    with pytest.raises(WrongState):
        await _decide(sessions, "older", "release")


async def test_sessions_that_take_turns_make_a_branch_an_overlap(sessions, box, demo, story) -> None:
    older, newer = await _clone(sessions, box, story)
    async with sessions.write() as session:
        await leases_alternate(session, box.id, now=box.clock.now, taken=Taken(Actor.system("sessions"), box.clock.now))
    assert [row[0] for row in await _branches(sessions)] == ["overlap"]
    assert (await _goes_on(sessions, box, newer)).hold == "overlap"
    assert older.run != newer.run


async def test_box_that_is_two_by_its_sessions_is_held_at_its_first_branch(sessions, box) -> None:
    trunk = box.start()
    box.note()
    await _send(sessions, box, trunk)
    async with sessions.write() as session:
        await leases_alternate(session, box.id, now=box.clock.now, taken=Taken(Actor.system("sessions"), box.clock.now))
    assert await _branches(sessions) == []
    newer = box.start((trunk, 0))
    assert (await _send(sessions, box, newer)).hold == "overlap"


async def test_run_that_says_its_forked_parent_again_shares_only_what_came_before(sessions, box) -> None:
    shared = box.start()
    for _ in range(5):
        box.note()
    await _send(sessions, box, shared)
    mine = list(shared.entries)
    shared.entries[4] = shared.entries[4].replace(b'"noted"', b'"other"')
    answer = await receive_frame(sessions, box=box.id, frame=box.frame(3, None, shared), now=box.clock.now)
    assert isinstance(answer, Refused)
    again = box.start((shared, 5))
    for seq in (4, 5):
        box.write(NoteEntry(**box.stamp(), name="other", was=f"{shared.run}:{seq}"))
    assert (await _send(sessions, box, again)).hold is None
    assert await _branches(sessions) == [("restored", shared.run, again.run, 3)]
    shared.entries[:] = mine
    assert (await _goes_on(sessions, box, shared)).hold == "overlap"


async def test_journal_that_was_lost_leaves_what_the_cloud_lacks_as_lost(sessions, box) -> None:
    old = box.start()
    for _ in range(5):
        box.note()
    await _send(sessions, box, old, 0, 3)
    new = box.start()
    box.write(NoteEntry(**box.stamp(), name="journal_lost", data={"runs": [{"run": old.run, "tip": 6}, {"run": "x"}, 7]}))
    await _send(sessions, box, new)
    assert await _lost(sessions) == [(old.run, 3, 6, "journal_lost")]
    newer = box.start()
    box.write(NoteEntry(**box.stamp(), name="journal_lost", data={}))
    await _send(sessions, box, newer)
    assert await _lost(sessions) == sorted([(old.run, 3, 6, "journal_lost"), (new.run, 2, None, "journal_lost")])
    assert await _events(sessions) == ["journal_lost", "journal_lost"]


async def test_step_that_waited_when_its_run_was_held_waits_for_the_decision(sessions, box, demo, story) -> None:
    trunk = box.start()
    story.open(document="DN-1")
    older = box.start((trunk, len(trunk.entries) - 1))
    story.chicken("1.000")
    await _send(sessions, box, older)
    await project_all(sessions)
    box.start((trunk, len(trunk.entries) - 1))
    await _send(sessions, box, box.run)
    assert (await _goes_on(sessions, box, older)).hold == "overlap"
    # What its steps waited for is shared by both sides, and comes.
    await _send(sessions, box, trunk)
    await project_all(sessions)
    assert await _states(sessions) == {"DN-1": ("open", False)}
    await _decide(sessions, "older", "release")
    await project_all(sessions)
    assert await _states(sessions) == {"DN-1": ("counting", False)}
