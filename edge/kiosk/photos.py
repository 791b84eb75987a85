"""Pictures that a page sends: what is taken for one, how large it may be, and who keeps it."""

from collections.abc import Mapping
from typing import Final, Protocol

import structlog
from fastapi import Request
from starlette.datastructures import UploadFile

from edge.errors import JobRefused

log = structlog.get_logger(__name__)

MAX_PHOTO: Final = 12 * 1024 * 1024
"""Bytes of one picture: what telephones and tablets send of a page full of print; the page itself sends about 300 kB."""

FIELD: Final = "picture"
"""Name of the form's field that holds the file."""

_JPEG, _PNG, _WEBP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"WEBP"


class PhotoKeeper(Protocol):
    """Keeps a picture on this box, durable and journalled before it returns its SHA-256. Raises OSError or JournalFault."""

    async def __call__(self, picture: bytes, *, media: str, about: Mapping[str, str]) -> str: ...


def media_of(picture: bytes) -> str | None:
    """The media type by the file's first bytes (ISO 10918-1 B.1.1.3, PNG 5.2, RFC 9649 2.3); None for what is no picture."""
    if picture.startswith(_JPEG):
        return "image/jpeg"
    if picture.startswith(_PNG):
        return "image/png"
    return "image/webp" if picture[:4] == b"RIFF" and picture[8:12] == _WEBP else None


async def kept_photo(request: Request, keeper: PhotoKeeper | None, *, about: Mapping[str, str]) -> str:
    """Keep the picture of a multipart form. Raises JobRefused for what is none, too large, or where none can be kept."""
    if keeper is None:
        raise JobRefused("no_photos")
    picture = await _picture(request)
    media = media_of(picture)
    if media is None:
        raise JobRefused("not_a_photo" if picture else "no_photo")
    try:
        return await keeper(picture, media=media, about=about)
    except OSError as exc:
        log.warning("photo_not_kept", reason=str(exc))
        raise JobRefused("photo_not_kept") from exc


async def _picture(request: Request) -> bytes:
    async with request.form(max_files=1, max_fields=20) as form:
        file = form.get(FIELD)
        if not isinstance(file, UploadFile):
            raise JobRefused("no_photo")
        picture = await file.read(MAX_PHOTO + 1)
    if len(picture) > MAX_PHOTO:
        raise JobRefused("photo_too_large")
    return picture
