"""The columns of exports and templates, and the names by which a file's columns are known."""

from dataclasses import dataclass

from cloud.kernel.access import CREATE, EXPORT, READ, WRITE
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, Label, ObjectDef
from cloud.objects.permits import ways_of

REF, SOURCE_KEY = "ref", "source_key"
"""Columns that are no fields: the record's number where no field holds it, and what another system calls the record."""

COMMENT = "#"
"""Columns whose name begins so are for people. A row with something in the column of just this name is not imported."""

STATE = "state"

REF_LABEL = Label("Number", "מספר")
SOURCE_KEY_LABEL = Label("Key in the other system", "מפתח במערכת האחרת")
STATE_LABEL = Label("State", "מצב")


@dataclass(frozen=True, slots=True)
class Head:
    """One column. `field` is None for the record's number and state."""

    key: str
    label: Label
    field: FieldDef | None = None


def has_ref_column(definition: ObjectDef) -> bool:
    """Whether the record's number is a column of its own, because no field holds it."""
    return definition.ref not in definition.by_key


def takes_ref(definition: ObjectDef) -> bool:
    """Whether a new record may be given its number: kinds that people know by no number go by their uid, which is drawn."""
    return has_ref_column(definition) and definition.ref != "uid"


def export_heads(caller: Caller, definition: ObjectDef) -> list[Head]:
    """What the caller may read and take away of some record, in the definition's order."""
    reading = [mask for _, mask in ways_of(caller, definition, READ)]
    taking = [mask for _, mask in ways_of(caller, definition, EXPORT)]
    heads = [Head(REF, REF_LABEL)] if has_ref_column(definition) else []
    heads += [
        Head(one.key, one.label, one)
        for one in definition.live
        if any(mask.allows(one.key) for mask in reading) and any(mask.allows(one.key) for mask in taking)
    ]
    return [*heads, Head(STATE, STATE_LABEL)] if definition.states and STATE not in definition.by_key else heads


def writable(caller: Caller, definition: ObjectDef) -> list[FieldDef]:
    """Fields that the caller may fill in when making a record, or change in one."""
    masks = [mask for action in (CREATE, WRITE) for _, mask in ways_of(caller, definition, action)]
    return [
        one for one in definition.live if not one.computed and not one.readonly and any(mask.allows(one.key) for mask in masks)
    ]
