"""The front page: what waits for a person, and what is being received right now."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from cloud.kernel.access import READ
from cloud.web.access import visitor
from cloud.web.filters import Filters
from cloud.web.reads.listing import list_receipts
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps

router = APIRouter()

SHOWN = 20
"""Of each: more than fits a screen belongs to the list."""


@router.get("/")
async def page(request: Request) -> Response:
    """Oldest first where somebody waits for an answer, newest first where work goes on. Who sees no receipts gets their own
    account."""
    if not visitor(request).may_freely("receipt", READ):
        return RedirectResponse("/me", 303)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    zone = ZoneInfo(deps.settings.zone)
    async with deps.sessions.read() as session:
        review = await list_receipts(session, Filters(state="review", sort="received"), zone, limit=SHOWN)
        running = await list_receipts(session, Filters(state="open"), zone, limit=SHOWN)
    return renderer.live(request, "home.html", here="home", waiting=review.counts["review"], review=review, running=running)
