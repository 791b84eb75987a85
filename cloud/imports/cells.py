"""A field's value as a cell of a file, and a cell as something that the service takes.

Written and read again a value is the same. Texts that a spreadsheet would run get an apostrophe in CSV, and lose it when they
come back; in XLSX they are texts by type.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from cloud.objects.definition import FieldDef
from cloud.objects.rows import Reference
from cloud.objects.values import Unfit, said
from sync_protocol.quantity import plain

Cell = Any
"""What JSON holds: text, number, true/false, None; `{"formula": text}` where a sheet keeps no value of one."""

Dates = Literal["iso", "dmy", "mdy"]
Numbers = Literal["point", "comma", "grouped"]
NUMERIC = frozenset({"int", "decimal", "money"})

FORMULA = "formula"

YES = frozenset({"true", "yes", "y", "1", "on", "כן", "אמת", "✓"})
NO = frozenset({"false", "no", "n", "0", "off", "לא", "שקר", "✗"})

_RUNS = re.compile(r"'*[=+\-@\t\r]")
"""Beginnings that spreadsheets take for a formula (OWASP, CSV injection), and those that look escaped already."""
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[T ]00:00(:00(\.0+)?)?")
_DAY = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:[T ,]+(\d{1,2}:\d\d(?::\d\d)?))?")
_GROUPS = {
    "point": None,
    "comma": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?"),
    "grouped": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a column writes what can be written in several ways. `values` maps a cell's text to the value that it means."""

    dates: Dates = "iso"
    numbers: Numbers = "point"
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """Something was taken otherwise than it stands in the file; `code` is a translation key below `import_note.`."""

    code: str
    values: Mapping[str, str]


def text_of(one: FieldDef, value: Any, zone: ZoneInfo) -> str:
    """A value (as Item has it) as text that `given` reads as the same value."""
    if value is None or value == []:
        return ""
    if one.type in {"choices", "refs"}:
        return _list([each.ref if isinstance(each, Reference) else str(each) for each in value])
    if isinstance(value, Reference):
        return _lone(value.ref)
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if one.type == "json":
        return json.dumps(said(value), ensure_ascii=False)
    return plain(value) if isinstance(value, Decimal) else str(said(value))


def _list(refs: Sequence[str]) -> str:
    simple = all("," not in one and one == one.strip() and not one.startswith("[") for one in refs)
    return ",".join(refs) if simple else json.dumps(list(refs), ensure_ascii=False)


def _lone(ref: str) -> str:
    return json.dumps([ref], ensure_ascii=False) if ref.startswith("[") else ref


def escaped(text: str, *, number: bool = False) -> str:
    """A text that no spreadsheet runs when it opens a CSV file. A plain number is left alone."""
    if number and _NUMBER.fullmatch(text):
        return text
    return f"'{text}" if _RUNS.match(text) else text


def unescaped(text: str) -> str:
    """The text before `escaped`."""
    return text[1:] if _ESCAPED.match(text) else text


def words(cell: Cell) -> str:
    """A cell as a person would type it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        number = Decimal(repr(cell))
        return format(number.to_integral_value() if number == number.to_integral_value() else number, "f")
    return str(cell)


def given(one: FieldDef, cell: Cell, form: Form, zone: ZoneInfo) -> tuple[object, Note | None]:
    """What the service is given for a cell. Times without a zone are the house's. Raises Unfit where the cell's form is not one
    of the field's; whether the value is allowed is the service's to say."""
    if isinstance(cell, dict):
        raise Unfit(FORMULA, found=str(cell.get(FORMULA))[:60])
    text = words(cell).strip()
    text = form.values.get(text, text)
    if not text:
        return None, None
    if one.type in {"decimal", "money"}:
        return _decimal(one, cell, text, form)
    return _GIVEN.get(one.type, _same)(one, text, form, zone), None


def _same(_one: FieldDef, text: str, _form: Form, _zone: ZoneInfo) -> object:
    return text


def _decimal(one: FieldDef, cell: Cell, text: str, form: Form) -> tuple[object, Note | None]:
    if not isinstance(cell, float) or not re.fullmatch(r"-?\d+\.\d+", text):
        return _point(text, form), None
    # A sheet keeps numbers as binary floats: its places beyond the field's are more often noise than meant.
    exact = Decimal(text)
    rounded = exact.quantize(Decimal(1).scaleb(-one.decimals), ROUND_HALF_UP)
    note = None if rounded == exact else Note("rounded", {"found": plain(exact), "taken": plain(rounded)})
    return plain(rounded), note


def _point(text: str, form: Form) -> str:
    """A number's text with a point and without groups; what is no such number stays as it is."""
    grouped = _GROUPS[form.numbers]
    if form.numbers == "comma":
        if grouped is not None and grouped.fullmatch(text):
            text = text.replace(".", "")
        return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    return text.replace(",", "") if grouped is not None and grouped.fullmatch(text) else text


def _int(_one: FieldDef, text: str, form: Form, _zone: ZoneInfo) -> object:
    return _point(text, form)


def _bool(_one: FieldDef, text: str, _form: Form, _zone: ZoneInfo) -> object:
    word = text.casefold()
    return word in YES if word in YES or word in NO else text


def _date(_one: FieldDef, text: str, form: Form, _zone: ZoneInfo) -> object:
    midnight = _MIDNIGHT.fullmatch(text)
    if midnight:
        return midnight.group(1)
    found = _day(text, form)
    return text if found is None or found[1] else found[0]


def _day(text: str, form: Form) -> tuple[str, str] | None:
    """A day in the column's order of numbers, and the time behind it."""
    found = _DAY.fullmatch(text)
    if found is None or form.dates == "iso":
        return None
    one, other, year, time = found.groups()
    day, month = (one, other) if form.dates == "dmy" else (other, one)
    try:
        return date(int(year), int(month), int(day)).isoformat(), time or ""
    except ValueError as exc:
        raise Unfit("date") from exc


def _datetime(_one: FieldDef, text: str, form: Form, zone: ZoneInfo) -> object:
    day = _day(text, form)
    try:
        found = datetime.fromisoformat(f"{day[0]} {day[1].zfill(5) or '00:00'}" if day else text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as exc:
        raise Unfit("datetime") from exc


def _choice(one: FieldDef, text: str, _form: Form, _zone: ZoneInfo) -> object:
    if one.option(text) is not None:
        return text
    word = text.casefold()
    named = [
        each.key
        for each in one.options
        if word in {each.key.casefold(), each.label.en.casefold(), (each.label.he or "").casefold()}
    ]
    return named[0] if len(named) == 1 else text


def _choices(one: FieldDef, text: str, form: Form, zone: ZoneInfo) -> object:
    return [_choice(one, form.values.get(each, each), form, zone) for each in _several(text)]


def _ref(_one: FieldDef, text: str, _form: Form, _zone: ZoneInfo) -> object:
    listed = _several(text) if text.startswith("[") else [text]
    return listed[0] if len(listed) == 1 else text


def _refs(_one: FieldDef, text: str, _form: Form, _zone: ZoneInfo) -> object:
    return _several(text)


def _several(text: str) -> list[str]:
    if not text.startswith("["):
        return [each.strip() for each in text.split(",") if each.strip()]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Unfit("list") from exc
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Unfit("list")
    return found


_GIVEN: Mapping[str, Callable[[FieldDef, str, Form, ZoneInfo], object]] = {
    "int": _int,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "choice": _choice,
    "choices": _choices,
    "ref": _ref,
    "refs": _refs,
}
