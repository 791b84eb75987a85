"""What an operator can ask of a goods receipt: by touch, by a scan, or by a command code. Plain values, no behaviour."""

from dataclasses import dataclass
from decimal import Decimal

from sync_protocol.steps import FieldValue


@dataclass(frozen=True, slots=True)
class ChooseOrder:
    """Begin a receipt of this order; `scan` is the entry id of the scan that chose it."""

    order: str
    scan: str | None = None


@dataclass(frozen=True, slots=True)
class GiveDocument:
    """The delivery note's number."""

    number: FieldValue


@dataclass(frozen=True, slots=True)
class NoDocument:
    """There is no delivery note, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class ScanItem:
    """A product's code was scanned; `lot` and `expiry` (ISO date) as far as the code carries them."""

    product: str
    text: str
    entry: str
    lot: str | None = None
    expiry: str | None = None


@dataclass(frozen=True, slots=True)
class ChooseProduct:
    """A product was touched in the list because its code cannot be scanned."""

    product: str
    reason: str


@dataclass(frozen=True, slots=True)
class AddAgain:
    """Yes: the same code is meant once more."""


@dataclass(frozen=True, slots=True)
class Drop:
    """No: forget the input that waits for its rest."""


@dataclass(frozen=True, slots=True)
class GiveLot:
    """The lot of the waiting item."""

    lot: FieldValue


@dataclass(frozen=True, slots=True)
class GiveExpiry:
    """The expiry date (ISO) of the waiting item."""

    expiry: FieldValue


@dataclass(frozen=True, slots=True)
class GiveWeight:
    """The line's weight: from a scale, or typed with a reason."""

    quantity: FieldValue


@dataclass(frozen=True, slots=True)
class GiveCount:
    """The line's amount in the product's unit, counted by a person."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class ConfirmLine:
    """Keep the line; against a failed check only with a reason."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DiscardLine:
    """The line is not to count. `line` None means the newest one."""

    reason: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the newest line within ten seconds."""


@dataclass(frozen=True, slots=True)
class FinishJob:
    """The receipt is complete."""


@dataclass(frozen=True, slots=True)
class AbandonJob:
    """The receipt is given up."""

    reason: str


Command = (
    ChooseOrder
    | GiveDocument
    | NoDocument
    | ScanItem
    | ChooseProduct
    | AddAgain
    | Drop
    | GiveLot
    | GiveExpiry
    | GiveWeight
    | GiveCount
    | ConfirmLine
    | DiscardLine
    | Undo
    | FinishJob
    | AbandonJob
)
