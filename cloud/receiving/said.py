"""What single values of a step say, read strictly: amounts, dates, ids of readings. Raises StepFault."""

from datetime import date, datetime

from cloud.errors import StepFault
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId
from sync_protocol.quantity import Quantity, decimal
from sync_protocol.steps import FieldValue

LAST_SEQ = (1 << 63) - 1
"""The last entry that a run can have (header of a frame)."""


def reading_id(text: str | None) -> EntryId | None:
    """The entry that a step names. Raises StepFault."""
    if text is None:
        return None
    try:
        reading = EntryId.parse(text)
    except TextFault as exc:
        raise StepFault("bad_reading_id", text) from exc
    if reading.seq > LAST_SEQ:
        raise StepFault("bad_reading_id", text)
    return reading


def day(field: FieldValue) -> date:
    """An ISO date and nothing else. Raises StepFault."""
    try:
        found = date.fromisoformat(field.value)
    except ValueError as exc:
        raise StepFault("bad_date", field.value) from exc
    if found.isoformat() != field.value:
        raise StepFault("bad_date", field.value)
    return found


def moment(field: FieldValue) -> datetime | date:
    """An ISO time with its zone, or a day. Raises StepFault."""
    try:
        return date.fromisoformat(field.value)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(field.value)
    except ValueError as exc:
        raise StepFault("bad_time", field.value) from exc
    if at.tzinfo is None:
        raise StepFault("bad_time", field.value)
    return at


def measure(field: FieldValue) -> Quantity:
    """An amount of any sign. Raises StepFault."""
    try:
        return Quantity(decimal(field.value), field.unit or "1")
    except TextFault as exc:
        raise StepFault("bad_amount", str(exc)) from exc


def amount(field: FieldValue) -> Quantity:
    """An amount above nothing; what follows from others is taken as it follows. Raises StepFault."""
    found = measure(field)
    if found.value <= 0 and field.mode != "derived":
        raise StepFault("bad_amount", str(found))
    return found


def plain_pack(text: str | None) -> str | None:
    """How much a code stands for: a plain number above nothing. Raises StepFault."""
    if text is None:
        return None
    try:
        found = decimal(text)
    except TextFault as exc:
        raise StepFault("bad_amount", text) from exc
    if found <= 0:
        raise StepFault("bad_amount", text)
    return text
