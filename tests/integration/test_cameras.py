"""Cameras on real sockets: the simulated one with every kind and trouble, a hostile one, an RTSP server, a video file."""

import asyncio
import hashlib
import io
import logging
import shutil
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from drivers.api import DeviceRefused, DriverError, LinkLost, NoAnswer, WireFault
from drivers.cameras import fetching, video
from drivers.cameras.api import Still, Surroundings
from drivers.cameras.codes import codes_in
from drivers.cameras.offered import make_camera
from drivers.cameras.pictures import opened
from drivers.cameras.video import Source, grab
from firmware_sim.config import make_site
from firmware_sim.errors import ActionRefused
from firmware_sim.site import Site, SiteDevice, run_site

SECRET = "ge:h@im/1"
SURROUNDINGS = Surroundings(environ={"CAM": SECRET, "WRONG": "another"})
PATHS = {"http": "/picture.jpg", "mjpeg": "/stream.mjpg", "onvif": "/onvif/device_service"}
SYSTEM_PYTHON = Path("/usr/bin/python3")


@asynccontextmanager
async def camera(tmp_path: Path, **options: object) -> AsyncIterator[SiteDevice]:
    site = {
        "title": "t",
        "devices": [{"name": "cam", "kind": "camera", "tcp": 0, "options": {"width": 640, "height": 480} | options}],
    }
    async with run_site(make_site(site), directory=tmp_path) as running:
        assert isinstance(running, Site)
        yield running.device("cam")


async def take(device: SiteDevice, kind: str, *, path: str | None = None, timeout_s: float = 10.0, **settings: object) -> Still:
    login = {"user": "viewer", "password_env": "CAM"} | settings
    address = f"{device.address}{path or PATHS[kind]}"
    return await make_camera(kind, {"address": address, "timeout_s": timeout_s} | login, SURROUNDINGS).take()


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("auth", ["digest", "digest-sha256", "basic"])
async def test_every_kind_signs_in_and_brings_the_picture(tmp_path: Path, kind: str, auth: str) -> None:
    async with camera(tmp_path, user="viewer", password=SECRET, auth=auth) as device:
        still = await take(device, kind, auth="basic" if auth == "basic" else "digest")
        assert (still.width, still.height, still.media) == (640, 480, "image/jpeg")
        assert still.sha256 == hashlib.sha256(still.picture).hexdigest()
        assert still.taken_from.startswith(device.address)
        assert [code.value for code in codes_in(opened(still.picture), still.sha256)] == ["7290000000015"]
        again = await take(device, kind, auth="basic" if auth == "basic" else "digest")
        assert again.sha256 != still.sha256


