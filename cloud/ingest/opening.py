"""Opens a frame: unpacks it, finds the key it names, checks signature and chain.

Keys are kept at hand: the name of a key is its hash, so that what was read once under it stays right. Whether the box is let in
is asked in the transaction that stores its frame.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sync_protocol import packing, signing
from sync_protocol.answers import Refusal
from sync_protocol.errors import FrameFault, SignatureFault, UnknownKey
from sync_protocol.frame import Batch, Verify, unseal

MAX_KEYS = 4096
"""Verifiers kept, a kilobyte each: more boxes than one worker serves at a time."""


@dataclass(frozen=True, slots=True)
class Unopened:
    """Why a frame cannot be used: the answer's code, the event's, and what was found."""

    err: Refusal
    event: str
    found: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Verifiers of boxes' keys, of one database."""

    _kept: OrderedDict[tuple[str, bytes], Verify] = field(default_factory=OrderedDict)

    def find(self, box: str, key: bytes) -> Verify | None:
        """The verifier of a key of this box, None when it was not read yet."""
        return self._kept.get((box, key))

    def keep(self, box: str, keys: Mapping[bytes, bytes]) -> None:
        """Keep the keys of a box: key id to SubjectPublicKeyInfo (DER)."""
        for key, spki in keys.items():
            self._kept[box, key] = signing.verifier(spki)
        while len(self._kept) > MAX_KEYS:
            self._kept.popitem(last=False)


def open_frame(keys: Keys, box: str, frame: bytes) -> Batch | Unopened:
    """The batch in a frame of `box`; `unknown_key` also when the box's keys were not read yet."""
    try:
        batch = unseal(frame, lambda key: keys.find(box, key))
    except UnknownKey as exc:
        return Unopened("sig", "unknown_key", exc.key_id.hex())
    except SignatureFault as exc:
        return Unopened("sig", "bad_signature", str(exc))
    except FrameFault as exc:
        return Unopened("schema", "broken_frame", str(exc))
    if batch.box != box:
        return Unopened("sig", "foreign_box", batch.box)
    return batch


def unpacked(frame: bytes) -> bytes | Unopened:
    """A packed frame as it was signed."""
    try:
        return packing.unpack(frame)
    except FrameFault as exc:
        return Unopened("schema", "broken_frame", str(exc))
