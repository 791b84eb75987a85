"""The MQTT binding against a real Mosquitto with the shipped configuration; the cloud's worker stands in from here."""

import asyncio
import os
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge.uplink.binding import CloudAway
from edge.uplink.mqtt import MqttCloud
from edge.uplink.mqtt_link import MAX_DOWN, Address, MqttLink
from firmware_sim.relay import Relay
from provisioning.box_identity import Identity
from provisioning.ca import Authority, init_authority
from provisioning.enroll import enroll
from provisioning.tls import client_ssl_context
from sync_protocol import routes
from sync_protocol.answers import Ack, Refused
from sync_protocol.commands import Changed, Session
from sync_protocol.frame import MAX_FRAME
from sync_protocol.ids import BoxId
from tests.brokers import Broker, Worker, mosquitto

BOX = BoxId("01J8Z3K4M5N6P7Q8R9S0T1V2W3")
OTHER = BoxId("01J8Z3K4M5N6P7Q8R9S0T1V2W4")
ACK = Ack(run="0" * 32, acked=1, hash="0" * 64, gen=0, srv_time="2026-05-01T10:00:00Z", enc=("zstd",))
SESSION = b'{"lease": 7, "srv_time": "2026-05-01T10:00:00Z"}'
DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Authority:
    return init_authority(tmp_path_factory.mktemp("mqtt") / "authority", name="Test root", now=now)


@pytest.fixture(scope="module")
def broker(authority: Authority, now: datetime) -> Iterator[Broker]:
    with mosquitto(authority, now) as running:
        yield running


@pytest.fixture
def box(tmp_path: Path, authority: Authority, now: datetime) -> Identity:
    return enroll(tmp_path / "box", authority, box_id=BOX, tenant="t", now=now)


@pytest.fixture
def worker(broker: Broker) -> Iterator[Worker]:
    started = Worker(broker, lambda _box, _frame: ACK.model_dump_json().encode())
    yield started
    started.stop()


@pytest.fixture
async def clouds() -> AsyncIterator[list[MqttCloud]]:
    made: list[MqttCloud] = []
    yield made
    for cloud in made:
        await cloud.aclose()


@pytest.fixture
def connect(broker: Broker, box: Identity, clouds: list[MqttCloud]) -> Callable[..., MqttCloud]:
    def make(*, tls: ssl.SSLContext | None = None, name: BoxId = BOX, port: int | None = None, **more: Any) -> MqttCloud:
        where = Address(broker.host, port or broker.port, more.pop("keep_alive_s", 30), more.pop("connect_s", 15.0))
        clouds.append(MqttCloud(where, tls or box.client_ssl_context(), name, secrets.token_bytes, **more))
        return clouds[-1]

    return make


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not fact():  # noqa: ASYNC110 - facts of another thread, which wakes nobody here
            await asyncio.sleep(0.005)


async def answered(cloud: MqttCloud, frame: bytes = b"frame") -> Any:
    """The first answer; the worker may still be on its way to the broker."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await cloud.post(frame)
            except CloudAway:
                await asyncio.sleep(0.05)


async def test_a_frame_goes_up_as_it_is_and_the_answer_to_it_comes_back(connect: Any, worker: Worker) -> None:
    cloud = connect()
    assert await answered(cloud) == ACK
    assert worker.taken[-1] == (f"v1/{BOX}/up", routes.FRAME_TYPE, b"frame")
    largest = os.urandom(MAX_FRAME)
    assert await cloud.post(largest, packed=True) == ACK
    assert worker.taken[-1] == (f"v1/{BOX}/up", routes.FRAME_ZSTD_TYPE, largest)


async def test_an_answer_to_another_frame_is_not_taken_for_this_one(connect: Any, worker: Worker) -> None:
    cloud = connect(answer_s=0.5)
    await answered(cloud)
    worker.answer = lambda _box, _frame: None
    waiting = asyncio.ensure_future(cloud.post(b"second"))
    await until(lambda: worker.taken[-1][2] == b"second")
    worker.say(routes.topic_ack(BOX), ACK.model_dump_json().encode())
    with pytest.raises(CloudAway, match="no answer") as away:
        await waiting
    assert away.value.unanswered


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b'{"acked": 1}'])
async def test_what_is_no_answer_is_the_cloud_away(connect: Any, worker: Worker, body: bytes) -> None:
    cloud = connect()
    await answered(cloud)
    worker.answer = lambda _box, _frame: body
    with pytest.raises(CloudAway, match="no answer"):
        await cloud.post(b"frame")
    worker.answer = lambda _box, _frame: b'{"err": "slow_down", "retry_s": 3}'
    assert await cloud.post(b"frame") == Refused(err="slow_down", retry_s=3)


async def test_nobody_to_take_the_frame_is_known_at_once(connect: Any) -> None:
    with pytest.raises(CloudAway, match="no worker") as away:
        await connect().post(b"frame")
    assert not away.value.unanswered


async def test_a_box_cannot_write_on_anothers_topic(connect: Any, worker: Worker, box: Identity) -> None:
    """The certificate is BOX's, whatever the client says its name is."""
    cloud = connect(name=OTHER, answer_s=2.0)
    for _ in range(3):
        with pytest.raises(CloudAway, match="turned the message down: Not authorized") as away:
            await cloud.post(b"forged")
        assert away.value.unanswered
    assert all(frame != b"forged" for _, _, frame in worker.taken)


