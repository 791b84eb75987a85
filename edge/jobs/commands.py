"""What an operator can ask of a goods receipt: by touch, by a scan, or by a command code. Plain values, no behaviour."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from edge.jobs.drafts import ArrivalField
from sync_protocol.steps import FieldValue

Scheme = Literal["gtin", "supplier", "own"]
Subject = Literal["damage", "delivery_note", "seal", "goods", "other"]


@dataclass(frozen=True, slots=True)
class ChooseOrder:
    """Begin a receipt of this order; `scan` is the entry id of the scan that chose it."""

    order: str
    scan: str | None = None


@dataclass(frozen=True, slots=True)
class ChooseNotice:
    """Begin a receipt of an announced delivery."""

    notice: str
    scan: str | None = None


@dataclass(frozen=True, slots=True)
class BeginBlind:
    """Begin a receipt of goods that nobody ordered or announced here."""


@dataclass(frozen=True, slots=True)
class ChooseSupplier:
    """Who sent the goods, or whose they are (at least one), by party ref."""

    supplier: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class GiveDocument:
    """The delivery note's number."""

    number: FieldValue


@dataclass(frozen=True, slots=True)
class NoDocument:
    """There is no delivery note, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class AskArrival:
    """Something that came with the delivery is to be said."""

    what: ArrivalField


@dataclass(frozen=True, slots=True)
class GiveArrival:
    """What came with the delivery; `what` None: what was asked for."""

    value: FieldValue
    what: ArrivalField | None = None


@dataclass(frozen=True, slots=True)
class ScanItem:
    """A product's code was scanned; `lot`, `expiry` (ISO date) and `serial` as far as the code carries them.

    `pack` is how much of the product's unit the code stands for.
    """

    product: str
    text: str
    entry: str
    lot: str | None = None
    expiry: str | None = None
    serial: str | None = None
    pack: str | None = None


@dataclass(frozen=True, slots=True)
class ScanUnknown:
    """A code was scanned that names no product (`choices` empty) or may name several."""

    scheme: Scheme
    code: str
    text: str
    entry: str
    lot: str | None = None
    expiry: str | None = None
    serial: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NameProduct:
    """What the waiting code names; a reason where the code was not known at all."""

    product: str
    reason: str | None = None
    pack: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ScanUnit:
    """A handling unit's code (SSCC) was scanned: the next goods lie on it."""

    sscc: str
    text: str
    entry: str


@dataclass(frozen=True, slots=True)
class TakePallet:
    """The waiting unit holds what was announced."""


@dataclass(frozen=True, slots=True)
class CheckPallet:
    """The waiting unit's contents are looked at one by one."""


@dataclass(frozen=True, slots=True)
class LeavePallet:
    """The next goods lie on no handling unit."""


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
class GiveSerial:
    """One serial number of the line."""

    serial: FieldValue


@dataclass(frozen=True, slots=True)
class TakeBackSerial:
    """The number is not of this line after all. `serial` None: the newest."""

    serial: str | None = None


@dataclass(frozen=True, slots=True)
class SerialsDone:
    """Every serial number of the line is there: as many as the line holds."""


@dataclass(frozen=True, slots=True)
class AskTare:
    """The scale shows goods with their packaging: what does that weigh?"""


@dataclass(frozen=True, slots=True)
class GiveTare:
    """What the packaging weighs: the empty container on the scale, typed with a reason, or known by `packaging`'s code."""

    tare: FieldValue | None = None
    packaging: str | None = None


@dataclass(frozen=True, slots=True)
class GivePieces:
    """How many pieces weigh what is about to be weighed."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class GiveWeight:
    """The line's weight: from a scale, or typed with a reason. With a tare in hand it is the gross weight."""

    quantity: FieldValue


@dataclass(frozen=True, slots=True)
class GiveCount:
    """The line's amount in the product's unit, counted by a person; with `packs` in packs of the scanned code."""

    value: Decimal
    packs: bool = False


@dataclass(frozen=True, slots=True)
class SetCondition:
    """How a line's goods came; `line` None means the newest one. Damage needs a reason."""

    condition: Literal["good", "damaged"]
    reason: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class AddPhoto:
    """A picture that the box keeps under its SHA-256; `line` None: of the delivery, or of the line in hand."""

    sha256: str
    subject: Subject
    line: int | None = None


@dataclass(frozen=True, slots=True)
class AskApproval:
    """A supervisor is called to decide a failed check."""

    check: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ShowBadge:
    """The badge of this supervisor was scanned; the PIN is still to come."""

    login: str
    entry: str


@dataclass(frozen=True, slots=True)
class ApproveCheck:
    """This supervisor, whose PIN was right, decides the check that waits."""

    by: str
    decision: Literal["accept", "refuse"]
    reason: str


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
class AskRemainder:
    """The receipt is about to be finished: what becomes of what did not come?"""


@dataclass(frozen=True, slots=True)
class SetRemainder:
    """The rest of an order's line is given up for this reason; None: it is awaited further."""

    order_line: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FinishJob:
    """The receipt is complete. What did not come is awaited further unless it was given up before."""


@dataclass(frozen=True, slots=True)
class AbandonJob:
    """The receipt is given up."""

    reason: str


Command = (
    ChooseOrder
    | ChooseNotice
    | BeginBlind
    | ChooseSupplier
    | GiveDocument
    | NoDocument
    | AskArrival
    | GiveArrival
    | ScanItem
    | ScanUnknown
    | NameProduct
    | ScanUnit
    | TakePallet
    | CheckPallet
    | LeavePallet
    | ChooseProduct
    | AddAgain
    | Drop
    | GiveLot
    | GiveExpiry
    | GiveSerial
    | TakeBackSerial
    | SerialsDone
    | AskTare
    | GiveTare
    | GivePieces
    | GiveWeight
    | GiveCount
    | SetCondition
    | AddPhoto
    | AskApproval
    | ShowBadge
    | ApproveCheck
    | ConfirmLine
    | DiscardLine
    | Undo
    | AskRemainder
    | SetRemainder
    | FinishJob
    | AbandonJob
)
