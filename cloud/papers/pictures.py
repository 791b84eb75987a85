"""Photos for papers: made small, so that a report of twenty pictures can be sent by mail."""

import base64
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageOps

from cloud.blobs.store import BlobStore

SIDE = 900
"""Dots of the longer side: 300 an inch at the size that they are printed in."""

QUALITY = 80
MAX_PIXELS = 80_000_000
"""Of a picture that is opened: four times what the cameras have. A small file can claim to be any size."""

MAX_BYTES = 30 * 1024 * 1024
MAX_PHOTOS = 24
"""On one paper; the others are named by their hash."""

FORMATS = ("JPEG", "PNG", "WEBP")


async def photos_of(store: BlobStore | None, data: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a sheet's photos that are here, by their hash."""
    found: dict[str, bytes] = {}
    for part in data["parts"]:
        for row in part["rows"] if part["is"] == "photos" else ():
            sha256 = row["sha256"]
            if store is None or len(found) >= MAX_PHOTOS or sha256 in found or not await store.has(sha256):
                continue
            if held := await _read(store, sha256):
                found[sha256] = held
    return found


async def _read(store: BlobStore, sha256: str) -> bytes:
    held = bytearray()
    async for piece in store.read(sha256):
        held += piece
        if len(held) > MAX_BYTES:
            return b""
    return bytes(held)


def with_photos(data: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """The sheet with its pictures in it. Takes some tenths of a second for each: not for the event loop."""
    small = {sha256: small_picture(file) for sha256, file in files.items()}
    parts = [
        {**part, "rows": [{**row, "svg": small.get(row["sha256"], "")} for row in part["rows"]]}
        if part["is"] == "photos"
        else part
        for part in data["parts"]
    ]
    return {**data, "parts": parts}


def small_picture(file: bytes) -> str:
    """A picture as SVG around a small JPEG, upright; empty for what is none that we open."""
    try:
        with Image.open(io.BytesIO(file), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return ""
            picture.draft("RGB", (SIDE, SIDE))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ""
    upright.thumbnail((SIDE, SIDE))
    made = io.BytesIO()
    upright.save(made, "JPEG", quality=QUALITY)
    held = base64.b64encode(made.getvalue()).decode()
    size = f'width="{upright.width}" height="{upright.height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><image {size} href="data:image/jpeg;base64,{held}"/></svg>'
