"""What the pages and the JSON show, as plain data: made by the readers in cloud.web.reads, known to no table."""

import dataclasses
import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal

from cloud.ingest.standing import BranchState, SideState, Standing
from cloud.web.i18n import Locale
from sync_protocol.quantity import plain

Mode = str
"""`device`, `manual`, `derived` or `override`."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name in both languages; where one is missing, the other stands for it."""

    en: str
    he: str | None = None

    def in_(self, locale: Locale) -> str:
        return self.he if locale == "he" and self.he else self.en


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """One receipt in the list. `undecided`: exceptions without a decision; `typed`: values that a person typed;
    `unverified`: the checks at its end found that its evidence does not hold."""

    ref: str
    state: str
    needs_review: bool
    supplier: Name | None
    order: str | None
    document: str | None
    station: str
    operator: str | None
    lines: int
    undecided: int
    typed: int
    unverified: bool
    opened_at: dt.datetime | None
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ReceiptList:
    """One page of the list, and how many there are per group. `next`: where the following page begins."""

    rows: tuple[ReceiptRow, ...]
    counts: dict[str, int]
    next: str | None


@dataclass(frozen=True, slots=True)
class Time:
    """When something truly happened: between `earliest` and `latest`, None where nothing is known on that side. `best` is the
    middle and `err_ms` how far off it is at most. `basis`: `anchor` when the box had heard our clock, else `order`."""

    best: dt.datetime | None
    err_ms: int | None
    earliest: dt.datetime | None
    latest: dt.datetime | None
    basis: str
    sure: bool

    def within(self, limit_ms: int) -> bool:
        """Whether the time is certain enough to be relied on."""
        return self.sure and self.err_ms is not None and self.err_ms <= limit_ms


@dataclass(frozen=True, slots=True)
class Proof:
    """The way of one value back to the bytes; of a typed value, who and why. `problems` are codes below `problem.`."""

    field: str
    mode: Mode
    value: str
    unit: str | None
    ok: bool
    problems: tuple[str, ...] = ()
    detail: str | None = None
    by: str | None = None
    reason: str | None = None
    formula: str | None = None
    reading: str | None = None
    step: str | None = None
    device: str | None = None
    device_name: str | None = None
    driver: str | None = None
    box: str | None = None
    box_name: str | None = None
    time: Time | None = None
    at: dt.datetime | None = None
    """What the box's wall clock showed, `clock` and `clock_error_ms` say what vouched for it."""
    clock: str | None = None
    clock_error_ms: int | None = None
    received_at: dt.datetime | None = None
    flags: tuple[str, ...] = ()
    raw: bytes | None = None
    signature_ok: bool | None = None
    chain_ok: bool | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of a unit (UCUM)."""

    value: Decimal
    unit: str | None


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture that was taken at the box; `here` is False while its bytes are still there."""

    sha256: str
    subject: str
    line: int | None
    by: str | None
    here: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    """How much of a posted line is where in its life, in the product's unit."""

    name: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a receipt with the proof of each of its values; `problems` are those of the line itself.

    `stock` is what was posted, in the product's own unit, `rounded` to a millionth of it where that was needed.
    """

    number: int
    sku: str
    product: Name
    lot: str | None
    expiry: str | None
    quantity: Decimal | None
    unit: str | None
    standing: str
    discard_reason: str | None
    kept_reason: str | None = None
    condition: str = "good"
    condition_reason: str | None = None
    sscc: str | None = None
    gross: Amount | None = None
    tare: Amount | None = None
    packaging: str | None = None
    pieces: Amount | None = None
    serials: tuple[str, ...] = ()
    notice_line: str | None = None
    stock: Amount | None = None
    rounded: bool = False
    location: Name | None = None
    owner: Name | None = None
    buckets: tuple[Bucket, ...] = ()
    problems: tuple[str, ...] = ()
    proofs: tuple[Proof, ...] = ()

    def bucket(self, name: str) -> Decimal:
        """How much of the line is in one bucket."""
        return next((one.quantity for one in self.buckets if one.name == name), Decimal(0))

    def proof(self, name: str) -> Proof | None:
        """The proof of one field; None when the field has no value or nothing to show for it."""
        return next((proof for proof in self.proofs if proof.field == name), None)

    @property
    def ok(self) -> bool:
        return not self.problems and all(proof.ok for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """An exception: a check that failed, and what was decided. `expected` and `found` are quantities, dates, codes or words."""

    id: int
    code: str
    severity: str
    line: int | None
    expected: str | None
    found: str | None
    decision: str | None
    decided_by: str | None
    decided_at: dt.datetime | None
    reason: str | None
    via: str | None = None
    """The box at which it was decided."""
    roles: tuple[str, ...] = ()
    """Who may decide it, where that is not every decider."""

    @property
    def waits(self) -> bool:
        return self.decision is None and self.severity == "decision"


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the history. `actor_kind` is user, box or system; `via` is the box at which a person acted."""

    at: dt.datetime
    actor_kind: str
    actor: str
    via: str | None
    action: str
    old_state: str | None = None
    new_state: str | None = None
    check: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the verification found wrong, and where: fields of a line (None: of the head), or places in the box's steps."""

    line: int | None
    fields: tuple[str, ...]
    codes: tuple[str, ...]
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the evidence of the whole receipt holds."""

    ok: bool
    values: int
    problems: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file that belongs to a record; `here` is False while it is still on the box."""

    sha256: str
    name: str
    size: int
    here: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """A code that the operator taught the box, and for which product; `status` is proposed, accepted or refused."""

    id: int
    scheme: str
    code: str
    sku: str
    product: Name | None
    status: str
    by: str | None


