"""The same content for programs: `GET /api/receipts` with the list's filters, and `GET /api/receipts/{ref}`.

Both need a session (`POST /api/sign-in`) or a key (`Authorization: Bearer`).
Amounts are plain decimals as text, times ISO 8601 in UTC, bytes hex.
"""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from cloud.kernel.access import READ
from cloud.web.access import within
from cloud.web.filters import Filters
from cloud.web.reads.listing import list_receipts
from cloud.web.reads.receipt import read_receipt
from cloud.web.settings import StaffDeps
from cloud.web.views import as_json

router = APIRouter(prefix="/api")


@router.get("/receipts")
async def receipts(request: Request) -> Response:
    """`{rows, counts, next}`; `next` is the `after` of the following page."""
    reach = within(request, "receipt", READ)
    deps: StaffDeps = request.app.state.deps
    async with deps.sessions.read() as session:
        found = await list_receipts(session, Filters.of(request.query_params), ZoneInfo(deps.settings.zone), reach=reach)
    return JSONResponse(as_json(found))


@router.get("/receipts/{ref}")
async def receipt(request: Request, ref: str) -> Response:
    """One receipt, verified now: `verification.ok` is the verdict."""
    reach = within(request, "receipt", READ)
    deps: StaffDeps = request.app.state.deps
    async with deps.sessions.read() as session:
        return JSONResponse(as_json(await read_receipt(session, ref, reach)))
