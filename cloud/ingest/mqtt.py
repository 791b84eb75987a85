"""The worker's side of the MQTT 5 binding: frames and requests that a broker hands over, and the answers to them.

Which box sent a message is the topic's second level: the broker lets each box write its own topic alone, by the name in its
certificate, and a frame's header and signature must say the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cloud.errors import BoxFault, BrokerAway
from cloud.ingest.broker_link import Broker, BrokerLink, Message
from cloud.ingest.intake import RETRY_BUSY_S, Intake
from cloud.ingest.receive import Arriving
from sync_protocol.answers import Refused
from sync_protocol.errors import TextFault
from sync_protocol.ids import BoxId, box_id
from sync_protocol.routes import ANSWER_TYPE, FRAME_TYPE, FRAME_ZSTD_TYPE, topic_ack, topic_up, topic_will

log = structlog.get_logger()

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Before the broker is tried again; the last one from then on."""

AWAY = (OperationalError, InterfaceError, PoolTimeout, IntegrityError)
"""The database cannot be asked now; nothing was committed or answered."""

Handle = Callable[[BoxId, bytes], Awaitable[bytes]]
"""A box and the content of its message, to the content of the answer."""

Handlers = Mapping[str, Handle]
"""By content type."""


class Listening:
    """What a part of the core that talks to boxes by itself is told of the connection. This one does nothing."""

    def began(self, link: BrokerLink) -> None:
        """A connection is there, boxes may be spoken to."""

    def ended(self) -> None:
        """It is gone, and with it every box."""

    def gone(self, box: BoxId) -> None:
        """A box's own connection ended without a word."""


def frame_handlers(intake: Intake) -> Handlers:
    """For frames, packed or not."""

    async def plain(box: BoxId, content: bytes) -> bytes:
        return await _take(intake, Arriving(box, content))

    async def packed(box: BoxId, content: bytes) -> bytes:
        return await _take(intake, Arriving(box, content, packed=True))

    return {FRAME_TYPE: plain, FRAME_ZSTD_TYPE: packed}


async def _take(intake: Intake, arriving: Arriving) -> bytes:
    return (await intake.take(arriving, binding="mqtt")).model_dump_json().encode()


async def work_forever(broker: Broker, handlers: Handlers, listening: Listening) -> None:
    """Take what the broker hands over, until cancelled. A broker that is away is tried again."""
    lost = 0
    while True:
        try:
            async with _linked(broker, listening) as link:
                log.info("broker_reached", host=broker.host, port=broker.port)
                lost = 0
                await _serve(link, handlers, listening)
        except BrokerAway as exc:
            if not lost:
                log.warning("broker_lost", host=broker.host, port=broker.port, reason=str(exc))
        await asyncio.sleep(PAUSES_S[min(lost, len(PAUSES_S) - 1)])
        lost += 1


@asynccontextmanager
async def _linked(broker: Broker, listening: Listening) -> AsyncIterator[BrokerLink]:
    link = await BrokerLink.open(broker)
    listening.began(link)
    try:
        yield link
    finally:
        listening.ended()
        link.close()


async def _serve(link: BrokerLink, handlers: Handlers, listening: Listening) -> None:
    """Until the connection ends (BrokerAway). The broker hands over no more at once than it may, so tasks are few."""
    under_way: set[asyncio.Task[None]] = set()
    try:
        while True:
            message = await link.next()
            box = _box_of(message.topic)
            if box is None:
                link.done(message)
            elif message.topic == topic_will(box):
                listening.gone(box)
                if message.mid:
                    link.done(message)
            else:
                task = asyncio.create_task(_deal_with(link, box, message, handlers))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _deal_with(link: BrokerLink, box: BoxId, message: Message, handlers: Handlers) -> None:
    handle = handlers.get(message.kind.partition(";")[0].strip().lower())
    try:
        if handle is None:
            log.warning("message_of_unknown_kind", box=box, kind=message.kind[:80])
        else:
            answer = await handle(box, message.payload)
            # To the box's own topic, whatever response topic the message names.
            link.say(topic_ack(box), answer, kind=ANSWER_TYPE, correlation=message.correlation)
    except AWAY as exc:
        log.warning("database_unavailable", reason=type(exc).__name__)
        busy = Refused(err="slow_down", retry_s=RETRY_BUSY_S, detail="database_unavailable")
        link.say(topic_ack(box), busy.model_dump_json().encode(), kind=ANSWER_TYPE, correlation=message.correlation)
    except BoxFault as exc:
        log.warning("box_refused", box=box, code=exc.code)
    finally:
        link.done(message)


def _box_of(topic: str) -> BoxId | None:
    parts = topic.split("/")
    try:
        box = box_id(parts[1]) if len(parts) == 3 else None
    except TextFault:
        return None
    return box if box is not None and topic in {topic_up(box), topic_will(box)} else None
