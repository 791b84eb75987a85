"""What the checks of a receipt look at: plain values that either side gathers from what it has.

None always means "not known" or "not given". Amounts are exact; places are codes, products skus, parties refs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sync_protocol.masters import Location, Notice, NoticeLine, Order, OrderLine, Product
from sync_protocol.quantity import Quantity
from sync_protocol.receiving.settings import Severity


@dataclass(frozen=True, slots=True)
class ReadingFact:
    """What a reading says that a line rests on. `age_s` at the moment it was taken into the line; `used_by` names another line
    or receipt that rests on it already."""

    kind: str
    flags: frozenset[str]
    age_s: float | None = None
    calibrated: bool | None = None
    """Whether a calibration was in force on that day; None: not known, or the device needs none."""
    used_by: str | None = None


@dataclass(frozen=True, slots=True)
class LotFact:
    """A lot of the line's product that is known already."""

    expiry: date | None
    status: str


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One confirmed line. `identity_mode`, `quantity_mode`: device, manual, derived or override."""

    number: int
    sku: str
    product: Product | None
    order_line: OrderLine | None = None
    notice_line: NoticeLine | None = None
    code: str | None = None
    """The scanned text, None when the product was touched in a list."""
    code_means: frozenset[str] = frozenset()
    """Skus that the text stands for, but for what was learned in this receipt."""
    learned: bool = False
    """Whether the operator said in this receipt that the text stands for the product, and nobody else did."""
    identity_mode: str = "manual"
    quantity_mode: str = "manual"
    quantity: Quantity | None = None
    gross: Quantity | None = None
    tare: Quantity | None = None
    tare_known: bool = False
    """Whether the tare was weighed, or is the known one of its packaging; not so when it was typed."""
    pieces: Quantity | None = None
    lot: str | None = None
    lot_known: LotFact | None = None
    expiry: date | None = None
    serials: tuple[str, ...] = ()
    serials_in_stock: frozenset[str] = frozenset()
    sscc: str | None = None
    sscc_received: str | None = None
    """The receipt that had this unit already."""
    condition: str = "good"
    photos: int = 0
    weight: ReadingFact | None = None
    """The reading that the quantity (or its gross) rests on."""
    location: Location | None = None
    """Where the line's goods go, None when that is not decided yet."""
    owner: str | None = None
    kept_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """One finished receipt. `order_given` and `notice_given` are what was said; `order` and `notice` what is known under it."""

    arrival: date
    now: datetime | None
    """The time by the clock of whoever checks, None when nothing has set that clock."""
    lines: tuple[LineFacts, ...]
    order_given: str | None = None
    order: Order | None = None
    order_state: str | None = None
    notice_given: str | None = None
    notice: Notice | None = None
    notice_state: str | None = None
    supplier: str | None = None
    owner: str | None = None
    document: str | None = None
    no_document_reason: str | None = None
    document_received: str | None = None
    """Ref of the receipt that had this supplier's delivery note already."""
    station: str | None = None
    station_known: bool = True
    operator: str | None = None
    operator_known: bool = True
    left_open: tuple[int, ...] = ()
    """Numbers of lines that were neither confirmed nor discarded."""
    container: str | None = None
    seal: str | None = None
    temperature: Quantity | None = None
    arrived_at: datetime | None = None
    """As somebody said; None: nobody did, and `arrival` is the day on which the receipt was opened."""
    shipped_at: datetime | None = None
    severities: Mapping[tuple[str, str | None], Severity] = field(default_factory=dict)
    """(check, sku or None for all) to what the house set."""
