"""Handling units: goods that lie on one, announced ones that are taken whole. Rules of `edge.jobs.engine`; pure."""

from typing import Final

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits, Decision
from edge.jobs.checks import failed_checks
from edge.jobs.drafts import ItemDraft, Pallet, PalletDraft, UnitDraft
from edge.jobs.identifying import MAX_LINES, item_of
from edge.jobs.inputs import check_amount, check_code, product_of, scanned
from edge.jobs.moment import Context
from edge.jobs.reasons import ANNOUNCED
from edge.jobs.receive import ReceiveJob, apply
from edge.mirror.view import MasterView
from sync_protocol.masters import NoticeLine, Product
from sync_protocol.quantity import Quantity, decimal
from sync_protocol.steps import Amount, Confirm, FieldValue, ReceiveStep, Serial

MAX_TAKEN: Final = 60
"""Lines that one press takes: each is checked beside all before it, and the screen waits. The pallet's code gives the rest."""


def announced_on(job: ReceiveJob, sscc: str, masters: MasterView) -> list[NoticeLine]:
    """What the notice says lies on this unit and is on no live line yet."""
    notice = masters.notice(job.notice) if job.notice else None
    taken = {line.item.notice_line for line in job.lines if line.live}
    return [row for row in notice.lines if row.sscc == sscc and row.line not in taken] if notice else []


def scan_unit(job: ReceiveJob, command: c.ScanUnit, context: Context) -> Decision:
    check_code(command.text)
    unit = scanned(command.sscc, command.entry)
    if announced_on(job, command.sscc, context.masters):
        return Decision(draft=PalletDraft(unit=unit))
    return Decision(draft=UnitDraft(pallet=Pallet(unit)))


def check_pallet(job: ReceiveJob, _command: c.CheckPallet, _context: Context) -> Decision:
    return Decision(draft=UnitDraft(pallet=Pallet(_waiting(job))))


def leave_pallet(_job: ReceiveJob, _command: c.LeavePallet, _context: Context) -> Decision:
    return Decision(draft=UnitDraft(pallet=Pallet()))


def take_pallet(job: ReceiveJob, _command: c.TakePallet, context: Context) -> Decision:
    """All that was announced on the unit, line by line, up to the first that a check keeps from being confirmed."""
    unit = _waiting(job)
    rows = announced_on(job, unit.value, context.masters)[:MAX_TAKEN]
    if len(job.lines) + len(rows) > MAX_LINES:
        raise JobRefused("too_many_lines", limit=str(MAX_LINES))
    steps: list[ReceiveStep] = []
    for row in rows:
        for step in _line_of(job, row, unit, context):
            job = apply(job, step, context.now)
            steps.append(step)
        line = job.lines[-1]
        if any(check.holds for check in failed_checks(job, line, context)):
            break
        confirm = Confirm(line=line.number)
        job = apply(job, confirm, context.now)
        steps.append(confirm)
    return Decision(steps[0], more=tuple(steps[1:]))


def _line_of(job: ReceiveJob, row: NoticeLine, unit: FieldValue, context: Context) -> list[ReceiveStep]:
    product = product_of(context, row.product)
    check_takeable(product, row)
    draft = ItemDraft(
        product=product.sku,
        identity=_said(product.sku),
        lot=_said(row.lot) if row.lot else None,
        expiry=_said(row.expiry) if row.expiry else None,
    )
    item = item_of(job, draft, context, unit=unit, announced=row)
    serials = row.serials if product.tracking == "serial" else []
    check_amount(Quantity(decimal(row.quantity), row.unit), product.unit)
    quantity = FieldValue(value=row.quantity, unit=row.unit, mode="manual", reason=ANNOUNCED)
    if serials:
        quantity = FieldValue(value=str(len(serials)), unit=product.unit, mode="derived", formula="serials")
    return [
        item,
        *(Serial(line=item.line, serial=_said(serial)) for serial in dict.fromkeys(serials)),
        Amount(line=item.line, quantity=quantity),
    ]


def check_takeable(product: Product, row: NoticeLine) -> None:
    """Raises JobRefused where a person has to look, scan or weigh, whatever was announced."""
    if product.identity_policy == "required":
        raise JobRefused("identity_required")
    if product.weight_policy == "required":
        raise JobRefused("weight_required")
    lacks_lot = product.tracking == "lot" and row.lot is None
    lacks_serials = product.tracking == "serial" and not row.serials
    if lacks_lot or lacks_serials or (product.expiry == "required" and row.expiry is None):
        raise JobRefused("pallet_lacks", product=product.sku)


def _said(value: str) -> FieldValue:
    return FieldValue(value=value, mode="manual", reason=ANNOUNCED)


def _waiting(job: ReceiveJob) -> FieldValue:
    if not isinstance(job.draft, PalletDraft):  # pragma: no cover - PALLET is awaited only with such a draft
        raise JobRefused("not_now", awaited=Awaits.ITEM)
    return job.draft.unit
