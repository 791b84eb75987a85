"""The core's worker at a real Mosquitto: boxes' frames and sessions through it, and what a broker's death does to them."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cloud.app import alternate
from cloud.db.engine import Sessions, open_sessions
from cloud.deps import SyncDeps
from cloud.ingest import broker_link
from cloud.ingest.broker_link import Broker as Where
from cloud.ingest.intake import Intake
from cloud.ingest.models import JournalEntry
from cloud.ingest.mqtt import frame_handlers, work_forever
from cloud.push.mqtt import MqttSessions
from cloud.push.watch import Watch
from edge.uplink.binding import CloudAway
from edge.uplink.mqtt import MqttCloud
from edge.uplink.mqtt_link import Address
from provisioning.ca import Authority, init_authority
from provisioning.enroll import enroll
from provisioning.tls import client_ssl_context
from sync_protocol.answers import Ack, Answer, Refused
from sync_protocol.commands import Changed
from sync_protocol.packing import pack
from tests.brokers import Broker, mosquitto

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Authority:
    return init_authority(tmp_path_factory.mktemp("mqtt") / "authority", name="Test root", now=now)


@pytest.fixture(scope="module")
def broker(authority: Authority, now: datetime) -> Iterator[Broker]:
    with mosquitto(authority, now, workers=("one", "two")) as running:
        yield running


@asynccontextmanager
async def working(sessions: Sessions, broker: Broker, name: str = "one") -> AsyncIterator[None]:
    """The core's part by MQTT, as the process runs it."""
    files = broker.worker(name)
    where = Where(broker.host, broker.port, name, client_ssl_context(ca=files.ca, certificate=files.certificate, key=files.key))
    deps = SyncDeps(sessions)
    watch = Watch(sessions, deps.clock)
    listening = MqttSessions(deps, watch, alternate)
    handlers = {**frame_handlers(Intake(deps)), **listening.handlers}
    tasks = [asyncio.create_task(watch.run()), asyncio.create_task(work_forever(where, handlers, listening))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def box_side(
    broker: Broker, authority: Authority, now: datetime, tmp_path: Path
) -> AsyncIterator[Callable[[Any], MqttCloud]]:
    made: list[MqttCloud] = []

    def connect(box: Any) -> MqttCloud:
        identity = enroll(tmp_path / box.id, authority, box_id=box.id, tenant="t", now=now)
        address = Address(broker.host, broker.port, 30, 15.0)
        made.append(MqttCloud(address, identity.client_ssl_context(), box.id, secrets.token_bytes, answer_s=5.0))
        return made[-1]

    yield connect
    for one in made:
        await one.aclose()


async def answered(cloud: MqttCloud, frame: bytes, *, packed: bool = False) -> Answer:
    """The first answer; the worker may still be on its way to the broker."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await cloud.post(frame, packed=packed)
            except CloudAway:
                await asyncio.sleep(0.05)


async def contents(sessions: Sessions, run: str) -> list[bytes]:
    async with sessions.read() as session:
        rows = await session.scalars(select(JournalEntry.content).where(JournalEntry.run == run).order_by(JournalEntry.seq))
        return list(rows)


async def test_frames_come_through_the_broker_plain_and_packed_and_are_acked_once_stored(
    sessions, broker: Broker, box, box_side
) -> None:
    run = box.start()
    for _ in range(9):
        box.note()
    cloud = box_side(box)
    async with working(sessions, broker):
        first = await answered(cloud, box.frame(0, 4))
        assert isinstance(first, Ack)
        assert (first.acked, first.enc, await contents(sessions, run.run)) == (4, ("zstd",), run.entries[:4])
        second = await answered(cloud, pack(box.frame(4)), packed=True)
        assert isinstance(second, Ack)
        assert (second.acked, await contents(sessions, run.run)) == (10, run.entries)
        assert await answered(cloud, b"noise", packed=True) == Refused(err="schema", detail="broken_frame")


async def test_what_a_box_sends_on_its_own_topic_in_anothers_name_is_refused(
    sessions, broker: Broker, box, make_box, box_side
) -> None:
    other = make_box(2)
    await other.register(sessions)
    other.start()
    cloud = box_side(box)
    async with working(sessions, broker):
        assert await answered(cloud, other.frame()) == Refused(err="sig", detail="unknown_key")
        stranger = make_box(3)
        stranger.start()
        refused = await answered(box_side(stranger), stranger.frame())
        assert isinstance(refused, Refused)
        assert refused.err == "revoked"


async def test_session_opened_by_a_message_is_told_of_what_changed(sessions, broker: Broker, box, demo, box_side) -> None:
    cloud = box_side(box)
    box.start()
    async with working(sessions, broker):
        await answered(cloud, box.frame())
        async with aclosing(cloud.events(0)) as events, asyncio.timeout(DEADLINE_S):
            assert await anext(events) == Changed()  # its own: the connection is new
            opened = await cloud.open_session(0)
            assert opened.lease == 1
            assert await anext(events) == Changed()
        assert (await cloud.open_session(1)).lease == 2


async def test_broker_killed_and_started_again_loses_nothing_that_was_acked(sessions, broker: Broker, box, box_side) -> None:
    run = box.start()
    for _ in range(40):
        box.note()
    cloud = box_side(box)
    async with working(sessions, broker):
        acked = 0
        while acked < len(run.entries):
            if acked == 12:
                broker.kill()
                await asyncio.to_thread(broker.start)
            answer = await answered(cloud, box.frame(acked, 4))
            assert isinstance(answer, Ack)
            assert answer.acked > acked
            acked = answer.acked
        assert await contents(sessions, run.run) == run.entries


@pytest.mark.postgres
async def test_two_workers_share_the_frames_of_many_boxes(postgres_url: str, broker: Broker, make_box, box_side) -> None:
    pools = [open_sessions(postgres_url) for _ in range(2)]
    boxes = [make_box(number) for number in range(1, 5)]
    try:
        for box in boxes:
            await box.register(pools[0])
            box.start()
            for _ in range(40):
                box.note()
        async with working(pools[0], broker, "one"), working(pools[1], broker, "two"):

            async def drain(box: Any, cloud: MqttCloud) -> None:
                acked = 0
                while acked < 41:
                    answer = await answered(cloud, box.frame(acked, 4))
                    assert isinstance(answer, Ack)
                    acked = answer.acked

            await asyncio.gather(*(drain(box, box_side(box)) for box in boxes))
        for box in boxes:
            assert await contents(pools[0], box.run.run) == box.run.entries
    finally:
        for pool in pools:
            await pool.engine.dispose()


async def test_a_broker_is_reached_by_its_next_address_when_the_first_is_closed(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name often stands for an IPv6 address first, where nobody listens."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and never listening: refuses
        first = (*found[0][:4], closed.getsockname())

        async def both(*_asked: Any, **_more: Any) -> list[Any]:
            return [first, *found]

        monkeypatch.setattr(loop, "getaddrinfo", both)
        files = broker.worker("one")
        tls = client_ssl_context(ca=files.ca, certificate=files.certificate, key=files.key)
        secured = await broker_link._connect(Where(broker.host, broker.port, "one", tls))
    try:
        assert secured.getpeername()[1] == broker.port
    finally:
        secured.close()
