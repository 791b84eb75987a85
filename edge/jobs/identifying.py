"""Which product a line is of, and what else its code says. Rules of `edge.jobs.engine`; pure."""

from dataclasses import replace
from typing import Final

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.amounts import still_open
from edge.jobs.awaiting import Awaits, Decision, awaited_of_item
from edge.jobs.drafts import CodeDraft, ItemDraft
from edge.jobs.inputs import check_code, check_reason, check_text, is_date, product_of, scanned
from edge.jobs.moment import Context
from edge.jobs.reasons import Occasion, known
from edge.jobs.receive import ReceiveJob
from sync_protocol.masters import NoticeLine, Order, OrderLine
from sync_protocol.quantity import plain
from sync_protocol.steps import FieldValue, Item, Learn, Serial

MAX_LINES: Final = 500
"""Lines of one receipt: a full lorry of single cartons; more is several receipts."""


def scan_item(job: ReceiveJob, command: c.ScanItem, context: Context) -> Decision:
    check_code(command.text)
    if command.serial is not None and _has_serial(job, command.product, command.serial):
        raise JobRefused("serial_twice", serial=command.serial)
    draft = _draft_of(command, command.product)
    # A serial number tells two things of the same code apart: nothing is to be asked.
    again = command.serial is None and any(line.live and line.item.identity.value == command.text for line in job.lines)
    return begin(job, replace(draft, pack=command.pack, again=again), context)


def _draft_of(scan: c.ScanItem | c.ScanUnknown, sku: str) -> ItemDraft:
    return ItemDraft(
        product=sku,
        identity=scanned(scan.text, scan.entry),
        lot=scanned(scan.lot, scan.entry) if scan.lot else None,
        expiry=scanned(scan.expiry, scan.entry) if scan.expiry and is_date(scan.expiry) else None,
        serial=scanned(scan.serial, scan.entry) if scan.serial else None,
    )


def _has_serial(job: ReceiveJob, sku: str, serial: str) -> bool:
    lines = (line for line in job.lines if line.live and line.item.product == sku)
    return any(one.value == serial for line in lines for one in line.serials)


def scan_unknown(_job: ReceiveJob, command: c.ScanUnknown, _context: Context) -> Decision:
    check_code(command.text)
    item = _draft_of(command, "")
    return Decision(
        draft=CodeDraft(
            scheme=command.scheme,
            code=command.code,
            identity=item.identity,
            lot=item.lot,
            expiry=item.expiry,
            serial=item.serial,
            choices=command.choices,
        )
    )


def name_product(job: ReceiveJob, command: c.NameProduct, context: Context) -> Decision:
    """The waiting code names this product: one of its several, or one that it names from now on."""
    draft = job.draft
    if not isinstance(draft, CodeDraft):  # pragma: no cover - CODE is awaited only with such a draft
        raise JobRefused("not_now", awaited=Awaits.ITEM)
    product = product_of(context, command.product)
    if draft.choices and product.sku not in draft.choices:
        raise JobRefused("not_a_choice", product=product.sku)
    if command.pack is not None and command.pack <= 0:
        raise JobRefused("not_positive")
    pack = plain(command.pack) if command.pack is not None else None
    item = ItemDraft(
        product=product.sku,
        identity=draft.identity,
        lot=draft.lot,
        expiry=draft.expiry,
        serial=draft.serial,
        pack=pack,
        pallet=draft.pallet,
    )
    begun = begin(job, item, context)
    if draft.choices:
        return begun
    known(Occasion.LEARN, command.reason or "")
    learn = Learn(scheme=draft.scheme, code=draft.code, product=product.sku, pack=pack, reading=draft.identity.reading)
    return Decision(learn, begun.draft, more=begun.steps)


