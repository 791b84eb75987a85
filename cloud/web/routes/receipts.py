"""The receipts list, its CSV, and one receipt."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from cloud.kernel.access import READ, TRANSITION
from cloud.kernel.actor import Actor, Taken
from cloud.receiving.evidence.standing import STATES, keep_verdict
from cloud.web.access import Visitor, visitor, within
from cloud.web.export import receipts_csv
from cloud.web.filters import Filters
from cloud.web.reads.listing import EXPORT_MAX, list_receipts, suppliers, waiting
from cloud.web.reads.receipt import read_receipt
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps

router = APIRouter()


@router.get("/receipts")
async def page(request: Request) -> Response:
    """The list as its address says."""
    reach = within(request, "receipt", READ)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    filters = Filters.of(request.query_params)
    async with deps.sessions.read() as session:
        found = await list_receipts(session, filters, ZoneInfo(deps.settings.zone), reach=reach)
        choices = await suppliers(session)
        wait = await waiting(session, reach)
    return renderer.live(
        request, "receipts.html", here="receipts", waiting=wait, page=found, filters=filters, suppliers=choices
    )


@router.get("/receipts.csv")
async def csv(request: Request) -> Response:
    """The whole list under the same filters, for a spreadsheet."""
    reach = within(request, "receipt", READ)
    deps: StaffDeps = request.app.state.deps
    filters = Filters.of(request.query_params)
    async with deps.sessions.read() as session:
        found = await list_receipts(session, filters, ZoneInfo(deps.settings.zone), reach=reach, limit=EXPORT_MAX)
    headers = {"Content-Disposition": 'attachment; filename="receipts.csv"'}
    return Response(receipts_csv(found.rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/receipts/{ref}")
async def one(request: Request, ref: str) -> Response:
    """One receipt with the proof of every value."""
    reach = within(request, "receipt", READ)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    async with deps.sessions.read() as session:
        receipt = await read_receipt(session, ref, reach)
        wait = await waiting(session, reach)
    if receipt.state in STATES:
        await keep_verdict(deps.sessions, receipt, Taken(Actor.system("verification"), deps.clock()))
    person = visitor(request)
    return renderer.live(
        request,
        "receipt.html",
        here="receipts",
        waiting=wait,
        receipt=receipt,
        may_decide=person.may_decide(receipt.site),
        may_judge=_may(person, "release", receipt.site),
        may_reverse=_may(person, "reverse", receipt.site),
    )


def _may(person: Visitor, step: str, site: str | None) -> bool:
    reach = person.reach("receipt", f"{TRANSITION}{step}")
    return reach is not None and reach.allows(site)
