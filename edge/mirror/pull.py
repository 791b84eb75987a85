"""Keeps the mirror near the cloud: pull, apply whole patches only, and start over when the checksum says so."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from edge.mirror.store import MirrorStore
from edge.mirror.view import MasterView
from edge.uplink.backoff import Backoff
from edge.uplink.binding import CloudAway
from edge.uplink.cloud import Cloud
from sync_protocol.errors import PatchFault
from sync_protocol.mirror import Key, Patch, Row, applied, checksum

log = structlog.get_logger()

MAX_PAGES = 200
"""Pages of one pull, a thousand rows each: ten times a large site. More comes from a cloud that goes in circles."""


class Mirror:
    """The station's master data: `view` is the newest whole state, also before the first contact with the cloud."""

    def __init__(self, store: MirrorStore, cookie: str, rows: dict[Key, Row]) -> None:
        self._store = store
        self._cookie = cookie
        self._rows = rows
        self._sum = _checksum(rows)
        self.view = MasterView.of(rows.values())

    @classmethod
    async def load(cls, store: MirrorStore) -> "Mirror":
        """The state as it was last saved."""
        return cls(store, *(await store.load()))

    async def pull(self, cloud: Cloud, station: str) -> bool:
        """Bring the mirror up to date; whether anything changed. Raises CloudAway, or MirrorFault when it cannot be saved.

        A patch of several pages is applied when its last page is here: jobs never see half a state. A state whose checksum is
        not the cloud's is thrown away and pulled whole.
        """
        for cookie, rows in ((self._cookie, self._rows), ("", {})):
            try:
                after, new_cookie = await self._whole(cloud, station, cookie, rows)
            except PatchFault as exc:
                log.warning("mirror_reset", reason=str(exc))
                continue
            return await self._take(after, new_cookie)
        raise CloudAway("the mirror's checksum does not match even after a full pull")

    async def _take(self, after: dict[Key, Row], cookie: str) -> bool:
        changed = after != self._rows
        if changed or cookie != self._cookie:
            await self._store.save(self._rows, after, cookie)
            self._rows, self._cookie = after, cookie
        if changed:
            self._sum = _checksum(after)
            self.view = MasterView.of(after.values())
            log.info("mirror_updated", rows=len(after), unreadable=self.view.unreadable)
        return changed

    async def _whole(self, cloud: Cloud, station: str, cookie: str, rows: dict[Key, Row]) -> tuple[dict[Key, Row], str]:
        for _ in range(MAX_PAGES):
            patch = await cloud.pull(station, cookie)
            if rows is self._rows and self._is_news_free(patch):
                return rows, patch.cookie
            if patch.more and patch.cookie == cookie:
                break
            rows, cookie = applied(rows, patch), patch.cookie
            if not patch.more:
                return rows, cookie
        raise CloudAway("the mirror's pages go in circles")

    def _is_news_free(self, patch: Patch) -> bool:
        # The usual answer. Summing some ten thousand rows for it, every few seconds, would hold up live weights.
        return not patch.patch and not patch.more and patch.sum == self._sum

    async def keep(
        self,
        cloud: Cloud,
        station: str,
        *,
        every_s: Callable[[], float],
        backoff: Backoff,
        changed: Callable[[], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Pull for ever; `changed` is called after every change. Raises MirrorFault when a change cannot be saved."""
        while True:
            try:
                if await self.pull(cloud, station):
                    await changed()
                backoff.reset()
                pause_s = every_s()
            except CloudAway as exc:
                pause_s = backoff.pause(exc.retry_s)
                log.debug("mirror_not_pulled", reason=str(exc))
            await sleep(pause_s)


def _checksum(rows: dict[Key, Row]) -> str:
    return checksum((row.t, row.k, row.rev) for row in rows.values())
