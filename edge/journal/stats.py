"""The journal's figures for the box's health."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JournalStats:
    """Durations in microseconds over the last commits, None before the first; `pending` entries wait for the disk."""

    commit_us_p50: int | None
    commit_us_p99: int | None
    commits: int
    pending: int


def stats_of(durations_us: Sequence[int], pending: int) -> JournalStats:
    """Percentiles by nearest rank."""
    ordered = sorted(durations_us)
    return JournalStats(_rank(ordered, 50), _rank(ordered, 99), len(ordered), pending)


def _rank(ordered: Sequence[int], percent: int) -> int | None:
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else None
