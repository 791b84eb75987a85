"""A value written into a file and read back is the same value; what people write in other ways is understood or told."""

import csv
import io
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from cloud.db.types import from_micro
from cloud.imports.cells import NUMERIC, Form, escaped, given, text_of, unescaped
from cloud.imports.faults import ExportRefused
from cloud.imports.heads import Head
from cloud.imports.reading import How, read_file
from cloud.imports.workbook import Book
from cloud.objects.definition import FieldDef, Label, Option
from cloud.objects.rows import Reference
from cloud.objects.values import MAX_INT, Unfit, accept

ZONE = ZoneInfo("Asia/Jerusalem")
LABEL = Label("x")
OPTIONS = tuple(Option(key, Label(en, he)) for key, en, he in (("hot", "Hot", "חם"), ("cold", "Cold", "קר")))
ROW = (FieldDef("what", "text", LABEL), FieldDef("qty", "decimal", LABEL))
FIELDS: Mapping[str, FieldDef] = {
    one.key: one
    for one in (
        FieldDef("text", "text", LABEL),
        FieldDef("long", "long", LABEL, max_length=10_000),
        FieldDef("int", "int", LABEL),
        FieldDef("decimal", "decimal", LABEL, decimals=6),
        FieldDef("money", "money", LABEL, decimals=2),
        FieldDef("bool", "bool", LABEL),
        FieldDef("date", "date", LABEL),
        FieldDef("datetime", "datetime", LABEL),
        FieldDef("choice", "choice", LABEL, options=OPTIONS),
        FieldDef("choices", "choices", LABEL, options=OPTIONS),
        FieldDef("json", "json", LABEL, of=ROW),
        FieldDef("ref", "ref", LABEL, target="x"),
        FieldDef("refs", "refs", LABEL, target="x"),
    )
}

LETTERS = st.text(st.sampled_from("אבג abc0123=+-@'\"',;\n\t\r[]{}|_x\\/€👍"), max_size=40) | st.text(max_size=40)
TRAPS = st.sampled_from(
    ["007", "=1+1", "'=1", "''-2", "1e5", "2026-01-02", "TRUE", "_x0041_", "#N/A", "-5", "+972", '"', "[1]", "{}"]
)
REFS = st.text(st.sampled_from("ABC-012,[\"'=+ "), min_size=1, max_size=12).map(str.strip).filter(bool)


def texts(one: FieldDef) -> st.SearchStrategy[Any]:
    """Only what can be stored: a value that was accepted."""
    return (LETTERS | TRAPS).map(lambda text: accept(one, text[: one.max_length]))


VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "text": texts(FIELDS["text"]),
    "long": texts(FIELDS["long"]),
    "int": st.integers(-MAX_INT, MAX_INT),
    "decimal": st.integers(-(10**18), 10**18).map(from_micro),
    "money": st.integers(-(10**14), 10**14).map(lambda cents: from_micro(cents * 10_000)),
    "bool": st.booleans(),
    "date": st.dates(),
    "datetime": st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1)).map(lambda one: one.replace(tzinfo=UTC)),  # noqa: DTZ001
    "choice": st.sampled_from(["hot", "cold"]),
    "choices": st.lists(st.sampled_from(["hot", "cold"]), unique=True)
    .map(
        sorted,
    )
    .map(lambda one: one[::-1]),
    "json": st.lists(st.fixed_dictionaries({"what": texts(ROW[0]), "qty": st.integers(0, 10**9).map(from_micro)}), max_size=3),
    "ref": REFS.map(lambda ref: Reference("x", 1, ref, LABEL)),
    "refs": st.lists(REFS, max_size=3, unique=True).map(lambda refs: [Reference("x", 1, ref, LABEL) for ref in refs]),
}
RECORDS = st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()})


PLAIN = Form()


def taken(one: FieldDef, cell: Any, form: Form = PLAIN) -> Any:
    """What the service would have of a cell; references by their numbers."""
    value, _ = given(one, cell, form, ZONE)
    if one.type in {"ref", "refs"}:
        return value
    return accept(one, value)


def meant(one: FieldDef, value: Any) -> Any:
    if isinstance(value, Reference):
        return value.ref
    if one.type == "refs" and value:
        return [each.ref for each in value]
    return None if value == [] else value


def of_cell(one: FieldDef, cell: Any) -> Any:
    found = taken(one, cell)
    return None if found == [] else found


@settings(max_examples=150, deadline=None)
@examples(RECORDS)
def test_values_survive_csv(record: dict[str, Any]) -> None:
    text = io.StringIO(newline="")
    numeric = {name for name, one in FIELDS.items() if one.type in NUMERIC}
    csv.writer(text).writerow(
        [escaped(text_of(FIELDS[name], value, ZONE), number=name in numeric) for name, value in record.items()]
    )
    (cells,) = csv.reader(io.StringIO(text.getvalue(), newline=""), strict=True)
    for cell in cells:
        assert not cell.startswith(("=", "+", "@", "\t", "\r"))
    found = {name: of_cell(FIELDS[name], unescaped(cell)) for name, cell in zip(record, cells, strict=True)}
    assert found == {name: meant(FIELDS[name], value) for name, value in record.items()}


