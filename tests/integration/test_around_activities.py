"""Activities: due days in their own zones, outcomes where the type asks, and who is told. Both databases."""

from datetime import UTC, date, datetime, timedelta

import pytest

from cloud.around import activities
from cloud.around.activities import Due, NewActivity, activities_of, activity_types, cancel, done, move, plan, reassign
from cloud.around.following import feed, followers
from cloud.around.models import Activity
from cloud.db.engine import Sessions
from cloud.errors import Conflict, NotFound, Refused
from cloud.kernel.events import history
from tests.integration.around_people import DEAL, NOW, ONE_DATABASE, OTHER, Rules, add_people, by

HOME = "Asia/Jerusalem"
TODAY = Due(HOME, on=date(2026, 11, 22))


@pytest.fixture
async def rules(sessions: Sessions) -> Rules:
    await add_people(sessions)
    return Rules()


async def add(sessions: Sessions, rules: Rules, due: Due = TODAY, *, type: str = "task", to: str = "tal", **more) -> Activity:  # noqa: A002
    async with sessions.write() as session:
        new = NewActivity(type, more.pop("summary", "ring them"), to, due, **more)
        return await plan(session, DEAL, new, by("noa"), rules.readers)


@pytest.mark.parametrize(
    ("due", "ends"),
    [
        (Due(HOME, on=date(2026, 11, 22)), datetime(2026, 11, 22, 22, 0, tzinfo=UTC)),
        (Due("America/New_York", on=date(2026, 11, 22)), datetime(2026, 11, 23, 5, 0, tzinfo=UTC)),
        (Due("UTC", on=date(2026, 11, 22)), datetime(2026, 11, 23, tzinfo=UTC)),
        # The day on which summer time ends has 25 hours.
        (Due(HOME, on=date(2026, 10, 25)), datetime(2026, 10, 25, 22, 0, tzinfo=UTC)),
        (Due(HOME, at=datetime(2026, 11, 22, 10, 0, tzinfo=UTC)), datetime(2026, 11, 22, 10, 0, tzinfo=UTC)),
    ],
)
def test_day_ends_where_it_was_said(due: Due, ends: datetime) -> None:
    assert due.ends() == ends


@pytest.mark.parametrize(
    ("due", "code"),
    [
        (Due(HOME), "due_missing"),
        (Due(HOME, on=date(2026, 1, 1), at=NOW), "due_missing"),
        (Due(HOME, at=datetime(2026, 1, 1)), "due_missing"),  # noqa: DTZ001 - what is refused
        (Due(HOME, on=date.max), "due_missing"),
        (Due("Mars/Olympus", on=date(2026, 1, 1)), "zone_unknown"),
        (Due("../../etc/passwd", on=date(2026, 1, 1)), "zone_unknown"),
    ],
)
def test_due_that_is_none_is_refused(due: Due, code: str) -> None:
    with pytest.raises(Refused, match=code):
        due.ends()


async def test_lists_follow_the_zones(sessions: Sessions, rules: Rules) -> None:
    for summary, due in {
        "ended in Israel": Due(HOME, on=date(2026, 11, 21)),
        "an hour ago": Due(HOME, at=NOW - timedelta(hours=1)),
        "in an hour": Due(HOME, at=NOW + timedelta(hours=1)),
        "today": TODAY,
        "yesterday in Honolulu goes on": Due("Pacific/Honolulu", on=date(2026, 11, 21)),
        "midnight is tomorrow": Due(HOME, at=datetime(2026, 11, 22, 22, 0, tzinfo=UTC)),
        "tomorrow": Due(HOME, on=date(2026, 11, 23)),
    }.items():
        await add(sessions, rules, due, summary=summary)

    async def lists(now: datetime, zone: str) -> list[set[str]]:
        async with sessions.read() as session:
            found = await activities_of(session, "tal", now, zone=zone, readable=rules.readable("tal"))
        return [{row.activity.summary for row in part} for part in (found.overdue, found.today, found.later)]

    overdue, today, later = await lists(NOW, HOME)
    assert overdue == {"ended in Israel", "an hour ago"}
    assert today == {"in an hour", "today", "yesterday in Honolulu goes on"}
    assert later == {"midnight is tomorrow", "tomorrow"}
    # Who looks from Tokyo an hour before Israel's midnight is in the next day already.
    overdue, today, later = await lists(datetime(2026, 11, 22, 21, 0, tzinfo=UTC), "Asia/Tokyo")
    assert {"in an hour", "yesterday in Honolulu goes on"} <= overdue
    assert today == {"today", "midnight is tomorrow", "tomorrow"}
    assert later == set()


@ONE_DATABASE
async def test_list_has_only_what_its_reader_may_read(sessions: Sessions, rules: Rules) -> None:
    await add(sessions, rules)
    rules.may.remove("tal")
    async with sessions.read() as session:
        assert (await activities_of(session, "tal", NOW, zone=HOME, readable=rules.readable("tal"))).today == ()


