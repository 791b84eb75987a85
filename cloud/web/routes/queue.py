"""The review queue: what waits for a decision, one thing after the other, until nothing waits any more."""

from fastapi import APIRouter, Request, Response

from cloud.errors import Refused
from cloud.kernel.access import READ
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.web.access import visitor
from cloud.web.objects.detail import sections_of
from cloud.web.objects.entry import place, reading
from cloud.web.objects.moves import moves_of
from cloud.web.objects.pages import shower
from cloud.web.objects.values import Shower, is_uid
from cloud.web.reads.queue import RECEIPT, Entry, in_order, others_waiting, receipts_waiting, used_reasons
from cloud.web.reads.receipt import read_receipt
from cloud.web.rendering import Renderer

router = APIRouter()


@router.get("/queue")
async def page(request: Request, at: str = "", done: str = "") -> Response:
    """What waits, with one of it opened: the one that the address names, else the one that has waited longest."""
    renderer: Renderer = request.app.state.renderer
    person, show = visitor(request), shower(request)
    reach = person.reach(RECEIPT, READ)
    async with reading(request) as caller:
        receipts = await receipts_waiting(caller.session, reach) if reach is not None else []
        entries = in_order([*receipts, *await others_waiting(caller)])
        chosen = next((one for one in entries if one.at == at), entries[0] if entries else None)
        receipt, reasons, record = None, {}, None
        if chosen is not None and chosen.kind == RECEIPT and reach is not None:
            receipt = await read_receipt(caller.session, chosen.ref, reach)
            reasons = await used_reasons(caller.session, [one.code for one in receipt.exceptions])
        else:
            record = await _record(caller, chosen, show)
        return renderer.page(
            request,
            "queue.html",
            here="queue",
            waiting=len(entries),
            entries=entries,
            chosen=chosen,
            following=_following(entries, chosen),
            done=done[:80],
            show=show,
            place=place,
            is_uid=is_uid,
            may_decide=receipt is not None and person.may_decide(receipt.site),
            receipt=receipt,
            reasons=reasons,
            record=record,
        )


def _following(entries: list[Entry], chosen: Entry | None) -> Entry | None:
    """The one after the chosen one, from the begin again behind the last."""
    if chosen is None or len(entries) < 2:
        return None
    return entries[(entries.index(chosen) + 1) % len(entries)]


async def _record(caller: Caller, chosen: Entry | None, show: Shower) -> dict[str, object] | None:
    """Any other kind of record: its facts, and what can be done with it."""
    if chosen is None:
        return None
    try:
        item = await service.get(caller, chosen.kind, chosen.ref)
    except Refused:
        return None
    rows = caller.rows(chosen.kind)
    return {
        "definition": rows.definition,
        "item": item,
        "sections": sections_of(item, rows.definition, show),
        "moves": await moves_of(caller, rows, item),
    }
