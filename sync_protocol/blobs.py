"""The box's half of a file's upload as pure functions: what to ask next, what the answer means. tus 1.0.0 underneath.

The cloud's offset is the only one that is believed; after anything that went wrong it is asked for again. A file is up when
the cloud says that it holds these very bytes under this hash, and not before.
"""

import base64
import binascii
import re
from dataclasses import dataclass, replace

from sync_protocol.errors import TextFault

TUS_VERSION = "1.0.0"
PIECE_TYPE = "application/offset+octet-stream"

PIECE = 256 * 1024
"""Bytes of one request: as long as the longest frame, so that a frame never waits longer for a piece than for a frame."""

MAX_BLOB = 64 * 1024 * 1024
"""Bytes of one file: a picture has some megabytes, a salvaged journal tens."""

STORED = "Tallybox-Stored"
"""Header of an answer: the SHA-256 (hex) that the cloud computed over the bytes it keeps; absent until it has all of them."""

MAX_RESTARTS = 3
"""How often a whole file is sent again because its hash came out wrong there: by then it is no accident of the line."""

_SHA256 = re.compile("[0-9a-f]{64}")


def sha256_name(text: str) -> str:
    """Check the form of a file's name. Raises TextFault."""
    if not _SHA256.fullmatch(text):
        raise TextFault(f"a file's name is 64 lower-case hex digits, not {text[:70]!r}")
    return text


def metadata(sha256: str) -> str:
    """`Upload-Metadata` of a file."""
    return f"sha256 {base64.b64encode(sha256.encode()).decode()}"


def named_by(header: str) -> str:
    """The hash in an `Upload-Metadata` header; other keys are passed over. Raises TextFault."""
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        if key == "sha256":
            try:
                return sha256_name(base64.b64decode(value, validate=True).decode("ascii"))
            except (binascii.Error, UnicodeDecodeError) as exc:
                raise TextFault("Upload-Metadata: sha256 is not base64 of text") from exc
    raise TextFault("Upload-Metadata names no sha256")


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way. `url` is None until the cloud gave one, `offset` None while the cloud's has to be asked for."""

    sha256: str
    size: int
    url: str | None = None
    offset: int | None = None
    restarts: int = 0
    stored: bool = False
    fault: str | None = None
    """Why it is not sent any more: `wrong_hash`, or the cloud's word for a refusal."""


@dataclass(frozen=True, slots=True)
class Create:
    """POST: an address for the file."""


@dataclass(frozen=True, slots=True)
class Ask:
    """HEAD: how far the cloud is."""

    url: str


@dataclass(frozen=True, slots=True)
class Piece:
    """PATCH: bytes from `offset` on. Of length 0 behind the last byte: have the cloud finish what it holds."""

    url: str
    offset: int
    length: int


Request = Create | Ask | Piece


@dataclass(frozen=True, slots=True)
class Created:
    """The upload has an address; `offset` is where it stands there."""

    url: str
    offset: int
    stored: str | None = None


@dataclass(frozen=True, slots=True)
class At:
    """The cloud holds this many bytes; `stored` is the hash that it computed over the whole file."""

    offset: int
    stored: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer, or one that says nothing of this upload; also 409, 423, 429, 503: ask where it stands, later."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The cloud does not know the upload any more (404, 410)."""


@dataclass(frozen=True, slots=True)
class WrongHash:
    """The cloud had all bytes, and they were not these (460): it threw them away."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The cloud does not take this file, and asking again would not help (400, 413, 415, 422); `code` is its word."""

    code: str


Event = Created | At | Lost | Gone | WrongHash | NotTaken


def next_request(upload: Upload) -> Request | None:
    """What to ask now; None when the file is up or given up."""
    if upload.stored or upload.fault is not None:
        return None
    if upload.url is None:
        return Create()
    if upload.offset is None:
        return Ask(upload.url)
    return Piece(upload.url, upload.offset, min(PIECE, upload.size - upload.offset))


def on_event(upload: Upload, event: Event) -> Upload:
    """The upload after an answer."""
    match event:
        case Created(url, offset, stored):
            return _at(replace(upload, url=url), offset, stored)
        case At(offset, stored):
            return _at(upload, offset, stored)
        case Lost():
            return replace(upload, offset=None)
        case Gone():
            return replace(upload, url=None, offset=None)
        case WrongHash():
            restarts = upload.restarts + 1
            fault = "wrong_hash" if restarts >= MAX_RESTARTS else None
            return replace(upload, url=None, offset=None, restarts=restarts, fault=fault)
        case NotTaken(code):
            return replace(upload, fault=code)


def progressed(before: Upload, after: Upload) -> bool:
    """Whether an answer brought the file nearer; else whoever sends it waits before asking again."""
    if after.stored or after.fault is not None:
        return True
    if after.offset is None:
        return False
    return before.offset is None or after.offset > before.offset


def _at(upload: Upload, offset: int, stored: str | None) -> Upload:
    if stored is not None and stored == upload.sha256 and offset == upload.size:
        return replace(upload, offset=offset, stored=True)
    if not 0 <= offset <= upload.size:
        # It speaks of another file: begin anew rather than believe it.
        return replace(upload, url=None, offset=None)
    return replace(upload, offset=offset)
