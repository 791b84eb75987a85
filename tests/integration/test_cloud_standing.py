"""What about a box wants a person, on both databases: branches, holds, gaps, doubts, things without an end; and deciding."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest
import typer
from sqlalchemy import select
from typer.testing import CliRunner

from cloud.blobs.models import Upload
from cloud.boxes.commands import Order, issue_command
from cloud.cli.branch import branch as cloud_branch
from cloud.db.engine import Sessions
from cloud.errors import Conflict, NotFound
from cloud.ingest.branches import decide, leases_alternate
from cloud.ingest.models import HeldRun
from cloud.ingest.overview import BoxOverview, overview
from cloud.ingest.standing import SHOWN, Open, Standing, sides, standings
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.metrics import Metrics, create_metrics_app
from sync_protocol.commands import new_command_id
from sync_protocol.entries import NoteEntry
from tests.integration.branching import lose_journal, overlap, send
from tests.integration.commanding import Ended, tallybox
from tests.integration.conftest import START, TestBox, TurnedClock

ROOT = Actor.user("root", "admin")
SETUP, USAGE = 3, 2


async def stands(sessions: Sessions, box: TestBox) -> BoxOverview:
    async with sessions.read() as session:
        (one,) = [one for one in await overview(session, box.clock.now) if one.id == box.id]
    return one


async def decided(sessions: Sessions, one: TestBox, which: str, decision: str, **more: str) -> None:
    (branch,) = (await stands(sessions, one)).standing.branches
    async with sessions.write() as session:
        taken = Taken(ROOT, one.clock.now, "looked at both")
        await decide(session, branch=branch.id, which=which, decision=decision, taken=taken, **more)  # type: ignore[arg-type]


async def command(*arguments: object) -> Ended:
    """As a process: the whole command line is in it."""
    return await asyncio.to_thread(tallybox, *arguments)


async def test_box_about_which_there_is_nothing_to_say(sessions: Sessions, box: TestBox) -> None:
    box.note()
    await box.deliver(sessions)
    assert (await stands(sessions, box)).standing == Standing()
    async with sessions.read() as session:
        assert await standings(session) == {}


async def test_overlap_tells_both_sides_what_waits_and_since_when(sessions: Sessions, box: TestBox) -> None:
    older, newer = await overlap(sessions, box)
    box.clock.go(minutes=5)
    one = await stands(sessions, box)
    (branch,) = one.standing.branches
    assert (branch.state, branch.older_run, branch.newer_run, branch.undecided) == ("overlap", older.run, newer.run, True)
    since = START + timedelta(seconds=3)
    assert one.standing.decisions == Open(count=2, since=since)
    assert one.standing.waiting == Open(count=2, size=7, since=since)
    assert one.held_s == 301
    assert {(part.run, part.held_from, part.waiting) for part in one.standing.held} == {(older.run, 0, 4), (newer.run, 0, 3)}
    async with sessions.read() as session:
        first, second = await sides(session, branch.id)
    assert (first.which, first.run, first.runs, first.entries) == ("older", older.run, 1, 4)
    assert (first.since, first.last) == (START + timedelta(seconds=1), START + timedelta(seconds=3))
    assert (second.which, second.run, second.runs, second.entries) == ("newer", newer.run, 1, 3)
    assert (second.since, second.last) == (START + timedelta(seconds=2), START + timedelta(seconds=2))


async def test_side_that_begins_inside_a_run_counts_from_there(sessions: Sessions, box: TestBox) -> None:
    trunk = box.start()
    for _ in range(5):
        box.note()
    await send(sessions, box, trunk, 0, 3)
    await send(sessions, box, trunk, 3)
    restored = box.start((trunk, 3))
    await send(sessions, box, restored)
    (branch,) = (await stands(sessions, box)).standing.branches
    async with sessions.read() as session:
        first, second = await sides(session, branch.id)
    assert (first.run, first.entries, first.since) == (trunk.run, 2, START + timedelta(seconds=1))
    assert (second.run, second.entries) == (restored.run, 1)
    assert (await stands(sessions, box)).standing.decisions == Open()


async def test_what_was_decided_no_longer_waits(sessions: Sessions, box: TestBox) -> None:
    _, newer = await overlap(sessions, box)
    await decided(sessions, box, "older", "release")
    standing = (await stands(sessions, box)).standing
    assert (standing.decisions.count, standing.waiting.count, standing.waiting.size) == (1, 1, 3)
    await decided(sessions, box, "newer", "discard")
    one = await stands(sessions, box)
    assert (one.standing.decisions, one.standing.waiting, one.held_s) == (Open(), Open(), None)
    assert [(part.run, part.dropped_from, part.waiting) for part in one.standing.held] == [(newer.run, 0, 0)]
    assert [branch.undecided for branch in one.standing.branches] == [False]


@pytest.mark.parametrize(
    ("held", "dropped", "waiting"),
    [(1, None, 3), (1, 3, 2), (1, 9, 3), (2, 2, 0), (3, 1, 0), (None, 1, 0), (4, None, 0)],
)
async def test_of_a_run_of_four_what_is_held_and_not_dropped_waits(
    sessions: Sessions, box: TestBox, held: int | None, dropped: int | None, waiting: int
) -> None:
    for _ in range(3):
        box.note()
    await send(sessions, box, box.run)
    async with sessions.write() as session:
        session.add(HeldRun(run=box.run.run, box_id=box.id, held_from=held, dropped_from=dropped))
    standing = (await stands(sessions, box)).standing
    assert [part.waiting for part in standing.held] == [waiting]
    assert (standing.waiting.count, standing.waiting.size) == (int(waiting > 0), waiting)


async def test_who_saw_something_else_decides_nothing(sessions: Sessions, box: TestBox) -> None:
    await overlap(sessions, box)
    with pytest.raises(NotFound):
        await decided(sessions, box, "older", "release", box="another")
    await decided(sessions, box, "older", "release", box=box.id, seen="")
    with pytest.raises(Conflict):
        await decided(sessions, box, "older", "discard", seen="")
    await decided(sessions, box, "older", "discard", seen="release")


async def test_lost_journal_leaves_a_gap(sessions: Sessions, box: TestBox) -> None:
    trunk = await lose_journal(sessions, box, 180)
    standing = (await stands(sessions, box)).standing
    (gap,) = standing.gaps
    assert (gap.run, gap.first, gap.until, gap.cause) == (trunk.run, 2, 180, "journal_lost")
    assert (gap.after, gap.before) == (START, START + timedelta(seconds=1))


async def test_newest_gaps_are_told_and_all_are_counted(sessions: Sessions, box: TestBox) -> None:
    box.start()
    named = [{"run": f"{number:032x}", "tip": 9} for number in range(SHOWN + 3)]
    box.write(NoteEntry(**box.stamp(), name="journal_lost", data={"runs": named}))
    await send(sessions, box, box.run)
    standing = (await stands(sessions, box)).standing
    assert (len(standing.gaps), standing.gaps_all) == (SHOWN, SHOWN + 3)
    assert standing.gaps[0].run == named[-1]["run"]


async def test_doubts_commands_and_uploads_without_an_end(sessions: Sessions, box: TestBox, clock: TurnedClock) -> None:
    async with sessions.write() as session:
        order = Order(new_command_id(1_000, bytes(10)), box.id, "pull_mirror", {}, clock.now + timedelta(hours=1))
        await issue_command(session, Taken(ROOT, clock.now), order)
        await leases_alternate(session, box.id, now=clock.now, taken=Taken(Actor.system("sessions"), clock.now))
        for number, stored in enumerate((False, False, True)):
            touched = clock.go(seconds=1)
            session.add(
                Upload(
                    id=f"u{number}",
                    box_id=box.id,
                    sha256=f"{number:064x}",
                    size=100,
                    received=100 if stored else 30,
                    stored=stored,
                    created_at=touched,
                    touched_at=touched,
                )
            )
    standing = (await stands(sessions, box)).standing
    assert standing.doubt is not None
    assert (standing.doubt.reason, standing.doubt.since) == ("leases_alternate", START)
    assert standing.commands == Open(count=1, since=START)
    assert standing.uploads == Open(count=2, size=140, since=START + timedelta(seconds=1))


async def test_prometheus_is_told_what_waits(sessions: Sessions, box: TestBox, clock: TurnedClock) -> None:
    await overlap(sessions, box)
    app = create_metrics_app(sessions, Metrics(), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metrics") as client:
        text = (await client.get("/metrics")).text
    figures = dict(re.findall(rf'^tallybox_box_(\w+)\{{box="{box.id}",[^}}]*\}} (\S+)$', text, re.MULTILINE))
    wanted = {"decisions_open": 2, "held_runs": 2, "held_entries": 7, "held_seconds": 1, "gaps": 0, "doubted": 0}
    assert {name: float(figures[name]) for name in wanted} == wanted
    await decided(sessions, box, "older", "release")
    await decided(sessions, box, "newer", "release")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metrics") as client:
        assert "tallybox_box_held_seconds{" not in (await client.get("/metrics")).text


async def test_terminal_tells_the_sides_and_decides(sessions: Sessions, box: TestBox, database_url: str) -> None:
    older, newer = await overlap(sessions, box)
    number = (await stands(sessions, box)).standing.branches[0].id
    told = await command("cloud", "boxes", "--db", database_url)
    assert told.code == 0, told.err
    assert f"! branch {number}: two boxes write under its name since 2026-11-22 08:00:03" in told.out
    assert "older: 4 entries of 1 run; held, nobody has decided" in told.out
    assert f"run {older.run}, received" in told.out
    assert "! held since 2026-11-22 08:00:03, until somebody decides: 7 entries of 2 runs" in told.out
    assert max(len(line) for line in told.out.splitlines()) <= 100
    done = await command("cloud", "branch", number, "newer", "release", "--reason", "weighed here", "--db", database_url)
    assert (done.code, done.out) == (0, f"branch {number}: the newer side of box {box.id} is released\n")
    (facts,) = [one for one in (await command("cloud", "boxes", "--db", database_url, "--json")).json if one["id"] == box.id]
    (branch,) = facts["standing"]["branches"]
    assert [(side["run"], side["decision"]) for side in branch["sides"]] == [(older.run, None), (newer.run, "release")]
    async with sessions.read() as session:
        event = (await session.scalars(select(Event).where(Event.action == "branch_release"))).one()
    assert (event.actor_kind, event.actor, event.reason) == ("system", "command line", "weighed here")


async def test_terminal_refuses_in_a_line(sessions: Sessions, box: TestBox, database_url: str) -> None:
    await overlap(sessions, box)
    number = (await stands(sessions, box)).standing.branches[0].id
    alone = typer.Typer()
    alone.command()(cloud_branch)

    async def command(*arguments: object) -> tuple[int, str, str]:
        ended = await asyncio.to_thread(CliRunner().invoke, alone, [*map(str, arguments), "--db", database_url])
        return ended.exit_code, ended.stdout, ended.stderr

    for arguments, code, word in (
        ((number + 7, "newer", "release", "--reason", "x"), SETUP, "no branch"),
        ((number, "newer", "release", "--reason", " "), SETUP, "reason_missing"),
        ((number, "both", "release", "--reason", "x"), USAGE, "both"),
    ):
        ended, out, err = await command(*arguments)
        assert (ended, out) == (code, "")
        assert word in err
    await decided(sessions, box, "newer", "discard")
    ended, out, err = await command(number, "newer", "release", "--reason", "x")
    assert (ended, out) == (SETUP, "")
    assert "wrong_state" in err
