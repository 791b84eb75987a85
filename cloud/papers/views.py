"""What each document says, free of any language and layout: the part of a record that is frozen when a paper is made of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Origin = Literal["device", "manual", "derived", "override"]
"""What a value rests on: an instrument's reading, a person, other values of the line, a person against the reading."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name in English and, where there is one, in Hebrew."""

    en: str
    he: str | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """Digits as they were given, in a UCUM unit."""

    value: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """A party as it stands in a document's head."""

    name: Name
    ref: str | None = None
    reg_no: str | None = None
    address: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Goods:
    """A product, and what is told apart of it."""

    sku: str
    name: Name
    lot: str | None = None
    expiry: date | None = None
    serials: tuple[str, ...] = ()
    sscc: str | None = None
    owner: Name | None = None


@dataclass(frozen=True, slots=True)
class Exceptional:
    """A check that did not come out clean, and what was decided. `line` None: of the whole receipt."""

    check: str
    severity: str
    line: int | None = None
    expected: str | None = None
    found: str | None = None
    decision: str | None = None
    by: str | None = None
    at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture by its hash; the file is with the record."""

    sha256: str
    subject: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What the values rest on. `ok`: everything was verified from signed entries when the paper was made."""

    ok: bool
    device: int
    manual: int
    other: int
    problems: int


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """One confirmed line of a receipt."""

    number: int
    goods: Goods
    quantity: Amount
    origin: Origin
    condition: str = "good"
    condition_reason: str | None = None
    gross: Amount | None = None
    tare: Amount | None = None
    pieces: Amount | None = None
    typed: tuple[str, ...] = ()
    """Fields beside the quantity that a person typed."""
    buckets: tuple[tuple[str, Amount], ...] = ()


@dataclass(frozen=True, slots=True)
class GoodsReceived:
    """Goods-received note."""

    house: Side
    ref: str
    number: str | None
    """Of the paper that the box gave out."""
    state: str
    supplier: Side | None
    site: Name | None
    station: str
    order: str | None
    notice: str | None
    document_no: str | None
    no_document_reason: str | None
    operator: str
    opened_at: datetime | None
    received_at: datetime
    posted_at: datetime | None
    posted_by: str | None
    container: str | None
    seal: str | None
    vehicle: str | None
    temperature: Amount | None
    lines: tuple[ReceivedLine, ...]
    exceptions: tuple[Exceptional, ...]
    proof: Proof


@dataclass(frozen=True, slots=True)
class Differing:
    """One product: what was ordered, announced, received and kept from use. None: nobody said."""

    goods: Goods
    ordered: Amount | None
    announced: Amount | None
    received: Amount
    rejected: Amount | None
    difference: Amount | None
    """Received, less what was announced; where nothing was, less what was open of the order."""
    reasons: tuple[str, ...] = ()
    """Codes of checks."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Discrepancy report: only what differs."""

    house: Side
    ref: str
    state: str
    supplier: Side | None
    order: str | None
    notice: str | None
    document_no: str | None
    received_at: datetime
    lines: tuple[Differing, ...]
    exceptions: tuple[Exceptional, ...]
    photos: tuple[Photo, ...]
    proof: Proof


@dataclass(frozen=True, slots=True)
class MovedLine:
    """One line of goods on their way. `whole`: all that is on the handling unit."""

    number: int
    goods: Goods | None
    quantity: Amount | None
    source: str | None
    target: str | None
    reason: str | None = None
    whole: bool = False
    receipt_line: int | None = None


@dataclass(frozen=True, slots=True)
class ReturnNote:
    """Goods on their way back to a supplier."""

    house: Side
    ref: str
    state: str
    supplier: Side | None
    site: Name | None
    receipt: str | None
    document_no: str | None
    reason: str | None
    approved_by: str | None
    approved_at: datetime | None
    shipped_at: datetime | None
    lines: tuple[MovedLine, ...]


@dataclass(frozen=True, slots=True)
class PutAwayLine:
    """Goods that wait for their place."""

    number: int
    goods: Goods
    quantity: Amount
    source: str
    target: str | None
    target_name: Name | None = None


@dataclass(frozen=True, slots=True)
class PutAwayList:
    """What of a receipt waits to be put away, and where it should go."""

    house: Side
    ref: str
    state: str
    supplier: Side | None
    site: Name | None
    lines: tuple[PutAwayLine, ...]


@dataclass(frozen=True, slots=True)
class GatePass:
    """With which a container leaves, or came in."""

    house: Side
    number: str
    number_good: bool
    state: str
    direction: str
    visit: int
    iso_type: str | None
    line: str | None
    client: Side | None
    booking: str | None
    bill: str | None
    site: Name | None
    location: str | None
    seals: tuple[str, ...]
    holds: tuple[str, ...]
    laden: bool | None
    condition: str
    gross: Amount | None
    tare: Amount | None
    vehicle: str | None
    driver: str | None
    gate: str | None
    """Code of the last passage of the gate."""
    gate_at: datetime | None
    contents: tuple[MovedLine, ...]


View = GoodsReceived | Discrepancy | ReturnNote | PutAwayList | GatePass
