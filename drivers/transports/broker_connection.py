"""One MQTT 5 connection that several devices share: paho's protocol on the event loop's sockets, no threads.

Each topic filter is one subscription with an identifier of its own: where filters of several devices meet in one topic, the
broker sends a message once for each, and the identifier says which one is meant. A connection that has ended never comes back.
"""

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from drivers.api import LinkLost
from drivers.envelope import MAX_ORIGIN, MAX_PAYLOAD, Message
from drivers.mqtt.topics import matches, origin_of
from drivers.transports.broker_socket import connected

TICK_S = 1.0
"""How often paho looks at its timers."""

MAX_WAITING = 256
"""Messages of one device that wait to be read. The box reads at once; one that is so far behind has stopped reading."""

_Sock = Any
"""paho hands its socket back to the callbacks as it was given."""


class Gone(LinkLost):
    """The connection has ended; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Everything that makes two devices use one connection."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    ca: str | None
    tls: bool
    client_id: str
    keep_alive_s: int
    connect_s: float

    @property
    def where(self) -> str:
        return f"MQTT broker {self.host}:{self.port}"


class _Client(mqtt.Client):
    """paho would connect with blocking calls: it is given a socket that is connected, its handshake done."""

    ready: socket.socket

    def _create_socket(self) -> Any:
        return self.ready

    def _sock_recv(self, bufsize: int) -> bytes:
        # paho asks for the whole of a packet, which says of itself how long it is: up to 256 MB, laid out at each read.
        if bufsize > MAX_PAYLOAD:
            raise ValueError("a packet that is longer than the broker was told")
        return super()._sock_recv(bufsize)


@dataclass(slots=True)
class Inbox:
    """What one device waits for."""

    filters: tuple[str, ...]
    waiting: deque[bytes] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    left: bool = False


class BrokerConnection:
    """One connection to one broker, open until it ends."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: _Client | None = None
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[str] | None = None
        self._connected: asyncio.Future[None] | None = None
        self._inboxes: list[Inbox] = []
        self._numbers: dict[str, int] = {}
        self._asked: dict[int, asyncio.Future[None]] = {}
        self._identified = True

    async def open(self) -> None:
        """Connect and be accepted. Raises LinkLost."""
        loop, where = asyncio.get_running_loop(), self._address.where
        self._ended, self._connected = loop.create_future(), loop.create_future()
        try:
            async with asyncio.timeout(self._address.connect_s):
                client = self._make_client()
                client.ready = await connected(self._address.host, self._address.port, self._tls())
                self._begin(client)
                await self._unless_ended(self._connected)
        except TimeoutError as exc:
            self.end(f"no connection within {self._address.connect_s:g} s")
            raise LinkLost(f"{where}: no connection within {self._address.connect_s:g} s") from exc
        # ValueError: a host name or a certificate file that cannot be used.
        except (OSError, ValueError) as exc:
            self.end(str(exc))
            raise LinkLost(f"{where}: {exc}") from exc
        except BaseException:
            self.end("given up")
            raise

    async def close(self) -> None:
        """Say good-bye as far as that goes without waiting. Never raises; may be called twice."""
        if self._client is not None and self._ended is not None and not self._ended.done():
            self._client.disconnect()
            self._write()
        self.end("closed")

    async def join(self, inbox: Inbox) -> None:
        """From now on the inbox gets what its filters mean. Raises LinkLost when the broker refuses one of them."""
        self._inboxes.append(inbox)
        for wanted in inbox.filters:
            await self._subscribe(wanted)

    def leave(self, inbox: Inbox) -> None:
        """The inbox gets no more; filters that nobody else has are given up."""
        inbox.left = True
        inbox.news.set()
        if inbox not in self._inboxes:
            return
        self._inboxes.remove(inbox)
        used = {wanted for other in self._inboxes for wanted in other.filters}
        for wanted in set(inbox.filters) - used:
            if self._numbers.pop(wanted, None) is not None and self._client is not None and not self._is_over():
                self._client.unsubscribe(wanted)
                self._write()

    async def next(self, inbox: Inbox) -> bytes:
        """The next message in its envelope. Raises LinkLost once the connection has ended."""
        while not inbox.waiting:
            if self._is_over():
                raise self._gone()
            if inbox.left:
                raise LinkLost(f"{self._address.where}: closed")
            inbox.news.clear()
            await inbox.news.wait()
        return inbox.waiting.popleft()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send one message. Raises LinkLost."""
        if self._client is None or self._is_over():
            raise self._gone()
        try:
            info = self._client.publish(topic, payload, qos=0)
        except ValueError as exc:
            raise LinkLost(f"{self._address.where}: {exc}") from exc
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkLost(f"{self._address.where}: {mqtt.error_string(info.rc)}")
        self._write()

    def end(self, reason: str) -> None:
        """The connection is over; everybody who waits on it hears of it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._client is not None:
            # paho closes its socket once more when it is collected, and would tell a loop that knows it no longer.
            self._client.on_socket_close = self._client.on_socket_unregister_write = None
            ready = getattr(self._client, "ready", None)
            if ready is not None and self._socket is None:
                ready.close()
        sock, self._socket = self._socket, None
        if sock is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(sock)
            loop.remove_writer(sock)
            sock.close()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)
        for inbox in self._inboxes:
            inbox.news.set()

    def _make_client(self) -> _Client:
        address = self._address
        client = _Client(
            CallbackAPIVersion.VERSION2, client_id=address.client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        client.on_socket_open = self._opened
        client.on_socket_close = self._closed
        client.on_socket_register_write = self._wants_to_write
        client.on_socket_unregister_write = self._has_written
        client.on_connect = self._accepted
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        client.on_disconnect = self._disconnected
        self._client = client
        return client

    def _tls(self) -> ssl.SSLContext | None:
        if not self._address.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self._address.ca)
        except OSError as exc:
            raise OSError(f"the authority's certificate {self._address.ca} cannot be used: {exc}") from exc

    def _begin(self, client: _Client) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        # Larger messages stay with the broker: they would not fit an envelope.
        properties.MaximumPacketSize = MAX_PAYLOAD
        address = self._address
        client.connect(address.host, address.port, address.keep_alive_s, clean_start=True, properties=properties)
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    async def _subscribe(self, wanted: str) -> None:
        """Also when another device has the filter already: then the broker sends what it keeps once more."""
        client, number = self._client, self._numbers.get(wanted)
        if client is None or self._is_over():
            raise self._gone()
        if number is None:
            number = self._numbers[wanted] = max(self._numbers.values(), default=0) + 1
        properties = Properties(PacketTypes.SUBSCRIBE)  # type: ignore[no-untyped-call]
        if self._identified:
            properties.SubscriptionIdentifier = number
        code, mid = client.subscribe(wanted, options=SubscribeOptions(qos=1), properties=properties)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise LinkLost(f"{self._address.where}: {mqtt.error_string(code)}")
        self._asked[mid] = answer = asyncio.get_running_loop().create_future()
        self._write()
        try:
            async with asyncio.timeout(self._address.connect_s):
                await self._unless_ended(answer)
        except TimeoutError as exc:
            raise LinkLost(f"{self._address.where}: no answer to the subscription of {wanted}") from exc
        finally:
            self._asked.pop(mid, None)

    async def _unless_ended(self, wanted: "asyncio.Future[None]") -> None:
        if self._ended is None:
            raise self._gone()
        await asyncio.wait((wanted, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done():
            raise self._gone()
        wanted.result()

    def _is_over(self) -> bool:
        return self._ended is None or self._ended.done()

    def _gone(self) -> Gone:
        reason = self._ended.result() if self._ended is not None and self._ended.done() else "not open"
        return Gone(f"{self._address.where}: {reason}")

    def _opened(self, _client: mqtt.Client, _data: Any, sock: _Sock) -> None:
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock, self._read)

    def _closed(self, _client: mqtt.Client, _data: Any, sock: _Sock) -> None:
        self._socket = None
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock)
        loop.remove_writer(sock)

    def _wants_to_write(self, _client: mqtt.Client, _data: Any, sock: _Sock) -> None:
        asyncio.get_running_loop().add_writer(sock, self._write)

    def _has_written(self, _client: mqtt.Client, _data: Any, sock: _Sock) -> None:
        asyncio.get_running_loop().remove_writer(sock)

    def _read(self) -> None:
        if self._client is None:
            return
        self._guarded(self._client.loop_read)
        # What TLS has taken from the socket and not yet given away does not make the socket readable again.
        while isinstance(self._socket, ssl.SSLSocket) and not self._is_over() and self._socket.pending():
            self._guarded(self._client.loop_read)

    def _write(self) -> None:
        if self._client is not None:
            self._guarded(self._client.loop_write)

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        if self._client is not None:
            self._guarded(self._client.loop_misc)

    def _guarded(self, step: Callable[[], MQTTErrorCode]) -> None:
        if self._is_over():
            return
        try:
            code = step()
        except (MQTTException, ValueError, IndexError, KeyError, struct.error, OSError) as exc:
            # What paho's readers raise on bytes that are no MQTT; its own connection is in an unknown state then.
            self.end(f"what the broker sent cannot be read: {type(exc).__name__}")
            return
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.end(mqtt.error_string(code))

    def _accepted(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            self.end(f"the broker refused the connection: {code}")
        elif self._connected is not None and not self._connected.done():
            self._identified = getattr(properties, "SubscriptionIdentifierAvailable", 1) == 1
            self._connected.set_result(None)

    def _subscribed(self, _client: mqtt.Client, _data: Any, mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        answer = self._asked.get(mid)
        if answer is None or answer.done():
            return
        if any(code.is_failure for code in codes):
            answer.set_exception(LinkLost(f"{self._address.where}: the broker refused a subscription: {codes[0]}"))
        else:
            answer.set_result(None)

    def _message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            origin = origin_of(message.topic, retained=message.retain)
        except UnicodeDecodeError:
            return
        payload = bytes(message.payload)
        if len(origin.encode()) > MAX_ORIGIN or len(payload) > MAX_PAYLOAD:
            return  # no device of ours has such a topic, and the broker was told the size
        envelope = Message(origin, payload).to_bytes()
        for inbox in self._meant(message.topic, getattr(message.properties, "SubscriptionIdentifier", ())):
            if len(inbox.waiting) >= MAX_WAITING:
                self.end("more messages than this box reads")
                return
            inbox.waiting.append(envelope)
            inbox.news.set()

    def _meant(self, topic: str, numbers: Iterable[int]) -> list[Inbox]:
        """Whose message this is: of several filters of one device that match, the first one counts."""
        given = frozenset(numbers)
        found = []
        for inbox in self._inboxes:
            first = next((wanted for wanted in inbox.filters if matches(wanted, topic)), None)
            if first is not None and (not given or self._numbers.get(first) in given):
                found.append(inbox)
        return found

    def _disconnected(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self.end(f"disconnected: {code}")
