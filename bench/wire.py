"""Bytes on the wire per reading: packed frames of 25, 100 and 500 over HTTPS beside one JSON message a reading, all in TLS 1.3.

Everything is really sent, through a relay that counts what TLS makes of it, both ways; the handshake is not counted. What IP
and TCP add cannot be seen on loopback, where segments are 64 KiB long, and is modelled: 52 bytes a segment (IPv4 and TCP with
time stamps), 1,448 bytes of data in each, one bare acknowledgement for two of them.

Two yardsticks, sent as MQTT QoS 1 (a publish, then its four bytes of acknowledgement): `same`, the very entry that the box
keeps, and `lean`, the shorter JSON of a gateway that keeps value and time only.
"""

import asyncio
import json
import math
import secrets
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.readings import readings
from cloud.web_server import Listener, listen, serve
from edge.uplink.cloud import Cloud
from firmware_sim.relay import Relay
from provisioning.box_identity import Identity
from provisioning.ca import init_authority
from provisioning.enroll import ServerFiles, enroll, enroll_server
from provisioning.tls import server_ssl_context
from sync_protocol import chain, routes
from sync_protocol.answers import Ack
from sync_protocol.frame import seal, unseal
from sync_protocol.ids import new_box_id, run_id
from sync_protocol.packing import ZSTD, pack, unpack
from sync_protocol.signing import verifier

COUNT = 3000
SEGMENT, SEGMENT_HEAD = 1448, 52
BATCHES = ((25, 8), (100, 15), (500, 20))
"""Entries of a batch, and how many times less than one message a reading it is to be."""

TOPIC = b"v1/gateway/telemetry"
PUBACK = b"\x40\x02\x00\x01"


class Counter:
    """What went through the relay since the last look, TCP's share added."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._seen = (0, 0)

    def look(self) -> tuple[int, int]:
        """Bytes of TLS both ways, and bytes on the wire, of one exchange."""
        now = (self._relay.up.passed, self._relay.down.passed)
        up, down = (new - old for new, old in zip(now, self._seen, strict=True))
        self._seen = now
        up_segments, down_segments = (max(1, math.ceil(size / SEGMENT)) for size in (up, down))
        acknowledgements = max(1, up_segments // 2) + 1
        return up + down, up + down + SEGMENT_HEAD * (up_segments + down_segments + acknowledgements)


def frames(who: Identity, size: int, entries: Sequence[bytes]) -> list[bytes]:
    """All entries in sealed frames of `size`."""
    run = run_id(secrets.token_hex(16))
    hashes = [chain.seed(run), *chain.links(chain.seed(run), 0, entries)]
    return [
        seal(
            box=who.box_id, run=run, first=first, prev=hashes[first], entries=entries[first:until], gen=1,
            key_id=who.key_id, sign=who.sign,
        )
        for first, until in pairwise([*range(0, len(entries), size), len(entries)])
    ]  # fmt: skip


def answering(who: Identity) -> Callable[..., Awaitable[None]]:
    """An ASGI application that opens each frame and acks it as the cloud does; nothing is stored."""

    def find_key(_key_id: bytes) -> Callable[[bytes, bytes], None]:
        return verifier(who.spki)

    async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        batch = unseal(unpack(body), find_key)
        now = datetime.now(UTC).isoformat()
        ack = Ack(run=batch.run, acked=batch.end, hash=batch.hashes[-1].hex(), gen=1, srv_time=now, enc=(ZSTD,))
        answer = ack.model_dump_json().encode()
        headers = [(b"content-length", str(len(answer)).encode()), (b"content-type", routes.ANSWER_TYPE.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


async def batched(who: Identity, server: ssl.SSLContext, entries: list[bytes]) -> dict[int, tuple[float, float]]:
    """Size of the batch to bytes a reading: of TLS, and on the wire."""
    found = {}
    listener = Listener(answering(who), listen("127.0.0.1", 0), server)  # type: ignore[arg-type]
    serving = asyncio.ensure_future(serve(listener))
    async with Relay.to(int(listener.url.rpartition(":")[2])) as relay:
        cloud = Cloud.at(f"https://127.0.0.1:{relay.port}", who.client_ssl_context())
        counter = Counter(relay)
        for size, _ in BATCHES:
            first, *rest = frames(who, size, entries)
            await cloud.post(pack(first), packed=True)
            counter.look()
            totals = [0, 0]
            for frame in rest:
                await cloud.post(pack(frame), packed=True)
                totals = [total + more for total, more in zip(totals, counter.look(), strict=True)]
            found[size] = (totals[0] / (len(entries) - size), totals[1] / (len(entries) - size))
        await cloud.aclose()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return found


def lean(entry: bytes, n: int) -> bytes:
    """What a gateway sends that keeps a value, its time and a number: device, milliseconds, values."""
    reading = json.loads(entry)
    values = {"kg": float(reading["value"]), "tare": 0.125, "stable": True, "seq": n}
    return json.dumps(
        {reading["device"]: [{"ts": reading["wall_ns"] // 1_000_000, "values": values}]}, separators=(",", ":")
    ).encode()


def publish(payload: bytes) -> bytes:
    """An MQTT 3.1.1 PUBLISH with QoS 1 (section 3.3)."""
    rest = len(TOPIC).to_bytes(2, "big") + TOPIC + b"\x00\x01" + payload
    length, size = bytearray(), len(rest)
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return b"\x32" + bytes(length) + rest


@asynccontextmanager
async def acknowledging(server: ssl.SSLContext) -> AsyncIterator[int]:
    """Port of a TLS server that answers each message with a PUBACK."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(PUBACK)
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=server)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def one_by_one(who: Identity, server: ssl.SSLContext, messages: list[bytes]) -> tuple[float, float]:
    """Bytes a reading, of TLS and on the wire, when each is a message that leaves at once and is acknowledged."""
    async with acknowledging(server) as port, Relay.to(port) as relay:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", relay.port, ssl=who.client_ssl_context(), server_hostname="127.0.0.1"
        )
        counter = Counter(relay)
        writer.write(publish(messages[0]))
        await reader.readexactly(len(PUBACK))
        counter.look()
        totals = [0, 0]
        for message in messages[1:]:
            writer.write(publish(message))
            await reader.readexactly(len(PUBACK))
            totals = [total + more for total, more in zip(totals, counter.look(), strict=True)]
        writer.close()
        await writer.wait_closed()
    return totals[0] / (len(messages) - 1), totals[1] / (len(messages) - 1)


