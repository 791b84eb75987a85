"""One MQTT 5 connection inside the event loop: made, used and ended; for the next one there is a new object.

paho keeps the protocol; the socket's readiness comes from the loop, so there is no thread. paho's own queue is not relied on:
what was not answered on this connection is sent again by the journal on the next.
"""

import asyncio
import ssl
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from drivers.transports.broker_socket import connected
from edge.uplink.binding import CloudAway
from sync_protocol import routes
from sync_protocol.commands import MAX_COMMAND_BYTES

CONNECT_S = 15.0
"""From the first packet to being subscribed: TCP, TLS and three round trips on a slow line."""

KEEP_ALIVE_S = 30
"""Silence after which the broker is asked for a sign of life; a connection without one for as long again has ended."""

TICK_S = 1.0
"""How often paho looks at its timers."""

MAX_PACKET = MAX_COMMAND_BYTES + 4096
"""Bytes that the broker may send at once: the largest command with its properties. The broker drops what is larger."""

MAX_DOWN = 64
"""Messages that wait to be taken; there are a few a day. A box that is further behind starts over with a new session."""

FAILED = 0x80
"""Reason codes from here on are failures (MQTT 5, 2.4)."""

NOBODY = 0x10
"""PUBACK: no matching subscribers (MQTT 5, 3.4.2.1). The frame is gone, no worker will answer it."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker listens, and which name its certificate must bear."""

    host: str
    port: int
    keep_alive_s: int = KEEP_ALIVE_S
    connect_s: float = CONNECT_S


class _Client(mqtt.Client):
    """paho would connect with blocking calls: it is given a socket that is connected, its handshake done."""

    ready: ssl.SSLSocket

    def _create_socket(self) -> Any:
        return self.ready


@dataclass(slots=True)
class _Asked:
    """A message that waits for its answer; `mid` is the broker's receipt for it."""

    mid: int
    answer: asyncio.Future[bytes]


