"""A field's value in its four forms: as given (a form's text, JSON's types), as Python has it, as it is stored, as it is said.

| type            | given                      | Python   | in JSON storage              | said (JSON of the interface) |
|-----------------|----------------------------|----------|------------------------------|------------------------------|
| text, long      | text                       | str      | text                         | text                         |
| int             | number or text             | int      | number                       | number                       |
| decimal, money  | text or whole number       | Decimal  | whole millionths             | text, as "12.5"              |
| bool            | true/false, or form words  | bool     | true/false                   | true/false                   |
| date            | "2026-11-22"               | date     | "2026-11-22"                 | "2026-11-22"                 |
| datetime        | ISO 8601 with zone         | datetime | UTC, microseconds            | UTC, "...Z"                  |
| choice          | option key                 | str      | option key                   | option key                   |
| choices         | list, or text with commas  | list     | list                         | list                         |
| file            | SHA-256, hex               | str      | text                         | text                         |
| json            | list of rows, or JSON text | list     | list (its decimals as above) | list                         |

References are resolved by whoever has the database (cloud.objects.references).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from cloud.db.types import from_micro, to_micro
from cloud.objects.definition import FieldDef, FieldType
from cloud.objects.faults import FieldFault
from sync_protocol.quantity import plain
from sync_protocol.wiretext import clean

MAX_ROWS = 500
"""Rows of a `json` field: an order of more lines is an object of its own."""

MAX_JSON = 200_000
MAX_INT = (1 << 53) - 1
"""Whole numbers beyond it change in programs that read JSON's numbers as floats (RFC 8259, 6)."""

YES, NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})

_DECIMAL = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BREAKS = re.compile(r"([\n\t])")


class Unfit(Exception):
    """A given value is not one of its field's."""

    def __init__(self, code: str, **values: str) -> None:
        super().__init__(code)
        self.code = code
        self.values = values

    def at(self, name: str) -> FieldFault:
        return FieldFault(name, self.code, self.values)


def accept(field: FieldDef, given: object) -> Any:
    """The Python value of something given, None where it is empty. Raises Unfit. Bounds and options are checked too."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    return _ACCEPT[field.type](field, given)


def _text(field: FieldDef, given: object) -> str | None:
    if not isinstance(given, str):
        raise Unfit("text")
    text = given.replace("\r\n", "\n").replace("\r", "\n").strip()
    if field.type == "text" and ("\n" in text or "\t" in text):
        text = " ".join(text.split())
    if len(text) > field.max_length:
        raise Unfit("too_long", max=str(field.max_length))
    return _cleaned(text).strip() or None


def _cleaned(text: str) -> str:
    """Fit to be shown, its lines and tabs kept, and nothing cut off."""
    return "".join(part if part in {"\n", "\t"} else clean(part, len(part)) for part in _BREAKS.split(text) if part)


def storable(text: str) -> bool:
    """Whether every database takes it as text: no NUL, no half of a pair (UTF-8 has none)."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _int(field: FieldDef, given: object) -> int:
    if isinstance(given, str) and re.fullmatch(r"[+-]?\d{1,16}", given.strip()):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise Unfit("int")
    if abs(given) > MAX_INT:
        raise Unfit("too_large")
    _bounds(field, Decimal(given))
    return given


def _decimal(field: FieldDef, given: object) -> Decimal:
    if isinstance(given, float):
        # What the writer typed is lost already.
        given = repr(given)
    if isinstance(given, str):
        text = given.strip()
        if "," in text:
            raise Unfit("decimal_comma")
        if not _DECIMAL.fullmatch(text):
            raise Unfit("decimal")
        given = text
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise Unfit("decimal")
    try:
        value = Decimal(given)
        micro = to_micro(value)
    except (ValueError, InvalidOperation) as exc:
        raise Unfit("decimal_size") from exc
    if micro % 10 ** (6 - field.decimals):
        raise Unfit("places", places=str(field.decimals))
    _bounds(field, value)
    return from_micro(micro)


def _bounds(field: FieldDef, value: Decimal) -> None:
    if (field.min is not None and value < field.min) or (field.max is not None and value > field.max):
        low = "" if field.min is None else plain(field.min)
        high = "" if field.max is None else plain(field.max)
        raise Unfit("range" if low and high else "at_least" if low else "at_most", min=low, max=high)


def _bool(_field: FieldDef, given: object) -> bool:
    if isinstance(given, bool):
        return given
    word = given.strip().lower() if isinstance(given, str) else ""
    if word in YES or word in NO:
        return word in YES
    raise Unfit("bool")


