"""The HTTPS binding against a real server: whatever is not an answer of the cloud is CloudAway, and costs no memory."""

import asyncio
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edge.uplink.binding import CloudAway
from edge.uplink.cloud import MAX_ANSWER
from provisioning.ca import init_authority
from sync_protocol.answers import Ack, Refused
from sync_protocol.commands import Command
from sync_protocol.mirror import checksum

ACK = {"run": "0" * 32, "acked": 1, "hash": "0" * 64, "gen": 0, "srv_time": "2026-05-01T10:00:00Z"}
PATCH = {"from": "", "cookie": "1", "patch": [], "sum": checksum([]), "more": False}

App = Callable[..., Awaitable[None]]


async def body_of(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event.get("body", b""), event.get("more_body", False)
    return body


def says(content: bytes | str | object, status: int = 200, headers: dict[str, str] | None = None) -> App:
    data = content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content)).encode()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": data})

    return app


async def cuts_off(_scope: Any, receive: Any, send: Any) -> None:
    await body_of(receive)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
    await send({"type": "http.response.body", "body": json.dumps(ACK).encode()[:40], "more_body": True})
    raise ConnectionAbortedError


async def says_nothing(_scope: Any, receive: Any, _send: Any) -> None:
    await body_of(receive)
    while (await receive())["type"] != "http.disconnect":
        pass


async def trickles(_scope: Any, receive: Any, send: Any) -> None:
    await body_of(receive)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(0.05)


class Endless:
    """Sends for as long as anyone reads, and counts."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.create_task(receive())  # the next thing heard is that nobody reads any more
        while not gone.done() and self.sent < 40 * MAX_ANSWER:
            self.sent += 1 << 20
            await send({"type": "http.response.body", "body": b" " * (1 << 20), "more_body": True})
            await asyncio.sleep(0)
        gone.cancel()


async def test_a_frame_goes_up_as_it_is_and_the_answer_comes_back(serve: Any, connect: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["method"], scope["path"], dict(scope["headers"])[b"content-type"], await body_of(receive)))
        seen.append(scope["extensions"]["tls"]["client_cert_der"] is not None)
        await says(ACK)(scope, receive_nothing, send)

    async with serve(app) as server:
        answer = await connect(server.url).post(b"\x00\x46frame")
    assert answer == Ack(**ACK)
    assert seen == [("POST", "/sync/v1/batches", b"application/vnd.tallybox.frame", b"\x00\x46frame"), True]


async def receive_nothing() -> Any:
    return {"type": "http.request"}


@pytest.mark.parametrize(
    ("app", "retry_s"),
    [
        (says("<html><body>502 Bad Gateway</body></html>", 502), None),
        (says("<html>later</html>", 503, {"retry-after": "17"}), 17.0),
        (says("", 429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), None),
        (says("", 429, {"retry-after": "9" * 5000}), None),
        (says("", 302, {"location": "https://portal.example/"}), None),
        (says(json.dumps(ACK)[:-9]), None),
        (says("[" * 100_000), None),
        (says(b"\xff\xfe\x00"), None),
        (says({"acked": -1} | {key: ACK[key] for key in ("run", "hash", "gen", "srv_time")}), None),
        (says({"err": "a word of tomorrow"}), None),
        (cuts_off, None),
    ],
    ids=["html", "later", "date", "digits", "moved", "truncated", "deep", "bytes", "negative", "unknown", "cut off"],
)
async def test_what_is_no_answer_is_the_cloud_away(serve: Any, connect: Any, app: App, retry_s: float | None) -> None:
    async with serve(app) as server:
        cloud = connect(server.url)
        with pytest.raises(CloudAway) as away:
            await cloud.post(b"frame")
        assert away.value.retry_s == retry_s
        # The same client serves again when the cloud does.
        server.app = says({"err": "slow_down", "retry_s": 3}, 503)
        assert await cloud.post(b"frame") == Refused(err="slow_down", retry_s=3)


@pytest.mark.parametrize(
    ("app", "limits", "reason"),
    [(says_nothing, {"timeout_s": 0.2}, "ReadTimeout"), (trickles, {"deadline_s": 0.3}, "no whole answer")],
)
async def test_a_cloud_that_takes_for_ever_is_away(serve: Any, connect: Any, app: App, limits: Any, reason: str) -> None:
    async with serve(app) as server:
        cloud = connect(server.url, **limits)
        with pytest.raises(CloudAway, match=reason):
            await cloud.post(b"frame")
        server.app = says(ACK)
        assert await cloud.post(b"frame") == Ack(**ACK)


async def test_an_endless_answer_is_not_read_to_its_end(serve: Any, connect: Any) -> None:
    endless = Endless()
    async with serve(endless) as server:
        with pytest.raises(CloudAway, match="more than"):
            await connect(server.url).post(b"frame")
    assert endless.sent < 10 * MAX_ANSWER


async def test_a_compressed_answer_is_not_unpacked(serve: Any, connect: Any) -> None:
    async with serve(says(b"\x1f\x8b\x08\x00", headers={"content-encoding": "gzip"})) as server:
        with pytest.raises(CloudAway, match="without an answer"):
            await connect(server.url).post(b"frame")


async def test_nobody_there_is_the_cloud_away(serve: Any, connect: Any) -> None:
    async with serve(says(ACK)) as server:
        url = server.url
    with pytest.raises(CloudAway, match="ConnectError"):
        await connect(url).post(b"frame")
    with pytest.raises(CloudAway):
        await connect("https://no-such-host.invalid").post(b"frame")


async def test_a_peer_that_takes_the_connection_and_never_speaks_is_away(connect: Any) -> None:
    """Half open: the kernel accepts, no program answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(CloudAway, match="Timeout"):
            await connect(f"https://127.0.0.1:{port}", timeout_s=0.3).post(b"frame")


