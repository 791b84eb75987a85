"""What expressions about an object may name: its fields, every record's own, and one step behind a reference."""

from collections.abc import Iterator, Mapping

from cloud.objects.definition import FieldDef, FieldType, ObjectDef
from cloud.objects.reading import SYSTEM_FIELDS
from sync_protocol.expressions import Schema, Shape
from sync_protocol.expressions.schema import Kind

STEPS = 2
"""References that an expression may go along: `order.supplier.name`."""


def schema_of(definition: ObjectDef, objects: Mapping[str, ObjectDef]) -> Schema:
    """Archived fields are left out: nothing new may rest on them."""
    return _schema(definition, objects, STEPS, {})


def _schema(definition: ObjectDef, objects: Mapping[str, ObjectDef], steps: int, made: "_Made") -> Schema:
    shapes: dict[str, Shape] = dict.fromkeys(system_fields(definition), "value")
    kinds: dict[str, Kind] = {name: _SYSTEM.get(name, "text") for name in shapes}
    inside: dict[str, Schema] = {}
    for field in definition.live:
        shape, fields = _shape(field, objects, steps, made)
        shapes[field.key] = shape
        if fields is not None:
            inside[field.key] = fields
        kind = _KINDS.get(field.type)
        if kind is not None:
            kinds[field.key] = kind
    return Schema(shapes, inside, kinds)


_SYSTEM: dict[str, Kind] = {"archived": "bool", "created_at": "datetime", "updated_at": "datetime"}
_KINDS: dict[FieldType, Kind] = {
    "text": "text",
    "long": "text",
    "choice": "text",
    "choices": "text",
    "file": "text",
    "int": "number",
    "decimal": "number",
    "money": "number",
    "bool": "bool",
    "date": "date",
    "datetime": "datetime",
}


def system_fields(definition: ObjectDef) -> Iterator[str]:
    """Names of what every record of the kind has besides its fields."""
    for name in SYSTEM_FIELDS:
        if name == "state" and not definition.states:
            continue
        if name == "owner" and definition.typed:
            continue
        if name == "title" and definition.typed:
            continue
        yield name
    if definition.states:
        yield "phase"


_Made = dict[tuple[str, int], Schema]
"""By kind and steps: three hundred references to one kind share what is behind them."""


def _shape(field: FieldDef, objects: Mapping[str, ObjectDef], steps: int, made: _Made) -> tuple[Shape, Schema | None]:
    if field.type == "ref":
        target = objects.get(field.target)
        if target is None or not steps:
            return "record", _BARE
        there = (target.key, steps - 1)
        if there not in made:
            made[there] = _schema(target, objects, steps - 1, made)
        return "record", made[there]
    if field.type == "refs":
        return "rows", _BARE
    if field.type == "choices":
        return "values", None
    if field.type == "json":
        if not field.of:
            return "values", None
        kinds = {one.key: _KINDS[one.type] for one in field.of if one.type in _KINDS}
        return "rows", Schema(dict.fromkeys((one.key for one in field.of), "value"), {}, kinds)
    return "value", None


_BARE = Schema({"ref": "value", "title": "value"}, {}, {"ref": "text", "title": "text"})
"""Behind the last step, and of each of many references."""
