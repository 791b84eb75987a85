"""Resumable upload by tus 1.0.0 (core protocol and the extension "creation"): POST, HEAD, PATCH, OPTIONS."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from cloud.blobs.models import Upload
from cloud.blobs.store import BlobFault, PartLost, StoreBusy, StoreFull
from cloud.blobs.uploads import Blobs, NoUpload, SizeDiffers, TooLong, TooMany, WrongHash, WrongPlace
from cloud.boxes.models import Box, BoxStatus
from cloud.boxes.peer import calling_box
from cloud.deps import SyncDeps
from cloud.errors import BoxFault
from cloud.ingest.routes import problem
from sync_protocol.blobs import PIECE_TYPE, STORED, TUS_VERSION, named_by
from sync_protocol.errors import TextFault
from sync_protocol.routes import BLOBS

log = structlog.get_logger()

MAX_PIECE = 1024 * 1024
"""Bytes of one PATCH, which are held in memory: four times what a box of ours sends."""

RETRY_AFTER = {"Retry-After": "60"}


class Unreadable(BlobFault):
    """A header that the request needs is missing or cannot be read."""


class WrongKind(BlobFault):
    """The body does not call itself a piece."""


class OtherVersion(BlobFault):
    """The client speaks another version of tus."""


ANSWERS: Mapping[type[Exception], tuple[int, str, Mapping[str, str]]] = {
    NoUpload: (404, "no_upload", {}),
    WrongPlace: (409, "wrong_offset", {}),
    PartLost: (409, "part_lost", {}),
    SizeDiffers: (422, "size_differs", {}),
    TooLong: (413, "file_too_large", {}),
    TooMany: (429, "too_many_uploads", RETRY_AFTER),
    StoreBusy: (423, "upload_locked", {}),
    WrongHash: (460, "wrong_hash", {}),
    StoreFull: (507, "no_room", RETRY_AFTER),
    Unreadable: (400, "unreadable_header", {}),
    WrongKind: (415, "not_a_piece", {}),
    OtherVersion: (412, "other_version", {"Tus-Version": TUS_VERSION}),
}
"""460 is what tus gives a wrong checksum (extension "checksum"); the others are those of the core protocol and RFC 4918."""


def blob_router(deps: SyncDeps, blobs: Blobs) -> APIRouter:
    """`/blobs/v1` and the uploads below it; each box sees its own only. Faults are for `blob_refused`."""
    router, routes = APIRouter(), _Routes(deps, blobs)
    one = BLOBS + "/{upload}"
    router.add_api_route(BLOBS, routes.offered, methods=["OPTIONS"])
    router.add_api_route(one, routes.offered, methods=["OPTIONS"])
    router.add_api_route(BLOBS, routes.create, methods=["POST"])
    router.add_api_route(one, routes.asked, methods=["HEAD"])
    router.add_api_route(one, routes.piece, methods=["PATCH"])
    return router


@dataclass(frozen=True, slots=True)
class _Routes:
    deps: SyncDeps
    blobs: Blobs

    async def offered(self) -> Response:
        """What tus asks of a server to say of itself."""
        size = str(self.blobs.limits.max_bytes)
        return _answer(204, {"Tus-Version": TUS_VERSION, "Tus-Extension": "creation", "Tus-Max-Size": size})

    async def create(self, request: Request) -> Response:
        """An address for a file, and where its upload stands."""
        box = await _let_in(request, self.deps)
        _check_version(request)
        try:
            sha256 = named_by(request.headers.get("upload-metadata", ""))
        except TextFault as exc:
            raise Unreadable("no_sha256") from exc
        row = await self.blobs.begin(box.id, sha256, _number(request, "upload-length"))
        if not row.stored and row.size == row.received:
            # Nothing more can come that would finish it: an empty file, or one whose last answer was never made.
            row = await self.blobs.take(box.id, row.id, row.received, b"")
        return _answer(201, {"Location": f"{BLOBS}/{row.id}"} | _standing(row))

    async def asked(self, request: Request, upload: str) -> Response:
        """Where an upload stands."""
        box = await _let_in(request, self.deps)
        row = await self.blobs.find(box.id, upload)
        return _answer(200, {"Upload-Length": str(row.size)} | _standing(row))

    async def piece(self, request: Request, upload: str) -> Response:
        """Bytes of a file; it is whole with the last of them."""
        box = await _let_in(request, self.deps)
        _check_version(request)
        if request.headers.get("content-type", "") != PIECE_TYPE:
            raise WrongKind("not_a_piece")
        offset = _number(request, "upload-offset")
        await self.blobs.find(box.id, upload)
        data = await _body(request)
        return _answer(204, _standing(await self.blobs.take(box.id, upload, offset, data)))


async def _let_in(request: Request, deps: SyncDeps) -> Box:
    box = await calling_box(request, deps.sessions, deps.clock, deps.peer_certificate)
    if box.status != BoxStatus.ACTIVE:
        raise BoxFault(f"box_{box.status}", box.id)
    return box


async def _body(request: Request) -> bytes:
    """What came of the piece, also when the line is cut within it: on a slow line that may be minutes of sending."""
    data = bytearray()
    try:
        async for part in request.stream():
            data += part
            if len(data) > MAX_PIECE:
                raise TooLong(f"a piece of more than {MAX_PIECE} bytes")
    except ClientDisconnect:
        log.info("piece_cut", arrived=len(data))
    return bytes(data)


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != TUS_VERSION:
        raise OtherVersion("other_version")


def _standing(row: Upload) -> dict[str, str]:
    found = {"Upload-Offset": str(row.received)}
    return found | ({STORED: row.sha256} if row.stored else {})


async def blob_refused(_request: Request, exc: Exception) -> Response:
    """The handler of every BlobFault."""
    status, code, headers = ANSWERS.get(type(exc), (503, "blob_store_unavailable", RETRY_AFTER))
    if status in {503, 507}:
        log.error("blob_not_kept", reason=str(exc))
    return _dressed(problem(status, code, **headers))


def _answer(status: int, headers: Mapping[str, str]) -> Response:
    return _dressed(Response(status_code=status, headers=dict(headers)))


def _dressed(response: Response) -> Response:
    response.headers["Tus-Resumable"] = TUS_VERSION
    response.headers["Cache-Control"] = "no-store"
    return response


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Unreadable(header)
    return int(text)
