"""The camera's web server on a TCP port: requests in, answers and streams of pictures out. No tasks, so nothing outlives it."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from firmware_sim.camera import MOVED, SNAPSHOT, STREAM, Camera, Trouble
from firmware_sim.camera_onvif import DEVICE_SERVICE, MEDIA_SERVICE, OnvifService
from firmware_sim.camera_signin import SignIn
from firmware_sim.errors import ActionRefused, WireTaken
from firmware_sim.faults import LineFaults
from firmware_sim.plugged import Clock

MAX_REQUEST: Final = 64 * 1024
"""Bytes of one request with its body: an ONVIF call has 2 kB."""

_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 500: "Error", 503: "Busy"}

INSIDE: Final = "http://192.0.2.64"
"""The address the camera believes to have: one of a documentation network (RFC 5737), which leads nowhere."""


class CameraPlug:
    """A camera on its network socket (`firmware_sim.plugged.Plug`)."""

    def __init__(self, camera: Camera, host: str, port: int, clock: Clock, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self.camera = camera
        self.onvif = OnvifService(camera.options, INSIDE)
        self.sign_in = SignIn(camera.options, secrets.token_hex(16))
        self.clock = clock
        self.wall_ns = wall_ns
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    @property
    def address(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def is_plugged(self) -> bool:
        return self._server is not None

    async def start(self) -> None:
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self, self._open), self._host, self._port)
        except OSError as exc:
            raise WireTaken(f"{self._host}:{self._port} cannot be listened on: {exc.strerror or exc}") from exc
        self._port = self._server.sockets[0].getsockname()[1]

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def close(self) -> None:
        self.unplug()

    def unplug(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in [*self._open]:
            connection.abort()

    async def replug(self) -> None:
        await self.start()

    def say(self, data: bytes) -> None:
        """Cameras say nothing unasked."""

    def set_faults(self, faults: LineFaults) -> None:
        if faults != LineFaults():
            raise ActionRefused("a camera's faults are its keys: silent, cut, garbage, refusing")


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, plug: CameraPlug, among: set["_Connection"]) -> None:
        self._plug = plug
        self._camera = plug.camera
        self._among = among
        self._heard = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._sent = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._among.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why the client left makes no difference
        self._among.discard(self)
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if len(self._heard) > MAX_REQUEST:
            self.abort()
            return
        while (request := self._request()) is not None and self._timer is None:
            self._answer(*request)

    def _request(self) -> tuple[str, str, Mapping[str, str], bytes] | None:
        """The next whole request: method, target, headers by lower-case name, body."""
        head, found, rest = bytes(self._heard).partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length", "0")
        size = int(length) if length.isdigit() else 0
        if len(rest) < size:
            return None
        self._heard = bytearray(rest[size:])
        method, _, target = first.partition(" ")
        return method, target.rpartition(" ")[0], headers, rest[:size]

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        camera, path = self._camera, target.partition("?")[0]
        if camera.trouble is Trouble.SILENT:
            return
        if camera.booting(self._plug.clock()):
            self._send(503, b"starting")
        elif camera.trouble is Trouble.REFUSING:
            self._send(500, b"out of order")
        elif method == "POST" and path in {DEVICE_SERVICE, MEDIA_SERVICE}:
            status, answer = self._plug.onvif.answer(body, self._plug.wall_ns())
            self._send(status, answer, {"content-type": "application/soap+xml; charset=utf-8"})
        elif not self._plug.sign_in.lets_in(method, target, headers.get("authorization", "")):
            self._send(401, b"sign in", {"www-authenticate": self._plug.sign_in.challenge()})
        elif path == SNAPSHOT:
            self._picture()
        elif path == STREAM:
            self._stream()
        elif path == MOVED:
            self._send(302, b"", {"location": SNAPSHOT})
        else:
            self._send(404, b"not here")

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        lines = {"content-length": str(len(body)), "content-type": "text/plain"} | dict(headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._write(f"HTTP/1.1 {status} {_REASONS[status]}\r\n{head}\r\n".encode("latin-1") + body)

    def _picture(self) -> None:
        shot = self._camera.shoot()
        if self._camera.trouble is not Trouble.CUT:
            self._send(200, shot, {"content-type": "image/jpeg"})
            return
        self._write(f"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: {len(shot)}\r\n\r\n".encode())
        self._write(shot[: len(shot) // 2])
        if self._transport is not None:
            self._transport.close()

    def _stream(self) -> None:
        boundary = self._camera.options.boundary
        kind = f"multipart/x-mixed-replace; boundary={boundary}"
        self._write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode())
        self._next_part()

    def _next_part(self) -> None:
        camera = self._camera
        shot = camera.shoot(warm=self._sent)
        length = f"Content-Length: {len(shot)}\r\n" if camera.options.lengths else ""
        line = camera.options.boundary if camera.options.boundary.startswith("--") else f"--{camera.options.boundary}"
        self._write(f"{line}\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode())
        if camera.trouble is Trouble.CUT:
            self._write(shot[: len(shot) // 2])
            if self._transport is not None:
                self._transport.close()
            return
        self._write(shot + b"\r\n")
        self._sent += 1
        self._timer = asyncio.get_running_loop().call_later(camera.options.frame_s, self._next_part)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