def _date(_field: FieldDef, given: object) -> date:
    if isinstance(given, datetime):
        # Spreadsheets know days only as midnight.
        given = given.date()
    if isinstance(given, date):
        return given
    try:
        if not isinstance(given, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", given.strip()):
            raise Unfit("date")
        return date.fromisoformat(given.strip())
    except ValueError as exc:
        raise Unfit("date") from exc


def _datetime(_field: FieldDef, given: object) -> datetime:
    try:
        found = given if isinstance(given, datetime) else datetime.fromisoformat(str(given).strip())
        if found.tzinfo is None:
            raise Unfit("datetime_zone")
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise Unfit("datetime") from exc


def _choice(field: FieldDef, given: object) -> str:
    text = given.strip() if isinstance(given, str) else str(given)
    if field.option(text) is None:
        raise Unfit("option", found=text[:60])
    return text


def _choices(field: FieldDef, given: object) -> list[str]:
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, Sequence) or len(listed) > MAX_ROWS:
        raise Unfit("list")
    found = [_choice(field, one) for one in listed if one is not None and str(one).strip()]
    # Each once, in the order of the definition: two lists with the same choices are equal.
    return [one.key for one in field.options if one.key in found]


def _file(_field: FieldDef, given: object) -> str:
    if not isinstance(given, str) or not _SHA256.fullmatch(given.strip()):
        raise Unfit("file")
    return given.strip()


def _json(field: FieldDef, given: object) -> Any:
    if isinstance(given, str):
        try:
            given = json.loads(given) if len(given) <= MAX_JSON else None
        except (ValueError, RecursionError) as exc:
            raise Unfit("json") from exc
    if not field.of:
        _sound(given, 0)
        return given
    if not isinstance(given, list) or len(given) > MAX_ROWS:
        raise Unfit("rows", max=str(MAX_ROWS))
    return [_row(field, row, number) for number, row in enumerate(given, 1)]


def _row(field: FieldDef, row: object, number: int) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise Unfit("rows", max=str(MAX_ROWS))
    known = {one.key: one for one in field.of}
    for name in row:
        if name not in known:
            raise Unfit("row_field", row=str(number), name=str(name)[:60])
    found = {}
    for key, inner in known.items():
        try:
            value = accept(inner, row.get(key)) if inner.type not in {"ref", "refs"} else _ref_text(row.get(key))
        except Unfit as exc:
            raise Unfit("row", row=str(number), name=key, why=exc.code) from exc
        if value is None and inner.required:
            raise Unfit("row", row=str(number), name=key, why="required")
        found[key] = value
    return found


def _ref_text(given: object) -> str | None:
    """Inside rows a reference is the human number itself."""
    return None if given in (None, "") else str(given)[:200]


def _sound(value: object, depth: int) -> None:
    """JSON that every database takes: no floats that are no numbers, no NUL, not too deep or large."""
    if depth > 20:
        raise Unfit("json")
    if isinstance(value, Mapping):
        for key, one in value.items():
            _sound(key, depth + 1)
            _sound(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _sound(one, depth + 1)
    elif isinstance(value, str):
        if _cleaned(value) != value:
            raise Unfit("json")
    elif isinstance(value, float):
        raise Unfit("json_float")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INT:
        raise Unfit("too_large")


_ACCEPT: dict[FieldType, Callable[[FieldDef, object], Any]] = {
    "text": _text,
    "long": _text,
    "int": _int,
    "decimal": _decimal,
    "money": _decimal,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "choice": _choice,
    "choices": _choices,
    "file": _file,
    "json": _json,
}


def to_store(field: FieldDef, value: Any) -> Any:
    """The form in a JSON column."""
    if value is None:
        return None
    if field.type in {"decimal", "money"}:
        return to_micro(value)
    if field.type == "date":
        return value.isoformat()
    if field.type == "datetime":
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if field.type == "json" and field.of:
        return [{one.key: to_store(one, row.get(one.key)) for one in field.of} for row in value]
    return value


AS_THEY_ARE: frozenset[FieldType] = frozenset({"text", "long", "int", "bool", "choice", "choices", "file", "ref"})
"""Types whose stored form is the Python value."""


def from_store(field: FieldDef, stored: Any) -> Any:
    """The Python value of what a JSON column holds. What an older definition left there and this one cannot read is None."""
    if stored is None:
        return None
    try:
        read = _FROM_STORE.get(field.type)
        return stored if read is None else read(field, stored)
    except (ValueError, TypeError, AttributeError):
        return None


def _rows_from_store(field: FieldDef, stored: Any) -> Any:
    if not field.of:
        return stored
    return [{one.key: from_store(one, row.get(one.key)) for one in field.of} for row in stored]


_FROM_STORE: dict[FieldType, Callable[[FieldDef, Any], Any]] = {
    "decimal": lambda _field, stored: from_micro(int(stored)),
    "money": lambda _field, stored: from_micro(int(stored)),
    "date": lambda _field, stored: date.fromisoformat(stored),
    "datetime": lambda _field, stored: datetime.fromisoformat(stored),
    "json": _rows_from_store,
}


def said(value: Any) -> Any:
    """As JSON's types, for programs and for the audit log: decimals as plain text, times in UTC with Z."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): said(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [said(one) for one in value]
    return value
