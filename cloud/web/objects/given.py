"""What a form sends, as the definition takes it: one value for each field that stood in the form."""

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from cloud.objects.definition import FieldDef, ObjectDef
from cloud.web.access import local_path
from cloud.web.objects.references import ref_of

HAD = "had"
"""Names a field that stood in the form: what a browser does not send (no box ticked) was emptied, not left out."""

BEFORE = "f."
"""Before every field's name, so that none meets the form's own."""

MORE, DROP = "more", "drop"
"""Buttons in a table: one more row, or without this one (`key.number`, numbered as the rows stood)."""

MAX_ROW = 2000
"""Numbers of rows in a form's table: more than a list of rows may have, as some are taken out again."""

_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?")


def given_of(form: FormData, definition: ObjectDef, zone: ZoneInfo) -> dict[str, object]:
    """By field. Values are text, lists of text, or lists of rows; times have the zone's offset."""
    found: dict[str, object] = {}
    for name in form.getlist(HAD):
        one = definition.by_key.get(str(name))
        if one is not None and not one.archived:
            found[one.key] = read_field(form, one, zone)
    return found


def read_field(form: FormData, field: FieldDef, zone: ZoneInfo) -> object:
    """One field's value as the form has it."""
    name = BEFORE + field.key
    texts = [str(one) for one in form.getlist(name)]
    if field.type == "json":
        return read_rows(form, field, zone) if field.of else _first(texts)
    if field.type == "refs":
        return list(dict.fromkeys(ref_of(one) for one in texts if one.strip()))
    if field.type == "choices":
        return [one for one in texts if one]
    return one_text(field, _first(texts), zone)


def one_text(field: FieldDef, text: str, zone: ZoneInfo) -> object:
    """What a control holds, as the field takes it."""
    if field.type == "ref":
        return ref_of(text)
    if field.type == "bool":
        return text if text in {"true", "false"} else ""
    if field.type == "datetime":
        return _with_zone(text, zone)
    return text


def _first(texts: list[str]) -> str:
    # A browser sends line ends as CR LF (HTML, form submission); one new line is one character here.
    return texts[-1].replace("\r\n", "\n") if texts else ""


def _with_zone(text: str, zone: ZoneInfo) -> str:
    if not _LOCAL.fullmatch(text.strip()):
        return text
    try:
        return dt.datetime.fromisoformat(text.strip()).replace(tzinfo=zone).isoformat()
    except ValueError:
        return text


def read_rows(form: FormData, field: FieldDef, zone: ZoneInfo, *, empty: bool = False) -> list[dict[str, object]]:
    """The rows of a table in their order; rows without any value are left out unless `empty` ones are wanted."""
    start = f"{BEFORE}{field.key}."
    found: set[int] = set()
    for name in form:
        if name.startswith(start):
            number = name[len(start) :].partition(".")[0]
            if number.isascii() and number.isdigit() and len(number) < 5:
                found.add(int(number))
    rows = []
    for at in sorted(found)[:MAX_ROW]:
        row = {one.key: one_text(one, str(form.get(f"{start}{at}.{one.key}", "")), zone) for one in field.of}
        if empty or any(row.values()):
            rows.append(row)
    return rows


def tables_of(form: FormData, definition: ObjectDef, zone: ZoneInfo) -> dict[str, list[dict[str, object]]]:
    """The rows of every table in the form, the empty ones too: one more where `more` was pressed, without that of `drop`."""
    found = {}
    gone, _, number = str(form.get(DROP, "")).partition(".")
    for name in form.getlist(HAD):
        one = definition.by_key.get(str(name))
        if one is None or one.type != "json" or not one.of:
            continue
        rows = read_rows(form, one, zone, empty=True)
        if one.key == form.get(MORE):
            rows.append({})
        if one.key == gone and number.isascii() and number.isdigit() and int(number) < len(rows):
            del rows[int(number)]
        found[one.key] = rows
    return found


def as_text(given: object) -> str:
    """A given value as a hidden field carries it."""
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def from_text(field: FieldDef, text: str) -> object:
    """What `as_text` wrote."""
    if field.type in {"json", "refs", "choices"}:
        try:
            found: object = json.loads(text or "[]")
        except (ValueError, RecursionError):
            return []
        return found if isinstance(found, list) else text
    return text


def local_text(value: dt.datetime, zone: ZoneInfo) -> str:
    """A time as a field of the browser holds it: the wall clock at the house."""
    here = value.astimezone(zone).replace(tzinfo=None)
    return here.isoformat(timespec="microseconds" if here.microsecond else "seconds" if here.second else "minutes")


def same_given(one: object, other: object) -> bool:
    """Whether two given values say the same; an empty text and no value do."""
    return bool(_plain(one) == _plain(other))


def _plain(value: object) -> Any:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value] or None
    return value


def version_of(form: FormData) -> int | None:
    """The version that the person saw."""
    text = str(form.get("version", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def onward(form: FormData, plain: str) -> str:
    """Where to go after a change: back to the page that the form was on, else to `plain`."""
    wanted = str(form.get("next", ""))
    return local_path(wanted) if wanted else plain
