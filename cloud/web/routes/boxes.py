"""The boxes page."""

from fastapi import APIRouter, Request, Response

from cloud.web.reads.boxes import list_boxes
from cloud.web.reads.listing import waiting
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps

router = APIRouter()


@router.get("/boxes")
async def page(request: Request) -> Response:
    """Every box with its newest runs."""
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    async with deps.sessions.read() as session:
        boxes = await list_boxes(session)
        wait = await waiting(session)
    return renderer.live(request, "boxes.html", here="boxes", waiting=wait, boxes=boxes)
