"""The boxes page, and what an admin decides there about a branch of a box's journal."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from cloud.db.types import BIGGEST
from cloud.ingest.branches import decide
from cloud.kernel.access import READ, TRANSITION
from cloud.people.models import Role
from cloud.web.access import needs, taken_by
from cloud.web.reads.boxes import list_boxes
from cloud.web.reads.listing import waiting
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps

router = APIRouter()


@router.get("/boxes")
async def page(request: Request) -> Response:
    """Every box with its newest runs."""
    person = needs(request, "box", READ)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    async with deps.sessions.read() as session:
        boxes = await list_boxes(session)
        wait = await waiting(session)
    may_decide = person.role == Role.ADMIN
    return renderer.live(request, "boxes.html", here="boxes", waiting=wait, boxes=boxes, may_decide=may_decide)


@router.post("/boxes/{box}/branches/{branch}/{side}")
async def decide_side(
    request: Request,
    box: str,
    branch: Annotated[int, Path(ge=1, le=BIGGEST)],
    side: Literal["older", "newer"],
    decision: Annotated[Literal["release", "discard"], Form()],
    seen: Annotated[str, Form(max_length=16)] = "",
    reason: Annotated[str, Form(max_length=256)] = "",
) -> Response:
    """Release or discard one side, with a reason; `seen` is what was decided when the page was made, empty for nothing."""
    deps: StaffDeps = request.app.state.deps
    needs(request, "receipt", f"{TRANSITION}decide")
    taken = taken_by(request, reason)
    async with deps.sessions.write() as session:
        await decide(session, branch=branch, which=side, decision=decision, taken=taken, box=box, seen=seen)
    deps.wake.set()
    return RedirectResponse("/boxes", 303)
