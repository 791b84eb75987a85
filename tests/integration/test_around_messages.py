"""Messages: visibility that nothing changes, replies that inherit it, and news only for who may read them. Both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from cloud.around.following import COUNTED, EVENT, News, feed, follow, followers, mark_read, tell, unfollow, unread
from cloud.around.messages import MAX_BODY, MAX_MENTIONS, NewMessage, Posted, mentions, post, withdraw
from cloud.around.models import Message, Notice
from cloud.around.search import Reach, search
from cloud.db.engine import Sessions
from cloud.errors import Conflict, Forbidden, NotFound, Refused
from cloud.kernel.access import Access, Grant
from cloud.kernel.events import history
from tests.integration.around_people import DEAL, NOW, ONE_DATABASE, OTHER, Rules, add_people, by

OUTSIDE = replace(DEAL, internal=False)


@pytest.fixture
async def rules(sessions: Sessions) -> Rules:
    await add_people(sessions)
    return Rules()


async def say(sessions: Sessions, rules: Rules, new: NewMessage | str, login: str = "noa", record=DEAL) -> Posted:
    async with sessions.write() as session:
        message = NewMessage(new) if isinstance(new, str) else new
        return await post(session, record, message, by(login), rules.readers)


async def waits_for(sessions: Sessions, rules: Rules, login: str) -> list[tuple[str, str]]:
    async with sessions.read() as session:
        found = await feed(session, login, rules.readable(login))
        return [(row.notice.why, row.notice.action) for row in found.rows]


@ONE_DATABASE
async def test_message_is_internal_unless_somebody_says_otherwise(sessions: Sessions, rules: Rules) -> None:
    assert (await say(sessions, rules, "they pay late")).message.visibility == "internal"
    assert (await say(sessions, rules, NewMessage("hello", visibility="portal"))).message.visibility == "portal"


CHANGES = (
    "UPDATE message SET visibility = 'portal'",
    "UPDATE message SET body = 'x'",
    "UPDATE message SET author = 'x'",
    "UPDATE message SET created_at = created_at",
    "DELETE FROM message",
)


async def test_no_statement_changes_or_deletes_what_was_said(sessions: Sessions, rules: Rules) -> None:
    await say(sessions, rules, "they pay late")
    for change in CHANGES:
        with pytest.raises(DBAPIError, match="never changed"):
            async with sessions.write() as session:
                await session.execute(text(change))


@pytest.mark.parametrize("visibility", ["internal", "portal"])
async def test_reply_is_as_visible_as_what_it_answers(sessions: Sessions, rules: Rules, visibility) -> None:
    first = (await say(sessions, rules, NewMessage("a", visibility=visibility))).message
    reply = (await say(sessions, rules, NewMessage("b", reply_to=first.id), "tal")).message
    assert reply.visibility == visibility
    other = "portal" if visibility == "internal" else "internal"
    with pytest.raises(Refused, match="reply_visibility"):
        await say(sessions, rules, NewMessage("b", reply_to=first.id, visibility=other))
    with pytest.raises(DBAPIError, match="as visible as"):  # noqa: PT012 - the transaction is the statement
        async with sessions.write() as session:
            columns = "kind, record_id, ref, channel, direction, author_kind, author, body, created_at"
            added = "INSERT INTO message (uid, visibility, reply_to, COLUMNS) SELECT 'u', :other, id, COLUMNS FROM message"
            await session.execute(text(added.replace("COLUMNS", columns)), {"other": other})


@ONE_DATABASE
async def test_reply_stays_at_its_record(sessions: Sessions, rules: Rules) -> None:
    first = (await say(sessions, rules, "a")).message
    with pytest.raises(NotFound):
        await say(sessions, rules, NewMessage("b", reply_to=first.id), record=OTHER)


@ONE_DATABASE
async def test_outsider_neither_writes_nor_answers_what_is_internal(sessions: Sessions, rules: Rules) -> None:
    inside = (await say(sessions, rules, "they pay late")).message
    with pytest.raises(Forbidden):
        await say(sessions, rules, "hello", "dana", OUTSIDE)
    with pytest.raises(NotFound):
        await say(sessions, rules, NewMessage("b", reply_to=inside.id), "dana", OUTSIDE)
    assert (await say(sessions, rules, NewMessage("hello", visibility="portal"), "dana", OUTSIDE)).message.id


@ONE_DATABASE
async def test_body_of_the_wrong_size_is_refused(sessions: Sessions, rules: Rules) -> None:
    wrong = {"": "message_empty", " \r\n ": "message_empty", "x" * (MAX_BODY + 1): "message_too_long"}
    for body, code in wrong.items():
        with pytest.raises(Refused, match=code):
            await say(sessions, rules, body)


@ONE_DATABASE
async def test_body_keeps_its_lines_and_loses_what_would_deceive(sessions: Sessions, rules: Rules) -> None:
    said = await say(sessions, rules, "  שורה \u202eא\r\n\tsecond\x07\r\n")
    assert said.message.body == "שורה א\n    second\u2407"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("@noa look", ("noa",)),
        ("(@Noa, @tal.) @noa", ("noa", "tal")),
        ("noa@galil.co.il and x.@tal", ()),
        ("שלום @noa!", ("noa",)),
        ("@@noa @ @-", ()),
        ("", ()),
    ],
)
def test_mentions_are_logins_behind_an_at(body: str, names: tuple[str, ...]) -> None:
    assert mentions(body) == names


async def test_mentioned_people_are_told_and_follow(sessions: Sessions, rules: Rules) -> None:
    said = await say(sessions, rules, "@tal see this, @noa")
    assert said.told == {"tal"}  # nobody is told what they wrote
    assert await waits_for(sessions, rules, "tal") == [("mention", "message")]
    assert await waits_for(sessions, rules, "noa") == []
    async with sessions.read() as session:
        assert await followers(session, "deal", 7) == ["noa", "tal"]


@ONE_DATABASE
async def test_mentioned_people_who_may_not_read_are_not_told_and_the_writer_hears_so(sessions: Sessions, rules: Rules) -> None:
    said = await say(sessions, rules, "@ron @tal @gone @nobody-here")
    assert (said.told, said.cannot_read, said.unknown) == ({"tal"}, ("ron",), ("gone", "nobody-here"))
    async with sessions.read() as session:
        assert set(await session.scalars(select(Notice.login))) == {"tal"}
        assert "ron" not in await followers(session, "deal", 7)


@ONE_DATABASE
async def test_outsiders_are_not_told_of_what_is_internal(sessions: Sessions, rules: Rules) -> None:
    rules.outside = {"dana"}
    async with sessions.write() as session:
        await follow(session, DEAL, "dana", NOW)
    inside = await say(sessions, rules, "@dana they pay late")
    assert (inside.cannot_read, inside.told) == (("dana",), frozenset())
    assert (await say(sessions, rules, "they pay late")).told == frozenset()
    assert (await say(sessions, rules, NewMessage("hello", visibility="portal"))).told == {"dana"}
    assert await waits_for(sessions, rules, "dana") == [("follow", "message")]


@ONE_DATABASE
async def test_too_many_mentions_are_refused(sessions: Sessions, rules: Rules) -> None:
    with pytest.raises(Refused, match="too_many_mentions"):
        await say(sessions, rules, " ".join(f"@p{number}" for number in range(MAX_MENTIONS + 1)))


@ONE_DATABASE
async def test_followers_hear_until_they_say_no(sessions: Sessions, rules: Rules) -> None:
    await say(sessions, rules, "one", "tal")
    assert (await say(sessions, rules, "two")).told == {"tal"}
    async with sessions.write() as session:
        await unfollow(session, DEAL, "tal", NOW)
    await say(sessions, rules, "three", "tal")  # writing makes nobody follow who said no
    assert (await say(sessions, rules, "four")).told == frozenset()
    assert (await say(sessions, rules, "@tal five")).told == {"tal"}


@ONE_DATABASE
async def test_what_one_may_read_no_more_waits_no_more(sessions: Sessions, rules: Rules) -> None:
    await say(sessions, rules, "@tal one")
    rules.may.remove("tal")
    assert await waits_for(sessions, rules, "tal") == []
    async with sessions.read() as session:
        assert await unread(session, "tal", rules.readable("tal")) == 0


async def test_feed_is_paged_and_counted_to_a_cap(sessions: Sessions, rules: Rules) -> None:
    async with sessions.write() as session:
        for number in range(COUNTED + 6):
            news = News("message", "message", internal=True, about_id=number)
            await tell(session, DEAL, news, by("noa"), rules.readers, mentioned=["tal"])
    seen: list[int | None] = []
    before: int | None = None
    reader = rules.readable("tal")
    async with sessions.read() as session:
        assert await unread(session, "tal", reader) == COUNTED + 1
        while True:
            page = await feed(session, "tal", reader, before=before, limit=40)
            seen += [row.notice.about_id for row in page.rows]
            before = page.next
            if before is None:
                break
    assert seen == list(reversed(range(COUNTED + 6)))


async def test_changes_that_nobody_looked_at_are_one_notice(sessions: Sessions, rules: Rules) -> None:
    async with sessions.write() as session:
        await follow(session, DEAL, "tal", NOW)
        for action in ("change", "qualify", "offer"):
            await tell(session, DEAL, News(EVENT, action, internal=False), by("noa"), rules.readers)
    assert await waits_for(sessions, rules, "tal") == [("follow", "offer")]
    async with sessions.write() as session:
        await mark_read(session, "tal", NOW, record=OTHER)
        assert await unread(session, "tal", rules.readable("tal")) == 1
        await mark_read(session, "tal", NOW, record=DEAL)
        await tell(session, DEAL, News(EVENT, "win", internal=False), by("noa"), rules.readers)
    assert await waits_for(sessions, rules, "tal") == [("follow", "win"), ("follow", "offer")]


async def test_withdrawn_message_stays_and_is_found_no_more(sessions: Sessions, rules: Rules) -> None:
    said = await say(sessions, rules, "they pay late")
    async with sessions.write() as session:
        await withdraw(session, DEAL, said.message.id, by("noa", NOW + timedelta(minutes=1)))
        await withdraw(session, DEAL, said.message.id, by("noa", NOW + timedelta(minutes=2)))
    async with sessions.read() as session:
        row = await session.get_one(Message, said.message.id)
        assert (row.body, row.withdrawn_by, row.withdrawn_at) == ("they pay late", "noa", NOW + timedelta(minutes=1))
        found = await search(session, "late", reach={"deal": Reach(internal=True)})
        assert found.rows == ()
        assert [event.action for event in await history(session, "deal", DEAL.ref)] == ["message", "message_withdrawn"]


@ONE_DATABASE
async def test_another_withdraws_only_with_the_right_to_archive(sessions: Sessions, rules: Rules) -> None:
    said = await say(sessions, rules, "they pay late")
    reader = Access.of([Grant("sales", "deal", "read"), Grant("sales", "deal", "write")])
    with pytest.raises(Forbidden):
        async with sessions.write() as session:
            await withdraw(session, DEAL, said.message.id, by("tal", access=reader))
    async with sessions.write() as session:
        await withdraw(session, DEAL, said.message.id, by("tal", access=Access.all()))


async def test_message_said_again_is_the_same(sessions: Sessions, rules: Rules) -> None:
    new = NewMessage("@tal once", uid="018f3f60-0000-7000-8000-000000000001")
    first, again = await say(sessions, rules, new), await say(sessions, rules, new)
    assert (again.message.id, again.told) == (first.message.id, frozenset())
    assert len(await waits_for(sessions, rules, "tal")) == 1
    with pytest.raises(Conflict):
        await say(sessions, rules, new, record=OTHER)
