"""Sessions by MQTT: opened by a message on a box's own topic, followed by this worker until a newer one is opened.

That a box hears is not seen here, so that a lease counts as used only once the box comes with it by HTTPS.
"""

import asyncio
from datetime import datetime

import structlog

from cloud.boxes.leases import open_session
from cloud.db.types import BIGGEST
from cloud.deps import SyncDeps
from cloud.ingest.broker_link import BrokerLink
from cloud.ingest.mqtt import Handlers, Listening
from cloud.push.routes import Alternate
from cloud.push.watch import Watch
from sync_protocol.ids import BoxId
from sync_protocol.routes import ANSWER_TYPE, SESSION_TYPE, topic_down

log = structlog.get_logger()


class MqttSessions(Listening):
    """Opens sessions and gives each box what it must hear, as long as this worker's connection lasts."""

    def __init__(self, deps: SyncDeps, watch: Watch, alternate: Alternate) -> None:
        self._deps = deps
        self._watch = watch
        self._alternate = alternate
        self._link: BrokerLink | None = None
        self._followed: dict[BoxId, asyncio.Task[None]] = {}

    @property
    def handlers(self) -> Handlers:
        """For the requests to open a session."""
        return {SESSION_TYPE: self._open}

    def began(self, link: BrokerLink) -> None:
        self._link = link

    def ended(self) -> None:
        self._link = None
        for box in list(self._followed):
            self.gone(box)

    def gone(self, box: BoxId) -> None:
        task = self._followed.pop(box, None)
        if task is not None:
            task.cancel()

    async def _open(self, box: BoxId, content: bytes) -> bytes:
        now: datetime = self._deps.clock()
        async with self._deps.sessions.write() as session:
            answer, turns = await open_session(session, box=box, last=_lease(content), now=now)
            if turns:
                log.warning("box_in_two_places", box=box, lease=answer.lease)
                await self._alternate(session, box, now)
        self._watch.look_now()
        self.gone(box)
        if self._link is not None:
            task = asyncio.create_task(self._follow(self._link, box, answer.lease))
            self._followed[box] = task
            task.add_done_callback(lambda done: self._forget(box, done))
        return answer.model_dump_json().encode()

    async def _follow(self, link: BrokerLink, box: BoxId, lease: int) -> None:
        async for down in self._watch.follow(box, lease):
            if down is not None:
                link.say(topic_down(box), down.model_dump_json().encode(), kind=ANSWER_TYPE)

    def _forget(self, box: BoxId, task: "asyncio.Task[None]") -> None:
        if self._followed.get(box) is task:
            del self._followed[box]
        if not task.cancelled() and task.exception() is not None:
            log.warning("session_ended", box=box, reason=type(task.exception()).__name__)


def _lease(content: bytes) -> int | None:
    return int(content) if content.isdigit() and len(content) < 20 and int(content) < BIGGEST else None
