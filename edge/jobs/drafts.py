"""Inputs of a goods receipt that wait for the rest of their step. They prove nothing; the journal knows none of them."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from sync_protocol.steps import FieldValue

ArrivalField = Literal["shipped_at", "vehicle", "container", "seal", "temperature", "weighbridge", "arrived_at"]
"""A field of the step `arrival`."""


@dataclass(frozen=True, slots=True)
class Pallet:
    """On which handling unit the next goods lie; `unit` None: on none any more. It lasts until another word about it."""

    unit: FieldValue | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What every draft carries: the command that made it, before which step it was made, and the pallet in hand."""

    cmd: str | None = None
    at: int | None = None
    pallet: Pallet | None = None


@dataclass(frozen=True, slots=True)
class OrderDraft(Waiting):
    """An order, a notice or a supplier was chosen, the delivery note is awaited; with none of them, the supplier is."""

    order: str | None = None
    scan: str | None = None
    notice: str | None = None
    supplier: str | None = None
    owner: str | None = None
    kind: Literal["order"] = "order"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft(Waiting):
    """An item was identified, something of it is awaited. `again`: the same code is on a line already."""

    product: str
    identity: FieldValue
    lot: FieldValue | None = None
    expiry: FieldValue | None = None
    serial: FieldValue | None = None
    pack: str | None = None
    again: bool = False
    kind: Literal["item"] = "item"


@dataclass(frozen=True, slots=True)
class UnitDraft(Waiting):
    """Nothing waits but the pallet's word itself: items come next."""

    kind: Literal["unit"] = "unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PalletDraft(Waiting):
    """An announced handling unit was scanned: are its contents taken as announced, or looked at one by one?"""

    unit: FieldValue
    kind: Literal["pallet"] = "pallet"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDraft(Waiting):
    """A code that nobody knows, or one that may mean several products (`choices`)."""

    scheme: Literal["gtin", "supplier", "own"]
    code: str
    identity: FieldValue
    lot: FieldValue | None = None
    expiry: FieldValue | None = None
    serial: FieldValue | None = None
    choices: tuple[str, ...] = ()
    kind: Literal["code"] = "code"


@dataclass(frozen=True, slots=True)
class AmountDraft(Waiting):
    """Parts of a line's amount. `counted` waits for its weight; with `asks_tare` the tare is what is awaited."""

    asks_tare: bool = False
    tare: FieldValue | None = None
    packaging: str | None = None
    pieces: FieldValue | None = None
    counted: FieldValue | None = None
    kind: Literal["amount"] = "amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalDraft(Waiting):
    """One thing that came with the delivery is awaited."""

    what: ArrivalField
    kind: Literal["arrival"] = "arrival"


@dataclass(frozen=True, slots=True)
class RemainderDraft(Waiting):
    """The receipt is about to be finished. `shut`: order lines whose rest is given up, and why; the others stay open."""

    shut: tuple[tuple[str, str], ...] = ()
    kind: Literal["remainder"] = "remainder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDraft(Waiting):
    """A supervisor is asked about a failed check. `shut` is kept where the question came while finishing."""

    check: str
    line: int | None = None
    login: str | None = None
    badge: str | None = None
    shut: tuple[tuple[str, str], ...] | None = None
    kind: Literal["approval"] = "approval"


Draft = (
    OrderDraft | ItemDraft | UnitDraft | PalletDraft | CodeDraft | AmountDraft | ArrivalDraft | RemainderDraft | ApprovalDraft
)
DRAFT_TEXT: Final[TypeAdapter[Draft]] = TypeAdapter(Annotated[Draft, Field(discriminator="kind")])
