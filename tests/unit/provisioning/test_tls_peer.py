"""A real uvicorn on 127.0.0.1: the right certificate reaches the application, a wrong one reaches nothing."""

import asyncio
import shutil
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.box_identity import Identity
from provisioning.ca import Authority, init_authority
from provisioning.enroll import ServerFiles, enroll, enroll_server
from provisioning.tls import client_ssl_context

BOX = "01J8Z3K4M5N6P7Q8R9S0T1V2W3"


class Listening(Protocol):
    port: int
    peers: list[object]


Serve = Callable[..., AbstractAsyncContextManager[Listening]]


async def get(port: int, context: ssl.SSLContext, *, times: int = 1, name: str | None = None) -> None:
    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=20) as client:
        for _ in range(times):
            extensions = {"sni_hostname": name} if name else {}
            answer = await client.get(f"https://127.0.0.1:{port}/", extensions=extensions)
            assert answer.text == "in"


async def test_application_sees_the_certificate_of_each_request(serve: Serve, server: ServerFiles, box: Identity) -> None:
    async with serve(server) as seen:
        await get(seen.port, box.client_ssl_context(), times=3)
    assert seen.peers == [{"client_cert_der": box.certificate.public_bytes(Encoding.DER)}] * 3


async def test_two_boxes_at_once_are_told_apart(
    serve: Serve, server: ServerFiles, box: Identity, authority: Authority, tmp_path: Path, now: datetime
) -> None:
    other = enroll(tmp_path / "other", authority, box_id="01J8Z3K4M5N6P7Q8R9S0T1V2W4", tenant="t-9", now=now)
    async with serve(server) as seen, asyncio.TaskGroup() as group:
        for identity in [box, other] * 5:
            group.create_task(get(seen.port, identity.client_ssl_context(), times=2))
        seen_from = seen
    expected = [{"client_cert_der": identity.certificate.public_bytes(Encoding.DER)} for identity in (box, other)]
    assert [seen_from.peers.count(peer) for peer in expected] == [10, 10]
    assert len(seen_from.peers) == 20


async def test_client_without_certificate_is_seen_as_nobody_where_allowed(serve: Serve, server: ServerFiles) -> None:
    async with serve(server, require_client=False) as seen:
        await get(seen.port, ssl.create_default_context(cafile=server.ca))
    assert seen.peers == [{"client_cert_der": None}]


async def test_plain_http_has_no_tls_extension(serve: Serve) -> None:
    async with serve(None) as seen, httpx.AsyncClient(trust_env=False, timeout=20) as client:
        headers = {"x-client-cert": "forged", "x-forwarded-client-cert": "forged"}
        assert (await client.get(f"http://127.0.0.1:{seen.port}/", headers=headers)).text == "in"
    assert seen.peers == [None]


@pytest.fixture
def strangers(
    tmp_path: Path, server: ServerFiles, authority: Authority, foreign: Authority, now: datetime
) -> dict[str, ssl.SSLContext]:
    """Clients that trust the server and are not to be trusted."""
    from_foreign = enroll(tmp_path / "stranger", foreign, box_id=BOX, tenant="t-9", now=now)
    return {
        "no certificate": ssl.create_default_context(cafile=server.ca),
        "foreign root": client_ssl_context(
            ca=server.ca, certificate=from_foreign.certificate_path, key=from_foreign.directory / "box.key"
        ),
        "server certificate": client_ssl_context(ca=server.ca, certificate=server.certificate, key=server.key),
    }


@pytest.mark.parametrize("who", ["no certificate", "foreign root", "server certificate"])
async def test_stranger_never_reaches_the_application(
    serve: Serve, server: ServerFiles, strangers: dict[str, ssl.SSLContext], who: str
) -> None:
    async with serve(server) as seen:
        with pytest.raises(httpx.TransportError):
            await get(seen.port, strangers[who])
    assert seen.peers == []


async def test_expired_box_never_reaches_the_application(serve: Serve, tmp_path: Path, now: datetime) -> None:
    aged = init_authority(tmp_path / "aged", name="Old root", now=now - timedelta(days=730))
    files = enroll_server(tmp_path / "aged-server", aged, names=["127.0.0.1"], now=now)
    expired = enroll(tmp_path / "aged-box", aged, box_id=BOX, tenant="t-9", now=now - timedelta(days=91))
    async with serve(files) as seen:
        with pytest.raises(httpx.TransportError):
            await get(seen.port, expired.client_ssl_context())
        fresh = enroll(tmp_path / "aged-box", aged, box_id=BOX, tenant="t-9", now=now)
        await get(seen.port, fresh.client_ssl_context())
    assert seen.peers == [{"client_cert_der": fresh.certificate.public_bytes(Encoding.DER)}]


async def test_box_refuses_a_server_of_another_name(serve: Serve, server: ServerFiles, box: Identity) -> None:
    async with serve(server) as seen:
        with pytest.raises(httpx.ConnectError, match=r"(?i)mismatch|not valid for"):
            await get(seen.port, box.client_ssl_context(), name="cloud.example")
    assert seen.peers == []


async def test_box_refuses_a_server_of_another_root(
    serve: Serve, foreign: Authority, box: Identity, tmp_path: Path, now: datetime
) -> None:
    files = enroll_server(tmp_path / "impostor", foreign, names=["127.0.0.1"], now=now)
    async with serve(files, require_client=False) as seen:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await get(seen.port, box.client_ssl_context())
    assert seen.peers == []


async def s_client(port: int, box: Identity, *options: str) -> str:
    """What openssl's own client says; an independent reading of the same handshake."""
    request = b"GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n"
    process = await asyncio.create_subprocess_exec(
        "openssl",
        *("s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(box.directory / "ca.crt"), "-verify_return_error"),
        *("-verify_ip", "127.0.0.1", "-ign_eof", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(request), 30)
    return output.decode(errors="replace")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
@pytest.mark.parametrize(
    ("options", "gets_in"),
    [
        (["-tls1_3"], True),
        (["-tls1_2"], True),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], True),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], True),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], False),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], False),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM"], False),
        (["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], False),
        (["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
async def test_openssl_gets_in_only_with_strong_tls(
    serve: Serve, server: ServerFiles, box: Identity, options: list[str], gets_in: bool
) -> None:
    certificate = ["-cert", str(box.certificate_path), "-key", str(box.directory / "box.key")]
    async with serve(server) as seen:
        said = await s_client(seen.port, box, *certificate, *options)
    assert (len(seen.peers) == 1) == gets_in, said
    assert ("HTTP/1.1 200" in said) == gets_in, said


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
async def test_openssl_without_certificate_stays_out(serve: Serve, server: ServerFiles, box: Identity) -> None:
    async with serve(server) as seen:
        said = await s_client(seen.port, box)
    assert seen.peers == []
    assert "HTTP/1.1" not in said
