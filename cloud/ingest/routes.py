"""The route that takes frames."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from cloud.boxes.peer import turned_away
from cloud.boxes.registry import certified
from cloud.deps import SyncDeps
from cloud.errors import BoxFault
from cloud.ingest.intake import Intake
from cloud.ingest.receive import Arriving
from sync_protocol.frame import MAX_FRAME
from sync_protocol.routes import ANSWER_TYPE, BATCHES, FRAME_TYPE, FRAME_ZSTD_TYPE


class BodyTooLarge(Exception):
    """The client sends more than a frame can have."""


class WrongType(Exception):
    """The client sends something that does not call itself a frame."""


def ingest_router(deps: SyncDeps) -> APIRouter:
    """`POST /sync/v1/batches`: one frame in, one answer out; every answer that the protocol knows has status 200."""
    router = APIRouter()
    intake = Intake(deps)

    @router.post(BATCHES)
    async def take(request: Request) -> Response:
        try:
            box, spki = certified(deps.peer_certificate(request.scope))
            packed = is_packed(request.headers.get("content-type", ""))
            frame = await read_frame(request)
            return as_json(await intake.take(Arriving(box, frame, packed, spki), binding="https"))
        except BoxFault as fault:
            await turned_away(deps.sessions, fault, deps.clock())
            raise

    return router


def is_packed(content_type: str) -> bool:
    """Whether a content type says a packed frame. Raises WrongType for what is no frame at all."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in {FRAME_TYPE, FRAME_ZSTD_TYPE}:
        raise WrongType
    return kind == FRAME_ZSTD_TYPE


def as_json(model: BaseModel, status: int = 200) -> Response:
    """A model of the protocol as a response."""
    return Response(model.model_dump_json(by_alias=True), status_code=status, media_type=ANSWER_TYPE)


async def read_frame(request: Request) -> bytes:
    """The body, read no further than a frame can be long. Raises BodyTooLarge."""
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