async def measure(folder: Path) -> list[dict[str, object]]:
    now = datetime.now(UTC)
    authority = init_authority(folder / "ca", name="bench", now=now)
    enroll_server(folder / "server", authority, names=["127.0.0.1"], now=now)
    box = new_box_id(int(now.timestamp() * 1000), secrets.token_bytes(10))
    who = enroll(folder / "box", authority, box_id=box, tenant="bench", now=now)
    files = ServerFiles.within(folder / "server")

    def server() -> ssl.SSLContext:
        return server_ssl_context(files.certificate, files.key, files.ca, require_client=True)

    entries = [entry.data for entry in readings(COUNT)]
    same = await one_by_one(who, server(), entries)
    short = await one_by_one(who, server(), [lean(entry, n) for n, entry in enumerate(entries)])
    rows: list[dict[str, object]] = [
        {"bench": "wire", "what": what, "tls_bytes": round(tls, 1), "wire_bytes": round(wire, 1)}
        for what, (tls, wire) in (("one JSON message a reading, same entry", same), ("the same, lean JSON", short))
    ]
    sent = await batched(who, server(), entries)
    for size, aim in BATCHES:
        tls, wire = sent[size]
        rows.append(
            {
                "bench": "wire",
                "what": f"batches of {size}",
                "tls_bytes": round(tls, 1),
                "wire_bytes": round(wire, 1),
                "times_less_than_same": round(same[1] / wire, 1),
                "times_less_than_lean": round(short[1] / wire, 1),
                "aim": aim,
            }
        )
    return rows


def run() -> list[dict[str, object]]:
    """Bytes a reading of both yardsticks and of three sizes of batch."""
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-") as folder:
        return asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    for line in run():
        print(line)
