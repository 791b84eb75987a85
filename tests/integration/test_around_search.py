"""Search over everything, on both databases: Hebrew, codes, masks, scopes, injection, and an index that is never behind."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around import index
from cloud.around.gate import RecordRef
from cloud.around.index import Doc, forget_part, forget_record, index_part, index_record, reindex
from cloud.around.models import SearchDoc
from cloud.around.search import Hits, Reach, search
from cloud.db.engine import Sessions, is_sqlite

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
EVERYTHING = {kind: Reach(internal=True) for kind in ("party", "product", "order", "word")}


def product(number: int, ref: str, title: str, **texts: str) -> Doc:
    return Doc(RecordRef("product", number, ref, title), texts)


STOCK = (
    product(1, "SLM-FIL", "Atlantic salmon fillet", gtin="07290001234570", he="פילה סלמון אטלנטי"),
    product(2, "CHK-CUB", "Chicken cubes", gtin="07290001234563", he="קוביות עוף", cost="secret margin"),
    product(3, "TAH-RAW", "טחינה גולמית", description="טחינה מלאה, 500 ק״ג, בלי הסלמון שבקוביות"),
    product(4, "BOX-450", "Crème box", note="the salmon box"),
)


async def fill(sessions: Sessions, docs: Sequence[Doc]) -> None:
    async with sessions.write() as session:
        for doc in docs:
            await index_record(session, doc, NOW)


async def ask(sessions: Sessions, question: str, reach: dict[str, Reach] | None = None, **more: object) -> Hits:
    async with sessions.read() as session:
        return await search(session, question, reach=EVERYTHING if reach is None else reach, **more)  # type: ignore[arg-type]


def refs(hits: Hits) -> list[str]:
    return [hit.ref for hit in hits.rows]


@pytest.fixture
async def stock(sessions: Sessions) -> Sessions:
    await fill(sessions, STOCK)
    return sessions


FOUND = {
    "slm-fil": ["SLM-FIL"],  # a ref, whole
    "SLM FIL": ["SLM-FIL"],
    "slm": ["SLM-FIL"],  # and by its part
    "salmon": ["SLM-FIL", "BOX-450"],  # a title before a text
    "salm": ["SLM-FIL", "BOX-450"],  # while typing
    "salm ": [],  # typed to its end
    "fillet salmon": ["SLM-FIL"],  # every word, in whatever order
    "salmon chicken": [],
    "creme": ["BOX-450"],
    "CRÈME": ["BOX-450"],
    "07290001234570": ["SLM-FIL"],
    "7290001234570": ["SLM-FIL"],
    "234563": ["CHK-CUB"],
    "0729000": ["CHK-CUB", "SLM-FIL"],
    "": [],
    "  ": [],
    "!!! ״": [],
}


async def test_words_and_codes_are_found_in_order(stock: Sessions) -> None:
    assert {question: refs(await ask(stock, question)) for question in FOUND} == FOUND


HEBREW = [
    # asked, written in the record, found
    ("סלמון", "סלמון", True),
    ("סלמון", "הסלמון", True),
    ("הסלמון", "סלמון", True),
    ("סלמון", "והסלמון", True),
    ("בסלמון", "לסלמון", True),
    ("סלמ", "הסלמון", True),
    ("סלמונים", "סלמון", False),
    ("סלמון", "סלמונים", True),
    ("שלום", "שָׁלוֹם", True),
    ("שָׁלוֹם", "שלום", True),
    ("קג", "ק״ג", True),
    ("ק״ג", "קג", True),
    ('ק"ג', "ק״ג", True),
    ("ק''ג", "ק״ג", True),
    ("צהל", "צה״ל", True),
    ("גירפה", "ג׳ירפה", True),
    ("ג'ירפה", "ג׳ירפה", True),
    ("בית ספר", "בית־ספר", True),
    ("ספר", "בבית־הספר", True),
    ("מלח", "מלך", False),
    ("לח", "מלח", False),
    ("דג", "הדג", False),
    ("דגים", "הדגים", True),
    ("עוף", "העוף", True),
    ("עוף", "עופות", True),
    ("חומץ", "בחומץ", True),
    ("כף", "כפית", True),
    ("מפעל", "במפעל", True),
    ("שקילה", "ושקילה", True),
    ("תעודת משלוח", "לפי תעודת המשלוח", True),
    ("משלוח תעודת", "תעודת המשלוח", True),
    ("טחינה", "טחינה-גולמית", True),
    ("שלומי", "שלום", False),
]


async def test_hebrew_words_are_found_as_people_write_them(sessions: Sessions) -> None:
    docs = [Doc(RecordRef("word", number, f"W{number}", ""), {"text": row[1]}) for number, row in enumerate(HEBREW)]
    await fill(sessions, docs)
    wrong = []
    for number, (asked, written, expected) in enumerate(HEBREW):
        if (f"W{number}" in refs(await ask(sessions, asked, limit=100))) is not expected:
            wrong.append((asked, written, expected))
    assert wrong == []


async def test_kind_that_nobody_allowed_is_not_found(stock: Sessions) -> None:
    assert refs(await ask(stock, "salmon", {})) == []
    assert refs(await ask(stock, "salmon", {"party": Reach()})) == []
    assert refs(await ask(stock, "salmon", kinds=["party"])) == []


async def test_masked_field_is_not_searched_and_not_shown(stock: Sessions) -> None:
    masked = {"product": Reach(fields=lambda name: name != "cost")}
    for question in ("secret", "margin", "secr", "chicken margin"):
        assert refs(await ask(stock, question)) == ["CHK-CUB"], question
        assert refs(await ask(stock, question, masked)) == [], question
    (hit,) = (await ask(stock, "chicken", masked)).rows
    assert "secret" not in "".join(bit.text for bit in hit.snippet)


async def test_title_is_all_that_some_may_search(stock: Sessions) -> None:
    assert refs(await ask(stock, "salmon", {"product": Reach(fields=lambda _: False)})) == ["SLM-FIL"]


async def test_mask_that_hides_nearly_everything_reads_so_many_candidates_only(sessions: Sessions) -> None:
    await fill(sessions, [product(number, f"P{number}", "", cost="margin") for number in range(260)])
    hits = await ask(sessions, "margin", {"product": Reach(fields=lambda _: False)})
    assert (hits.rows, hits.more) == ((), False)


async def test_scope_is_a_condition_of_the_database(stock: Sessions) -> None:
    scoped = {"product": Reach(where=SearchDoc.record_id.in_([4]))}
    assert refs(await ask(stock, "salmon", scoped)) == ["BOX-450"]
    assert refs(await ask(stock, "SLM-FIL", scoped)) == []


async def test_check_is_asked_where_the_condition_lets_too_many_through(stock: Sessions) -> None:
    async def check(_session: AsyncSession, _kind: str, ids: Sequence[int], *, internal: bool) -> dict[int, str]:
        return {one: "" for one in ids if one == 4}

    assert refs(await ask(stock, "salmon", {"product": Reach(check=check)})) == ["BOX-450"]


async def test_masked_title_is_neither_searched_nor_shown(stock: Sessions) -> None:
    masked = {"product": Reach(title=False, internal=True)}
    assert refs(await ask(stock, "fillet", masked)) == []
    async with stock.write() as session:
        await note(session, STOCK[0].record, 1, "wet pallet")
    for question in ("07290001234570", "slm-fil", "pallet"):
        (hit,) = (await ask(stock, question, masked)).rows
        assert (hit.ref, hit.title) == ("SLM-FIL", "SLM-FIL"), question


async def test_title_in_another_language_is_a_title(sessions: Sessions) -> None:
    plain = Doc(RecordRef("word", 2, "B", "x"), {"note": "אננס"})
    await fill(sessions, [Doc(RecordRef("word", 1, "A", "Pineapple"), also="אננס"), plain])
    assert refs(await ask(sessions, "אננס")) == ["A", "B"]


INJECTIONS = [
    '"', '""', "'", "';--", "\\", "a\\'b", "*", "salmon*", "sal* OR chicken", "NOT salmon", "salmon NOT box",
    "NEAR(salmon box)", "title_words:salmon", "{title_words} : salmon", "^salmon", "salmon AND", "OR", "AND OR NOT",
    "salmon:*", "salmon & !box", "salmon <-> box", "!salmon", "(((", ")", "salmon)", ":A", "%", "_", "\x00", "a\x00b",
    "\ud800", "salmon\u202e", "-salmon", "+salmon", "🐟", "\ufdfa" * 50, "x" * 5000, "' OR 1=1 --",
    "'); DROP TABLE search_doc; --", "search_fts MATCH 'x'",
]  # fmt: skip


async def test_no_text_is_an_operator_or_an_error(stock: Sessions) -> None:
    for question in INJECTIONS:
        await ask(stock, question)
    assert refs(await ask(stock, "salmon OR chicken")) == []
    assert refs(await ask(stock, "NOT salmon")) == []
    assert refs(await ask(stock, "salmon*")) == refs(await ask(stock, "salmon"))
    assert refs(await ask(stock, "title_words:salmon")) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.text(max_size=60), written=st.text(max_size=60))
async def test_any_text_can_be_written_and_asked(sessions: Sessions, question: str, written: str) -> None:
    async with sessions.write() as session:
        await index_record(
            session, Doc(RecordRef("word", 1, "w", written.replace("\x00", "")), {"a": written.replace("\x00", "")}), NOW
        )
    await ask(sessions, question)


async def test_change_is_found_at_once_and_the_old_words_no_more(stock: Sessions) -> None:
    await fill(stock, [product(1, "SLM-FIL", "Smoked trout")])
    assert refs(await ask(stock, "trout")) == ["SLM-FIL"]
    assert refs(await ask(stock, "atlantic")) == []


async def test_archived_record_is_found_only_when_asked_for(stock: Sessions) -> None:
    async with stock.write() as session:
        await note(session, STOCK[0].record, 7, "counted twice")
        await index_record(session, Doc(STOCK[0].record, STOCK[0].texts, archived=True), NOW)
    assert refs(await ask(stock, "fillet")) == []
    assert refs(await ask(stock, "counted")) == []
    assert refs(await ask(stock, "fillet", archived=True)) == ["SLM-FIL"]
    assert refs(await ask(stock, "counted", archived=True)) == ["SLM-FIL"]


async def test_rolled_back_change_is_not_found(stock: Sessions) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is the statement
        async with stock.write() as session:
            await index_record(session, product(1, "SLM-FIL", "Smoked trout"), NOW)
            raise ZeroDivisionError
    assert refs(await ask(stock, "trout")) == []
    assert refs(await ask(stock, "fillet")) == ["SLM-FIL"]


async def test_saving_the_same_writes_nothing(stock: Sessions) -> None:
    async with stock.write() as session:
        await index_record(session, STOCK[0], NOW + timedelta(hours=1))
    (hit,) = (await ask(stock, "fillet")).rows
    assert hit.updated_at == NOW


async def note(session: AsyncSession, record: RecordRef, number: int, body: str, *, internal: bool = True) -> None:
    await index_part(session, record, index.MESSAGE, number, body, internal=internal, at=NOW)


async def test_message_leads_to_its_record_once(stock: Sessions) -> None:
    async with stock.write() as session:
        for number in range(3):
            await note(session, STOCK[1].record, number, f"the pallet was wet {number}")
    (hit,) = (await ask(stock, "wet pallet")).rows
    assert (hit.ref, hit.title, hit.part) == ("CHK-CUB", "Chicken cubes", "message")
    assert [bit.text for bit in hit.snippet if bit.found] == ["pallet", "wet"]


async def test_internal_message_is_not_found_by_who_may_not_read_it(stock: Sessions) -> None:
    outside = {"product": Reach(internal=False)}
    async with stock.write() as session:
        await note(session, STOCK[1].record, 1, "they pay late")
        await note(session, STOCK[1].record, 2, "arrives on Monday", internal=False)
    assert refs(await ask(stock, "late", outside)) == []
    assert refs(await ask(stock, "monday", outside)) == ["CHK-CUB"]


async def test_forgotten_parts_and_records_are_not_found(stock: Sessions) -> None:
    async with stock.write() as session:
        await note(session, STOCK[1].record, 1, "wet pallet")
        await forget_part(session, "product", 2, index.MESSAGE, 1)
        await forget_record(session, "product", 3)
    assert refs(await ask(stock, "pallet")) == []
    assert refs(await ask(stock, "טחינה")) == []


async def test_more_says_that_there_is_more(sessions: Sessions) -> None:
    await fill(sessions, [product(number, f"P{number:03}", "fish") for number in range(12)])
    hits = await ask(sessions, "fish", limit=10)
    assert (len(hits.rows), hits.more) == (10, True)
    assert refs(hits)[0] == "P011"  # the newest first
    assert not (await ask(sessions, "fish", limit=12)).more


async def test_snippet_is_cut_around_the_word(stock: Sessions) -> None:
    await fill(stock, [product(9, "X", "", text="first " * 40 + "Salmon, " + "last " * 40)])
    hit = next(hit for hit in (await ask(stock, "salmon")).rows if hit.ref == "X")
    shown = "".join(bit.text for bit in hit.snippet)
    assert [bit.text for bit in hit.snippet if bit.found] == ["Salmon,"]
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) < 250


async def test_rebuild_finds_what_is_and_forgets_what_is_not(stock: Sessions) -> None:
    async def source(_session: AsyncSession, after: int, limit: int) -> list[Doc]:
        docs = [product(number, f"N{number}", "renewed") for number in (1, 2, 5, 6, 7)]
        return [doc for doc in docs if doc.record.id > after][:limit]

    assert await reindex(stock, "product", source, NOW, chunk=2) == 5
    assert sorted(refs(await ask(stock, "renewed"))) == ["N1", "N2", "N5", "N6", "N7"]
    assert refs(await ask(stock, "salmon")) == []
    assert refs(await ask(stock, "טחינה")) == []


async def test_index_is_the_same_as_one_made_anew(stock: Sessions) -> None:
    await fill(stock, [product(1, "SLM-FIL", "Smoked trout")])
    async with stock.write() as session:
        await forget_record(session, "product", 2)
        if is_sqlite(session):
            # Raises where index and rows differ (FTS5 manual, 6.4 "The 'integrity-check' Command").
            await session.execute(text("INSERT INTO search_fts(search_fts, rank) VALUES ('integrity-check', 1)"))
