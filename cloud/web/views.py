"""What the pages and the JSON show, as plain data: made by the readers in cloud.web.reads, known to no table."""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from cloud.web.i18n import Locale

Mode = Literal["device", "manual"]


@dataclass(frozen=True, slots=True)
class Name:
    """A name in both languages; where one is missing, the other stands for it."""

    en: str
    he: str | None = None

    def in_(self, locale: Locale) -> str:
        return self.he if locale == "he" and self.he else self.en


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """One receipt in the list. `undecided`: exceptions without a decision; `typed`: values that a person typed."""

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
    opened_at: dt.datetime
    received_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class ReceiptList:
    """One page of the list, and how many there are per group. `next`: where the following page begins."""

    rows: tuple[ReceiptRow, ...]
    counts: dict[str, int]
    next: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """The way of one value back to the bytes; of a typed value, who and why. `problems` are codes below `problem.`."""

    field: str
    mode: Mode
    value: str
    unit: str | None
    ok: bool
    problems: tuple[str, ...] = ()
    by: str | None = None
    reason: str | None = None
    reading: str | None = None
    device: str | None = None
    device_name: str | None = None
    driver: str | None = None
    box: str | None = None
    box_name: str | None = None
    at: dt.datetime | None = None
    clock: str | None = None
    clock_error_ms: int | None = None
    received_at: dt.datetime | None = None
    raw: bytes | None = None
    signature_ok: bool | None = None
    chain_ok: bool | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a receipt with the proof of each of its values."""

    number: int
    sku: str
    product: Name
    lot: str | None
    expiry: str | None
    quantity: Decimal | None
    unit: str | None
    counts: bool
    proofs: tuple[Proof, ...] = ()

    def proof(self, name: str) -> Proof | None:
        """The proof of one field; None when the field has no value or nothing to show for it."""
        return next((proof for proof in self.proofs if proof.field == name), None)

    @property
    def ok(self) -> bool:
        return all(proof.ok for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class Exception_:
    """A check that failed, and what was decided about it."""

    id: int
    code: str
    severity: str
    line: int | None
    expected: str | None
    found: str | None
    unit: str | None
    decision: str | None
    decided_by: str | None
    decided_at: dt.datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the history. `actor` is a login, a box's name or None for the system."""

    at: dt.datetime
    actor: str | None
    action: str
    old_state: str | None = None
    new_state: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the evidence of the whole receipt holds. `problems` names the values that fail as (line, field, problem codes)."""

    ok: bool
    values: int
    problems: tuple[tuple[int | None, str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt whole. `cannot_post`: code below `cannot_post.`, None when it can be posted by someone with the role."""

    ref: str
    uid: str
    state: str
    version: int
    needs_review: bool
    supplier: Name | None
    order: str | None
    document: str | None
    no_document_reason: str | None
    station: str
    station_name: Name | None
    operator: str | None
    opened_at: dt.datetime
    finished_at: dt.datetime | None
    opened_received_at: dt.datetime | None
    finished_received_at: dt.datetime | None
    verification: Verification
    cannot_post: str | None
    lines: tuple[Line, ...] = ()
    header_proofs: tuple[Proof, ...] = ()
    exceptions: tuple[Exception_, ...] = ()
    history: tuple[Happening, ...] = field(default=())

    @property
    def undecided(self) -> int:
        return sum(1 for one in self.exceptions if one.decision is None and one.severity != "info")


@dataclass(frozen=True, slots=True)
class Run:
    """One start of a box's journal and how far the cloud has it."""

    run: str
    acked: int
    parent: str | None
    batches: int
    last_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Box:
    """One box as the cloud knows it."""

    id: str
    name: str
    station: str
    status: str
    registered_at: dt.datetime | None
    last_seen: dt.datetime | None
    quarantined: int
    runs: tuple[Run, ...] = ()
