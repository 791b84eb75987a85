"""A box without a screen: the real journal and sender in a process of their own, and readings at a steady rate.

    python -m tests.faults.box_process JOURNAL IDENTITY WAY FIRST RATE

WAY is the cloud's https address, or mqtt://HOST:PORT of a broker. `+ n run seq` on standard output: reading n is confirmed. On
SIGTERM no more readings are made; the process says `drained` and ends when the cloud has everything.
"""

import asyncio
import os
import secrets
import signal
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

from edge.errors import JournalFault
from edge.journal.service import Journal
from edge.uplink.backoff import Backoff
from edge.uplink.binding import Binding
from edge.uplink.cloud import Cloud
from edge.uplink.frames import Credentials
from edge.uplink.mqtt import MqttCloud
from edge.uplink.mqtt_link import Address
from edge.uplink.sender import Sender
from provisioning.box_identity import Identity
from tests.faults.histories import reading
from tests.faults.opening import CLOCK, open_journal

PATIENCE_S = 2.0
"""For an answer: a half-open line is to be noticed while the test is young."""

RETRY_CAP_S = 0.5

QUIET_S = 0.5
"""Nothing may be waiting for so long at the end: an answer may itself be worth an entry."""


def _say(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def _binding(way: str, who: Identity) -> Binding:
    tls: ssl.SSLContext = who.client_ssl_context()
    if way.startswith("https:"):
        return Cloud.at(way, tls, timeout_s=PATIENCE_S, deadline_s=2 * PATIENCE_S)
    where = urlsplit(way)
    address = Address(where.hostname or "", where.port or 0, keep_alive_s=2, connect_s=PATIENCE_S)
    return MqttCloud(address, tls, who.box_id, secrets.token_bytes, answer_s=PATIENCE_S)


async def _produce(journal: Journal, first: int, rate: float, stop: asyncio.Event) -> None:
    """Readings at their times, whether or not the ones before are durable."""
    clock = asyncio.get_running_loop().time

    async def one(n: int) -> None:
        try:
            kept = await journal.append(reading(n, CLOCK.now_ns()))
        except JournalFault:
            _say(f"- {n}")
        else:
            _say(f"+ {n} {kept.run} {kept.seq}")

    started, n = clock(), first
    async with asyncio.TaskGroup() as tasks:
        while not stop.is_set():
            tasks.create_task(one(n))
            n += 1
            await asyncio.sleep(max(started + (n - first) / rate - clock(), 0))


async def main(path: Path, identity: Path, way: str, first: int, rate: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    who = Identity.load(identity)
    async with open_journal(path) as journal:
        binding = _binding(way, who)
        credentials = Credentials(who.box_id, who.key_id, who.sign)
        backoff = Backoff(RETRY_CAP_S, lambda: 0.5)
        sender = Sender(journal, binding, credentials, clock=CLOCK, backoff=backoff)
        sending = asyncio.ensure_future(sender.run())
        _say("ready")
        try:
            await _produce(journal, first, rate, stop)
            await _drained(sender, sending)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await binding.aclose()
    _say("drained")


async def _drained(sender: Sender, sending: "asyncio.Future[None]") -> None:
    quiet_since = clock = asyncio.get_running_loop().time
    quiet_since = clock()
    while clock() - quiet_since < QUIET_S:
        await asyncio.sleep(0.02)
        if sending.done():
            sending.result()
        if sender.waiting() or not sender.facts.up:
            quiet_since = clock()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))
