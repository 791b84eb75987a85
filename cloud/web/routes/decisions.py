"""What supervisors do to a receipt. Every change carries the version that was looked at; the core decides whether it may be."""

from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from cloud.errors import NotFound, Refused
from cloud.kernel.access import READ, TRANSITION
from cloud.kernel.actor import Taken
from cloud.receiving import decisions
from cloud.web.access import local_path, proved, taken_by, within
from cloud.web.errors import NotAllowed
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps
from sync_protocol.errors import TextFault
from sync_protocol.quantity import decimal

router = APIRouter()

Version = Annotated[int, Form(ge=1)]
Reason = Annotated[str, Form(max_length=256)]
Next = Annotated[str, Form(max_length=512)]
"""Where to go on afterwards, an address on this site; empty: the receipt's page."""


@router.post("/receipts/{ref}/exceptions/{exception}")
async def decide(
    request: Request,
    ref: str,
    exception: int,
    version: Version,
    decision: Annotated[str, Form(max_length=16)],
    reason: Reason = "",
    quick: Reason = "",
    next: Next = "",  # noqa: A002 - the field's name in the form
) -> Response:
    """Accept or refuse one exception, with a reason: own words, else the ready ones that were chosen."""
    taken = await _taken(request, ref, reason.strip() or quick)
    await decisions.decide_exception(
        _deps(request).sessions, ref=ref, exception=exception, decision=decision, taken=taken, version=version
    )
    return _done(request, ref, next)


@router.post("/receipts/{ref}/exceptions/{exception}/undo")
async def undo(request: Request, ref: str, exception: int, version: Version, next: Next = "") -> Response:  # noqa: A002 - as above
    """Take a decision back, until the receipt is posted."""
    taken = await _taken(request, ref, step="undecide")
    await decisions.undecide_exception(_deps(request).sessions, ref=ref, exception=exception, taken=taken, version=version)
    return _done(request, ref, next)


@router.post("/receipts/{ref}/post")
async def post(request: Request, ref: str, version: Version, next: Next = "") -> Response:  # noqa: A002 - as above
    """Post the receipt: its amounts count from now on."""
    await decisions.post(_deps(request).sessions, ref=ref, taken=await _taken(request, ref, step="post"), version=version)
    return _done(request, ref, next)


@router.post("/receipts/{ref}/abandon")
async def abandon(request: Request, ref: str, version: Version, reason: Reason = "") -> Response:
    """Give the receipt up: nothing of it counts."""
    taken = await _taken(request, ref, reason, "abandon")
    await decisions.abandon(_deps(request).sessions, ref=ref, taken=taken, version=version)
    return _done(request, ref)


@router.post("/receipts/{ref}/review")
async def review(
    request: Request,
    ref: str,
    version: Version,
    reason: Reason = "",
    next: Next = "",  # noqa: A002 - as above
) -> Response:
    """A closed receipt that asked for a look was looked at."""
    taken = await _taken(request, ref, reason, "review")
    await decisions.mark_reviewed(_deps(request).sessions, ref=ref, taken=taken, version=version)
    return _done(request, ref, next)


@router.post("/receipts/{ref}/lines/{line}/judge")
async def judge(
    request: Request,
    ref: str,
    line: int,
    version: Version,
    action: Annotated[Literal["release", "reject"], Form()],
    quantity: Annotated[str, Form(max_length=40)] = "",
    reason: Reason = "",
) -> Response:
    """Release or reject so much of a posted line; no quantity means all that waits."""
    judgement = decisions.Judgement(action, line, _quantity(quantity))
    taken = await _taken(request, ref, reason, action)
    await decisions.judge(_deps(request).sessions, judgement, ref=ref, taken=taken, version=version)
    return _done(request, ref)


@router.post("/receipts/{ref}/complete")
async def complete(request: Request, ref: str, version: Version) -> Response:
    """Nothing of it waits any more."""
    taken = await _taken(request, ref, step="complete")
    await decisions.complete(_deps(request).sessions, ref=ref, taken=taken, version=version)
    return _done(request, ref)


@router.get("/receipts/{ref}/reverse")
async def ask_reverse(request: Request, ref: str) -> Response:
    """Whether that is really meant: asked of somebody who has just shown who they are."""
    await _taken(request, ref, step="reverse")
    proved(request)
    async with _deps(request).sessions.read() as session:
        receipt = await decisions.receipt_by_ref(session, ref)
    renderer: Renderer = request.app.state.renderer
    return renderer.page(request, "reverse.html", here="receipts", ref=ref, version=receipt.version, state=receipt.state)


@router.post("/receipts/{ref}/reverse")
async def reverse(request: Request, ref: str, version: Version, reason: Reason = "") -> Response:
    """Take the whole posting back by opposite moves. Takes a proof of who is there, and a reason."""
    proved(request)
    taken = await _taken(request, ref, reason, "reverse")
    await decisions.reverse(_deps(request).sessions, ref=ref, taken=taken, version=version)
    return _done(request, ref)


@router.post("/receipts/{ref}/codes")
async def decide_code(
    request: Request,
    ref: str,
    code: Annotated[str, Form(max_length=256)],
    accept: Annotated[bool, Form()],
    next: Next = "",  # noqa: A002 - as above
) -> Response:
    """Whether a code that the box was taught is one of its product from now on."""
    taken = await _taken(request, ref)
    await decisions.decide_code(_deps(request).sessions, ref=ref, code=code, accept=accept, taken=taken)
    return _done(request, ref, next)


def _quantity(text: str) -> Decimal | None:
    """Raises Refused `quantity_form`."""
    wanted = text.strip().replace(",", ".")
    try:
        return decimal(wanted) if wanted else None
    except TextFault as exc:
        raise Refused("quantity_form", quantity=wanted[:40]) from exc


def _deps(request: Request) -> StaffDeps:
    deps: StaffDeps = request.app.state.deps
    return deps


async def _taken(request: Request, ref: str, reason: str | None = None, step: str = "decide") -> Taken:
    """Raises NotAllowed, and NotFound for a receipt that the visitor may not even see."""
    there = within(request, "receipt", f"{TRANSITION}{step}")
    reach = within(request, "receipt", READ)
    async with _deps(request).sessions.read() as session:
        receipt = await decisions.receipt_by_ref(session, ref)
        site = receipt.site.code if receipt.site else None
    if not reach.allows(site):
        raise NotFound("receipt", ref)
    if not there.allows(site):
        raise NotAllowed
    return taken_by(request, reason)


def _done(request: Request, ref: str, onward: str = "") -> Response:
    _deps(request).wake.set()
    return RedirectResponse(local_path(onward) if onward else f"/receipts/{quote(ref)}", 303)
