"""Cameras over HTTP on real sockets: the simulated one with every kind and trouble, and hostile ones."""

import asyncio
import hashlib
import io
import logging
import shutil
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from drivers.api import DeviceRefused, DriverError, LinkLost, NoAnswer, WireFault
from drivers.cameras import fetching
from drivers.cameras.api import Still
from drivers.cameras.codes import codes_in
from drivers.cameras.offered import make_camera
from drivers.cameras.pictures import opened
from firmware_sim.config import make_site
from firmware_sim.errors import ActionRefused
from firmware_sim.site import Site, SiteDevice, run_site
from tests.integration.camera_servers import SECRET, SURROUNDINGS, answering, server, taking

PATHS = {"http": "/picture.jpg", "mjpeg": "/stream.mjpg", "onvif": "/onvif/device_service"}


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


NO_ADDRESS = [
    "http://[bad/x",
    "//[::1",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-5/",
    "http://127.0.0.1:abc/x",
    "/" + "a" * 65_537,
    "/\x01",
]


@pytest.mark.parametrize("where", NO_ADDRESS)
async def test_camera_that_sends_on_to_what_is_no_address_gives_no_picture(where: str) -> None:
    serve, _ = answering(f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {where}\r\n\r\n".encode("latin-1"))
    async with server(serve) as at:
        with pytest.raises(WireFault, match="address"):
            await taking(f"http://{at}/")


@pytest.mark.parametrize("where", [one for one in NO_ADDRESS if one.startswith("http") or len(one) > 100])
async def test_onvif_camera_that_names_no_address_gives_no_picture(where: str) -> None:
    media, schema = "http://www.onvif.org/ver10/media/wsdl", "http://www.onvif.org/ver10/schema"
    body = (
        f'<GetProfilesResponse xmlns="{media}"><Profiles token="a"/></GetProfilesResponse>'
        f'<GetSnapshotUriResponse xmlns="{media}">'
        f'<MediaUri><Uri xmlns="{schema}">{where}</Uri></MediaUri></GetSnapshotUriResponse>'
    )
    text = f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{body}</s:Body></s:Envelope>'

    async def with_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0))
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
            await writer.drain()

    async with server(with_body) as at:
        with pytest.raises(WireFault, match="address"):
            await taking(f"http://{at}/onvif/device_service", "onvif")