async def test_a_server_of_another_authority_gets_no_frame(serve: Any, connect: Any, tmp_path: Path, now: datetime) -> None:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await body_of(receive))
        await says(ACK)(scope, receive_nothing, send)

    foreign = init_authority(tmp_path / "foreign", name="Tallybox test root", now=now)
    async with serve(app, by=foreign) as impostor:
        with pytest.raises(CloudAway, match="CERTIFICATE_VERIFY_FAILED"):
            await connect(impostor.url).post(b"frame")
    assert seen == []


async def test_a_box_without_a_certificate_is_kept_out(serve: Any, connect: Any, tmp_path: Path) -> None:
    async with serve(says(ACK)) as server:
        stranger = ssl.create_default_context(cafile=tmp_path / "box" / "ca.crt")
        with pytest.raises(CloudAway):
            await connect(server.url, stranger).post(b"frame")


@pytest.mark.parametrize(
    ("station", "path"),
    [("dock-1", b"/down/v1/dock-1"), ("רציף 1", "/down/v1/רציף 1".encode()), ("a/b?c#d%20", b"/down/v1/a/b?c#d%20")],
)
async def test_a_mirror_is_pulled_for_any_name_of_a_station(serve: Any, connect: Any, station: str, path: bytes) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["path"].encode(), scope["query_string"]))
        await says(PATCH)(scope, receive, send)

    async with serve(app) as server:
        patch = await connect(server.url).pull(station, "a&b=c")
    assert (patch.cookie, patch.more) == ("1", False)
    assert seen == [(path, b"cookie=a%26b%3Dc")]


@pytest.mark.parametrize(
    ("app", "retry_s"),
    [
        (says("<html>", 200), None),
        (says(PATCH, 503, {"retry-after": "9"}), 9.0),
        (says(PATCH | {"patch": [{"op": "explode"}]}), None),
        (says(PATCH | {"patch": [{"op": "clear"}] * 1001}), None),
    ],
)
async def test_what_is_no_patch_is_the_cloud_away(serve: Any, connect: Any, app: App, retry_s: float | None) -> None:
    async with serve(app) as server:
        with pytest.raises(CloudAway) as away:
            await connect(server.url).pull("dock-1", "")
    assert away.value.retry_s == retry_s


async def test_a_packed_frame_says_so(serve: Any, connect: Any) -> None:
    kinds: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kinds.append(dict(scope["headers"])[b"content-type"])
        await says(ACK)(scope, receive, send)

    async with serve(app) as server:
        await connect(server.url).post(b"frame", packed=True)
    assert kinds == [b"application/vnd.tallybox.frame+zstd"]