@pytest.mark.parametrize("kind", PATHS)
async def test_wrong_password_is_a_refusal_and_is_not_repeated_anywhere(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with camera(tmp_path, user="viewer", password=SECRET) as device:
        with pytest.raises(DeviceRefused) as caught:
            await take(device, kind, password_env="WRONG", path=f"{PATHS[kind]}?pwd={{password}}")
        assert caught.value.code == ("NotAuthorized" if kind == "onvif" else "401")
        await take(device, kind, path=f"{PATHS[kind]}?pwd={{password}}")
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "another" not in told
    assert "im%2F1" not in told


async def test_basic_is_not_sent_to_a_camera_that_asks_for_it_unless_it_was_said(tmp_path: Path) -> None:
    async with camera(tmp_path, user="viewer", password=SECRET, auth="basic") as device:
        with pytest.raises(DeviceRefused):
            await take(device, "http")


@pytest.mark.parametrize("ahead_s", [0.0, -86_400.0 * 400, 3600.0])
async def test_wrong_clock_of_an_onvif_camera_does_not_keep_the_box_out(tmp_path: Path, ahead_s: float) -> None:
    async with camera(tmp_path, user="viewer", password=SECRET, clock_ahead_s=ahead_s) as device:
        assert (await take(device, "onvif", profile="Profile_2")).width == 640
        with pytest.raises(DriverError, match="profile"):
            await take(device, "onvif", profile="Profile_9")


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("boundary", ["frame", "--frame"])
async def test_stream_is_read_however_its_parts_are_marked(tmp_path: Path, boundary: str, lengths: bool) -> None:
    async with camera(tmp_path, boundary=boundary, lengths=lengths, frame_s=0.02) as device:
        first, settled = await take(device, "mjpeg", user="", password_env=None), None
        settled = await take(device, "mjpeg", user="", password_env=None, skip=4)

        def light(still: Still) -> int:
            return sum(opened(still.picture).convert("L").resize((1, 1)).tobytes())

        assert light(settled) > 2 * light(first)


TROUBLES = [
    ("unplugged", LinkLost, LinkLost),
    ("cut", LinkLost, WireFault),
    ("silent", NoAnswer, NoAnswer),
    ("garbage", WireFault, WireFault),
    ("refusing", DeviceRefused, DeviceRefused),
    ("booting", DeviceRefused, DeviceRefused),
]


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(("trouble", "fault", "fault_of_stream"), TROUBLES)
async def test_trouble_has_its_own_fault_and_passes(
    tmp_path: Path, kind: str, trouble: str, fault: type[DriverError], fault_of_stream: type[DriverError]
) -> None:
    async with camera(tmp_path, boot_s=0.2) as device:
        if trouble == "unplugged":
            await device.unplug()
        elif trouble == "booting":
            await device.power_cycle()
        else:
            await device.press(trouble)
        with pytest.raises(fault_of_stream if kind == "mjpeg" else fault):
            await take(device, kind, user="", password_env=None, timeout_s=0.4 if trouble == "silent" else 10)
        if trouble == "booting":
            await asyncio.sleep(0.25)
        await device.replug()
        await device.press("well")
        assert (await take(device, kind, user="", password_env=None)).width == 640


async def test_page_that_sends_to_its_picture_is_followed_within_the_camera(tmp_path: Path) -> None:
    async with camera(tmp_path, user="viewer", password=SECRET) as device:
        assert (await take(device, "http", path="/")).width == 640


async def test_simulated_camera_says_what_it_cannot(tmp_path: Path) -> None:
    async with camera(tmp_path) as device:
        for request in (
            {"action": "put", "grams": "5"},
            {"action": "press", "key": "dance"},
            {"action": "scan", "text": "no digits", "symbology_id": "]E0"},
            {"action": "scan", "text": "x", "symbology_id": "]A0"},
            {"action": "scan", "text": "0107290", "symbology_id": "]C1"},
        ):
            with pytest.raises(ActionRefused):
                await device.act(request)
        await device.act({"action": "no_read"})
        still = await take(device, "http", user="", password_env=None)
        assert codes_in(opened(still.picture), still.sha256) == []
        assert (await device.state())["taken"] == 1


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """A server that does what the test says; gives host:port."""
    busy: set[asyncio.Task[Any]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the box closes what it no longer wants
        finally:
            busy.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in [*busy]:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


def answering(answer: bytes) -> tuple[Serve, list[bytes]]:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()

    return serve, heard


async def taking(address: str, kind: str = "http", **settings: object) -> Still:
    login = {"user": "viewer", "password_env": "CAM", "timeout_s": 5} | settings
    return await make_camera(kind, {"address": address} | login, SURROUNDINGS).take()


@pytest.mark.parametrize("code", [301, 302, 307])
async def test_camera_that_sends_to_another_host_is_refused_and_that_host_hears_nothing(code: int) -> None:
    other, heard_there = answering(b"")
    async with server(other) as there:
        port = there.rpartition(":")[2]
        serve, heard = answering(
            f"HTTP/1.1 {code} x\r\nlocation: http://127.0.0.2:{port}/p\r\ncontent-length: 0\r\n\r\n".encode()
        )
        async with server(serve) as here:
            with pytest.raises(DeviceRefused, match="another host") as caught:
                await taking(f"http://{here}/p")
    assert caught.value.code == "redirect"
    assert (len(heard), heard_there) == (1, [])


async def test_camera_that_sends_on_in_a_circle_ends() -> None:
    serve, heard = answering(b"HTTP/1.1 302 x\r\nlocation: /p\r\ncontent-length: 0\r\n\r\n")
    async with server(serve) as here:
        with pytest.raises(WireFault, match="circle"):
            await taking(f"http://{here}/p")
    assert len(heard) == fetching.MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="x", nonce="y", qop="auth-int"',
        'Digest realm="x", nonce="y", qop="auth", algorithm=SHA-512-256',
        "Digest nonsense",
        'Digest realm="x"',
        "Negotiate",
    ],
)
async def test_sign_in_that_is_not_known_is_a_refusal(challenge: str) -> None:
    serve, _ = answering(f"HTTP/1.1 401 x\r\nwww-authenticate: {challenge}\r\ncontent-length: 0\r\n\r\n".encode())
    async with server(serve) as here:
        with pytest.raises((DeviceRefused, LinkLost)):
            await taking(f"http://{here}/p")


