"""What the steps of the smaller jobs say: stock that is moved or put away, a count, a container at the gate.

Job kinds `move` and `put_away`: open, then one `moved` per act, then finish. Each `moved` stands alone: it is posted or refused
for itself, and taken back only by another one. `count`: open, one `counted` per thing found, finish. `gate`: one `passed`.
"""

from typing import Literal

from pydantic import Field, ValidationError

from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.steps import Abandon, FieldValue, StepData

MOVE, PUT_AWAY, COUNT, GATE = "move", "put_away", "count", "gate"


class MoveOpen(StepData):
    """The job begins. `number` is the paper number from the box's own range; `receipt` the job id of the receipt whose goods
    are put away."""

    number: str | None = Field(default=None, max_length=40)
    receipt: str | None = None


class Moved(StepData):
    """One act: so much of a product, lot and owner, from one place to another, or a whole handling unit (`unit` alone).

    `source` and `target` are location codes, `owner` a party ref (None: the house), `lot` a lot code, `unit` an SSCC.
    """

    n: int = Field(ge=1)
    product: str | None = None
    lot: str | None = None
    unit: FieldValue | None = None
    owner: str | None = None
    quantity: FieldValue | None = None
    """None with `unit`: all that is on it."""
    identity: FieldValue | None = None
    source: FieldValue
    target: FieldValue
    receipt: str | None = None
    receipt_line: int | None = Field(default=None, ge=1)
    reason: str | None = Field(default=None, max_length=256)


class Done(StepData):
    """Nothing more comes."""


class CountOpen(StepData):
    """A count of one place begins, of a sheet that staff planned (`sheet`, its ref) or on the operator's own motion."""

    number: str | None = Field(default=None, max_length=40)
    sheet: str | None = None
    location: FieldValue
    second: bool = False
    """Whether it is the second count of the sheet, by another person."""


class Counted(StepData):
    """So much of one product, lot, unit and owner lies here. A later one with the same `n` replaces it."""

    n: int = Field(ge=1)
    product: str
    lot: str | None = None
    unit: str | None = None
    owner: str | None = None
    identity: FieldValue
    quantity: FieldValue


class CountDone(StepData):
    """The place is counted: what was not named is not there. `lines` are the numbers that hold."""

    lines: list[int] = Field(max_length=5000)


class Passed(StepData):
    """A container came in or went out at the gate."""

    number: str | None = Field(default=None, max_length=40)
    direction: Literal["in", "out"]
    container: FieldValue
    seal: FieldValue | None = None
    weight: FieldValue | None = None
    """Gross mass, if it was weighed."""
    laden: bool | None = None
    vehicle: FieldValue | None = None
    driver: str | None = Field(default=None, max_length=100)
    condition: Literal["good", "damaged"] = "good"
    note: str | None = Field(default=None, max_length=256)
    photos: list[str] = Field(default_factory=list, max_length=20)
    """SHA-256 of each."""


MovementStep = MoveOpen | Moved | Done | CountOpen | Counted | CountDone | Passed | Abandon

MOVEMENT_STEPS: dict[tuple[str, str], type[MovementStep]] = {
    **{
        (kind, name): model
        for kind in (MOVE, PUT_AWAY)
        for name, model in (("open", MoveOpen), ("moved", Moved), ("finish", Done))
    },
    (COUNT, "open"): CountOpen,
    (COUNT, "counted"): Counted,
    (COUNT, "finish"): CountDone,
    (COUNT, "abandon"): Abandon,
    (GATE, "passed"): Passed,
}
"""By job kind and the step's name."""


def movement_step(entry: StepEntry) -> MovementStep:
    """Read the payload of a step of these job kinds; raises TextFault for an unknown step or a payload that does not fit."""
    model = MOVEMENT_STEPS.get((entry.job_kind, entry.step))
    if model is None:
        raise TextFault(f"no such step: {entry.job_kind[:20]}/{entry.step[:20]}")
    try:
        return model.model_validate(entry.data)
    except ValidationError as exc:
        raise TextFault(f"step {entry.step}: {exc.errors()[0]['msg']}") from exc
