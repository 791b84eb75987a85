"""The page to which a paper's code leads, open to everybody: it says whether the paper is ours, and nothing of what it says."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response, UploadFile

from cloud.papers.snapshot import CHECKED_UNDER, digest
from cloud.papers.verifying import RATE, RATE_OF_ALL, check, read_hash
from cloud.people.keys import Rates
from cloud.web.access import public
from cloud.web.errors import TooOften
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps

router = APIRouter()

UPLOAD = CHECKED_UNDER
MAX_PDF = 8 * 1024 * 1024
"""Bytes of a paper that is sent to be checked: a report with all its photos has about three million."""

EVERYBODY = "*"

Uid = Annotated[str, Path(max_length=64)]


@router.get("/v/{uid}")
@public
async def page(request: Request, uid: Uid) -> Response:
    """The form. What the code says behind `#` stays in the browser until it is sent."""
    return _page(request, uid, asked=False)


@router.post("/v/{uid}")
@public
async def verify(
    request: Request, uid: Uid, code: Annotated[str, Form(max_length=400)] = "", file: UploadFile | None = None
) -> Response:
    """Match or mismatch, and of a match whether there is a newer one. Raises TooOften."""
    deps: StaffDeps = request.app.state.deps
    _rate(request, deps)
    held = await file.read(MAX_PDF) if file is not None else b""
    named, sha256 = (None, digest(held)) if held else read_hash(code)
    async with deps.sessions.read() as session:
        answer = await check(session, named or uid, sha256)
    return _page(request, uid, asked=True, match=answer.match, superseded=answer.superseded)


def _page(request: Request, uid: str, *, asked: bool, match: bool = False, superseded: bool = False) -> Response:
    renderer: Renderer = request.app.state.renderer
    return renderer.page(request, "verify_paper.html", uid=uid, asked=asked, match=match, superseded=superseded)


def _rate(request: Request, deps: StaffDeps) -> None:
    """Each address for itself, and everybody together, since addresses are cheap."""
    rates: Rates = request.app.state.paper_rates
    now = deps.clock()
    client = request.client.host if request.client else ""
    for who, rate in ((f"from {client}", RATE), (EVERYBODY, RATE_OF_ALL)):
        wait = rates.take(who, rate, now)
        if wait:
            raise TooOften(wait)
