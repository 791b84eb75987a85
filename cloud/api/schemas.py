"""A kind's records as JSON Schema (2020-12, as OpenAPI 3.1 has it): what is answered, and what is taken."""

from collections.abc import Callable
from typing import Any

from cloud.api.parts import MAX_REASON
from cloud.objects.definition import FieldDef, FieldType, Label, ObjectDef
from cloud.objects.permits import Reach
from cloud.objects.references import MAX_LINKED
from cloud.objects.values import MAX_INT, MAX_ROWS

Schema = dict[str, Any]

DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
SHA256 = "^[0-9a-f]{64}$"
MAX_REF = 60


def answered(definition: ObjectDef, seen: Reach) -> Schema:
    """One record as it is answered. Fields may be missing from `values`: those that are kept from the asker on this record."""
    values = {one.key: described(one, nullable(_said(one))) for one in definition.live if seen.allows(one.key)}
    states = [one.key for one in definition.states]
    phases = list(dict.fromkeys(one.phase for one in definition.states))
    text = {"type": ["string", "null"]}
    time = {"type": ["string", "null"], "format": "date-time"}
    properties: dict[str, Schema] = {
        "kind": {"const": definition.key},
        "ref": {"type": "string"},
        "uid": {"type": "string"},
        "title": both_languages(),
        "version": {"type": "integer"},
        "state": {"enum": [*states, None]},
        "phase": {"enum": [*phases, None]},
        "archived": {"type": "boolean"},
        "owner": text,
        "created_at": time,
        "created_by": text,
        "updated_at": time,
        "updated_by": text,
        "values": closed(values, required=()),
    }
    return closed(properties)


def taken(definition: ObjectDef, allowed: Reach, *, new: bool) -> Schema:
    """The `values` of a record that is made or changed. What else must hold (conditions, uniqueness) shows when it is sent."""
    values: dict[str, Schema] = {}
    required = []
    for one in definition.live:
        if not allowed.allows(one.key) or one.readonly or one.computed:
            continue
        values[one.key] = described(one, _given(one))
        if new and one.required and not one.default and not one.visible_when:
            required.append(one.key)
        else:
            values[one.key] = nullable(values[one.key])
    return closed(values, required=required)


def reason() -> Schema:
    return {"type": ["string", "null"], "maxLength": MAX_REASON, "description": "Why, for the audit log."}


def closed(properties: dict[str, Schema], required: Any = None) -> Schema:
    """An object with no other members; all are required unless said otherwise."""
    needed = list(properties) if required is None else list(required)
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": needed} if needed else found


def listed(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def both_languages() -> Schema:
    return closed({"en": {"type": "string"}, "he": {"type": "string"}})


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if "enum" in schema:
        return {**{name: one for name, one in schema.items() if name != "type"}, "enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return schema


def described(one: FieldDef, schema: Schema) -> Schema:
    """With the words that people see: title and description in English, the Hebrew ones beside them."""
    said = {"title": one.label.en, "x-title-he": one.label.in_("he")}
    parts = [
        _sentence(one.help),
        f"Unit: {one.unit}." if one.unit else "",
        f"Currency: {one.currency}." if one.currency else "",
    ]
    parts += [f"Leads to a {one.target}, by its ref." if one.target else ""]
    text = " ".join(filter(None, parts))
    return {**schema, **said, **({"description": text} if text else {})}


def _sentence(label: Label | None) -> str:
    return "" if label is None else label.en


_PLAIN: dict[FieldType, Schema] = {
    "text": {"type": "string"},
    "long": {"type": "string"},
    "file": {"type": "string"},
    "ref": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "decimal": {"type": "string", "pattern": DECIMAL},
    "money": {"type": "string", "pattern": DECIMAL},
}


def _said(one: FieldDef) -> Schema:
    """A value that is answered. Limits are left out: a record may be older than they are."""
    if one.type == "choice":
        return _keys(one, archived=True)
    if one.type == "choices":
        return listed(_keys(one, archived=True))
    if one.type == "refs":
        return listed(_PLAIN["ref"])
    if one.type == "json":
        return listed(closed({each.key: nullable(_said(each)) for each in one.of}, required=())) if one.of else {}
    return dict(_PLAIN[one.type])


def _given(one: FieldDef) -> Schema:
    """A value that is taken."""
    make = _TAKEN.get(one.type)
    return _said(one) if make is None else make(one)


def _keys(one: FieldDef, *, archived: bool) -> Schema:
    return {"type": "string", "enum": [each.key for each in one.options if archived or not each.archived]}


def _whole(one: FieldDef) -> Schema:
    low = -MAX_INT if one.min is None else int(one.min)
    high = MAX_INT if one.max is None else int(one.max)
    return {"type": "integer", "minimum": low, "maximum": high}


def _rows(one: FieldDef) -> Schema:
    if not one.of:
        return {}
    needed = [each.key for each in one.of if each.required]
    rows = {each.key: _given(each) if each.required else nullable(_given(each)) for each in one.of}
    return {**listed(closed(rows, required=needed)), "maxItems": MAX_ROWS}


def _places(one: FieldDef) -> str:
    return rf"^-?[0-9]{{1,12}}(\.[0-9]{{1,{one.decimals}}})?$" if one.decimals else "^-?[0-9]{1,12}$"


def _number(one: FieldDef) -> Schema:
    found: Schema = {"type": "number"}
    if one.min is not None:
        found["minimum"] = float(one.min)
    if one.max is not None:
        found["maximum"] = float(one.max)
    return found


_TAKEN: dict[FieldType, Callable[[FieldDef], Schema]] = {
    "text": lambda one: {"type": "string", "maxLength": one.max_length},
    "long": lambda one: {"type": "string", "maxLength": one.max_length},
    "int": _whole,
    "decimal": lambda one: {"anyOf": [{"type": "string", "pattern": _places(one)}, _number(one)]},
    "money": lambda one: {"anyOf": [{"type": "string", "pattern": _places(one)}, _number(one)]},
    "choice": lambda one: _keys(one, archived=False),
    "choices": lambda one: {**listed(_keys(one, archived=False)), "maxItems": MAX_ROWS},
    "ref": lambda _one: {"type": "string", "maxLength": MAX_REF},
    "refs": lambda _one: {**listed({"type": "string", "maxLength": MAX_REF}), "maxItems": MAX_LINKED},
    "file": lambda _one: {"type": "string", "pattern": SHA256},
    "json": _rows,
}
