"""Conditions that people put together from a field, a comparison and a value, and the expressions that they make."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from cloud.objects.definition import FieldDef, FieldType, Label, ObjectDef, Option
from cloud.objects.permits import quoted
from cloud.web.objects.references import ref_of
from cloud.web.objects.values import SYSTEM_TYPES
from cloud.web.objects.words import contains

MAX_CONDITIONS = 12
"""Rows of one filter: more does not fit a screen, and the raw expression takes any number."""

Family = Literal["text", "number", "day", "bool", "choice", "choices", "ref", "refs"]

FAMILY: Mapping[FieldType, Family] = {
    "text": "text",
    "long": "text",
    "int": "number",
    "decimal": "number",
    "money": "number",
    "date": "day",
    "datetime": "day",
    "bool": "bool",
    "choice": "choice",
    "choices": "choices",
    "ref": "ref",
    "refs": "refs",
}
"""Types without a family (files, rows) are left to raw expressions."""

OPERATORS: Mapping[Family, tuple[str, ...]] = {
    "text": ("has", "is", "is_not", "begins", "empty", "filled"),
    "number": ("is", "at_least", "at_most", "above", "below", "empty", "filled"),
    "day": ("on", "from", "until", "before", "after", "empty", "filled"),
    "bool": ("yes", "no", "empty"),
    "choice": ("is", "is_not", "empty", "filled"),
    "choices": ("includes", "empty", "filled"),
    "ref": ("is", "is_not", "empty", "filled"),
    "refs": ("includes",),
}
WITHOUT_VALUE = frozenset({"empty", "filled", "yes", "no"})

_SIGNS = {
    "is": "==",
    "is_not": "!=",
    "at_least": ">=",
    "at_most": "<=",
    "above": ">",
    "below": "<",
    "on": "==",
    "from": ">=",
    "until": "<=",
    "before": "<",
    "after": ">",
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Condition:
    """One row as the address has it; any part may be empty while somebody is still choosing."""

    field: str = ""
    op: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something of a record that conditions, columns and sorting may name: a field, or what every record has."""

    key: str
    type: FieldType
    label: Label | None
    """None: its words are the catalogue's, below `system.`."""
    field: FieldDef | None = None
    options: tuple[Option, ...] = ()

    @property
    def family(self) -> Family | None:
        return FAMILY.get(self.type)

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.family] if self.family else ()


def subjects(definition: ObjectDef, allowed: Sequence[str]) -> dict[str, Subject]:
    """What may be named of the kind: its fields, then what every record has; `allowed` are the fields that may be seen."""
    found = {one.key: Subject(one.key, one.type, one.label, one, one.options) for one in definition.live if one.key in allowed}
    for name, type_ in SYSTEM_TYPES.items():
        if name in found or name in _absent(definition):
            continue
        options = tuple(Option(one.key, one.label) for one in definition.states) if name == "state" else ()
        found[name] = Subject(name, type_, None, None, options)
    return found


def _absent(definition: ObjectDef) -> Iterator[str]:
    yield "phase"  # people see states
    yield "archived"  # a switch of its own
    if not definition.states:
        yield "state"
    if definition.typed:
        yield from ("title", "owner")
    if definition.ref in definition.by_key:
        yield "ref"  # the field says it


def text_of(condition: Condition, known: Mapping[str, Subject]) -> str | None:
    """The condition as an expression; "" where nothing is said yet, None where the value is none of the field's."""
    subject = known.get(condition.field)
    if subject is None or subject.family is None or condition.op not in subject.operators:
        return ""
    name = subject.key
    if condition.op in {"empty", "filled"}:
        return _emptiness(subject, filled=condition.op == "filled")
    if condition.op in {"yes", "no"}:
        return f"{name} == {condition.op == 'yes'}"
    value = condition.value.strip()
    if not value:
        return ""
    return _compared(subject, condition.op, value)


def _emptiness(subject: Subject, *, filled: bool) -> str:
    if subject.family == "choices":
        return f"count({subject.key}) {'>' if filled else '=='} 0"
    return f"{subject.key} is {'not ' if filled else ''}None"


def _compared(subject: Subject, op: str, value: str) -> str | None:
    name = subject.key
    match subject.family:
        case "text":
            return _text(name, op, value)
        case "number":
            return f"{name} {_SIGNS[op]} {value}" if _is_number(value) else None
        case "day":
            if not _is_day(value):
                return None
            left = f"date({name})" if subject.type == "datetime" else name
            return f"{left} {_SIGNS[op]} date('{value}')"
        case "choice":
            known = any(one.key == value for one in subject.options)
            return f"{name} {_SIGNS[op]} {quoted(value)}" if known else None
        case "choices":
            return f"{quoted(value)} in {name}" if any(one.key == value for one in subject.options) else None
        case "ref":
            return f"{name}.ref {_SIGNS[op]} {quoted(ref_of(value))}"
        case "refs":
            return f"any(one.ref == {quoted(ref_of(value))} for one in {name})"
        case _:
            return None


def _text(name: str, op: str, value: str) -> str:
    if op == "has":
        return contains(name, value)
    if op == "begins":
        return f"starts_with({name}, {quoted(value)})"
    return f"{name} {_SIGNS[op]} {quoted(value)}"


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite() and re.fullmatch(r"-?\d{1,20}(\.\d{1,12})?", text) is not None
    except InvalidOperation:
        return False


def _is_day(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and dt.date.fromisoformat(text) is not None
    except ValueError:
        return False