async def test_a_box_does_not_hear_what_is_for_another(connect: Any, worker: Worker) -> None:
    cloud = connect(name=OTHER)
    await cloud.probe()
    mine = connect()
    await answered(mine)
    worker.say(routes.topic_down(OTHER), b'{"t": "changed"}')
    worker.say(routes.topic_down(BOX), b'{"t": "changed"}')
    async with aclosing(mine.events(1)) as messages:
        # The first is the binding's own; the second was said.
        assert [await anext(messages), await anext(messages)] == [Changed()] * 2
    assert not cloud._link.down


async def test_another_certificate_cannot_take_a_boxs_name(
    connect: Any, worker: Worker, tmp_path: Path, authority: Authority, now: datetime
) -> None:
    mine = connect()
    await answered(mine)
    link = mine._link
    stranger = enroll(tmp_path / "stranger", authority, box_id=OTHER, tenant="t", now=now)
    await connect(tls=stranger.client_ssl_context()).probe()
    assert await mine.post(b"frame") == ACK
    assert mine._link is link


async def test_a_broker_of_another_authority_gets_nothing(connect: Any, tmp_path: Path, now: datetime) -> None:
    foreign = init_authority(tmp_path / "foreign", name="Test root", now=now)
    trusts_foreign = enroll(tmp_path / "there", foreign, box_id=BOX, tenant="t", now=now)
    with pytest.raises(CloudAway, match="CERTIFICATE_VERIFY_FAILED"):
        await connect(tls=trusts_foreign.client_ssl_context()).post(b"frame")


async def test_a_box_of_another_authority_is_kept_out(
    connect: Any, tmp_path: Path, authority: Authority, now: datetime
) -> None:
    foreign = init_authority(tmp_path / "foreign", name="Test root", now=now)
    theirs = enroll(tmp_path / "there", foreign, box_id=BOX, tenant="t", now=now)
    tls = client_ssl_context(
        ca=authority.directory / "ca.crt", certificate=theirs.certificate_path, key=theirs.directory / "box.key"
    )
    with pytest.raises(CloudAway):
        await connect(tls=tls).post(b"frame")


async def test_a_box_without_a_certificate_is_kept_out(connect: Any, authority: Authority) -> None:
    bare = ssl.create_default_context(cafile=authority.directory / "ca.crt")
    with pytest.raises(CloudAway):
        await connect(tls=bare).post(b"frame")


async def test_a_broker_that_is_killed_and_comes_back_is_used_again(authority: Authority, now: datetime, connect: Any) -> None:
    with mosquitto(authority, now) as mortal:
        worker = Worker(mortal, lambda _box, _frame: ACK.model_dump_json().encode())
        try:
            cloud = connect(port=mortal.port)
            await answered(cloud)
            worker.answer = lambda _box, _frame: None
            waiting = asyncio.ensure_future(cloud.post(b"on its way"))
            await until(lambda: worker.taken[-1][2] == b"on its way")
            mortal.kill()
            with pytest.raises(CloudAway):
                await waiting
            with pytest.raises(CloudAway, match="Connect"):
                await cloud.post(b"frame")
            mortal.start()
            worker.answer = lambda _box, _frame: ACK.model_dump_json().encode()
            assert await answered(cloud, b"after") == ACK
        finally:
            worker.stop()