async def test_a_session_is_asked_for_with_the_highest_lease_that_was_seen(serve: Any, connect: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["method"], scope["path"], scope["query_string"]))
        await says({"lease": 8, "srv_time": "2026-05-01T10:00:00Z"})(scope, receive, send)

    async with serve(app) as server:
        cloud = connect(server.url)
        assert (await cloud.open_session(7)).lease == 8
        for bad in (says({"lease": 0, "srv_time": ""}), says("<html>"), says({}, 409)):
            server.app = bad
            with pytest.raises(CloudAway):
                await cloud.open_session(8)
    assert seen == [("POST", "/sync/v1/session", b"last=7")]


def streams(*pieces: bytes, status: int = 200, stays: bool = False) -> App:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        await send({"type": "http.response.start", "status": status, "headers": []})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        while stays and (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b""})

    return app


COMMAND = b'{"t":"command","cmd_id":"01J8Z3K4M5N6P7Q8R9S0T1V2W3","lease":8,"not_after":"","op":"zero"}'


async def heard(messages: Any) -> list[str]:
    """What the messages are, and how they end."""
    found: list[str] = []
    while True:
        try:
            message = await anext(messages)
        except CloudAway as away:
            return [*found, str(away)]
        found.append(message.op if isinstance(message, Command) else message.t)


async def test_events_come_one_by_one_and_unknown_ones_are_passed_over(serve: Any, connect: Any) -> None:
    pieces = (b": open\n\n", b"data: " + COMMAND[:20], COMMAND[20:] + b"\n\ndata: what\n\n", b'data: {"t":"changed"}\n\n')
    async with serve(streams(*pieces)) as server:
        cloud = connect(server.url)
        # The first change is the binding's own: the cloud would be heard from here on.
        assert await heard(cloud.events(8)) == ["changed", "zero", "changed", "the stream of events ended"]


@pytest.mark.parametrize(
    ("app", "end"),
    [
        (streams(status=409), "HTTP 409"),
        (streams(b"data: " + b"x" * 100_000), "an event of more than"),
        (streams(b": open\n\n", stays=True), "ReadTimeout"),
    ],
)
async def test_a_stream_that_is_none_or_falls_silent_is_the_cloud_away(serve: Any, connect: Any, app: App, end: str) -> None:
    async with serve(app) as server:
        cloud = connect(server.url)
        cloud.events_timeout_s = 0.3
        assert end in (await heard(cloud.events(8)))[-1]


async def test_frames_go_on_while_events_are_listened_to(serve: Any, connect: Any) -> None:
    async with serve(streams(b": open\n\n", stays=True)) as server:
        cloud = connect(server.url)
        messages = cloud.events(8)
        await anext(messages)
        server.app = says(ACK)
        for _ in range(10):
            await cloud.post(b"frame")
        await messages.aclose()


@pytest.mark.parametrize("status", [200, 503])
async def test_a_probe_tells_whether_a_cloud_is_there(serve: Any, connect: Any, status: int) -> None:
    async with serve(says({"status": "ok"}, status)) as server:
        probing = connect(server.url).probe()
        if status == 200:
            await probing
        else:
            with pytest.raises(CloudAway, match="503"):
                await probing


async def test_sockets_do_not_wait_for_delayed_acknowledgements(serve: Any, connect: Any) -> None:
    async with serve(says(ACK)) as server, connect(server.url).client.stream("GET", "/") as response:
        sock = response.extensions["network_stream"].get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_cloud_that_goes_and_comes_back_gets_everything_once(
    serve: Any, connect: Any, cloud_inbox: Any, open_journal: Any, note: Any, sending: Any, until: Any
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        answer = cloud_inbox.answer(await body_of(receive))
        await says(answer.model_dump(exclude_none=True))(scope, receive_nothing, send)

    async with open_journal() as journal:
        async with serve(app, stays=True) as server:
            port, cloud = server.port, connect(server.url)
            async with sending(journal, cloud) as running:
                await journal.append(note("before"))
                await until(lambda: running.sender.waiting() == 0)
        async with sending(journal, cloud) as running:
            for number in range(5):
                await journal.append(note(f"n{number}"))
            await until(lambda: len(running.pauses) > 2)
            assert (running.sender.facts.up, running.sender.waiting() >= 5) == (False, True)
            async with serve(app, port=port, stays=True):
                await until(lambda: running.sender.waiting() == 0)

        stored = [entry async for entry in all_entries(journal)]
    assert cloud_inbox.entries[journal.run] == stored


async def all_entries(journal: Any) -> Any:
    first = 0
    while page := await journal.reader.page(journal.run, first):
        for entry in page:
            yield entry
        first += len(page)
