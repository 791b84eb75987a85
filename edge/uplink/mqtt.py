"""The MQTT 5 binding: the same frames through a broker that is trusted with nothing.

The broker may lose whatever it holds: only the cloud's own answer, matched by correlation data, counts.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import structlog
from pydantic import ValidationError

from edge.uplink.binding import BindingName, CloudAway
from edge.uplink.mqtt_link import Address, MqttLink
from sync_protocol import answers, commands, routes
from sync_protocol.answers import Answer
from sync_protocol.commands import Changed, Down, Session
from sync_protocol.errors import TextFault
from sync_protocol.ids import BoxId

log = structlog.get_logger()

ANSWER_S = 20.0
"""From publishing to the cloud's answer, two ways through the broker and a commit between them."""

EVENTS_TIMEOUT_S = 900.0
"""Of silence in a session. A broker does not say that the worker behind it has gone, so that a session is opened anew now and
then; it costs one message."""

CORRELATION_BYTES = 16


@dataclass(slots=True)
class MqttCloud:
    """One cloud behind a broker, spoken to as this box. Connects when it is first used, and again after every loss."""

    where: Address
    tls: ssl.SSLContext
    box: BoxId
    entropy: Callable[[int], bytes]
    answer_s: float = ANSWER_S
    events_timeout_s: float = EVENTS_TIMEOUT_S
    _link: MqttLink | None = None
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> BindingName:
        return "mqtt"

    async def post(self, frame: bytes, *, packed: bool = False) -> Answer:
        """Send one frame; the cloud's answer."""
        try:
            body = await self._ask(frame, routes.FRAME_ZSTD_TYPE if packed else routes.FRAME_TYPE)
        except CloudAway as exc:
            if exc.unanswered:
                # Perhaps the line is half-open: the next attempt finds out sooner than keep-alive would.
                await self.aclose()
            raise
        try:
            return answers.parse(body)
        except TextFault as exc:
            raise CloudAway("MQTT: what came back is no answer") from exc

    async def open_session(self, last: int) -> Session:
        """A new lease for this box, which has seen `last`."""
        body = await self._ask(b"%d" % last, routes.SESSION_TYPE)
        try:
            return Session.model_validate_json(body)
        except ValidationError as exc:
            raise CloudAway("MQTT: a session that cannot be read") from exc

    async def events(self, lease: int) -> AsyncGenerator[Down, None]:  # noqa: ARG002 - each command names its own lease
        """What the cloud says by itself, until the connection ends; then CloudAway."""
        link = await self._connected()
        yield Changed()
        while True:
            try:
                async with asyncio.timeout(self.events_timeout_s):
                    data = await link.next_down()
            except TimeoutError as exc:
                raise CloudAway(f"MQTT: nothing was heard in {self.events_timeout_s:g} s") from exc
            try:
                yield commands.parse(data)
            except TextFault as exc:
                log.warning("message_not_understood", reason=str(exc))

    async def probe(self) -> None:
        """Whether the broker lets this box in."""
        await self._connected()

    async def aclose(self) -> None:
        if self._link is not None:
            self._link.close()

    async def _ask(self, payload: bytes, kind: str) -> bytes:
        link = await self._connected()
        return await link.ask(payload, kind, self.entropy(CORRELATION_BYTES), self.answer_s)

    async def _connected(self) -> MqttLink:
        async with self._connecting:
            if self._link is None or self._link.ended.done():
                self._link = await MqttLink.open(self.where, self.tls, self.box)
            return self._link
