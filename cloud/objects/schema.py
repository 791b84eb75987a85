"""What expressions about an object may name: its fields, every record's own, and one step behind a reference."""

from collections.abc import Iterator, Mapping

from cloud.objects.definition import FieldDef, ObjectDef
from cloud.objects.reading import SYSTEM_FIELDS
from sync_protocol.expressions import Schema, Shape

STEPS = 2
"""References that an expression may go along: `order.supplier.name`."""


def schema_of(definition: ObjectDef, objects: Mapping[str, ObjectDef], steps: int = STEPS) -> Schema:
    """Archived fields are left out: nothing new may rest on them."""
    shapes: dict[str, Shape] = dict.fromkeys(system_fields(definition), "value")
    inside: dict[str, Schema] = {}
    for field in definition.live:
        shape, fields = _shape(field, objects, steps)
        shapes[field.key] = shape
        if fields is not None:
            inside[field.key] = fields
    return Schema(shapes, inside)


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


def _shape(field: FieldDef, objects: Mapping[str, ObjectDef], steps: int) -> tuple[Shape, Schema | None]:
    if field.type == "ref":
        target = objects.get(field.target)
        return ("record", schema_of(target, objects, steps - 1)) if target is not None and steps else ("record", _BARE)
    if field.type == "refs":
        return "rows", _BARE
    if field.type == "choices":
        return "values", None
    if field.type == "json":
        return ("rows", Schema(dict.fromkeys((one.key for one in field.of), "value"))) if field.of else ("values", None)
    return "value", None


_BARE = Schema({"ref": "value", "title": "value"})
"""Behind the last step, and of each of many references."""
