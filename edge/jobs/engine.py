"""The rules of a goods receipt: which command is allowed while what is awaited, and which steps it becomes. Pure.

`TABLE` says per command while what it is taken; everything else is refused with what is awaited instead.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs import identifying, keeping, measuring, opening, pallets
from edge.jobs.awaiting import Awaits, Decision, awaits
from edge.jobs.drafts import UnitDraft
from edge.jobs.moment import Context
from edge.jobs.receive import ReceiveJob
from sync_protocol.steps import Abandon, Finish, Item


def decide(job: ReceiveJob, command: c.Command, context: Context) -> Decision:
    """What the command becomes. Raises JobRefused: `not_now` when something else is awaited, else the rule that forbids it."""
    awaited = awaits(job, context.masters)
    allowed, rule = TABLE[type(command)]
    if awaited not in allowed:
        raise JobRefused("not_now", awaited=awaited)
    return _with_pallet(job, rule(job, command, context))


def _with_pallet(job: ReceiveJob, decision: Decision) -> Decision:
    """The word about the pallet in hand goes on from draft to draft until a line's step says it, or another word does."""
    pallet = job.draft.pallet if job.draft is not None else None
    if pallet is None or any(isinstance(step, Item | Finish | Abandon) for step in decision.steps):
        return decision
    if decision.draft is None:
        return replace(decision, draft=UnitDraft(pallet=pallet))
    return decision if decision.draft.pallet is not None else replace(decision, draft=replace(decision.draft, pallet=pallet))


_Rule = Callable[[ReceiveJob, Any, Context], Decision]
_ORDER, _SUPPLIER, _DOCUMENT = frozenset({Awaits.ORDER}), frozenset({Awaits.SUPPLIER}), frozenset({Awaits.DOCUMENT})
_ITEM, _PALLET, _CODE = frozenset({Awaits.ITEM}), frozenset({Awaits.PALLET}), frozenset({Awaits.CODE})
_SERIAL, _TARE, _WEIGHT = frozenset({Awaits.SERIAL}), frozenset({Awaits.TARE}), frozenset({Awaits.WEIGHT})
_COUNT, _CONFIRM, _REMAINDER = frozenset({Awaits.COUNT}), frozenset({Awaits.CONFIRM}), frozenset({Awaits.REMAINDER})
_ON_LINE: Final = frozenset({Awaits.SERIAL, Awaits.TARE, Awaits.WEIGHT, Awaits.COUNT, Awaits.CONFIRM})
_IN_JOB: Final = _ITEM | _ON_LINE
_ITEM_DRAFTS: Final = frozenset({Awaits.AGAIN, Awaits.LOT, Awaits.EXPIRY})
_DRAFTS: Final = _ITEM_DRAFTS | frozenset(
    {Awaits.ARRIVAL, Awaits.PALLET, Awaits.CODE, Awaits.TARE, Awaits.SUPERVISOR, Awaits.REMAINDER}
)
_ABOUT_ORDER: Final = frozenset({Awaits.SUPPLIER, Awaits.DOCUMENT})

TABLE: Final[dict[type[c.Command], tuple[frozenset[Awaits], _Rule]]] = {
    c.ChooseOrder: (_ORDER, opening.choose_order),
    c.ChooseNotice: (_ORDER, opening.choose_notice),
    c.BeginBlind: (_ORDER, opening.begin_blind),
    c.ChooseSupplier: (_SUPPLIER, opening.choose_supplier),
    c.GiveDocument: (_DOCUMENT, opening.give_document),
    c.NoDocument: (_DOCUMENT, opening.no_document),
    c.AskArrival: (_ITEM, opening.ask_arrival),
    c.GiveArrival: (_ITEM | {Awaits.ARRIVAL}, opening.give_arrival),
    c.ScanItem: (_ITEM, identifying.scan_item),
    c.ScanUnknown: (_ITEM, identifying.scan_unknown),
    c.NameProduct: (_CODE, identifying.name_product),
    c.ScanUnit: (_ITEM | _PALLET, pallets.scan_unit),
    c.TakePallet: (_PALLET, pallets.take_pallet),
    c.CheckPallet: (_PALLET, pallets.check_pallet),
    c.LeavePallet: (_ITEM, pallets.leave_pallet),
    c.ChooseProduct: (_ITEM, identifying.choose_product),
    c.AddAgain: (frozenset({Awaits.AGAIN}), identifying.add_again),
    c.Drop: (_DRAFTS | _ABOUT_ORDER, keeping.drop),
    c.GiveLot: (frozenset({Awaits.LOT}), identifying.give_lot),
    c.GiveExpiry: (frozenset({Awaits.EXPIRY}), identifying.give_expiry),
    c.GiveSerial: (_SERIAL, measuring.give_serial),
    c.TakeBackSerial: (_SERIAL, measuring.take_back_serial),
    c.SerialsDone: (_SERIAL, measuring.serials_done),
    c.AskTare: (_WEIGHT, measuring.ask_tare),
    c.GiveTare: (_TARE, measuring.give_tare),
    c.GivePieces: (_WEIGHT, measuring.give_pieces),
    c.GiveWeight: (_WEIGHT, measuring.give_weight),
    c.GiveCount: (_COUNT, measuring.give_count),
    c.SetCondition: (_ITEM | _CONFIRM, keeping.set_condition),
    c.AddPhoto: (_ITEM | _CONFIRM | _REMAINDER, keeping.add_photo),
    c.AskApproval: (_CONFIRM | _REMAINDER, keeping.ask_approval),
    c.ShowBadge: (frozenset({Awaits.SUPERVISOR}), keeping.show_badge),
    c.ApproveCheck: (frozenset({Awaits.SUPERVISOR}), keeping.approve_check),
    c.ConfirmLine: (_CONFIRM, keeping.confirm),
    c.DiscardLine: (_IN_JOB, keeping.discard),
    c.Undo: (_IN_JOB, keeping.undo),
    c.AskRemainder: (_ITEM, keeping.ask_remainder),
    c.SetRemainder: (_REMAINDER, keeping.set_remainder),
    c.FinishJob: (_ITEM | _REMAINDER, keeping.finish),
    c.AbandonJob: (_IN_JOB | _DRAFTS | _ABOUT_ORDER, keeping.abandon),
}
