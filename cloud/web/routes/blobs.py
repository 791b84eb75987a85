"""A file that a box sent, for whoever is signed in: shown when it is a picture of a known type, else a download."""

import re
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from cloud.blobs.refs import ref_of
from cloud.kernel.access import READ
from cloud.receiving.steps import find_receipt
from cloud.web.access import within
from cloud.web.errors import NotThere
from cloud.web.settings import StaffDeps

router = APIRouter()

PICTURES = frozenset({"image/jpeg", "image/png", "image/webp"})
"""Shown in the page's place. Nothing that can hold a script is among them (image/svg+xml can)."""

_SHA256 = re.compile("[0-9a-f]{64}")


@router.get("/blobs/{sha256}")
async def one(request: Request, sha256: str) -> Response:
    """The file's bytes, once they are here and an entry of the box that sent them names them."""
    reach = within(request, "receipt", READ)
    deps: StaffDeps = request.app.state.deps
    if deps.blobs is None or not _SHA256.fullmatch(sha256):
        raise NotThere
    async with deps.sessions.read() as session:
        ref = await ref_of(session, sha256)
        if ref is not None and reach.sites is not None:
            receipt = await find_receipt(session, ref.job) if ref.job else None
            if receipt is None or not reach.allows(receipt.site.code if receipt.site else None):
                raise NotThere
    if ref is None or not await deps.blobs.has(sha256):
        raise NotThere
    shown = ref.media in PICTURES
    headers = {
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(ref.name, safe='')}",
        "Content-Length": str(ref.size),
        # What is under a hash never changes; who may see it can, so no cache between.
        "Cache-Control": "private, max-age=3600, immutable",
    }
    media = ref.media if shown else "application/octet-stream"
    return StreamingResponse(deps.blobs.read(sha256), media_type=media, headers=headers)
