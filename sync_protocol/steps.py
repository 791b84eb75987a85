"""What the steps of a job say: the payload of a `StepEntry`. The box writes them, the cloud makes records of them.

Job kind `receive` (goods receipt): open, then per line item, amount and confirm (or discard), then finish (or abandon).
At any time between them: what arrived with the goods, serial numbers, conditions, photos, learned codes, a supervisor's word.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault

RECEIVE = "receive"


class StepData(BaseModel):
    """What every step's payload has in common: fields that this program does not know are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FieldValue(StepData):
    """One value and what it rests on: a reading of a device, or a person who typed it and said why.

    `value` is a plain decimal for amounts (`unit`: UCUM code), an ISO date for dates, text otherwise. `reading` is an entry
    id (`run:seq`); `reason` is one of the reason codes of docs/RECEIVING.md or free text. A `derived` value says by which
    `formula` (FORMULAS) it follows from other values of its step; an `override` is typed against the reading it names.
    """

    value: str = Field(max_length=256)
    unit: str | None = None
    mode: Literal["device", "manual", "derived", "override"]
    reading: str | None = None
    reason: str | None = Field(default=None, max_length=256)
    formula: str | None = Field(default=None, max_length=64)

    @model_validator(mode="after")
    def _rests_on_something(self) -> Self:
        if self.mode == "device" and not self.reading:
            raise ValueError("a device value names its reading")
        if self.mode == "manual" and (self.reading or not self.reason):
            raise ValueError("a typed value gives its reason and names no reading")
        if self.mode == "derived" and (self.reading or self.formula not in FORMULAS):
            raise ValueError("a derived value names a known formula and no reading of its own")
        if self.mode == "override" and not (self.reading and self.reason):
            raise ValueError("an overriding value names the reading it is typed against, and the reason")
        if self.mode != "derived" and self.formula:
            raise ValueError("only derived values have a formula")
        return self


FORMULAS: dict[str, tuple[str, ...]] = {
    "gross - tare": ("gross", "tare"),
    "pieces * unit_weight": ("pieces", "unit_weight"),
    "serials": (),
}
"""By name, the values of the same step that go in. `serials`: as many as the line has serial numbers that still count."""


class Open(StepData):
    """The receipt begins: of an order, of a notice (whose order may stand beside it), or blind with a supplier or owner alone.

    A receipt without delivery note says why. `number` is the paper number from the box's own range.
    """

    order: str | None = None
    order_rev: int | None = None
    notice: str | None = None
    notice_rev: int | None = None
    owner: str | None = None
    """Party ref of whose goods they are; None: the house's, unless a product says otherwise."""
    number: str | None = Field(default=None, max_length=40)
    supplier: str | None = None
    document: FieldValue | None = None
    no_document_reason: str | None = None
    scan: str | None = None
    """Entry id of the scan that chose the order, None when it was touched in the list."""


class Arrival(StepData):
    """What came with the goods; a later one replaces the fields it gives. `temperature` in Cel, `weighbridge` a gross mass."""

    shipped_at: FieldValue | None = None
    """ISO date or time."""
    vehicle: FieldValue | None = None
    container: FieldValue | None = None
    seal: FieldValue | None = None
    temperature: FieldValue | None = None
    weighbridge: FieldValue | None = None
    arrived_at: FieldValue | None = None


class Item(StepData):
    """A line begins: what was scanned and which product it is. `unit` is the handling unit it lies on (SSCC, 18 digits);
    several lines of one unit are a mixed pallet. `pack` is how much of the product's unit the scanned code stands for."""

    line: int = Field(ge=1)
    product: str
    product_rev: int
    order_line: str | None = None
    notice_line: str | None = None
    identity: FieldValue
    lot: FieldValue | None = None
    expiry: FieldValue | None = None
    unit: FieldValue | None = None
    pack: str | None = None


class Serial(StepData):
    """One serial number of a line, one scan each. With `gone` the number is taken back."""

    line: int = Field(ge=1)
    serial: FieldValue
    gone: bool = False


