"""Cameras that give video: a real RTSP server, hostile ones, films as a USB camera would send them."""

import asyncio
import io
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from PIL import Image

from drivers.api import DeviceRefused, DriverError, LinkLost, NoAnswer, WireFault
from drivers.cameras import video
from drivers.cameras.api import Still
from drivers.cameras.offered import make_camera
from drivers.cameras.pictures import opened
from drivers.cameras.video import Source, grab
from tests.integration.camera_servers import SECRET, SURROUNDINGS, answering, server, taking

SYSTEM_PYTHON = Path("/usr/bin/python3")


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


def movie(path: Path, codec: str, frames: int, form: str, gop_size: int = 1) -> Path:
    """A film whose frames get brighter."""
    with av.open(str(path), "w", format=form) as out:
        # Without this every frame of another brightness would be taken for a new scene, and made a key frame.
        stream = out.add_stream(codec, rate=10, options={"sc_threshold": "1000000000"})
        stream.width, stream.height = 320, 240
        stream.codec_context.gop_size = gop_size
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


def test_frames_before_the_first_key_frame_are_let_pass(tmp_path: Path) -> None:
    whole, cut = movie(tmp_path / "whole.ts", "mpeg4", 12, "mpegts", gop_size=6), tmp_path / "cut.ts"
    with av.open(str(whole)) as film, av.open(str(cut), "w", format="mpegts") as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(film.demux(video=0)):
            if number >= 2 and packet.size:
                packet.stream = stream
                out.mux(packet)
    still = grab(Source(str(cut), "film", 10, {}))
    # Frame 6 is the next that needs no other.
    assert abs(shade(still) - 120) < 8
    assert still.encoded_here


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
