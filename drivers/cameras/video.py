"""Still pictures of video: RTSP network cameras and V4L2 devices, through PyAV. One frame, then everything is closed.

FFmpeg's messages name the address with its password, so none of its exceptions is chained or quoted; its own words are.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image
from pydantic import AfterValidator, Field

from drivers.api import DeviceRefused, LinkLost, NoAnswer, Settings, WireFault
from drivers.cameras.api import Camera, CameraKind, Still, Surroundings
from drivers.cameras.login import DEFAULT_PORTS, LoginSettings, address_of, password, public
from drivers.cameras.pictures import MAX_PIXELS, encoded, still_of
from drivers.settings import own_settings

MAX_PACKETS = 2000
"""Packets looked at for one frame: 30 s of video with sound. Key frames come every 1 to 4 s, in bad settings every 10."""

MAX_LINE = 4096
"""Bytes of the first line of an answer; it has 40."""

JPEG_CODEC = "mjpeg"

RTSP_OPTIONS = {
    "rtsp_transport": "tcp",  # frames over UDP arrive with holes
    "protocol_whitelist": "rtsp,rtsps,tcp,tls",  # a camera that sends on must not make the box open a file or another protocol
    "max_delay": "500000",
    "analyzeduration": "500000",  # FFmpeg would watch 5 s of the stream first, for a frame rate that no still has
    "allowed_media_types": "video",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What to open and which of its frames is wanted. `shown` is the address without its login."""

    url: str
    shown: str
    timeout_s: float
    options: Mapping[str, str]
    form: str | None = None
    skip: int = 0
    """Frames to let pass first."""


class RtspSettings(LoginSettings):
    """A network camera that gives video."""

    address: Annotated[str, address_of("rtsp", "rtsps")] = Field(description="Where the stream is, as rtsp://camera/path.")


def _device_path(text: str) -> str:
    if not re.fullmatch(r"/dev/[A-Za-z0-9._:/+-]+", text) or ".." in text:
        raise ValueError("a path below /dev expected, best /dev/v4l/by-id/...")
    return text


class V4l2Settings(Settings):
    """A camera on this machine."""

    path: Annotated[str, AfterValidator(_device_path)] = Field(
        description="The capture device, best by /dev/v4l/by-id or by-path: /dev/video0 is an order of appearance."
    )
    width: int = Field(
        default=1920, ge=160, le=8000, description="Wanted width in pixels; the camera takes the nearest it has."
    )
    height: int = Field(default=1080, ge=120, le=8000, description="Wanted height in pixels.")
    format: Literal["mjpeg", "yuyv422"] = Field(
        default="mjpeg", description="What the camera sends: mjpeg for its full size, raw pictures where it has no other."
    )
    skip: int = Field(
        default=8, ge=0, le=60, description="Frames to let pass until exposure and white balance have settled: 5 to 10."
    )
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="Seconds for a whole picture.")


def grab(source: Source, clock: Callable[[], float] = time.monotonic) -> Still:
    """Open, take one frame, close. Blocks for `timeout_s` at most: call it in a thread. Raises as `Camera.take`."""
    until = clock() + source.timeout_s
    try:
        container = av.open(
            source.url, format=source.form, options=dict(source.options), timeout=(source.timeout_s, source.timeout_s)
        )
        with container:
            return _frame(container, source, lambda: until - clock())
    except av.FFmpegError as exc:
        if clock() >= until:  # FFmpeg calls a read that was ended by its time invalid data
            raise NoAnswer(f"{source.shown}: no picture in {source.timeout_s:g} s") from None
        # FFmpeg's exception holds the whole address: `from None` keeps it out of every traceback too.
        raise _as_ours(exc, source) from None
    except (ValueError, IndexError) as exc:
        raise WireFault(f"{source.shown}: {type(exc).__name__} in the stream") from None


def _frame(container: InputContainer, source: Source, left_s: Callable[[], float]) -> Still:
    if not container.streams.video:
        raise WireFault(f"{source.shown}: no video in the stream")
    stream = container.streams.video[0]
    passed = 0
    for number, packet in enumerate(container.demux(stream)):
        if left_s() <= 0:
            raise NoAnswer(f"{source.shown}: no picture in {source.timeout_s:g} s")
        if number >= MAX_PACKETS:
            raise WireFault(f"{source.shown}: no key frame in {MAX_PACKETS} packets")
        for still in _stills(packet, stream, source):
            if passed >= source.skip:
                return still()
            passed += 1
    raise LinkLost(f"{source.shown}: the stream ended without a picture")


def _stills(packet: "av.Packet[VideoStream]", stream: VideoStream, source: Source) -> list[Callable[[], Still]]:
    """The pictures in a packet, each made only when it is wanted."""
    if packet.is_corrupt or not packet.size:
        return []
    if stream.codec_context.name == JPEG_CODEC:
        # The camera made JPEG pictures itself: they are kept as it made them.
        return [lambda: _own_jpeg(packet, source)]
    return [lambda frame=frame: _encoded(frame, source) for frame in _whole(packet)]  # type: ignore[misc]


def _whole(packet: "av.Packet[VideoStream]") -> list[VideoFrame]:
    """Frames that need no other: what comes before the first key frame is grey with moving spots."""
    return [frame for frame in packet.decode() if frame.key_frame and not frame.is_corrupt]


