"""What an operator can ask of the smaller jobs: by touch, by a scan, or by a command code. Plain values, no behaviour."""

from dataclasses import dataclass
from typing import Literal

from sync_protocol.steps import FieldValue

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class BeginMove:
    """Goods are moved, or put away. `receipt`: only this receipt's goods; `place`: where they lie, if that was scanned."""

    receipt: str | None = None
    place: FieldValue | None = None
    unit: FieldValue | None = None


@dataclass(frozen=True, slots=True)
class BeginCount:
    """A place is counted: of a sheet, or the place that was scanned; with neither, the place is asked for."""

    sheet: str | None = None
    place: FieldValue | None = None


@dataclass(frozen=True, slots=True)
class BeginGate:
    """A container is at the gate; `direction` None: as the container's state suggests."""

    direction: Direction | None = None
    container: FieldValue | None = None


@dataclass(frozen=True, slots=True)
class GivePlace:
    """A place: where the goods lie, where they go, or which is counted."""

    place: FieldValue


@dataclass(frozen=True, slots=True)
class GiveGoods:
    """A product, by its code or by touch, with the lot as far as the code carries it."""

    product: str
    identity: FieldValue
    lot: str | None = None


@dataclass(frozen=True, slots=True)
class GiveUnit:
    """A handling unit with all that is on it (SSCC)."""

    unit: FieldValue


@dataclass(frozen=True, slots=True)
class ChooseRow:
    """One of several rows of stock that may be meant, by `Lying.key`."""

    key: str


@dataclass(frozen=True, slots=True)
class GiveLot:
    """The lot of the goods in hand."""

    lot: FieldValue


@dataclass(frozen=True, slots=True)
class NoLot:
    """The goods in hand show no lot."""


@dataclass(frozen=True, slots=True)
class GiveMuch:
    """How much: from a scale, or counted or typed by a person."""

    quantity: FieldValue


@dataclass(frozen=True, slots=True)
class TakeAll:
    """All of it that is known to lie there."""


@dataclass(frozen=True, slots=True)
class GiveWhy:
    """Why it is right although the box knows otherwise."""

    reason: str


@dataclass(frozen=True, slots=True)
class CountAgain:
    """A counted line is entered anew."""

    n: int


@dataclass(frozen=True, slots=True)
class GiveSeal:
    """The seal's number."""

    seal: FieldValue


@dataclass(frozen=True, slots=True)
class GiveDetails:
    """What else is said of a container at the gate. None: as before."""

    vehicle: str | None = None
    driver: str | None = None
    laden: bool | None = None
    damaged: bool | None = None
    note: str | None = None
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class AddPicture:
    """A picture of the container, by its SHA-256."""

    sha256: str


@dataclass(frozen=True, slots=True)
class Pass:
    """The container passes. `supervisor`: login of who let it pass against a hold, proved by PIN; `reason`: why."""

    supervisor: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Back:
    """Forget the newest input that waits for its rest."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more comes."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job is given up; of a count nothing counts."""

    reason: str = "started_by_mistake"


MoveCommand = (
    BeginMove | GivePlace | GiveGoods | GiveUnit | ChooseRow | GiveLot | NoLot | GiveMuch | TakeAll | GiveWhy | Back | Finish
)
CountCommand = BeginCount | GivePlace | GiveGoods | GiveLot | NoLot | GiveMuch | CountAgain | Back | Finish | GiveUp
GateCommand = BeginGate | GivePlace | GiveSeal | GiveMuch | GiveDetails | AddPicture | Pass | Back | GiveUp
