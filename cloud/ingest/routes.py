"""The route that takes frames."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from cloud.boxes.peer import calling_box
from cloud.deps import SyncDeps
from cloud.ingest.receive import receive_frame
from sync_protocol.answers import Ack
from sync_protocol.frame import MAX_FRAME
from sync_protocol.routes import ANSWER_TYPE, BATCHES, FRAME_TYPE


class BodyTooLarge(Exception):
    """The client sends more than a frame can have."""


class WrongType(Exception):
    """The client sends something that does not call itself a frame."""


def ingest_router(deps: SyncDeps) -> APIRouter:
    """`POST /sync/v1/batches`: one frame in, one answer out; every answer that the protocol knows has status 200."""
    router = APIRouter()

    @router.post(BATCHES)
    async def take(request: Request) -> Response:
        box = await calling_box(request, deps.sessions, deps.clock, deps.peer_certificate)
        frame = await read_frame(request)
        answer = await receive_frame(deps.sessions, box=box.id, frame=frame, now=deps.clock())
        if isinstance(answer, Ack):
            deps.wake.set()
        return as_json(answer)

    return router


def as_json(model: BaseModel, status: int = 200) -> Response:
    """A model of the protocol as a response."""
    return Response(model.model_dump_json(by_alias=True), status_code=status, media_type=ANSWER_TYPE)


async def read_frame(request: Request) -> bytes:
    """The body, read no further than a frame can be long. Raises BodyTooLarge or WrongType."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FRAME_TYPE:
        raise WrongType
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:12]) > MAX_FRAME:
        raise BodyTooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FRAME:
            raise BodyTooLarge
    return bytes(body)


def problem(status: int, code: str, **headers: str) -> JSONResponse:
    """A refusal outside the protocol (RFC 9457)."""
    return JSONResponse(
        {"type": "about:blank", "status": status, "code": code}, status, headers, media_type="application/problem+json"
    )