def _own_jpeg(packet: "av.Packet[VideoStream]", source: Source) -> Still:
    try:
        return still_of(bytes(packet), source.shown)
    except WireFault:
        # USB cameras leave the tables out that every picture has in common; FFmpeg knows them.
        frames = packet.decode()
        if not frames:
            raise
        return _encoded(frames[0], source)


def _encoded(frame: VideoFrame, source: Source) -> Still:
    if frame.width * frame.height > MAX_PIXELS:
        raise WireFault(f"{source.shown}: a frame of {frame.width} x {frame.height} is too large")
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return encoded(image, source.shown)


def _as_ours(exc: av.FFmpegError, source: Source) -> Exception:
    words = f"{source.shown}: {exc.strerror or type(exc).__name__}"
    if isinstance(exc, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return DeviceRefused(words, code="401")
    if isinstance(exc, av.error.HTTPClientError | av.error.HTTPServerError):
        return DeviceRefused(words, code=type(exc).__name__.removesuffix("Error"))
    if isinstance(exc, av.error.ExitError | av.error.TimeoutError):
        return NoAnswer(f"{source.shown}: no picture in {source.timeout_s:g} s")
    if isinstance(exc, av.error.InvalidDataError):
        return WireFault(words)
    return LinkLost(words)


class RtspCamera:
    """The first key frame of a stream, after a word with the camera itself."""

    def __init__(self, settings: RtspSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings

    async def take(self) -> Still:
        settings = self._settings
        secret = password(settings, self._surroundings.environ)
        shown = public(settings.address)
        if settings.address.startswith("rtsp:"):
            await _ask_whether_it_stays(settings.address, shown, settings.timeout_s)
        # The caller may go away meanwhile; the thread ends by itself when its time is over.
        source = Source(_signed(settings, secret), shown, settings.timeout_s, RTSP_OPTIONS)
        return await asyncio.to_thread(grab, source)


async def _ask_whether_it_stays(address: str, shown: str, timeout_s: float) -> None:
    """Refuse a camera that sends on: FFmpeg goes wherever it is sent, and takes the sign-in along (RFC 2326, 10.8 and 11.3)."""
    parts = urlsplit(address)
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or DEFAULT_PORTS["rtsp"], limit=MAX_LINE)
            try:
                writer.write(f"DESCRIBE {address} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n".encode())
                answer = await reader.readuntil(b"\n")
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise NoAnswer(f"{shown}: no answer in {timeout_s:g} s") from None
    except (OSError, asyncio.IncompleteReadError) as exc:
        raise LinkLost(f"{shown}: {exc.strerror if isinstance(exc, OSError) else 'closed without an answer'}") from None
    except asyncio.LimitOverrunError:
        raise WireFault(f"{shown}: no RTSP is spoken there") from None
    version, _, status = answer.decode("latin-1").partition(" ")
    if not version.startswith("RTSP/"):
        raise WireFault(f"{shown}: no RTSP is spoken there")
    if status.startswith("3"):
        raise DeviceRefused(f"{shown} sends on to another address", code="redirect")


def _signed(settings: RtspSettings, secret: str) -> str:
    if not settings.user:
        return settings.address
    parts = urlsplit(settings.address)
    login = f"{quote(settings.user, safe='')}:{quote(secret, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


class V4l2Camera:
    """A frame of a camera on this machine. It is opened for each picture, so that no old frame waits in its buffers."""

    def __init__(self, settings: V4l2Settings) -> None:
        self._settings = settings

    async def take(self) -> Still:
        settings = self._settings
        options = {"video_size": f"{settings.width}x{settings.height}", "input_format": settings.format}
        source = Source(settings.path, settings.path, settings.timeout_s, options, "v4l2", settings.skip)
        return await asyncio.to_thread(grab, source)


def _make_rtsp(settings: Settings, surroundings: Surroundings) -> Camera:
    return RtspCamera(own_settings(RtspSettings, settings), surroundings)


def _make_v4l2(settings: Settings, _surroundings: Surroundings) -> Camera:
    return V4l2Camera(own_settings(V4l2Settings, settings))


RTSP = CameraKind(
    name="rtsp",
    title="Camera with an RTSP stream",
    settings=RtspSettings,
    make=_make_rtsp,
    models=("Network cameras and recorders that speak RTSP with H.264, H.265 or MJPEG",),
    sources=("RFC 2326, RFC 7826 (RTSP)", "FFmpeg, Protocols: rtsp"),
    notes=(
        "One key frame takes 1 to 3 s; a snapshot address, where the camera has one, is quicker and gives its own picture.",
        "The frame is encoded by the box, and its record says so, unless the stream is MJPEG.",
        "rtsps:// is encrypted, but nobody checks whose certificate the camera shows: use it on a network of your own.",
    ),
)

V4L2 = CameraKind(
    name="v4l2",
    title="USB camera on the box",
    settings=V4l2Settings,
    make=_make_v4l2,
    models=("UVC cameras",),
    sources=("Linux kernel, V4L2 documentation", "USB Device Class Definition for Video Devices 1.5"),
    notes=(
        "One camera makes two devices, of which one gives pictures: the one for which v4l2-ctl --list-formats-ext has formats.",
        "Two cameras on one USB 2 hub exhaust its bandwidth; cameras on the Raspberry Pi's ribbon cable need libcamera.",
        "For labels set focus and exposure by hand (v4l2-ctl): a camera that looks for its focus takes blurred pictures.",
    ),
)