async def test_answer_without_an_end_is_cut_off_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\n\r\n")
        while True:
            writer.write(bytes(256 * 1024))
            sent += 256 * 1024
            await writer.drain()

    async with server(serve) as here:
        with pytest.raises(WireFault, match="more than"):
            await taking(f"http://{here}/p", timeout_s=30)
    assert sent < 3 * fetching.MAX_PICTURE


async def test_refusal_without_an_end_is_not_read_to_its_end() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        challenge = b"" if b"authorization" in head.lower() else b'www-authenticate: Digest realm="x", nonce="y"\r\n'
        writer.write(b"HTTP/1.1 401 no\r\n" + challenge + b"\r\n")
        while True:
            writer.write(bytes(64 * 1024))
            await writer.drain()

    async with server(serve) as here:
        with pytest.raises(DeviceRefused):
            await taking(f"http://{here}/p")


@pytest.mark.parametrize("kind", ["http", "mjpeg"])
async def test_drip_of_bytes_ends_with_the_whole_time(kind: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: multipart/x-mixed-replace; boundary=b\r\n\r\n")
        while True:
            writer.write(b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with server(serve) as here:
        with pytest.raises(NoAnswer):
            await taking(f"http://{here}/p", kind, timeout_s=0.3)


async def test_packed_answer_is_refused() -> None:
    serve, heard = answering(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc")
    async with server(serve) as here:
        with pytest.raises(WireFault, match="packed"):
            await taking(f"http://{here}/p")
    assert b"accept-encoding: identity" in heard[0].lower()


async def test_onvif_answer_with_a_document_type_is_refused() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    serve, _ = answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb)
    async with server(serve) as here:
        with pytest.raises(WireFault, match="document type"):
            await taking(f"http://{here}/onvif/device_service", "onvif")


# --- video ---


@pytest.fixture(scope="module")
def rtsp() -> Iterator[str]:
    """A real RTSP server with Digest sign-in; skips where Debian's is not installed."""
    wanted = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); gi.require_version('Gst', '1.0'); from gi.repository import Gst"
    )
    has = "Gst.init(None); assert all(map(Gst.ElementFactory.find, ('openh264enc', 'jpegenc', 'rtph264pay', 'videotestsrc')))"
    if (
        not SYSTEM_PYTHON.exists()
        or subprocess.run([SYSTEM_PYTHON, "-c", f"{wanted}; {has}"], capture_output=True, check=False).returncode
    ):
        pytest.skip(
            "GStreamer's RTSP server is not installed: apt-get install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-bad"
        )
    script = Path(__file__).with_name("rtsp_server.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([SYSTEM_PYTHON, script, "viewer", SECRET], **pipes) as process:  # type: ignore[call-overload]
        port = int(process.stdout.readline())
        yield f"rtsp://127.0.0.1:{port}"
        process.stdin.close()
        process.wait(20)


@pytest.mark.parametrize(("path", "encoded_here"), [("/h264", True), ("/mjpeg", False)])
async def test_rtsp_camera_gives_a_key_frame(rtsp: str, path: str, encoded_here: bool) -> None:
    still = await taking(f"{rtsp}{path}", "rtsp", timeout_s=20)
    assert (still.width, still.height, still.media) == (640, 480, "image/jpeg")
    assert still.encoded_here is encoded_here
    assert still.taken_from == f"{rtsp}{path}"
    # The test card has its colours: a frame that lacks the one before it is grey.
    assert len(opened(still.picture).convert("RGB").resize((7, 1)).getcolors()) == 7


async def test_rtsp_camera_refuses_a_wrong_password_and_nobody_learns_it(rtsp: str) -> None:
    with pytest.raises(DeviceRefused) as caught:
        await taking(f"{rtsp}/h264", "rtsp", password_env="WRONG")
    assert caught.value.code == "401"
    assert "another" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(DeviceRefused):
        await taking(f"{rtsp}/not-there", "rtsp")


async def test_rtsp_camera_that_sends_on_is_refused_before_it_learns_the_sign_in() -> None:
    serve, heard = answering(b"RTSP/1.0 302 x\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.2:1/x\r\n\r\n")
    async with server(serve) as here:
        with pytest.raises(DeviceRefused, match="another address"):
            await taking(f"rtsp://{here}/x", "rtsp")
    assert len(heard) == 1
    assert b"viewer" not in heard[0]


@pytest.mark.parametrize(
    ("answer", "fault"), [(b"", NoAnswer), (b"HTTP/1.1 200 OK\r\n\r\n", WireFault), (b"x" * 5000, WireFault)]
)
async def test_what_speaks_no_rtsp_is_told_apart(answer: bytes, fault: type[DriverError]) -> None:
    serve, _ = answering(answer)
    async with server(serve) as here:
        with pytest.raises(fault):
            await taking(f"rtsp://{here}/x", "rtsp", timeout_s=0.5)
    with pytest.raises(LinkLost):
        await taking("rtsp://127.0.0.1:1/x", "rtsp")


async def test_rtsp_camera_that_falls_silent_ends_within_its_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"DESCRIBE"):
            writer.write(b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n")
        await reader.read()

    async with server(serve) as here:
        with pytest.raises(NoAnswer):
            await taking(f"rtsp://{here}/x", "rtsp", timeout_s=0.5)


def movie(path: Path, codec: str, frames: int, form: str) -> Path:
    """A film whose frames get brighter."""
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=10)
        stream.width, stream.height = 320, 240
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(frames):
            shade = Image.new("RGB", (320, 240), (20 * number, 20 * number, 20 * number))
            for packet in stream.encode(av.VideoFrame.from_image(shade)):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


