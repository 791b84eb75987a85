"""The figures of a box at one moment, and the entry that they make."""

import os
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, Literal

from edge.disk.guard import DiskFacts
from sync_protocol.entries import Clk, HealthEntry, StampFields

Link = Literal["https", "mqtt", "none"]

_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class UplinkFigures:
    """The way to the cloud. `link` is the binding in use, `none` while there is none; ages in seconds, None when never."""

    link: Link = "none"
    up: bool = False
    alarm: str | None = None
    answered_ago_s: int | None = None
    batch_ms_p50: int | None = None
    batch_ms_p99: int | None = None


@dataclass(frozen=True, slots=True)
class JournalFigures:
    """The journal: how much waits, how long saving takes, what room it takes. `runs` counts those that it still holds."""

    unacked: int = 0
    oldest_unacked_s: int | None = None
    runs: int = 0
    commit_us_p50: int | None = None
    commit_us_p99: int | None = None
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class BoxHealth:
    """All of it. `certificate_until` is the last day of the box's certificate, None without one."""

    uplink: UplinkFigures = UplinkFigures()
    journal: JournalFigures = JournalFigures()
    disk: DiskFacts = field(default_factory=DiskFacts)
    clk: Clk = field(default_factory=lambda: Clk(s="none"))
    blobs_waiting: int = 0
    rss_bytes: int | None = None
    uptime_s: int | None = None
    certificate_until: date | None = None
    box: str | None = None
    firmware: str = ""


def entry_of(health: BoxHealth, stamp: StampFields) -> HealthEntry:
    """The entry for the journal."""
    journal, uplink, disk = health.journal, health.uplink, health.disk
    return HealthEntry(
        **stamp,
        unacked=journal.unacked,
        oldest_unacked_s=journal.oldest_unacked_s,
        runs=journal.runs,
        commit_us_p50=journal.commit_us_p50,
        commit_us_p99=journal.commit_us_p99,
        batch_ms_p50=uplink.batch_ms_p50,
        batch_ms_p99=uplink.batch_ms_p99,
        disk_free=disk.usage.free,
        disk_total=disk.usage.total,
        disk_level=disk.level.value,
        journal_bytes=journal.bytes,
        blobs_waiting=health.blobs_waiting,
        rss_bytes=health.rss_bytes,
        link=uplink.link,
    )


def rss_bytes(statm: Path = _STATM) -> int | None:
    """Resident memory of this process (proc(5): second field of statm, in pages); None where it cannot be read."""
    try:
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def file_bytes(path: Path) -> int:
    """What a SQLite file and its log take up."""
    found = 0
    for part in (path, path.with_name(f"{path.name}-wal")):
        try:
            found += part.stat().st_blocks * 512
        except OSError:
            continue
    return found
