"""Files as people send them: encodings, delimiters, sheets, dates, numbers; and files that are meant to do harm."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from cloud.imports import table, text_files, xlsx_files
from cloud.imports.faults import FileRefused
from cloud.imports.reading import How, plain_name, read_file, signature
from cloud.imports.table import Line, Table

Make = Callable[[bytes | str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(content: bytes | str) -> Path:
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def book(*rows: list[Any], **more: list[list[Any]]) -> Workbook:
    made = Workbook()
    made.active.title = "first"
    for row in rows:
        made.active.append(row)
    for name, others in more.items():
        sheet = made.create_sheet(name)
        for row in others:
            sheet.append(row)
    return made


def saved(made: Workbook) -> bytes:
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def read(path: Path, how: How | None = None, kinds: tuple[str, ...] = ()) -> tuple[Table, list[Line]]:
    found = read_file(path, how or How(), kinds)
    return found, list(found.lines)


@pytest.mark.parametrize(
    ("content", "encoding", "delimiter"),
    [
        ("שם,עיר\nאורן,חיפה\n".encode(), "utf-8", ","),
        ("שם;עיר\nאורן;חיפה\n".encode("utf-8-sig"), "utf-8-sig", ";"),
        ("שם\tעיר\nאורן\tחיפה\n".encode("cp1255"), "cp1255", "\t"),
        ("שם\tעיר\r\nאורן\tחיפה\r\n".encode("utf-16"), "utf-16", "\t"),
        ("שם|עיר\nאורן|חיפה\n".encode(), "utf-8", "|"),
    ],
)
def test_hebrew_csv_is_read_in_every_encoding_that_people_send(
    make: Make, content: bytes, encoding: str, delimiter: str
) -> None:
    found, lines = read(make(content))
    assert (found.head, lines) == (["שם", "עיר"], [Line(2, ["אורן", "חיפה"])])
    assert found.reading == {"encoding": encoding, "delimiter": delimiter}


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks(make: Make) -> None:
    _, lines = read(make('a,b\n"x, ""y""\nz",1\n\n,2\n'))
    assert lines == [Line(2, ['x, "y"\nz', "1"]), Line(4, ["", "2"])]


def test_a_title_above_the_head_is_passed_over(make: Make) -> None:
    found, lines = read(make("Suppliers 2026,,\n,,\nname,city,\nOak,Haifa,\n"))
    assert (found.head, lines) == (["name", "city"], [Line(4, ["Oak", "Haifa"])])


def test_json_lines_keep_the_digits_of_their_numbers(make: Make) -> None:
    found, lines = read(make('{"a": 0.10, "b": "x"}\n\n{"b": null, "c": [1], "a": 12345678901234567890.123}\n'))
    assert (found.format, found.head) == ("jsonl", ["a", "b", "c"])
    assert lines == [Line(1, ["0.10", "x", None]), Line(3, ["12345678901234567890.123", None, "[1]"])]


def test_a_workbook_gives_what_its_reader_sees(make: Make) -> None:
    made = book(
        ["sku", "day", "at", "qty", "done", "text"],
        ["007", date(2026, 2, 3), datetime(2026, 2, 3, 4, 5), 1.1, True, "=1+1"],  # noqa: DTZ001 - a sheet knows no zones
        [12, datetime(2026, 2, 3), None, 3, False, "x"],  # noqa: DTZ001 - as above
    )
    made.active["F2"].data_type = "s"
    found, lines = read(make(saved(made)))
    assert (found.format, found.reading["sheet"]) == ("xlsx", "first")
    assert lines == [
        Line(2, ["007", "2026-02-03", "2026-02-03T04:05:00", 1.1, True, "=1+1"]),
        Line(3, [12, "2026-02-03", None, 3, False, "x"]),
    ]


def test_merged_cells_say_the_same_in_all_their_rows(make: Make) -> None:
    made = book(["supplier", "product"], ["Oak", "a"], [None, "b"], [None, "c"], ["Elm", "d"])
    made.active.merge_cells("A2:A4")
    _, lines = read(make(saved(made)))
    assert [line.cells[0] for line in lines] == ["Oak", "Oak", "Oak", "Elm"]


def test_a_formula_without_a_value_is_not_an_empty_cell(make: Make) -> None:
    _, lines = read(make(saved(book(["a", "b"], [1, "=A2*2"], [2, None]))))
    assert lines == [Line(2, [1, {"formula": "=A2*2"}]), Line(3, [2])]


def test_the_sheet_of_the_kind_is_taken_and_hidden_ones_never(make: Make) -> None:
    made = book(["a", "b"], ["1", "2"], **{"02 product": [["sku", "name"], ["A", "B"]], "lists": [["x", "y"]]})
    made["lists"].sheet_state = "hidden"
    path = make(saved(made))
    assert read(path, kinds=("product",))[0].head == ["sku", "name"]
    assert read(path)[0].head == ["a", "b"]
    assert read(path, How(sheet="02 product"))[0].head == ["sku", "name"]
    with pytest.raises(FileRefused, match="import_sheet"):
        read(path, How(sheet="lists"))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "import_empty"),
        (b"\n\n,,\n", "import_empty"),
        (b"a,b\x00c\n", "import_not_text"),
        (b"a,b\n\xff\xd9\xdb\n", "import_encoding"),
        (b'a,b\n"x" y,1\n', "import_csv"),
        (b'a,b\n"x,1\n', "import_csv"),
        (b'{"a": 1}\n[1]\n', "import_json"),
        (b'{"a": NaN}\n', "import_json"),
        (b'{"a": ' + b"[" * 100_000, "import_json"),
        (b"\xd0\xcf\x11\xe0rest", "import_old_excel"),
        (b"PK\x03\x04rest", "import_xlsx"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(make: Make, content: bytes, code: str) -> None:
    with pytest.raises(FileRefused, match=code):
        read(make(content))


def test_rows_columns_and_cells_are_capped(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_ROWS", 3)
    monkeypatch.setattr(text_files, "MAX_ROWS", 3)
    monkeypatch.setattr(text_files, "MAX_CELL", 50)
    assert len(read(make("a,b\n" + "1,2\n" * 3))[1]) == 3
    for content, code in (
        ("a,b\n" + "1,2\n" * 4, "import_rows"),
        ('{"a": 1}\n' * 4, "import_rows"),
        (",".join("x" * 501) + "\n", "import_columns"),
        ("a,b\n" + "x" * 51 + ",1\n", "import_csv"),
    ):
        with pytest.raises(FileRefused, match=code):
            read(make(content))
    monkeypatch.undo()
    text_files.csv.field_size_limit(table.MAX_CELL)


def test_a_workbook_that_unpacks_to_too_much_is_refused_unread(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(saved(book(["a", "b"], *(["x" * 100, str(n)] for n in range(200)))))
    assert len(read(path)[1]) == 200
    monkeypatch.setattr(xlsx_files, "MAX_UNPACKED", 10_000)
    with pytest.raises(FileRefused, match="import_unpacked"):
        read(path)


def test_a_part_that_declares_entities_is_refused(make: Make) -> None:
    source = io.BytesIO(saved(book(["a", "b"], [1, 2])))
    target = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for one in old.infolist():
            data = old.read(one)
            if one.filename.endswith("sheet1.xml"):
                data = b'<!DOCTYPE x [<!ENTITY a "b">]>' + data
            new.writestr(one.filename, data)
    with pytest.raises(FileRefused, match="import_xlsx"):
        read(make(target.getvalue()))


@pytest.mark.filterwarnings("ignore:Workbook contains no stylesheet")
@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml", "xl/styles.xml"])
def test_a_broken_workbook_raises_nothing_else(make: Make, part: str) -> None:
    content = saved(book(["a", "b"], [1, 2]))
    for data in (b"", b"<a>", b"\x00\xff", b"<worksheet/>"):
        target = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
            for one in old.infolist():
                new.writestr(one.filename, data if one.filename == part else old.read(one))
        try:
            read(make(target.getvalue()))
        except FileRefused as exc:
            assert exc.code in {"import_xlsx", "import_empty", "import_sheet"}  # noqa: PT017 - some of them can be read


def test_heads_that_people_write_differently_are_the_same() -> None:
    assert plain_name("Unit_price *") == plain_name("unit  PRICE") == "unit price"
    assert signature(["#row", "Name", "city"]) == signature(["name", "City *"]) != signature(["city", "name"])
