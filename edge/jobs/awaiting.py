"""What a goods receipt asks for now, and the words in which its rules answer. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge.jobs.checks import Check
from edge.jobs.drafts import (
    AmountDraft,
    ApprovalDraft,
    ArrivalDraft,
    CodeDraft,
    Draft,
    ItemDraft,
    OrderDraft,
    PalletDraft,
    RemainderDraft,
)
from edge.jobs.receive import ReceiveJob, Stage
from edge.mirror.view import MasterView
from sync_protocol.masters import Product
from sync_protocol.quantity import UNITS
from sync_protocol.steps import ReceiveStep


class Awaits(StrEnum):
    """The one input that the operator is asked for."""

    ORDER = "order"
    SUPPLIER = "supplier"
    DOCUMENT = "document"
    ARRIVAL = "arrival"
    ITEM = "item"
    PALLET = "pallet"
    CODE = "code"
    AGAIN = "again"
    LOT = "lot"
    EXPIRY = "expiry"
    SERIAL = "serial"
    TARE = "tare"
    WEIGHT = "weight"
    COUNT = "count"
    CONFIRM = "confirm"
    SUPERVISOR = "supervisor"
    REMAINDER = "remainder"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Decision:
    """Steps for the journal, in their order, and a draft that waits for the rest of the next one.

    Neither: what waited is dropped. `kept` is the reason for keeping a line against `checks`, which goes with the last step;
    `by` is who stands for the steps where that is not who asked.
    """

    step: ReceiveStep | None = None
    draft: Draft | None = None
    kept: str | None = None
    checks: tuple[Check, ...] = ()
    more: tuple[ReceiveStep, ...] = ()
    by: str | None = None

    @property
    def steps(self) -> tuple[ReceiveStep, ...]:
        return (() if self.step is None else (self.step,)) + self.more


_BY_STAGE: Final = {
    Stage.NEW: Awaits.ORDER,
    Stage.OPEN: Awaits.ITEM,
    Stage.WHOLE: Awaits.CONFIRM,
    Stage.FINISHED: Awaits.NOTHING,
    Stage.ABANDONED: Awaits.NOTHING,
}
_BY_DRAFT: Final = {
    ArrivalDraft: Awaits.ARRIVAL,
    PalletDraft: Awaits.PALLET,
    CodeDraft: Awaits.CODE,
    ApprovalDraft: Awaits.SUPERVISOR,
    RemainderDraft: Awaits.REMAINDER,
}


def awaits(job: ReceiveJob, masters: MasterView) -> Awaits:
    """What the job asks for now."""
    draft = job.draft
    if isinstance(draft, OrderDraft):
        return Awaits.DOCUMENT if draft.order or draft.notice or draft.supplier else Awaits.SUPPLIER
    if isinstance(draft, ItemDraft):
        return awaited_of_item(draft, masters)
    if draft is not None and type(draft) in _BY_DRAFT:
        return _BY_DRAFT[type(draft)]
    if job.current is not None and job.stage is Stage.BEGUN:
        return _awaited_amount(masters.product(job.current.item.product), draft)
    return _BY_STAGE[job.stage]


def awaited_of_item(draft: ItemDraft, masters: MasterView) -> Awaits:
    """What is missing before the item is a step; ITEM: nothing."""
    product = masters.product(draft.product)
    if draft.again:
        return Awaits.AGAIN
    if product is not None and product.tracking == "lot" and draft.lot is None:
        return Awaits.LOT
    if product is not None and product.expiry == "required" and draft.expiry is None:
        return Awaits.EXPIRY
    return Awaits.ITEM


def _awaited_amount(product: Product | None, draft: Draft | None) -> Awaits:
    if isinstance(draft, AmountDraft):
        return Awaits.TARE if draft.asks_tare else Awaits.WEIGHT
    if product is None:
        return Awaits.COUNT
    if product.tracking == "serial" and not is_weighed(product):
        return Awaits.SERIAL
    return Awaits.WEIGHT if is_weighed(product) else Awaits.COUNT


def is_weighed(product: Product) -> bool:
    """Whether the product is received by weight."""
    return UNITS.get(product.unit, ("", None))[0] == "mass"
