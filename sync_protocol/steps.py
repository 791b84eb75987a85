"""What the steps of a job say: the payload of a `StepEntry`. The box writes them, the cloud makes records of them.

Job kind `receive` (goods receipt): open, then per line item, amount and confirm (or discard), then finish (or abandon).
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault

RECEIVE = "receive"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FieldValue(_Data):
    """One value and what it rests on: a reading of a device, or a person who typed it and said why.

    `value` is a plain decimal for amounts (`unit`: UCUM code), an ISO date for dates, text otherwise. `reading` is an entry
    id (`run:seq`); `reason` is one of the reason codes of docs/RECEIVING.md or free text.
    """

    value: str = Field(max_length=256)
    unit: str | None = None
    mode: Literal["device", "manual"]
    reading: str | None = None
    reason: str | None = Field(default=None, max_length=256)

    @model_validator(mode="after")
    def _rests_on_something(self) -> Self:
        if self.mode == "device" and not self.reading:
            raise ValueError("a device value names its reading")
        if self.mode == "manual" and (self.reading or not self.reason):
            raise ValueError("a typed value gives its reason and names no reading")
        return self


class Open(_Data):
    """The receipt begins. `order` is the purchase order's ref; a receipt without delivery note says why."""

    order: str | None = None
    order_rev: int | None = None
    supplier: str | None = None
    document: FieldValue | None = None
    no_document_reason: str | None = None
    scan: str | None = None
    """Entry id of the scan that chose the order, None when it was touched in the list."""


class Item(_Data):
    """A line begins: what was scanned and which product it is."""

    line: int = Field(ge=1)
    product: str
    product_rev: int
    order_line: str | None = None
    identity: FieldValue
    lot: FieldValue | None = None
    expiry: FieldValue | None = None


class Amount(_Data):
    """How much of the line's product: a weight taken from a scale, or a count or weight typed by a person."""

    line: int = Field(ge=1)
    quantity: FieldValue


class Confirm(_Data):
    """The operator has seen the line whole and keeps it."""

    line: int = Field(ge=1)


class Discard(_Data):
    """The line is not to count; its readings stay in the journal."""

    line: int = Field(ge=1)
    reason: str = Field(max_length=256)


class Finish(_Data):
    """The receipt is complete; `lines` are the numbers of the confirmed lines."""

    lines: list[int]


class Abandon(_Data):
    """The receipt is given up; nothing of it counts."""

    reason: str = Field(max_length=256)


ReceiveStep = Open | Item | Amount | Confirm | Discard | Finish | Abandon

RECEIVE_STEPS: dict[str, type[ReceiveStep]] = {
    "open": Open,
    "item": Item,
    "amount": Amount,
    "confirm": Confirm,
    "discard": Discard,
    "finish": Finish,
    "abandon": Abandon,
}
_NAMES: dict[type[ReceiveStep], str] = {model: name for name, model in RECEIVE_STEPS.items()}


def name_of(step: ReceiveStep) -> str:
    """The step's name in a StepEntry."""
    return _NAMES[type(step)]


def readings_of(step: ReceiveStep) -> list[str]:
    """The ids of all entries that the step rests on, each once, in the order of its fields."""
    found: list[str] = []
    for name in type(step).model_fields:
        value = getattr(step, name)
        reading = value.reading if isinstance(value, FieldValue) else value if name == "scan" else None
        if reading and reading not in found:
            found.append(reading)
    return found


def receive_step(entry: StepEntry) -> ReceiveStep:
    """Read the payload of a step of job kind `receive`; raises TextFault for an unknown step or a payload that does not fit."""
    model = RECEIVE_STEPS.get(entry.step)
    if entry.job_kind != RECEIVE or model is None:
        raise TextFault(f"no such step: {entry.job_kind[:20]}/{entry.step[:20]}")
    try:
        return model.model_validate(entry.data)
    except ValidationError as exc:
        raise TextFault(f"step {entry.step}: {exc.errors()[0]['msg']}") from exc
