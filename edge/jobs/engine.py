"""The rules of a goods receipt: which command is allowed while what is awaited, and which step it becomes. Pure.

`TABLE` says per command while what it is taken; everything else is refused with what is awaited instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.checks import Check, failed_checks, is_weighed
from edge.jobs.reasons import COUNTED, UNDO, Occasion, known
from edge.jobs.receive import ItemDraft, Moment, OrderDraft, ReceiveJob, Stage
from edge.mirror.view import MasterView
from sync_protocol.errors import TextFault
from sync_protocol.masters import Order, OrderLine, Product
from sync_protocol.quantity import UNITS, Quantity, decimal, plain
from sync_protocol.steps import Abandon, Amount, Confirm, Discard, FieldValue, Finish, Item, Open, ReceiveStep

UNDO_NS: Final = 10_000_000_000
"""How long the newest line can be taken back without a reason: long enough to notice, too short to rewrite history."""

MAX_LINES: Final = 500
"""Lines of one receipt: a full lorry of single cartons; more is several receipts."""

MAX_TYPED: Final = 48
"""Characters of a typed lot or document number; GS1 allows 20 for a lot (AI 10) and 30 for document numbers (AI 400)."""

MAX_AMOUNT: Final = Decimal(999_999_999)
"""No delivery holds more of anything in any unit; beyond it is a slipped finger."""


class Awaits(StrEnum):
    """The one input that the operator is asked for."""

    ORDER = "order"
    DOCUMENT = "document"
    ITEM = "item"
    AGAIN = "again"
    LOT = "lot"
    EXPIRY = "expiry"
    WEIGHT = "weight"
    COUNT = "count"
    CONFIRM = "confirm"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Context:
    """What decisions depend on besides the job."""

    masters: MasterView
    today: date
    now: Moment


@dataclass(frozen=True, slots=True)
class Decision:
    """A step for the journal, or a draft that waits for the rest of its step; neither: the draft is dropped.

    `kept` is the reason for keeping a line against `checks`.
    """

    step: ReceiveStep | None = None
    draft: OrderDraft | ItemDraft | None = None
    kept: str | None = None
    checks: tuple[Check, ...] = ()


_BY_STAGE: Final = {
    Stage.NEW: Awaits.ORDER,
    Stage.OPEN: Awaits.ITEM,
    Stage.WHOLE: Awaits.CONFIRM,
    Stage.FINISHED: Awaits.NOTHING,
    Stage.ABANDONED: Awaits.NOTHING,
}


def awaits(job: ReceiveJob, masters: MasterView) -> Awaits:
    """What the job asks for now."""
    if isinstance(job.draft, OrderDraft):
        return Awaits.DOCUMENT
    if isinstance(job.draft, ItemDraft):
        return _awaited_of_item(job.draft, masters)
    if job.current is not None and job.stage is Stage.BEGUN:
        product = masters.product(job.current.item.product)
        return Awaits.WEIGHT if product is not None and is_weighed(product) else Awaits.COUNT
    return _BY_STAGE[job.stage]


def _awaited_of_item(draft: ItemDraft, masters: MasterView) -> Awaits:
    product = masters.product(draft.product)
    if draft.again:
        return Awaits.AGAIN
    if product is not None and product.tracking == "lot" and draft.lot is None:
        return Awaits.LOT
    if product is not None and product.expiry == "required" and draft.expiry is None:
        return Awaits.EXPIRY
    return Awaits.ITEM


def decide(job: ReceiveJob, command: c.Command, context: Context) -> Decision:
    """What the command becomes. Raises JobRefused: `not_now` when something else is awaited, else the rule that forbids it."""
    awaited = awaits(job, context.masters)
    allowed, rule = TABLE[type(command)]
    if awaited not in allowed:
        raise JobRefused("not_now", awaited=awaited)
    return rule(job, command, context)


def _choose_order(_job: ReceiveJob, command: c.ChooseOrder, context: Context) -> Decision:
    if context.masters.order(command.order) is None:
        raise JobRefused("unknown_order", order=command.order[:MAX_TYPED])
    return Decision(draft=OrderDraft(command.order, command.scan))


def _give_document(job: ReceiveJob, command: c.GiveDocument, context: Context) -> Decision:
    _check_text(command.number.value)
    return Decision(_open(job, context, document=command.number))


def _no_document(job: ReceiveJob, command: c.NoDocument, context: Context) -> Decision:
    return Decision(_open(job, context, no_document_reason=known(Occasion.NO_DOCUMENT, command.reason)))


def _open(
    job: ReceiveJob, context: Context, *, document: FieldValue | None = None, no_document_reason: str | None = None
) -> Open:
    draft = job.draft
    if not isinstance(draft, OrderDraft):  # pragma: no cover - DOCUMENT is awaited only with such a draft
        raise JobRefused("not_now", awaited=Awaits.ORDER)
    order = context.masters.order(draft.order)
    return Open(
        order=draft.order,
        order_rev=context.masters.rev("order", draft.order),
        supplier=order.supplier if order else None,
        document=document,
        no_document_reason=no_document_reason,
        scan=draft.scan,
    )


def _scan_item(job: ReceiveJob, command: c.ScanItem, context: Context) -> Decision:
    if len(command.text) > 256:
        raise JobRefused("code_too_long")
    device = {"mode": "device", "reading": command.entry}
    return _begin(
        job,
        ItemDraft(
            command.product,
            FieldValue.model_validate({"value": command.text, **device}),
            FieldValue.model_validate({"value": command.lot, **device}) if command.lot else None,
            FieldValue.model_validate({"value": command.expiry, **device}) if _is_date(command.expiry) else None,
            again=any(line.discarded is None and line.item.identity.value == command.text for line in job.lines),
        ),
        context,
    )


def _choose_product(job: ReceiveJob, command: c.ChooseProduct, context: Context) -> Decision:
    product = _product(context, command.product)
    if product.identity_policy == "required":
        raise JobRefused("identity_required")
    reason = known(Occasion.TYPED, command.reason)
    return _begin(job, ItemDraft(product.sku, FieldValue(value=product.sku, mode="manual", reason=reason)), context)


def _add_again(job: ReceiveJob, _command: c.AddAgain, context: Context) -> Decision:
    draft = _item_draft(job)
    return _begin(job, ItemDraft(draft.product, draft.identity, draft.lot, draft.expiry), context)


def _give_lot(job: ReceiveJob, command: c.GiveLot, context: Context) -> Decision:
    draft = _item_draft(job)
    _check_text(command.lot.value)
    _check_reason(command.lot, Occasion.TYPED)
    return _begin(job, ItemDraft(draft.product, draft.identity, command.lot, draft.expiry), context)


def _give_expiry(job: ReceiveJob, command: c.GiveExpiry, context: Context) -> Decision:
    draft = _item_draft(job)
    if not _is_date(command.expiry.value):
        raise JobRefused("not_a_date", value=command.expiry.value[:MAX_TYPED])
    _check_reason(command.expiry, Occasion.TYPED)
    return _begin(job, ItemDraft(draft.product, draft.identity, draft.lot, command.expiry), context)


def _begin(job: ReceiveJob, draft: ItemDraft, context: Context) -> Decision:
    """The item as a step when nothing of it is missing, else as a draft."""
    product = _product(context, draft.product)
    if len(job.lines) >= MAX_LINES:
        raise JobRefused("too_many_lines", limit=str(MAX_LINES))
    if _awaited_of_item(draft, context.masters) is not Awaits.ITEM:
        return Decision(draft=draft)
    order = context.masters.order(job.order) if job.order else None
    row = _order_line(order, product.sku)
    return Decision(
        Item(
            line=len(job.lines) + 1,
            product=product.sku,
            product_rev=context.masters.rev("product", product.sku) or 0,
            order_line=row.line if row else None,
            identity=draft.identity,
            lot=draft.lot,
            expiry=draft.expiry,
        )
    )


def _order_line(order: Order | None, sku: str) -> OrderLine | None:
    """The first of the order's lines of this product with something open, else the first at all."""
    rows = [row for row in order.lines if row.product == sku] if order else []
    return next((row for row in rows if decimal(row.received) < decimal(row.quantity)), rows[0] if rows else None)


