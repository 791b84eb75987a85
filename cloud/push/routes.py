"""The routes by which a box opens a session and listens: the newest session of a box is the only one that is told anything."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.leases import open_session, used
from cloud.boxes.models import Box, BoxStatus
from cloud.boxes.peer import calling_box
from cloud.db.types import BIGGEST
from cloud.deps import SyncDeps
from cloud.errors import BoxFault
from cloud.ingest.routes import as_json, problem
from cloud.push.watch import Watch
from sync_protocol.routes import EVENTS, SESSION

log = structlog.get_logger()

Alternate = Callable[[AsyncSession, str, datetime], Awaitable[None]]
"""Called with a box's id when two machines take turns with its identity, in the transaction of the newest session."""


def push_router(deps: SyncDeps, watch: Watch, alternate: Alternate) -> APIRouter:
    """`POST /sync/v1/session` and `GET /sync/v1/events`. Refusals are 403 with the code; 409 for a lease that is old."""
    router = APIRouter()

    @router.post(SESSION)
    async def opened(request: Request, last: str = "") -> Response:
        box = await _let_in(request, deps)
        async with deps.sessions.write() as session:
            now = deps.clock()
            answer, turns = await open_session(session, box=box.id, last=_lease(last), now=now)
            if turns:
                log.warning("box_in_two_places", box=box.id, lease=answer.lease)
                await alternate(session, box.id, now)
        watch.look_now()
        return as_json(answer)

    @router.get(EVENTS)
    async def events(request: Request, lease: str = "") -> Response:
        box = await _let_in(request, deps)
        number = _lease(lease)
        async with deps.sessions.write() as session:
            newest = number is not None and await used(session, box=box.id, lease=number)
        if number is None or not newest:
            return problem(409, "lease_old")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_lines(watch, box.id, number), media_type="text/event-stream", headers=headers)

    return router


async def _let_in(request: Request, deps: SyncDeps) -> Box:
    box = await calling_box(request, deps.sessions, deps.clock, deps.peer_certificate)
    if box.status != BoxStatus.ACTIVE:
        raise BoxFault(f"box_{box.status}", box.id)
    return box


async def _lines(watch: Watch, box: str, lease: int) -> AsyncIterator[bytes]:
    # A first line at once, so that the box knows that it is listened to.
    yield b": open\n\n"
    async for down in watch.follow(box, lease):
        yield b": here\n\n" if down is None else b"data: " + down.model_dump_json().encode() + b"\n\n"


def _lease(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 and int(text) < BIGGEST else None