def shade(still: Still) -> int:
    return opened(still.picture).convert("L").getpixel((100, 100))


def test_first_frames_are_let_pass_and_the_cameras_own_picture_is_kept(tmp_path: Path) -> None:
    path = movie(tmp_path / "film.avi", "mjpeg", 12, "avi")
    still = grab(Source(str(path), "film", 10, {}, skip=8))
    assert abs(shade(still) - 160) < 8
    assert not still.encoded_here
    with av.open(str(path)) as film:
        packets = [bytes(packet) for packet in film.demux(video=0) if packet.size]
    assert still.picture == packets[8]


def test_video_without_enough_frames_is_a_loss(tmp_path: Path) -> None:
    path = movie(tmp_path / "film.avi", "mjpeg", 3, "avi")
    with pytest.raises(LinkLost, match="ended"):
        grab(Source(str(path), "film", 10, {}, skip=8))


def test_endless_video_without_a_key_frame_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "MAX_PACKETS", 5)
    path = movie(tmp_path / "film.avi", "mjpeg", 12, "avi")
    with pytest.raises(WireFault, match="no key frame"):
        grab(Source(str(path), "film", 10, {}, skip=8))
    hours = iter(range(0, 100_000, 100))
    with pytest.raises(NoAnswer):
        grab(Source(str(path), "film", 10, {}, skip=8), clock=lambda: float(next(hours)))


def test_bytes_that_are_no_video_are_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    path.write_bytes(b"no film" * 1000)
    with pytest.raises(WireFault):
        grab(Source(str(path), "film", 10, {}))


async def test_usb_camera_that_is_not_there_is_a_loss() -> None:
    with pytest.raises(LinkLost, match="/dev/v4l/by-id/none"):
        await make_camera("v4l2", {"path": "/dev/v4l/by-id/none"}, SURROUNDINGS).take()


@pytest.mark.parametrize("node", ["/dev/video0"])
async def test_usb_camera_that_is_there_gives_a_picture(node: str) -> None:
    if not Path(node).exists():  # noqa: ASYNC240 - a look at a name
        pytest.skip(f"there is no {node} on this machine")
    still = await make_camera("v4l2", {"path": node}, SURROUNDINGS).take()
    assert Image.open(io.BytesIO(still.picture)).size == (still.width, still.height)


async def test_camera_over_https_is_trusted_by_its_own_certificate_alone(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")

    pem = tmp_path / "cam.pem"
    making = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=factory",
        "-keyout",
        pem,
        "-out",
        tmp_path / "c.pem",
    ]
    await asyncio.to_thread(subprocess.run, making, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", pem)
    picture = io.BytesIO()
    Image.new("RGB", (32, 24)).save(picture, "JPEG")
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(picture.getvalue()) + picture.getvalue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        address = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/p"
        still = await taking(address, user="", password_env=None, certificate_file=str(tmp_path / "c.pem"))
        assert still.picture == picture.getvalue()
        with pytest.raises(LinkLost):
            await taking(address, user="", password_env=None)
    finally:
        listening.close()
