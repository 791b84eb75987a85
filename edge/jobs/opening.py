"""How a goods receipt begins, and what is said of the delivery as a whole. Rules of `edge.jobs.engine`; pure."""

from typing import Final

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits, Decision
from edge.jobs.drafts import ArrivalDraft, ArrivalField, OrderDraft
from edge.jobs.inputs import MAX_TYPED, amount_of, check_amount, check_reason, check_text, is_date
from edge.jobs.moment import Context
from edge.jobs.reasons import ANNOUNCED, Occasion, known
from edge.jobs.receive import ReceiveJob
from sync_protocol.identifiers import normal_container
from sync_protocol.steps import Arrival, FieldValue, Open

_UNITS: Final[dict[ArrivalField, str]] = {"temperature": "Cel", "weighbridge": "kg"}
"""Fields that are amounts, and the unit whose dimension they have."""
COLDEST, HOTTEST = -273, 1000
"""Degrees Celsius that goods can have: beyond it is a slipped finger."""


def choose_order(_job: ReceiveJob, command: c.ChooseOrder, context: Context) -> Decision:
    order = context.masters.order(command.order)
    if order is None:
        raise JobRefused("unknown_order", order=command.order[:MAX_TYPED])
    return Decision(draft=OrderDraft(order=order.ref, scan=command.scan, supplier=order.supplier, owner=order.owner))


def choose_notice(_job: ReceiveJob, command: c.ChooseNotice, context: Context) -> Decision:
    notice = context.masters.notice(command.notice)
    if notice is None:
        raise JobRefused("unknown_notice", notice=command.notice[:MAX_TYPED])
    return Decision(
        draft=OrderDraft(order=notice.order, scan=command.scan, notice=notice.ref, supplier=notice.supplier, owner=notice.owner)
    )


def begin_blind(_job: ReceiveJob, _command: c.BeginBlind, _context: Context) -> Decision:
    return Decision(draft=OrderDraft())


def choose_supplier(_job: ReceiveJob, command: c.ChooseSupplier, context: Context) -> Decision:
    if command.supplier is None and command.owner is None:
        raise JobRefused("missing", field="supplier")
    for ref in (command.supplier, command.owner):
        if ref is not None and context.masters.party(ref) is None:
            raise JobRefused("unknown_party", party=ref[:MAX_TYPED])
    # An owner whose goods come without another's name sent them.
    return Decision(draft=OrderDraft(supplier=command.supplier or command.owner, owner=command.owner))


def give_document(job: ReceiveJob, command: c.GiveDocument, context: Context) -> Decision:
    check_text(command.number.value)
    return Decision(_open(job, context, document=command.number))


def no_document(job: ReceiveJob, command: c.NoDocument, context: Context) -> Decision:
    return Decision(_open(job, context, no_document_reason=known(Occasion.NO_DOCUMENT, command.reason)))


def _open(
    job: ReceiveJob, context: Context, *, document: FieldValue | None = None, no_document_reason: str | None = None
) -> Open:
    draft = job.draft
    if not isinstance(draft, OrderDraft):  # pragma: no cover - DOCUMENT is awaited only with such a draft
        raise JobRefused("not_now", awaited=Awaits.ORDER)
    masters = context.masters
    order = masters.order(draft.order) if draft.order else None
    return Open(
        order=draft.order,
        order_rev=masters.rev("order", draft.order) if draft.order else None,
        notice=draft.notice,
        notice_rev=masters.rev("notice", draft.notice) if draft.notice else None,
        supplier=draft.supplier or (order.supplier if order else None),
        owner=draft.owner,
        document=document,
        no_document_reason=no_document_reason,
        scan=draft.scan,
    )


def ask_arrival(_job: ReceiveJob, command: c.AskArrival, _context: Context) -> Decision:
    return Decision(draft=ArrivalDraft(what=command.what))


def give_arrival(job: ReceiveJob, command: c.GiveArrival, _context: Context) -> Decision:
    asked = job.draft.what if isinstance(job.draft, ArrivalDraft) else None
    what = command.what or asked
    if what is None:
        raise JobRefused("missing", field="what")
    value = command.value
    if value.reason != ANNOUNCED:
        check_reason(value, Occasion.ARRIVAL_TYPED)
    return Decision(Arrival(**{what: _arrival_value(what, value)}))


def _arrival_value(what: ArrivalField, value: FieldValue) -> FieldValue:
    if what in _UNITS:
        amount = amount_of(value)
        if what == "weighbridge":
            check_amount(amount, _UNITS[what])
        elif amount.dimension != "temperature" or not COLDEST <= amount.value <= HOTTEST:
            raise JobRefused("not_a_temperature", value=value.value[:MAX_TYPED])
        return value
    check_text(value.value)
    if what in {"shipped_at", "arrived_at"} and not is_date(value.value[:10]):
        raise JobRefused("not_a_date", value=value.value[:MAX_TYPED])
    # A wrong check digit is no reason to refuse what stands on the container: the check says it.
    return value.model_copy(update={"value": normal_container(value.value)}) if what == "container" else value
