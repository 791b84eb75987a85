"""A frame made small for the wire. What is signed and stored is the frame; this is undone before anything is looked at."""

import zstandard

from sync_protocol.errors import FrameFault
from sync_protocol.frame import MAX_FRAME

ZSTD = "zstd"

LEVEL = 6
"""Of zstd: a tenth smaller than its default level, and still many times faster than the link it is for."""


def pack(frame: bytes) -> bytes:
    """The frame as one zstd frame."""
    return zstandard.ZstdCompressor(level=LEVEL, write_content_size=True).compress(frame)


def unpack(packed: bytes) -> bytes:
    """The frame again. Raises FrameFault for what is no zstd frame, or one that would grow beyond any frame."""
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 <= size <= MAX_FRAME:
            raise FrameFault(f"a packed frame of {size} bytes is above the limit of {MAX_FRAME} or does not say its size")
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=MAX_FRAME)
    except zstandard.ZstdError as exc:
        raise FrameFault(f"the packed frame cannot be read: {exc}") from exc