def _drop(_job: ReceiveJob, _command: c.Drop, _context: Context) -> Decision:
    return Decision()


def _give_weight(job: ReceiveJob, command: c.GiveWeight, context: Context) -> Decision:
    field = command.quantity
    product = _current_product(job, context)
    if field.mode == "manual":
        if product.weight_policy == "required":
            raise JobRefused("weight_required")
        known(Occasion.WEIGHT_TYPED, field.reason or "")
    return _amount(job, product, field)


def _give_count(job: ReceiveJob, command: c.GiveCount, context: Context) -> Decision:
    product = _current_product(job, context)
    if UNITS.get(product.unit, ("", None))[0] == "count" and command.value != command.value.to_integral_value():
        raise JobRefused("whole_number")
    # Beyond the cap the digits would be refused as text; the amount's own rule says it in better words.
    value = plain(command.value) if abs(command.value) <= MAX_AMOUNT else plain(MAX_AMOUNT + 1)
    return _amount(job, product, FieldValue(value=value, unit=product.unit, mode="manual", reason=COUNTED))


def _amount(job: ReceiveJob, product: Product, field: FieldValue) -> Decision:
    try:
        amount = Quantity(decimal(field.value), field.unit or "")
    except TextFault as exc:
        raise JobRefused("not_an_amount", value=field.value[:MAX_TYPED]) from exc
    if amount.dimension != UNITS.get(product.unit, ("", None))[0]:
        raise JobRefused("wrong_unit", unit=amount.unit, expected=product.unit)
    if amount.value <= 0:
        raise JobRefused("not_positive")
    if amount.value > MAX_AMOUNT:
        raise JobRefused("too_much")
    return Decision(Amount(line=len(job.lines), quantity=field))


