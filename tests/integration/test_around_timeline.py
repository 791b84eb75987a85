"""The story of a record: merged, paged, masked; and moved to another record. Both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cloud.around.activities import Due, NewActivity, done, plan
from cloud.around.files import NewFile, attach
from cloud.around.following import feed, follow, followers, unfollow
from cloud.around.index import Doc, index_record
from cloud.around.kept import keep
from cloud.around.messages import NewMessage, post, withdraw
from cloud.around.moving import move_around
from cloud.around.search import Reach, search
from cloud.around.timeline import Story, timeline
from cloud.blobs.store import DirectoryStore
from cloud.db.engine import Sessions
from cloud.errors import Refused
from cloud.kernel.events import append_event
from tests.integration.around_people import DEAL, NOW, ONE_DATABASE, OTHER, Rules, add_people, by

RULES = Rules()


@pytest.fixture
async def told(sessions: Sessions, tmp_path: Path) -> Sessions:
    """A deal with a day's story, several things in the same instant among it."""
    await add_people(sessions)

    async def read() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"

    kept = await keep(DirectoryStore(tmp_path / "blobs"), read, "a.pdf")
    async with sessions.write() as session:
        first = by("noa")
        await append_event(session, first, action="create", kind="deal", ref=DEAL.ref, changes={"name": [None, "frozen fish"]})
        inside = await post(session, DEAL, NewMessage("they pay late"), first, RULES.readers)
        await post(session, DEAL, NewMessage("hello", visibility="portal"), first, RULES.readers)
        await attach(session, DEAL, NewFile("offer.pdf", kept, visibility="portal"), first, RULES.readers)
        await attach(session, DEAL, NewFile("margin.pdf", kept), first, RULES.readers)
        due = Due("UTC", at=NOW + timedelta(days=1))
        activity = await plan(session, DEAL, NewActivity("call", "ring", "tal", due), first, RULES.readers)
        later = by("tal", NOW + timedelta(hours=1), reason="they asked")
        changes = {"amount": ["100", "90"], "cost": ["50", "60"]}
        await append_event(session, later, action="change", kind="deal", ref=DEAL.ref, changes=changes)
        await append_event(session, later, action="change", kind="deal", ref=DEAL.ref, changes={"cost": ["60", "70"]})
        await append_event(session, later, action="win", kind="deal", ref=DEAL.ref, changes={"state": ["open", "won"]})
        await done(session, DEAL, activity.id, later, RULES.readers, outcome="reached")
        await withdraw(session, DEAL, inside.message.id, replace(later, actor=first.actor))
        await append_event(session, later, action="change", kind="deal", ref=OTHER.ref, changes={"amount": ["1", "2"]})
    return sessions


async def story(sessions: Sessions, *, hidden: str = "", internal: bool = True, **more) -> Story:
    async with sessions.read() as session:
        return await timeline(session, "deal", 7, DEAL.ref, allowed=lambda name: name != hidden, internal=internal, **more)


def told_by(found: Story) -> list[str]:
    return [item.action for item in found.items]


async def test_everything_is_told_once_newest_first(told: Sessions) -> None:
    found = await story(told)
    assert told_by(found) == [
        "message_withdrawn", "activity_done", "win", "change", "change",
        "file_added", "file_added", "activity_planned", "message", "message", "create",
    ]  # fmt: skip
    assert found.next is None
    assert [item.message.body for item in found.items if item.message] == ["hello", "they pay late"]
    change = found.items[4]
    assert [(one.field, one.old, one.new) for one in change.changes] == [("amount", "100", "90"), ("cost", "50", "60")]
    assert (change.actor, change.reason, change.at) == ("tal", "they asked", NOW + timedelta(hours=1))


async def test_pages_of_any_size_are_the_whole(told: Sessions) -> None:
    whole = [(item.source, item.id) for item in (await story(told)).items]
    for size in (1, 2, 3, 5, 11):
        found, before = [], None
        while True:
            page = await story(told, limit=size, before=before)
            found += [(item.source, item.id) for item in page.items]
            before = page.next
            if before is None:
                break
        assert found == whole, size


@ONE_DATABASE
async def test_masked_field_is_left_out_and_a_change_of_nothing_else_too(told: Sessions) -> None:
    found = await story(told, hidden="cost")
    assert told_by(found).count("change") == 1
    assert {change.field for item in found.items for change in item.changes if item.action == "change"} == {"amount"}


@ONE_DATABASE
async def test_portal_sees_nothing_internal(told: Sessions) -> None:
    found = await story(told, internal=False)
    assert told_by(found) == ["win", "change", "change", "file_added", "message", "create"]
    assert [item.message.body for item in found.items if item.message] == ["hello"]
    assert [item.file.name for item in found.items if item.file] == ["offer.pdf"]


@ONE_DATABASE
@pytest.mark.parametrize("before", ["x", "~~", "2026-11-22T09:00:00~event~1", "2026-11-22T09:00:00+00:00~gone~1",
                                    f"{NOW.isoformat()}~event~99999999999999999999"])  # fmt: skip
async def test_page_that_nobody_gave_is_refused(told: Sessions, before: str) -> None:
    with pytest.raises(Refused, match="page_unknown"):
        await story(told, before=before)


async def test_all_but_events_goes_over_to_another_record(told: Sessions) -> None:
    async with told.write() as session:
        await index_record(session, Doc(DEAL), NOW)
        await index_record(session, Doc(OTHER), NOW)
        await unfollow(session, OTHER, "tal", NOW)
        await unfollow(session, DEAL, "dana", NOW)
        await follow(session, OTHER, "noa", NOW)
        await move_around(session, DEAL, OTHER, by("noa", NOW + timedelta(hours=2)))
    assert told_by(await story(told)) == [
        "moved_away",
        "message_withdrawn",
        "activity_done",
        "win",
        "change",
        "change",
        "create",
    ]
    async with told.read() as session:
        found = await timeline(session, "deal", 8, OTHER.ref, allowed=lambda _: True, internal=True)
        assert told_by(found) == [
            "moved_here", "change", "file_added", "file_added", "activity_planned", "message", "message",
        ]  # fmt: skip
        assert await followers(session, "deal", 8) == ["noa"]
        assert await followers(session, "deal", 7) == []
        assert [hit.ref for hit in (await search(session, "hello", reach={"deal": Reach()})).rows] == [OTHER.ref]
        assert {row.notice.record_id for row in (await feed(session, "tal", RULES.readable("tal"))).rows} == {8}
