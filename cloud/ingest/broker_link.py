"""One MQTT 5 connection of this worker inside the event loop: frames of boxes in, answers out. Made, used, ended; never reused.

paho keeps the protocol, the loop tells it when the socket is ready. A message is acknowledged to the broker when it was
answered, so that the broker holds back what this worker cannot take (MQTT 5, 3.3.4 and 4.9); it is trusted with nothing else.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud.errors import BrokerAway
from sync_protocol.frame import MAX_FRAME
from sync_protocol.routes import SHARED_UP, topic_will

CONNECT_S = 15.0
"""From the first packet to being subscribed."""

KEEP_ALIVE_S = 30
TICK_S = 1.0
"""How often paho looks at its timers."""

MAX_AT_ONCE = 16
"""Frames that the broker may hand over before one is answered: 4 MiB, and enough to keep a database busy."""

MAX_PACKET = MAX_FRAME + 4096
"""Bytes of a message with its properties."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker listens, who this worker is there (the name in its certificate), and its TLS context."""

    host: str
    port: int
    name: str
    tls: ssl.SSLContext
    keep_alive_s: int = KEEP_ALIVE_S


@dataclass(frozen=True, slots=True)
class Message:
    """What came on a box's topic. `kind` is the content type, "" where it names none."""

    topic: str
    kind: str
    payload: bytes
    correlation: bytes | None
    mid: int


class _Client(mqtt.Client):
    """paho would connect with blocking calls: it is given a socket that is connected, its handshake done."""

    ready: ssl.SSLSocket

    def _create_socket(self) -> Any:
        return self.ready


@dataclass(slots=True)
class BrokerLink:
    """`ended` is done, with the reason, once the connection is over. Messages wait in `inbox`, MAX_AT_ONCE at most."""

    loop: asyncio.AbstractEventLoop
    client: _Client
    ended: asyncio.Future[str]
    ready: asyncio.Future[None]
    inbox: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    _socket: ssl.SSLSocket | None = None
    _timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(cls, broker: Broker) -> Self:
        """A connection that takes frames. Raises BrokerAway."""
        loop = asyncio.get_running_loop()
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.name,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        link = cls(loop, client, loop.create_future(), loop.create_future())
        try:
            async with asyncio.timeout(CONNECT_S):
                client.ready = await _connect(broker)
                link._begin(broker)
                await asyncio.wait((link.ready, link.ended), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as exc:
            link.end("timeout")
            raise BrokerAway(f"no connection within {CONNECT_S:g} s") from exc
        except OSError as exc:
            link.end(str(exc))
            raise BrokerAway(f"{type(exc).__name__}: {exc}") from exc
        except BaseException:
            link.end("given up")
            raise
        if link.ended.done():
            raise BrokerAway(link.ended.result())
        return link

    async def next(self) -> Message:
        """The next message. Raises BrokerAway once the connection has ended."""
        taking = asyncio.ensure_future(self.inbox.get())
        try:
            await asyncio.wait((taking, self.ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            taking.cancel()
        if not taking.done() or taking.cancelled():
            raise BrokerAway(self.ended.result())
        return taking.result()

    def say(self, topic: str, payload: bytes, *, kind: str, correlation: bytes | None = None) -> None:
        """Publish; a connection that has ended swallows it, as every broker may."""
        if self.ended.done():
            return
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = kind
        if correlation is not None:
            properties.CorrelationData = correlation
        self.client.publish(topic, payload, qos=1, properties=properties)
        self._write()

    def done(self, message: Message) -> None:
        """The message was dealt with: the broker may hand over another one."""
        if not self.ended.done():
            self.client.ack(message.mid, 1)
            self._write()

    def close(self) -> None:
        """Say good-bye as far as that goes without waiting."""
        if not self.ended.done():
            self.client.disconnect()
            self._write()
        self.end("closed")

    def end(self, reason: str) -> None:
        """The connection is over."""
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

    def _begin(self, broker: Broker) -> None:
        client = self.client
        client.tls_set_context(broker.tls)
        client.on_socket_open = self._opened
        client.on_socket_close = self._closed
        client.on_socket_register_write = self._wants_to_write
        client.on_socket_unregister_write = self._has_written
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        client.on_disconnect = lambda _client, _data, _flags, code, _properties: self.end(f"disconnected: {code}")
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = MAX_AT_ONCE
        properties.MaximumPacketSize = MAX_PACKET
        client.connect(broker.host, broker.port, broker.keep_alive_s, clean_start=True, properties=properties)
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
            self.end(f"what the broker sent cannot be read: {type(exc).__name__}")
            return
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.end(mqtt.error_string(code))

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self.end(f"the broker refused the connection: {code}")
            return
        client.subscribe([(SHARED_UP, SubscribeOptions(qos=1)), (topic_will("+"), SubscribeOptions(qos=1))])

    def _subscribed(self, _client: mqtt.Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self.end("the broker refused the subscription")
        elif not self.ready.done():
            self.ready.set_result(None)

    def _message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        kind = getattr(message.properties, "ContentType", "")
        correlation = getattr(message.properties, "CorrelationData", None)
        found = Message(message.topic, kind, bytes(message.payload), correlation, message.mid)
        if message.qos == 0:
            # Nothing holds it back, and nothing is asked of it: a will is a hint.
            found = Message(message.topic, kind, b"", None, 0)
        self.inbox.put_nowait(found)


async def _connect(broker: Broker) -> ssl.SSLSocket:
    """A non-blocking TLS connection to the first of the broker's addresses that takes one, TCP_NODELAY set.

    Raises OSError (ssl.SSLError is one).
    """
    loop = asyncio.get_running_loop()
    last = OSError(f"{broker.host} has no address")
    for family, kind, proto, _name, address in await loop.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM):
        plain = socket.socket(family, kind, proto)
        try:
            plain.setblocking(False)
            await loop.sock_connect(plain, address)
            # Without it an exchange waits for delayed acknowledgements.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = broker.tls.wrap_socket(plain, server_hostname=broker.host, do_handshake_on_connect=False)
        except OSError as exc:
            plain.close()
            last = exc
            continue
        except BaseException:
            plain.close()
            raise
        return await _shaken(loop, secured)
    raise last


async def _shaken(loop: asyncio.AbstractEventLoop, secured: ssl.SSLSocket) -> ssl.SSLSocket:
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await _until_ready(secured, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _until_ready(secured, loop.add_writer, loop.remove_writer)
            else:
                return secured
    except BaseException:
        secured.close()
        raise


async def _until_ready(sock: ssl.SSLSocket, add: Callable[..., None], remove: Callable[[ssl.SSLSocket], bool]) -> None:
    woken = asyncio.Event()
    add(sock, woken.set)
    try:
        await woken.wait()
    finally:
        remove(sock)