@ONE_DATABASE
async def test_assignee_follows_and_is_told(sessions: Sessions, rules: Rules) -> None:
    row = await add(sessions, rules)
    async with sessions.read() as session:
        assert await followers(session, "deal", 7) == ["noa", "tal"]
        (waiting,) = (await feed(session, "tal", rules.readable("tal"))).rows
    assert (waiting.notice.why, waiting.notice.about, waiting.notice.about_id) == ("assigned", "activity", row.id)


@ONE_DATABASE
async def test_activity_of_the_wrong_form_is_refused(sessions: Sessions, rules: Rules) -> None:
    for more, code in (
        ({"to": "ron"}, "assignee_cannot_read"),
        ({"to": "nobody"}, "assignee_unknown"),
        ({"to": "gone"}, "assignee_unknown"),
        ({"type": "dance"}, "activity_type_unknown"),
        ({"summary": "  "}, "summary_missing"),
    ):
        with pytest.raises(Refused, match=code):
            await add(sessions, rules, **more)


@ONE_DATABASE
async def test_done_needs_an_outcome_where_the_type_asks(sessions: Sessions, rules: Rules) -> None:
    call, task = await add(sessions, rules, type="call"), await add(sessions, rules)
    async with sessions.write() as session:
        with pytest.raises(Refused, match="outcome_needed"):
            await done(session, DEAL, call.id, by("tal"), rules.readers)
        with pytest.raises(Refused, match="outcome_unknown"):
            await done(session, DEAL, call.id, by("tal"), rules.readers, outcome="sent")
        row = await done(session, DEAL, call.id, by("tal"), rules.readers, outcome="reached", note="on Sunday")
        assert (row.standing, row.outcome, row.outcome_note, row.closed_by) == ("done", "reached", "on Sunday", "tal")
        await done(session, DEAL, task.id, by("tal"), rules.readers)
    async with sessions.read() as session:
        assert (await activities_of(session, "tal", NOW, zone=HOME, readable=rules.readable("tal"))).today == ()
        assert await activities.open_activities(session, "deal", 7) == []


@ONE_DATABASE
async def test_closed_activity_is_closed(sessions: Sessions, rules: Rules) -> None:
    row = await add(sessions, rules)
    async with sessions.write() as session:
        cancelled = await cancel(session, DEAL, row.id, by("noa", reason="they called us"), rules.readers)
        assert cancelled.standing == "cancelled"
        for again in (
            done(session, DEAL, row.id, by("tal"), rules.readers),
            cancel(session, DEAL, row.id, by("tal"), rules.readers),
            reassign(session, DEAL, row.id, "dana", by("noa"), rules.readers),
            move(session, DEAL, row.id, TODAY, by("noa")),
        ):
            with pytest.raises(Refused, match="activity_closed"):
                await again


async def test_whoever_saw_an_older_version_is_told(sessions: Sessions, rules: Rules) -> None:
    row = await add(sessions, rules)
    async with sessions.write() as session:
        await move(session, DEAL, row.id, Due(HOME, on=date(2026, 12, 1)), by("noa"), version=1)
        with pytest.raises(Conflict):
            await reassign(session, DEAL, row.id, "dana", by("noa"), rules.readers, version=1)


async def test_every_step_is_an_event_of_the_record(sessions: Sessions, rules: Rules) -> None:
    row = await add(sessions, rules)
    async with sessions.write() as session:
        await reassign(session, DEAL, row.id, "dana", by("noa"), rules.readers)
        await move(session, DEAL, row.id, Due(HOME, at=NOW), by("dana"))
        await done(session, DEAL, row.id, by("dana"), rules.readers)
    async with sessions.read() as session:
        events = await history(session, "deal", DEAL.ref)
        (told,) = (await feed(session, "dana", rules.readable("dana"))).rows
    assert [event.action for event in events] == [
        "activity_planned", "activity_reassigned", "activity_moved", "activity_done",
    ]  # fmt: skip
    assert events[1].changes["assignee"] == ["tal", "dana"]
    assert events[2].changes["due"] == ["2026-11-22", NOW.isoformat()]
    assert told.notice.why == "assigned"


@ONE_DATABASE
async def test_activity_is_reached_through_its_record_only(sessions: Sessions, rules: Rules) -> None:
    row = await add(sessions, rules)
    async with sessions.write() as session:
        with pytest.raises(NotFound):
            await done(session, OTHER, row.id, by("tal"), rules.readers)


@ONE_DATABASE
async def test_activity_said_again_is_the_same(sessions: Sessions, rules: Rules) -> None:
    uid = "018f3f60-0000-7000-8000-000000000002"
    assert (await add(sessions, rules, uid=uid)).id == (await add(sessions, rules, uid=uid, source="rule:remind")).id


async def test_shipped_types_say_what_can_come_of_them(sessions: Sessions) -> None:
    async with sessions.read() as session:
        types = {row.key: row for row in await activity_types(session)}
    assert {"call", "meeting", "task", "mail", "review"} <= types.keys()
    assert all(row.outcomes for row in types.values() if row.needs_outcome)
    assert all(row.label_he and row.label_en for row in types.values())