@dataclass(slots=True)
class MqttLink:
    """`ended` is done, with the reason, once the connection is over; it never comes back."""

    box: str
    loop: asyncio.AbstractEventLoop
    client: _Client
    ended: asyncio.Future[str]
    ready: asyncio.Future[None]
    down: deque[bytes] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    asked: dict[bytes, _Asked] = field(default_factory=dict)
    max_packet: int | None = None
    """The broker's limit, where it named one."""
    _socket: ssl.SSLSocket | None = None
    _timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(cls, where: Address, tls: ssl.SSLContext, box: str) -> Self:
        """A connection as `box`, subscribed to its answers and messages. Raises CloudAway."""
        loop = asyncio.get_running_loop()
        client = _Client(CallbackAPIVersion.VERSION2, client_id=box, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
        link = cls(box, loop, client, loop.create_future(), loop.create_future())
        try:
            async with asyncio.timeout(where.connect_s):
                client.ready = await connected(where.host, where.port, tls)
                link._begin(where, tls)
                await link._unless_ended(link.ready)
        except TimeoutError as exc:
            link.end(f"no connection within {where.connect_s:g} s")
            raise CloudAway(f"MQTT: no connection within {where.connect_s:g} s") from exc
        except (OSError, ssl.SSLError, ssl.CertificateError) as exc:
            link.end(str(exc))
            raise CloudAway(f"MQTT: {type(exc).__name__}: {exc}") from exc
        except BaseException:
            link.end("given up")
            raise
        return link

    async def ask(self, payload: bytes, kind: str, correlation: bytes, timeout_s: float) -> bytes:
        """Publish to the cloud and wait for the answer that bears `correlation`. Raises CloudAway.

        The broker's receipt is no answer; that it turned the message down, or that nobody was there to take it, is one.
        """
        if self.max_packet is not None and len(payload) + 512 > self.max_packet:
            raise CloudAway(f"MQTT: the broker takes {self.max_packet} bytes at once, this message has {len(payload)}")
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = kind
        properties.ResponseTopic = routes.topic_ack(self.box)
        properties.CorrelationData = correlation
        # What nobody took by then is asked again anyway.
        properties.MessageExpiryInterval = max(round(timeout_s), 1)
        if self.ended.done():
            raise CloudAway(f"MQTT: {self.ended.result()}")
        info = self.client.publish(routes.topic_up(self.box), payload, qos=1, properties=properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise CloudAway(f"MQTT: {mqtt.error_string(info.rc)}")
        self.asked[correlation] = waiting = _Asked(info.mid, self.loop.create_future())
        self._write()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._unless_ended(waiting.answer)
        except TimeoutError as exc:
            raise CloudAway(f"MQTT: no answer in {timeout_s:g} s", unanswered=True) from exc
        finally:
            del self.asked[correlation]

    async def next_down(self) -> bytes:
        """The next message of the cloud. Raises CloudAway once the connection has ended."""
        while not self.down:
            if self.ended.done():
                raise CloudAway(f"MQTT: {self.ended.result()}")
            self.news.clear()
            await self.news.wait()
        return self.down.popleft()

    def close(self) -> None:
        """Say good-bye as far as that goes without waiting: then the broker publishes no will."""
        if not self.ended.done():
            self.client.disconnect()
            self._write()
        self.end("closed")

    def end(self, reason: str) -> None:
        """The connection is over; everybody who waits on it hears of it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # paho closes its socket once more when it is collected, and would tell a loop that knows it no longer.
        self.client.on_socket_close = self.client.on_socket_unregister_write = None
        sock, self._socket = self._socket, None
        if sock is not None:
            self.loop.remove_reader(sock)
            self.loop.remove_writer(sock)
            sock.close()
        if not self.ended.done():
            self.ended.set_result(reason)
        self.news.set()

    async def _unless_ended(self, wanted: "asyncio.Future[_T]") -> _T:
        await asyncio.wait((wanted, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if wanted.done():
            return wanted.result()
        raise CloudAway(f"MQTT: {self.ended.result()}")

    def _begin(self, where: Address, tls: ssl.SSLContext) -> None:
        client = self.client
        client.tls_set_context(tls)
        client.will_set(routes.topic_will(self.box), qos=0, retain=False)
        client.on_socket_open = self._opened
        client.on_socket_close = self._closed
        client.on_socket_register_write = self._wants_to_write
        client.on_socket_unregister_write = self._has_written
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        client.on_message = self._message
        client.on_disconnect = self._disconnected
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.MaximumPacketSize = MAX_PACKET
        client.connect(where.host, where.port, where.keep_alive_s, clean_start=True, properties=properties)
        self._timer = self.loop.call_later(TICK_S, self._tick)

    def _opened(self, _client: mqtt.Client, _data: Any, sock: Any) -> None:
        self._socket = sock
        self.loop.add_reader(sock, self._read)

    def _closed(self, _client: mqtt.Client, _data: Any, sock: Any) -> None:
        self._socket = None
        self.loop.remove_reader(sock)
        self.loop.remove_writer(sock)

    def _wants_to_write(self, _client: mqtt.Client, _data: Any, sock: Any) -> None:
        self.loop.add_writer(sock, self._write)

    def _has_written(self, _client: mqtt.Client, _data: Any, sock: Any) -> None:
        self.loop.remove_writer(sock)

    def _read(self) -> None:
        self._guarded(self.client.loop_read)
        # What TLS has taken from the socket and not yet given away does not make the socket readable again.
        while self._socket is not None and not self.ended.done() and self._socket.pending():
            self._guarded(self.client.loop_read)

    def _write(self) -> None:
        self._guarded(self.client.loop_write)

    def _tick(self) -> None:
        self._timer = self.loop.call_later(TICK_S, self._tick)
        self._guarded(self.client.loop_misc)

    def _guarded(self, step: Callable[[], MQTTErrorCode]) -> None:
        if self.ended.done():
            return
        try:
            code = step()
        except (MQTTException, ValueError, IndexError, KeyError, struct.error, OSError) as exc:
            # What paho's readers raise on bytes that are no MQTT; its own connection is in an unknown state then.
            self.end(f"what the broker sent cannot be read: {type(exc).__name__}")
            return
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.end(mqtt.error_string(code))

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            self.end(f"the broker refused the connection: {code}")
            return
        self.max_packet = getattr(properties, "MaximumPacketSize", None)
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._topics()])

    def _topics(self) -> tuple[str, str]:
        return routes.topic_ack(self.box), routes.topic_down(self.box)

    def _subscribed(self, _client: mqtt.Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self.end("the broker refused the subscription to this box's own topics")
        elif not self.ready.done():
            self.ready.set_result(None)

    def _published(self, _client: mqtt.Client, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        waiting = next((one for one in self.asked.values() if one.mid == mid), None)
        if waiting is None or waiting.answer.done():
            return
        if code.value >= FAILED:
            waiting.answer.set_exception(CloudAway(f"MQTT: the broker turned the message down: {code}", unanswered=True))
        elif code.value == NOBODY:
            waiting.answer.set_exception(CloudAway("MQTT: no worker of the cloud takes frames from the broker"))

    def _message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        ack, down = self._topics()
        if message.topic == ack:
            waiting = self.asked.get(getattr(message.properties, "CorrelationData", b""))
            if waiting is not None and not waiting.answer.done():
                waiting.answer.set_result(bytes(message.payload))
        elif message.topic == down:
            if len(self.down) >= MAX_DOWN:
                self.end("more messages than this box takes")
            else:
                self.down.append(bytes(message.payload))
                self.news.set()

    def _disconnected(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self.end(f"disconnected: {code}")