def _confirm(job: ReceiveJob, command: c.ConfirmLine, context: Context) -> Decision:
    line = job.lines[-1]
    checks = failed_checks(job, line, context.masters, context.today)
    if checks and command.reason is None:
        raise JobRefused("needs_reason", check=checks[0].code)
    kept = known(Occasion.KEEP, command.reason) if checks and command.reason else None
    return Decision(Confirm(line=line.number), kept=kept, checks=checks)


def _discard(job: ReceiveJob, command: c.DiscardLine, _context: Context) -> Decision:
    return Decision(_discarded(job, command.line, known(Occasion.DISCARD, command.reason)))


def _discarded(job: ReceiveJob, number: int | None, reason: str) -> Discard:
    line = job.line(number) if number is not None else job.last_live()
    if line is None or line.discarded is not None:
        raise JobRefused("no_such_line")
    if job.current is not None and line is not job.current:
        raise JobRefused("other_line_open", line=str(job.current.number))
    return Discard(line=line.number, reason=reason)


def _undo(job: ReceiveJob, _command: c.Undo, context: Context) -> Decision:
    line = job.last_live()
    if line is None:
        raise JobRefused("nothing_to_undo")
    if not line.at.within(context.now, UNDO_NS):
        raise JobRefused("undo_too_late")
    return Decision(_discarded(job, line.number, UNDO))


def _finish(job: ReceiveJob, _command: c.FinishJob, _context: Context) -> Decision:
    lines = [line.number for line in job.lines if line.counts]
    if not lines:
        raise JobRefused("no_lines")
    return Decision(Finish(lines=lines))


def _abandon(job: ReceiveJob, command: c.AbandonJob, _context: Context) -> Decision:
    reason = known(Occasion.ABANDON, command.reason)
    return Decision(Abandon(reason=reason) if job.stage is not Stage.NEW else None)


def _product(context: Context, sku: str) -> Product:
    product = context.masters.product(sku)
    if product is None:
        raise JobRefused("unknown_product", product=sku[:MAX_TYPED])
    return product


def _current_product(job: ReceiveJob, context: Context) -> Product:
    return _product(context, job.lines[-1].item.product)


def _item_draft(job: ReceiveJob) -> ItemDraft:
    if not isinstance(job.draft, ItemDraft):  # pragma: no cover - AGAIN, LOT and EXPIRY are awaited only with such a draft
        raise JobRefused("not_now", awaited=Awaits.ITEM)
    return job.draft


def _check_text(value: str) -> None:
    if not value.strip() or len(value) > MAX_TYPED:
        raise JobRefused("bad_text", limit=str(MAX_TYPED))


def _check_reason(field: FieldValue, occasion: Occasion) -> None:
    if field.mode == "manual":
        known(occasion, field.reason or "")


def _is_date(text: str | None) -> bool:
    try:
        return text is not None and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


_Rule = Callable[[ReceiveJob, Any, Context], Decision]
_IN_JOB: Final = frozenset({Awaits.ITEM, Awaits.WEIGHT, Awaits.COUNT, Awaits.CONFIRM})
_DRAFTS: Final = frozenset({Awaits.AGAIN, Awaits.LOT, Awaits.EXPIRY})

TABLE: Final[dict[type[c.Command], tuple[frozenset[Awaits], _Rule]]] = {
    c.ChooseOrder: (frozenset({Awaits.ORDER}), _choose_order),
    c.GiveDocument: (frozenset({Awaits.DOCUMENT}), _give_document),
    c.NoDocument: (frozenset({Awaits.DOCUMENT}), _no_document),
    c.ScanItem: (frozenset({Awaits.ITEM}), _scan_item),
    c.ChooseProduct: (frozenset({Awaits.ITEM}), _choose_product),
    c.AddAgain: (frozenset({Awaits.AGAIN}), _add_again),
    c.Drop: (_DRAFTS | {Awaits.DOCUMENT}, _drop),
    c.GiveLot: (frozenset({Awaits.LOT}), _give_lot),
    c.GiveExpiry: (frozenset({Awaits.EXPIRY}), _give_expiry),
    c.GiveWeight: (frozenset({Awaits.WEIGHT}), _give_weight),
    c.GiveCount: (frozenset({Awaits.COUNT}), _give_count),
    c.ConfirmLine: (frozenset({Awaits.CONFIRM}), _confirm),
    c.DiscardLine: (_IN_JOB, _discard),
    c.Undo: (_IN_JOB, _undo),
    c.FinishJob: (frozenset({Awaits.ITEM}), _finish),
    c.AbandonJob: (_IN_JOB | _DRAFTS | {Awaits.DOCUMENT}, _abandon),
}
