"""Records that only a definition describes: made, changed, moved on, listed, and kept from those whose they are not."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from cloud.db.engine import Sessions, open_sessions
from cloud.errors import Conflict, Forbidden, GuardFailed, NotFound, ReasonMissing, WrongState
from cloud.kernel.chain import check_chain
from cloud.kernel.events import history
from cloud.objects import query, service
from cloud.objects.caller import Document
from cloud.objects.changing import save_definition
from cloud.objects.faults import BadDefinition, Invalid
from cloud.objects.query import BadQuery, Query
from tests.integration.object_world import World, access, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def faults(caught: pytest.ExceptionInfo[Invalid]) -> set[tuple[str, str]]:
    return {(one.field, one.code) for one in caught.value.faults}


async def test_a_record_is_made_read_and_changed_with_its_history(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        item, made = await service.create(at, "company", {"name": "אורן בע״מ", "credit": "12.50"})
        assert (made, item.ref, item.version, item.values["credit"]) == (True, "C-0001", 1, Decimal("12.5"))
        changed = await service.update(at, "company", "C-0001", {"credit": "13", "city": "Haifa"}, version=1)
        assert (changed.version, changed.values["city"]) == (2, "Haifa")
        again = await service.update(at, "company", "C-0001", {"city": "Haifa"}, version=2)
        assert again.version == 2
    async with sessions.read() as session:
        events = await history(session, "company", "C-0001")
        assert [one.action for one in events] == ["create", "change"]
        assert events[1].changes == {"city": [None, "Haifa"], "credit": ["12.5", "13"]}
        assert (await check_chain(session)).ok


async def test_two_writers_one_wins_and_the_other_is_told(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        await service.create(await world.caller(session), "company", {"name": "A"})
    async with sessions.write() as session:
        await service.update(await world.caller(session), "company", "C-0001", {"city": "Haifa"}, version=1)
    with pytest.raises(Conflict):
        async with sessions.write() as session:
            await service.update(await world.caller(session), "company", "C-0001", {"city": "Acre"}, version=1)


async def test_the_same_uid_makes_one_record(world: World, sessions: Sessions) -> None:
    uid = "01930000-0000-7000-8000-000000000001"
    for made in (True, False):
        async with sessions.write() as session:
            _, new = await service.create(await world.caller(session), "company", {"name": "A"}, uid=uid)
            assert new is made


async def test_source_detail_is_there_only_when_manual_and_then_mandatory(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        with pytest.raises(Invalid) as caught:
            await service.create(at, "visit", {"subject": "x", "source": "manual"})
        assert faults(caught) == {("source_detail", "required")}
        with pytest.raises(Invalid) as caught:
            await service.create(at, "visit", {"subject": "x", "source": "web", "source_detail": "y"})
        assert faults(caught) == {("source_detail", "hidden")}
        item, _ = await service.create(at, "visit", {"subject": "x", "source": "manual", "source_detail": "y"})
        assert item.values["source_detail"] == "y"
        # What was said once is not lost when the question goes away.
        changed = await service.update(at, "visit", item.ref, {"source": "fair"})
        assert changed.values["source_detail"] == "y"


@pytest.mark.parametrize(
    ("score", "good"), [("0", False), ("1", True), ("10", True), ("11", False), ("", True), ("5.5", False)]
)
async def test_a_score_is_one_to_ten(world: World, sessions: Sessions, score: str, good: bool) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        if good:
            await service.create(at, "visit", {"subject": "x", "score": score})
        else:
            with pytest.raises(Invalid) as caught:
                await service.create(at, "visit", {"subject": "x", "score": score})
            assert {one.field for one in caught.value.faults} == {"score"}


async def test_everything_wrong_is_said_at_once(world: World, sessions: Sessions) -> None:
    given = {
        "company": "C-9",
        "score": "many",
        "tags": ["warm"],
        "on": "yesterday",
        "nobody": 1,
        "total": "5",
        "fee": "1.2345",
        "at": "2026-01-01T10:00",
    }
    async with sessions.write() as session:
        with pytest.raises(Invalid) as caught:
            await service.create(await world.caller(session), "visit", given)
    assert faults(caught) == {
        ("company", "no_such"), ("score", "int"), ("tags", "option"), ("on", "date"), ("nobody", "unknown_field"),
        ("total", "readonly"), ("fee", "places"), ("at", "datetime_zone"), ("subject", "required"),
    }  # fmt: skip


async def test_sums_are_computed_exactly_and_options_follow(world: World, sessions: Sessions) -> None:
    lines = [{"what": "a", "qty": "0.1", "price": "3"}, {"what": "b", "qty": "0.2", "price": "1.5"}]
    async with sessions.write() as session:
        at = await world.caller(session)
        item, _ = await service.create(at, "visit", {"subject": "x", "lines": lines})
        assert item.values["total"] == Decimal("0.6")
        bare, _ = await service.create(at, "visit", {"subject": "y"})
        with pytest.raises(Invalid) as caught:
            await service.update(at, "visit", bare.ref, {"outcome": "order"})
        assert faults(caught) == {("outcome", "option_now")}


async def test_transitions_ask_guard_fields_and_reason(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        item, _ = await service.create(at, "visit", {"subject": "x"})
        assert (item.state, item.phase) == ("planned", "open")
        with pytest.raises(GuardFailed) as caught:
            await service.do(at, "visit", item.ref, "hold")
        assert caught.value.values["en"] == "Say the day first."
        held = await service.do(at, "visit", item.ref, "hold", given={"on": "2026-11-22"})
        assert (held.state, held.phase, held.values["on"]) == ("held", "active", date(2026, 11, 22))
        with pytest.raises(Invalid) as missing:
            await service.do(at, "visit", item.ref, "close")
        assert faults(missing) == {("outcome", "required_for")}
        with pytest.raises(ReasonMissing):
            await service.do(at, "visit", item.ref, "drop")
        with pytest.raises(WrongState):
            await service.do(at, "visit", item.ref, "hold")
        with pytest.raises(Invalid) as locked:
            await service.update(at, "visit", item.ref, {"fee": "1"})
        assert faults(locked) == {("fee", "readonly")}
        dropped = await service.do(await world.caller(session, reason="rain"), "visit", item.ref, "drop")
        assert (dropped.state, dropped.phase) == ("dropped", "cancelled")


async def test_lists_filter_sort_and_page_alike_on_both_databases(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "Oak", "city": "Haifa"})
        for number in range(25):
            given = {"subject": f"s{number:02}", "score": None if number % 5 == 0 else number % 10 + 1}
            await service.create(
                at, "visit", {**given, "company": "C-0001" if number % 2 else None, "tags": ["hot"] if number % 3 else []}
            )
        seen: dict[str, list[str]] = {}
        for sort in ("score", "-score", "subject", "-ref", "company", ""):
            refs: list[str] = []
            page = await query.find(at, "visit", Query(sort=sort, limit=4))
            refs += [one.ref for one in page.items]
            while page.next:
                page = await query.find(at, "visit", Query(sort=sort, limit=4, after=page.next))
                refs += [one.ref for one in page.items]
            assert len(refs) == len(set(refs)) == 25
            seen[sort] = refs
        assert seen["score"] == list(reversed(seen["-score"]))
        assert seen["score"][:5] == [f"V-2026-{number:04}" for number in (1, 6, 11, 16, 21)]
        scores = [None if one % 5 == 0 else one % 10 + 1 for one in range(25)]
        high = sum(1 for one in scores if one is not None and one > 5)
        for wanted, number in {
            "score > 5 and company == 'C-0001'": sum(
                1 for n, one in enumerate(scores) if one is not None and one > 5 and n % 2
            ),
            "company.city == 'Haifa'": 12,
            "company is None": 13,
            "'hot' in tags": 16,
            "not (score > 5)": 25 - high,
            "score is None or state == 'held'": 5,
            "len(subject) == 3 and score / 2 == 1": sum(1 for one in scores if one == 2),
            "phase == 'open'": 25,
        }.items():
            page = await query.find(at, "visit", Query(filter=wanted, limit=100))
            assert len(page.items) == number, wanted
        assert await query.count(at, "visit", Query(filter="score > 5")) == (high, False)
        assert (await query.find(at, "visit", Query(filter="score / 2 == 1"))).outside
        assert (await query.count_by_state(at, "visit", Query()))["planned"] == 25


@pytest.mark.parametrize("wanted", ["scor > 5", "score >", "__import__('os')", "subject > 5", "1 +"])
async def test_a_wrong_filter_says_where(world: World, sessions: Sessions, wanted: str) -> None:
    async with sessions.read() as session:
        with pytest.raises(BadQuery) as caught:
            await query.find(await world.caller(session), "visit", Query(filter=wanted))
    assert caught.value.code == "bad_filter"
    assert int(caught.value.values["column"]) >= 1


@pytest.mark.parametrize("after", ["x", "W10", "eyJ9", "WyJ2IiwxLDFd", "A" * 5000])
async def test_a_place_that_no_page_gave_out_is_refused(world: World, sessions: Sessions, after: str) -> None:
    async with sessions.read() as session:
        with pytest.raises(BadQuery):
            await query.find(await world.caller(session), "visit", Query(sort="subject", after=after))


async def test_nothing_is_allowed_that_no_grant_names(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        await service.create(await world.caller(session), "company", {"name": "A"})
        nobody = await world.caller(session, access=access())
        with pytest.raises(NotFound):
            await service.get(nobody, "company", "C-0001")
        with pytest.raises(Forbidden):
            await query.find(nobody, "company", Query())
        reader = await world.caller(session, access=access(("company", "read")))
        with pytest.raises(Forbidden):
            await service.update(reader, "company", "C-0001", {"city": "x"})
        with pytest.raises(Forbidden):
            await service.create(reader, "company", {"name": "B"})


async def test_scopes_and_sites_hold_everywhere(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        root = await world.caller(session)
        for name, site in (("A", "north"), ("B", "south"), ("C", None)):
            await service.create(root, "company", {"name": name, "site_code": site})
        north = access(("company", "read"), ("company", "write"), ("company", "create"), ("visit", "*"), site="north")
        at = await world.caller(session, access=north)
        page = await query.find(at, "company", Query())
        assert [one.ref for one in page.items] == ["C-0001"]
        for call in (service.get(at, "company", "C-0002"), service.update(at, "company", "C-0002", {"city": "x"})):
            with pytest.raises(NotFound):
                await call
        with pytest.raises(Forbidden):
            await service.update(at, "company", "C-0001", {"site_code": "south"})
        with pytest.raises(Forbidden):
            await service.create(at, "company", {"name": "D", "site_code": "south"})
        with pytest.raises(Invalid) as caught:
            await service.create(at, "visit", {"subject": "x", "company": "C-0002"})
        assert faults(caught) == {("company", "no_such")}


async def test_masked_fields_are_in_no_answer_and_in_no_filter(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        root = await world.caller(session)
        await service.create(root, "visit", {"subject": "x", "secret": "gold", "score": 5})
        at = await world.caller(
            session, access=access(("visit", "read", "", "-secret -score"), ("visit", "write", "", "subject"))
        )
        item = await service.get(at, "visit", "V-2026-0001")
        assert "secret" not in item.values
        assert "score" not in item.values
        for wanted in (Query(filter="secret == 'gold'"), Query(sort="secret"), Query(filter="len(secret) > 1")):
            with pytest.raises(Forbidden):
                await query.find(at, "visit", wanted)
        with pytest.raises(Invalid) as caught:
            await service.update(at, "visit", "V-2026-0001", {"secret": "tin"})
        assert faults(caught) == {("secret", "not_yours")}
        await service.update(at, "visit", "V-2026-0001", {"subject": "y"})
        assert (await service.get(root, "visit", "V-2026-0001")).values["secret"] == "gold"


async def test_relations_of_many_to_many_keep_their_order(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        for name in "ABC":
            await service.create(at, "company", {"name": name})
        item, _ = await service.create(at, "visit", {"subject": "x", "guests": ["C-0003", "C-0001"]})
        assert [one.ref for one in item.values["guests"]] == ["C-0003", "C-0001"]
        item = await service.update(at, "visit", item.ref, {"guests": "C-0001,C-0002"})
        assert [one.ref for one in item.values["guests"]] == ["C-0001", "C-0002"]
        assert item.title.en == "x"
        item = await service.update(at, "visit", item.ref, {"company": "C-0002"})
        assert item.title.en == "x – B"


async def test_an_object_is_made_and_grown_at_run_time(world: World, sessions: Sessions) -> None:
    first = "key: x_pump\nfields:\n  name: {type: text, required: true}\n  speed: {type: int, indexed: true}\n"
    async with sessions.write() as session:
        at = await world.caller(session)
        await save_definition(at, world.registry, first, version=0)
    async with sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "x_pump", {"name": "P", "speed": "7"})
        # The field is left out, and its values stay.
        await save_definition(
            at, world.registry, "key: x_pump\nfields:\n  name: {type: text}\n  weight: {type: decimal}\n", version=1
        )
    async with sessions.write() as session:
        at = await world.caller(session)
        assert "speed" not in (await service.get(at, "x_pump", "X_PU-00001")).values
        await save_definition(at, world.registry, first, version=2)
    async with sessions.read() as session:
        at = await world.caller(session)
        assert (await service.get(at, "x_pump", "X_PU-00001")).values["speed"] == 7
        page = await query.find(at, "x_pump", Query(filter="speed == 7"))
        assert len(page.items) == 1


@pytest.mark.parametrize(("said", "line", "code"), [
    ("key: x_a\nfields:\n  a: {type: texd}\n", 3, "unknown_type"),
    ("key: x_a\nfields:\n  a: {type: text, visible_when: \"b == 1\"}\n", 3, "unknown_name"),
    ("key: x_a\nfields:\n  a: {type: int, compute: b + 1}\n  b: {type: int, compute: a + 1}\n", 3, "circle"),
    ("key: x_a\nfields:\n  a: {type: choice, options: [p, q]}\n  b:\n    required_when: \"a == 'r'\"\n", 5, "unknown_option"),
    ("key: x_a\nstates: {s: open, t: done}\ntransitions:\n  g: {from: s, to: t, when: 1>2}\nfields: {a: {}}", 4, "impossible"),
    ("key: x_a\nstates: {s: open, t: done}\nfields:\n  a: {type: text}\n", 2, "unreachable"),
    ("key: x_a\nfields:\n  a: {type: ref, object: nothing}\n", 3, "unknown_object"),
    ("key: x_a\nfields:\n  a: {type: text}\n  a: {type: int}\n", 4, "twice"),
    ("key: company\nfields:\n  name: {type: int}\n", 3, "not_yours"),
    ("key: company\nfields:\n  mine: {type: int}\n", 3, "not_yours"),
    ("key: x_a\nfields:\n\ta: {type: text}\n", 3, "syntax"),
])  # fmt: skip
async def test_a_wrong_definition_names_the_line(world: World, sessions: Sessions, said: str, line: int, code: str) -> None:
    async with sessions.write() as session:
        with pytest.raises(BadDefinition) as caught:
            await save_definition(await world.caller(session), world.registry, said)
    assert (line, code) in {(one.line, one.code) for one in caught.value.faults}, str(caught.value)


async def test_fields_of_a_customer_join_a_shipped_object(world: World, sessions: Sessions) -> None:
    said = 'key: company\nfields:\n  x_rank: {type: int}\n  city: {required_when: "x_rank > 3", label: {en: Town}}\n'
    async with sessions.write() as session:
        await save_definition(await world.caller(session), world.registry, said)
    async with sessions.write() as session:
        at = await world.caller(session)
        with pytest.raises(Invalid) as caught:
            await service.create(at, "company", {"name": "A", "x_rank": 4})
        assert faults(caught) == {("city", "required")}
        assert at.objects.get("company").by_key["city"].label.en == "Town"


async def test_a_document_opens_the_guard(world: World, sessions: Sessions) -> None:
    said = "key: visit\ntransitions:\n  hold: {when: \"has_document('photo', signed=True)\"}\n"
    there: list[Document] = []

    async def documents(_session: object, _kind: str, _id: int) -> list[Document]:
        return there

    world.hooks.documents = documents
    async with sessions.write() as session:
        await save_definition(await world.caller(session), world.registry, said)
    async with sessions.write() as session:
        at = await world.caller(session)
        item, _ = await service.create(at, "visit", {"subject": "x"})
        with pytest.raises(GuardFailed):
            await service.do(at, "visit", item.ref, "hold")
        there.append(Document("photo", signed=True))
        assert (await service.do(at, "visit", item.ref, "hold")).state == "held"


@pytest.mark.parametrize("verb", ["UPDATE event SET actor = 'x' WHERE id = 2", "DELETE FROM event WHERE id = 2"])
async def test_the_chain_finds_a_row_that_was_tampered_with(world: World, sessions: Sessions, verb: str) -> None:
    for name in "ABC":
        async with sessions.write() as session:
            await service.create(await world.caller(session), "company", {"name": name})
    async with sessions.write() as session:
        if sessions.engine.dialect.name == "sqlite":
            for one in ("update", "delete"):
                await session.execute(text(f"DROP TRIGGER event_no_{one}"))
        else:
            await session.execute(text("DROP TRIGGER event_no_change ON event"))
        await session.execute(text(verb))
    async with sessions.read() as session:
        assert not (await check_chain(session)).ok


@pytest.mark.postgres
async def test_a_list_that_takes_too_long_is_refused(world: World, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = open_sessions(postgres_url)
    try:
        async with sessions.write() as session:
            at = await world.caller(session)
            for number in range(60):
                await service.create(at, "visit", {"subject": f"s{number}", "note": "long " * 1900})
        monkeypatch.setattr(query, "SLOWEST_MS", 1)
        wanted = " and ".join(f"'zz{number}' not in note" for number in range(60))
        with pytest.raises(BadQuery) as caught:
            async with sessions.read() as session:
                await query.find(await world.caller(session), "visit", Query(filter=wanted))
        assert caught.value.code == "too_slow"
    finally:
        await sessions.engine.dispose()