async def test_a_line_that_died_without_a_word_is_noticed_by_keep_alive(connect: Any, broker: Broker, worker: Worker) -> None:
    async with Relay.to(broker.port) as line:
        cloud = connect(port=line.port, keep_alive_s=1)
        await cloud.probe()
        link = cloud._link
        messages = cloud.events(1)
        assert await anext(messages) == Changed()
        line.go_silent()
        with pytest.raises(CloudAway, match="MQTT"):
            await asyncio.wait_for(anext(messages), DEADLINE_S)
        assert link.ended.done()
        line.heal()
        assert await answered(cloud) == ACK


async def test_a_frame_on_a_silent_line_gives_up_and_the_next_takes_a_new_one(
    connect: Any, broker: Broker, worker: Worker
) -> None:
    async with Relay.to(broker.port) as line:
        cloud = connect(port=line.port, answer_s=0.4)
        await answered(cloud)
        line.go_silent()
        with pytest.raises(CloudAway, match="no answer") as away:
            await cloud.post(b"frame")
        assert away.value.unanswered
        line.heal()
        assert await answered(cloud) == ACK


async def test_a_broker_that_accepts_and_never_speaks_is_given_up(connect: Any, broker: Broker) -> None:
    async with Relay.to(broker.port) as line:
        line.takes = "silent"
        with pytest.raises(CloudAway, match="no connection within"):
            await connect(port=line.port, connect_s=0.3).post(b"frame")


async def test_the_will_tells_of_a_box_that_vanished_and_not_of_one_that_said_good_bye(
    connect: Any, broker: Broker, worker: Worker
) -> None:
    first = connect()
    await answered(first)
    await first.aclose()
    async with Relay.to(broker.port) as line:
        cloud = connect(port=line.port)
        await cloud.probe()
        await cloud.aclose()
        await until(lambda: line.connections == 0)
        await cloud.probe()
        assert worker.gone == []
        line.cut()
        await until(lambda: worker.gone == [f"v1/{BOX}/will"])


async def test_messages_come_down_in_order_and_unknown_ones_are_passed_over(connect: Any, worker: Worker) -> None:
    cloud = connect()
    worker.answer = lambda _box, payload: SESSION if payload == b"6" else ACK.model_dump_json().encode()
    await answered(cloud)
    assert await cloud.open_session(6) == Session(lease=7, srv_time="2026-05-01T10:00:00Z")
    assert worker.taken[-1] == (f"v1/{BOX}/up", routes.SESSION_TYPE, b"6")
    command = b'{"t":"command","cmd_id":"01J8Z3K4M5N6P7Q8R9S0T1V2W3","lease":7,"not_after":"","op":"zero"}'
    for payload in (b"nonsense", b'{"t": "tomorrow"}', b'{"t": "changed"}', command):
        worker.say(routes.topic_down(BOX), payload)
    stream = cloud.events(7)
    assert await anext(stream) == Changed()
    assert await anext(stream) == Changed()
    assert (await anext(stream)).op == "zero"
    await stream.aclose()


async def test_a_session_in_which_nothing_is_heard_ends_and_the_connection_stays(connect: Any, worker: Worker) -> None:
    """The worker behind the broker may have gone, which a broker does not say."""
    cloud = connect(events_timeout_s=0.1)
    await answered(cloud)
    link = cloud._link
    messages = cloud.events(7)
    assert await anext(messages) == Changed()
    with pytest.raises(CloudAway, match="nothing was heard"):
        await anext(messages)
    assert await cloud.post(b"frame") == ACK
    assert cloud._link is link


async def test_a_flood_of_messages_ends_the_connection_and_takes_no_memory(connect: Any, worker: Worker) -> None:
    cloud = connect()
    await answered(cloud)
    link: MqttLink = cloud._link
    for _ in range(2 * MAX_DOWN):
        worker.say(routes.topic_down(BOX), b'{"t": "changed"}')
    await until(link.ended.done)
    assert len(link.down) == MAX_DOWN


async def test_sockets_do_not_wait_for_delayed_acknowledgements(connect: Any, worker: Worker) -> None:
    cloud = connect()
    await answered(cloud)
    assert cloud._link._socket.getsockopt(6, 1)
