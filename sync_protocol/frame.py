"""The frame: consecutive entries of one run, signed over the bytes as sent (DSSE pre-authentication encoding, ES256).

    frame = uint16be length of signature | signature (DER) | 16-byte key id | body
    body  = header line | LF | entry | LF | entry ...

Source of the encoding: DSSE protocol 1.0 ("DSSEv1" SP LEN SP type SP LEN SP body, lengths in ASCII decimal).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sync_protocol import chain
from sync_protocol.errors import FrameFault, SyncError, UnknownKey
from sync_protocol.ids import BoxId, RunId, box_id, run_id

PAYLOAD_TYPE = "application/vnd.tallybox.batch.v1"

MAX_ENTRIES = 500
MAX_ENTRY_BYTES_TOTAL = 256 * 1024
"""Entries of one frame, line feeds included: large enough that the round trip does not count, small beside a Pi's memory."""

MAX_HEADER = 1024
KEY_ID_BYTES = 16
MAX_SIGNATURE = 72
"""DER of two 256-bit integers: 2 + 2 * (2 + 33)."""

MAX_FRAME = 2 + MAX_SIGNATURE + KEY_ID_BYTES + MAX_HEADER + MAX_ENTRY_BYTES_TOTAL

Sign = Callable[[bytes], bytes]
"""Message to DER signature."""

Verify = Callable[[bytes, bytes], None]
"""Signature, message; raises SignatureFault."""

FindKey = Callable[[bytes], Verify | None]
"""Key id to its verifier, None when unknown."""


class Header(BaseModel):
    """First line of a body. `prev` and `last` are the chain's hashes before the first and at the last entry (hex)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: int = Field(ge=1, le=1)
    box: str
    run: str
    first: int = Field(ge=0, lt=1 << 63)
    n: int = Field(ge=1, le=MAX_ENTRIES)
    prev: str = Field(pattern="^[0-9a-f]{64}$")
    last: str = Field(pattern="^[0-9a-f]{64}$")
    gen: int = Field(ge=0)


@dataclass(frozen=True, slots=True)
class Batch:
    """A frame that was opened: signature good, count and chain good."""

    header: Header
    entries: tuple[bytes, ...]
    hashes: tuple[bytes, ...]
    """The chain's hash at every entry."""
    header_line: bytes
    signature: bytes
    key_id: bytes

    @property
    def box(self) -> BoxId:
        return BoxId(self.header.box)

    @property
    def run(self) -> RunId:
        return RunId(self.header.run)

    @property
    def first(self) -> int:
        return self.header.first

    @property
    def end(self) -> int:
        """One behind the last entry."""
        return self.header.first + self.header.n

    @property
    def prev(self) -> bytes:
        return bytes.fromhex(self.header.prev)


def pre_auth_encoding(body: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def body_of(header_line: bytes, entries: Sequence[bytes]) -> bytes:
    """The body as it was sent, from its parts: how a stored batch is verified again."""
    return b"\n".join((header_line, *entries))


def seal(  # noqa: PLR0913 - the parts of a frame, each by its name
    *,
    box: BoxId,
    run: RunId,
    first: int,
    prev: bytes,
    entries: Sequence[bytes],
    gen: int,
    key_id: bytes,
    sign: Sign,
    last: bytes | None = None,
) -> bytes:
    """Make the frame for consecutive entries; the caller keeps to MAX_ENTRIES and MAX_ENTRY_BYTES_TOTAL (else FrameFault).

    `last` is the chain's hash at the last entry where the caller knows it, as a journal does; it is believed: the receiver
    computes the chain in any case.
    """
    if last is None:
        last = chain.links(prev, first, entries)[-1]
    header = Header(v=1, box=box, run=run, first=first, n=len(entries), prev=prev.hex(), last=last.hex(), gen=gen)
    body = body_of(header.model_dump_json().encode(), entries)
    _check_size(entries)
    signature = sign(pre_auth_encoding(body))
    return len(signature).to_bytes(2, "big") + signature + key_id + body


def how_many(sizes: Sequence[int]) -> int:
    """How many of the entries of these sizes (bytes) fit one frame, at least one."""
    total = 0
    for count, size in enumerate(sizes[:MAX_ENTRIES]):
        total += size + 1
        if total > MAX_ENTRY_BYTES_TOTAL and count:
            return count
    return min(len(sizes), MAX_ENTRIES)


def unseal(frame: bytes, find_key: FindKey) -> Batch:
    """Open a frame. Raises FrameFault, UnknownKey or SignatureFault; the signature is checked before anything is parsed."""
    signature, key_id, body = _split(frame)
    verify = find_key(key_id)
    if verify is None:
        raise UnknownKey(key_id)
    verify(signature, pre_auth_encoding(body))
    header_line, *entries = body.split(b"\n")
    header = _header(header_line)
    if len(entries) != header.n:
        raise FrameFault(f"the header counts {header.n} entries, the body holds {len(entries)}")
    _check_size(entries)
    hashes = chain.links(bytes.fromhex(header.prev), header.first, entries)
    if hashes[-1].hex() != header.last:
        raise FrameFault("the chain over the entries does not end at the hash in the header")
    return Batch(header, tuple(entries), tuple(hashes), header_line, signature, key_id)


def _split(frame: bytes) -> tuple[bytes, bytes, bytes]:
    if len(frame) > MAX_FRAME:
        raise FrameFault(f"a frame of {len(frame)} bytes is above the limit of {MAX_FRAME}")
    length = int.from_bytes(frame[:2], "big")
    if len(frame) < 2 + length + KEY_ID_BYTES + 2 or not 8 <= length <= MAX_SIGNATURE:
        raise FrameFault("the frame is cut or its signature length is wrong")
    return frame[2 : 2 + length], frame[2 + length : 2 + length + KEY_ID_BYTES], frame[2 + length + KEY_ID_BYTES :]


def _header(line: bytes) -> Header:
    if len(line) > MAX_HEADER:
        raise FrameFault(f"a header of {len(line)} bytes is above the limit of {MAX_HEADER}")
    try:
        header = Header.model_validate_json(line)
        box_id(header.box)
        run_id(header.run)
    except (ValidationError, SyncError) as exc:
        raise FrameFault(f"the header cannot be read: {str(exc).splitlines()[0]}") from exc
    if header.first == 0 and bytes.fromhex(header.prev) != chain.seed(RunId(header.run)):
        raise FrameFault("the first batch of a run must start from the run's own seed")
    return header


def _check_size(entries: Sequence[bytes]) -> None:
    if len(entries) > MAX_ENTRIES or sum(map(len, entries)) + len(entries) > MAX_ENTRY_BYTES_TOTAL:
        raise FrameFault(f"a frame holds at most {MAX_ENTRIES} entries and {MAX_ENTRY_BYTES_TOTAL} bytes of them")