@settings(max_examples=25, deadline=None)
@examples(st.lists(RECORDS, min_size=1, max_size=6))
def test_values_survive_xlsx(records: list[dict[str, Any]]) -> None:
    heads = [Head(name, one.label, one) for name, one in FIELDS.items()]
    book = Book("x", heads, "he", ZONE)
    book.add([[record[name] for name in FIELDS] for record in records])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as file:
            book.save(file)
        table = read_file(path, How())
        lines = list(table.lines)[1:]
    found = {line.number: line.cells for line in lines}
    for number, record in enumerate(records, 3):
        cells = found.get(number, [])
        cells = cells + [None] * (len(record) - len(cells))
        read = {name: of_cell(FIELDS[name], cell) for name, cell in zip(FIELDS, cells, strict=True)}
        wanted = {name: meant(FIELDS[name], value) for name, value in record.items()}
        assert [(name, read[name], wanted[name]) for name in wanted if read[name] != wanted[name]] == []


@pytest.mark.parametrize(
    ("name", "cell", "form", "value"),
    [
        ("bool", "כן", Form(), True),
        ("bool", "לא", Form(), False),
        ("bool", 1, Form(), True),
        ("bool", "yep", Form(values={"yep": "true"}), True),
        ("choice", "חם", Form(), "hot"),
        ("choice", "COLD", Form(), "cold"),
        ("choices", "Hot, קר", Form(), ["hot", "cold"]),
        ("date", "3/2/2026", Form(dates="dmy"), date(2026, 2, 3)),
        ("date", "3.2.2026", Form(dates="mdy"), date(2026, 3, 2)),
        ("date", "2026-02-03 00:00:00", Form(), date(2026, 2, 3)),
        ("datetime", "2026-07-01 10:00", Form(), datetime(2026, 7, 1, 7, tzinfo=UTC)),
        ("datetime", "1/7/2026 9:30", Form(dates="dmy"), datetime(2026, 7, 1, 6, 30, tzinfo=UTC)),
        ("datetime", "2026-01-01", Form(), datetime(2025, 12, 31, 22, tzinfo=UTC)),
        ("decimal", "1,234.5", Form(numbers="grouped"), Decimal("1234.5")),
        ("decimal", "1.234,5", Form(numbers="comma"), Decimal("1234.5")),
        ("decimal", "0,5", Form(numbers="comma"), Decimal("0.5")),
        ("decimal", 0.1 + 0.2, Form(), Decimal("0.3")),
        ("money", 3.3333333, Form(), Decimal("3.33")),
        ("money", 1e-7, Form(), Decimal(0)),
        ("int", 5.0, Form(), 5),
        ("text", 7, Form(), "7"),
        ("text", 1.50, Form(), "1.5"),
        ("text", 1e21, Form(), "1000000000000000000000"),
    ],
)
def test_what_people_write_is_understood(name: str, cell: Any, form: Form, value: Any) -> None:
    assert taken(FIELDS[name], cell, form) == value


@pytest.mark.parametrize(
    ("name", "cell", "form", "code"),
    [
        ("decimal", "1,5", Form(), "decimal_comma"),
        ("decimal", "1,23", Form(numbers="grouped"), "decimal_comma"),
        ("decimal", "1.5", Form(numbers="comma"), None),
        ("date", "3/2/2026", Form(), "date"),
        ("date", "31/2/2026", Form(dates="dmy"), "date"),
        ("date", "13/13/26", Form(dates="dmy"), "date"),
        ("date", "2026-02-03T10:00:00", Form(), "date"),
        ("datetime", "tomorrow", Form(), "datetime"),
        ("int", 5.5, Form(), "int"),
        ("bool", "maybe", Form(), "bool"),
        ("choice", "warm", Form(), "option"),
        ("text", {"formula": "=A1"}, Form(), "formula"),
        ("refs", "[1, 2]", Form(), "list"),
    ],
)
def test_what_cannot_be_understood_is_told(name: str, cell: Any, form: Form, code: str | None) -> None:
    if code is None:
        assert taken(FIELDS[name], cell, form) == Decimal("1.5")
        return
    with pytest.raises(Unfit) as caught:
        taken(FIELDS[name], cell, form)
    assert caught.value.code == code


def test_a_rounded_number_is_noted() -> None:
    _, note = given(FIELDS["money"], 10 / 3, Form(), ZONE)
    assert note is not None
    assert (note.code, note.values["taken"]) == ("rounded", "3.33")
    assert given(FIELDS["money"], 2.5, Form(), ZONE)[1] is None


def test_a_value_too_long_for_a_cell_stops_the_export_instead_of_being_cut() -> None:
    book = Book("x", [Head("long", LABEL, FIELDS["long"])], "en", ZONE)
    with pytest.raises(ExportRefused):
        book.add([["x" * 32_768]])
    book.close()