def choose_product(job: ReceiveJob, command: c.ChooseProduct, context: Context) -> Decision:
    product = product_of(context, command.product)
    if product.identity_policy == "required":
        raise JobRefused("identity_required")
    reason = known(Occasion.TYPED, command.reason)
    identity = FieldValue(value=product.sku, mode="manual", reason=reason)
    return begin(job, ItemDraft(product=product.sku, identity=identity), context)


def add_again(job: ReceiveJob, _command: c.AddAgain, context: Context) -> Decision:
    return begin(job, replace(_item_draft(job), again=False), context)


def give_lot(job: ReceiveJob, command: c.GiveLot, context: Context) -> Decision:
    draft = _item_draft(job)
    check_text(command.lot.value)
    check_reason(command.lot, Occasion.TYPED)
    return begin(job, replace(draft, lot=command.lot), context)


def give_expiry(job: ReceiveJob, command: c.GiveExpiry, context: Context) -> Decision:
    draft = _item_draft(job)
    if not is_date(command.expiry.value):
        raise JobRefused("not_a_date", value=command.expiry.value[:48])
    check_reason(command.expiry, Occasion.TYPED)
    return begin(job, replace(draft, expiry=command.expiry), context)


def _item_draft(job: ReceiveJob) -> ItemDraft:
    if not isinstance(job.draft, ItemDraft):  # pragma: no cover - AGAIN, LOT and EXPIRY are awaited only with such a draft
        raise JobRefused("not_now", awaited=Awaits.ITEM)
    return job.draft


def begin(job: ReceiveJob, draft: ItemDraft, context: Context) -> Decision:
    """The item as steps when nothing of it is missing, else as a draft."""
    product = product_of(context, draft.product)
    if len(job.lines) >= MAX_LINES:
        raise JobRefused("too_many_lines", limit=str(MAX_LINES))
    if awaited_of_item(draft, context.masters) is not Awaits.ITEM:
        return Decision(draft=draft)
    unit = draft.pallet.unit if draft.pallet is not None else job.unit
    item = item_of(job, draft, context, unit=unit)
    if draft.serial is None or product.tracking != "serial":
        return Decision(item)
    return Decision(item, more=(Serial(line=item.line, serial=draft.serial),))


def item_of(
    job: ReceiveJob, draft: ItemDraft, context: Context, *, unit: FieldValue | None, announced: NoticeLine | None = None
) -> Item:
    """The step, with the lines of notice and order that it belongs to (`announced`: this line of the notice)."""
    masters = context.masters
    announced = announced or _notice_line(job, draft, context, unit)
    order = masters.order(job.order) if job.order else None
    row = _order_line(job, order, draft.product)
    return Item(
        line=len(job.lines) + 1,
        product=draft.product,
        product_rev=masters.rev("product", draft.product) or 0,
        order_line=(announced.order_line if announced else None) or (row.line if row else None),
        notice_line=announced.line if announced else None,
        identity=draft.identity,
        lot=draft.lot,
        expiry=draft.expiry,
        unit=unit,
        pack=draft.pack,
    )


def _order_line(job: ReceiveJob, order: Order | None, sku: str) -> OrderLine | None:
    """The first of the order's lines of this product of which something is to come, else the first at all."""
    rows = [row for row in order.lines if row.product == sku] if order else []
    return next((row for row in rows if still_open(job, row) > 0), rows[0] if rows else None)


def _notice_line(job: ReceiveJob, draft: ItemDraft, context: Context, unit: FieldValue | None) -> NoticeLine | None:
    """Of the notice's lines of this product the one that fits best: not taken yet, the same pallet, the same lot."""
    notice = context.masters.notice(job.notice) if job.notice else None
    rows = [row for row in notice.lines if row.product == draft.product] if notice else []
    taken = {line.item.notice_line for line in job.lines if line.live}
    sscc, lot = unit.value if unit else None, draft.lot.value if draft.lot else None

    def fit(row: NoticeLine) -> tuple[bool, bool, bool]:
        return row.sscc == sscc, row.lot == lot, row.line not in taken

    return max(rows, key=fit, default=None)