@dataclass(frozen=True, slots=True)
class Remainder:
    """What becomes of the rest of an order's line: `back_order` or `close_short`."""

    order_line: str
    policy: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came with the goods."""

    arrived_at: dt.datetime | None = None
    shipped_at: dt.datetime | None = None
    vehicle: str | None = None
    container: str | None = None
    seal: str | None = None
    temperature: Amount | None = None
    weighbridge: Amount | None = None

    @property
    def said(self) -> bool:
        """Whether anything of it was given."""
        return any(getattr(self, one.name) is not None for one in dataclasses.fields(self))


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt whole. `cannot_post`: code below `cannot_post.`, None when it can be posted by someone with the role."""

    ref: str
    uid: str
    site: str | None
    """Its code."""
    state: str
    version: int
    needs_review: bool
    supplier: Name | None
    order: str | None
    document: str | None
    no_document_reason: str | None
    station: str
    station_name: Name | None
    box: Name
    operator: str | None
    opened: Time | None
    opened_at: dt.datetime | None
    opened_received_at: dt.datetime
    finished: Time | None
    finished_at: dt.datetime | None
    finished_received_at: dt.datetime | None
    verification: Verification
    cannot_post: str | None
    lines: tuple[Line, ...] = ()
    header_proofs: tuple[Proof, ...] = ()
    exceptions: tuple[FailedCheck, ...] = ()
    history: tuple[Happening, ...] = field(default=())
    files: tuple[File, ...] = ()
    notice: str | None = None
    owner: Name | None = None
    number: str | None = None
    """Of the paper that the box gave out."""
    review_reason: str | None = None
    arrival: Arrival = field(default_factory=Arrival)
    photos: tuple[Photo, ...] = ()
    learned: tuple[Learned, ...] = ()
    remainders: tuple[Remainder, ...] = ()
    posted_at: dt.datetime | None = None
    posted_by: str | None = None
    done_at: dt.datetime | None = None
    reversed_at: dt.datetime | None = None
    reversed_by: str | None = None

    @property
    def ok(self) -> bool:
        """Whether its evidence holds."""
        return self.verification.ok

    @property
    def typed(self) -> int:
        return sum(
            1
            for proof in (*self.header_proofs, *(one for line in self.lines for one in line.proofs))
            if proof.mode in {"manual", "override"}
        )

    @property
    def closed(self) -> bool:
        return self.state in {"posted", "done", "reversed", "cancelled"}

    @property
    def undecided(self) -> int:
        return sum(1 for one in self.exceptions if one.waits)


@dataclass(frozen=True, slots=True)
class Run:
    """One start of a box's journal and how far the cloud has it."""

    run: str
    acked: int
    parent: str | None
    batches: int
    last_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """How a box last said it was, and when that came."""

    said_at: dt.datetime
    unacked: int
    oldest_s: int | None
    clock: str
    clock_err_ms: int | None
    disk_level: str
    disk_free: int
    link: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """A branch both sides of which are alive, and how far each is here."""

    branch: BranchState
    sides: tuple[SideState, SideState]

    @property
    def entries(self) -> int:
        """Of the sides that wait for a decision."""
        return sum(side.entries for side in self.sides if side.decision is None)


@dataclass(frozen=True, slots=True)
class Box:
    """One box as the cloud knows it. `story`: what happened to its journal's branches and by whom, newest first."""

    id: str
    name: str
    station: str | None
    status: str
    registered_at: dt.datetime | None
    last_seen: dt.datetime | None
    quarantined: int
    runs: tuple[Run, ...] = ()
    health: Health | None = None
    standing: Standing = field(default_factory=Standing)
    overlaps: tuple[Overlap, ...] = ()
    story: tuple[Happening, ...] = ()


def as_json(value: object) -> object:
    """View data as JSON's types: dataclasses become objects, decimals plain text, times ISO 8601 in UTC, bytes hex."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: as_json(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else value