class Amount(StepData):
    """How much of the line's product, in a unit of the product's dimension: a net weight of a scale, gross less tare, a count.

    Catch weight: `quantity` is the weight and `pieces` the count beside it, or the other way round, by the product's unit.
    """

    line: int = Field(ge=1)
    quantity: FieldValue
    gross: FieldValue | None = None
    tare: FieldValue | None = None
    packaging: str | None = None
    """Code of the packaging whose known tare was taken (`tare` is then `manual` with the reason `packaging`)."""
    pieces: FieldValue | None = None
    unit_weight: FieldValue | None = None


class Condition(StepData):
    """How the goods of a line came. Damaged ones are posted to the place for rejected goods."""

    line: int = Field(ge=1)
    condition: Literal["good", "damaged"]
    reason: str = Field(max_length=256)


class Photo(StepData):
    """A picture of a line (None: of the delivery), by its SHA-256; the bytes travel as a file of the job."""

    line: int | None = Field(default=None, ge=1)
    subject: Literal["damage", "delivery_note", "seal", "goods", "other"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    reading: str | None = None


class Learn(StepData):
    """A code that nobody knew, and which product the operator says it names. It stands until staff say otherwise."""

    scheme: Literal["gtin", "supplier", "own"]
    code: str = Field(min_length=1, max_length=256)
    product: str
    pack: str | None = None
    reading: str | None = None


class Approve(StepData):
    """A supervisor at the box decides a failed check, of a line or of the receipt, with badge and PIN. The step is theirs."""

    check: str = Field(max_length=64)
    line: int | None = Field(default=None, ge=1)
    decision: Literal["accept", "refuse"]
    reason: str = Field(min_length=1, max_length=256)
    method: Literal["pin", "badge_and_pin"] = "pin"
    badge: str | None = None
    """Entry id of the badge's scan."""


class Confirm(StepData):
    """The operator has seen the line whole and keeps it."""

    line: int = Field(ge=1)


class Discard(StepData):
    """The line is not to count; its readings stay in the journal."""

    line: int = Field(ge=1)
    reason: str = Field(max_length=256)


class Remainder(StepData):
    """What becomes of the rest of an order's line: awaited further, or given up with a reason."""

    order_line: str
    policy: Literal["back_order", "close_short"]
    reason: str | None = Field(default=None, max_length=256)


class Finish(StepData):
    """The receipt is complete; `lines` are the numbers of the confirmed lines."""

    lines: list[int]
    remainders: list[Remainder] = Field(default_factory=list, max_length=1000)


class Abandon(StepData):
    """The receipt is given up; nothing of it counts."""

    reason: str = Field(max_length=256)


ReceiveStep = (
    Open | Arrival | Item | Serial | Amount | Condition | Photo | Learn | Approve | Confirm | Discard | Finish | Abandon
)

RECEIVE_STEPS: dict[str, type[ReceiveStep]] = {
    "open": Open,
    "arrival": Arrival,
    "item": Item,
    "serial": Serial,
    "amount": Amount,
    "condition": Condition,
    "photo": Photo,
    "learn": Learn,
    "approve": Approve,
    "confirm": Confirm,
    "discard": Discard,
    "finish": Finish,
    "abandon": Abandon,
}
_NAMES: dict[type[ReceiveStep], str] = {model: name for name, model in RECEIVE_STEPS.items()}


def name_of(step: ReceiveStep) -> str:
    """The step's name in a StepEntry."""
    return _NAMES[type(step)]


_ENTRY_IDS = frozenset({"scan", "reading", "badge"})


def readings_of(step: BaseModel) -> list[str]:
    """The ids of all entries that the step rests on, each once, in the order of its fields."""
    found: list[str] = []
    for name in type(step).model_fields:
        value = getattr(step, name)
        reading = value.reading if isinstance(value, FieldValue) else value if name in _ENTRY_IDS else None
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
