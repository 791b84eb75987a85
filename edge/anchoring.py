"""Turns what the cloud says of the time into anchors of the journal: a few good ones, not one for every answer."""

from collections.abc import Awaitable
from typing import Protocol

import structlog

from edge.errors import EdgeError
from sync_protocol.besttime import Anchor, Interval, parse_time, worth_anchoring
from sync_protocol.entries import AnchorEntry, StampFields
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId

log = structlog.get_logger()


class Append(Protocol):
    """Writes an entry; returns when it is on the disk."""

    def __call__(self, entry: AnchorEntry, /) -> Awaitable[EntryId]: ...


class Anchoring:
    """One per box: `heard` is told of every answer that carries the cloud's time."""

    def __init__(self, append: Append) -> None:
        self._append = append
        self._last: Anchor | None = None

    async def heard(self, srv_time: str, heard: StampFields, rtt_ns: int) -> None:
        """`heard` was stamped when the answer was there, `rtt_ns` after asking. Raises what the journal raises."""
        last = self._last if self._last is not None and self._last.boot_id == heard["boot_id"] else None
        if not worth_anchoring(last, rtt_ns, heard["mono_ns"]):
            return
        try:
            srv_ns = parse_time(srv_time)
        except TextFault:
            log.warning("cloud_time_unreadable", srv_time=srv_time[:40])
            return
        # Before the disk has it: the next answer must not be written for the same reason.
        before, self._last = self._last, Anchor(heard["boot_id"], heard["mono_ns"], srv_ns, rtt_ns)
        try:
            await self._append(AnchorEntry(**heard, srv_time=srv_time, rtt_ns=rtt_ns))
        except EdgeError:
            self._last = before
            raise

    def cloud_time(self, boot_id: str, mono_ns: int) -> Interval | None:
        """The cloud's time when this boot's clock stands at `mono_ns`; None while it was not heard in this boot."""
        if self._last is None or self._last.boot_id != boot_id:
            return None
        return self._last.pin.seen_from(mono_ns)
