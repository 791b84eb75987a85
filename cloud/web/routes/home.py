"""The front page: what waits for a person, and what is being received right now."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from cloud.kernel.access import READ
from cloud.web.access import Visitor, visitor
from cloud.web.filters import Filters
from cloud.web.objects.entry import place, reading
from cloud.web.objects.home import waiting_for
from cloud.web.objects.pages import shower
from cloud.web.objects.values import is_uid
from cloud.web.reads.listing import list_receipts
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps
from cloud.web.views import ReceiptList

router = APIRouter()

SHOWN = 20
"""Of each: more than fits a screen belongs to the list."""


@router.get("/")
async def page(request: Request) -> Response:
    """Oldest first where somebody waits for an answer, newest first where work goes on; then the person's own records."""
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    review, running = await _receipts(request, visitor(request))
    show = shower(request)
    async with reading(request) as caller:
        own = await waiting_for(caller, show, deps.clock(), deps.settings.zone)
    return renderer.live(
        request,
        "home.html",
        here="home",
        waiting=review.counts["review"] if review else 0,
        review=review,
        running=running,
        own=own,
        show=show,
        place=place,
        is_uid=is_uid,
    )


async def _receipts(request: Request, person: Visitor) -> tuple[ReceiptList | None, ReceiptList | None]:
    """Receipts to look at and receipts under way; nothing for who may not see all of them."""
    reach = person.reach("receipt", READ)
    if reach is None:
        return None, None
    deps: StaffDeps = request.app.state.deps
    zone = ZoneInfo(deps.settings.zone)
    async with deps.sessions.read() as session:
        review = await list_receipts(session, Filters(state="review", sort="received"), zone, reach=reach, limit=SHOWN)
        return review, await list_receipts(session, Filters(state="open"), zone, reach=reach, limit=SHOWN)
