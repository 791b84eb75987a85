"""How many entries go into the next frame: pure functions of how the last exchange went.

A frame is what is lost when a line breaks, and what stands before the newest reading: on a slow line it must be small. On a
quick one it should be as large as frames may be, since each costs a round trip and a commit.
"""

from sync_protocol.frame import MAX_ENTRIES

FIRST = 100
"""Entries: 30 kB before packing, a second or two on the slowest line in use."""

QUICK_S = 1.0
SLOW_S = 5.0
"""Between the two the size stays: a size that the line just carries must not swing."""


def after_exchange(size: int, sent: int, took_s: float) -> int:
    """The next frame's size after `sent` entries were answered in `took_s`; grows only when the size was made use of."""
    if took_s > SLOW_S:
        return after_silence(size)
    if took_s < QUICK_S and sent >= size:
        return min(size * 2, MAX_ENTRIES)
    return size


def after_silence(size: int) -> int:
    """The next frame's size after one that was not answered: perhaps it was too large for the line."""
    return max(size // 2, 1)
