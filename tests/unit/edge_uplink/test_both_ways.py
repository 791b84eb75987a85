"""A box with both ways, real servers at their ends: the journal drains whichever is there, and nothing is taken twice."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

import pytest

from edge.uplink.backoff import Backoff
from edge.uplink.events import Hearers, Listener
from edge.uplink.mqtt import MqttCloud
from edge.uplink.mqtt_link import Address
from edge.uplink.policy import PROBE_EVERY_NS
from edge.uplink.ways import Ways
from provisioning.ca import Authority
from sync_protocol.entries import parse
from tests.brokers import Broker, Worker, mosquitto


@pytest.fixture
def broker(authority: Authority, now: datetime) -> Iterator[Broker]:
    with mosquitto(authority, now) as running:
        yield running


def names(inbox: Any, run: str) -> list[str]:
    return [entry.name for entry in map(parse, inbox.entries.get(run, [])) if entry.t == "note"]


def takes_frames(inbox: Any, sizes: list[int]) -> Any:
    """An application that answers frames honestly, and everything else as if it were asked for its health."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", scope["method"] == "POST"
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        sizes.append(len(body))
        answer: Any = inbox.answer(body).model_dump(exclude_none=True) if body else {"status": "ok"}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return app


@pytest.fixture
def worker(broker: Broker, cloud_inbox: Any) -> Iterator[Worker]:
    started = Worker(broker, lambda _box, frame: cloud_inbox.answer(frame).model_dump_json().encode())
    yield started
    started.stop()


@pytest.fixture
async def by_broker(broker: Broker, worker: Worker, box: Any) -> AsyncIterator[MqttCloud]:
    cloud = MqttCloud(Address(broker.host, broker.port), box.client_ssl_context(), box.box_id, secrets.token_bytes, 1.0)
    yield cloud
    await cloud.aclose()


@pytest.fixture
def append(note: Any, until: Any) -> Any:
    async def one(journal: Any, running: Any, name: str) -> str:
        """Append, and wait until the cloud has it; by which way it went."""
        await journal.append(note(name))
        await until(lambda: running.sender.waiting() == 0)
        return str(running.sender.facts.binding)

    return one


@pytest.mark.usefixtures("worker")
async def test_frames_go_by_the_broker_while_the_server_is_away_and_come_back(
    serve: Any, connect: Any, by_broker: MqttCloud, cloud_inbox: Any, open_journal: Any, sending: Any, append: Any, clock: Any
) -> None:
    app = takes_frames(cloud_inbox, [])
    async with open_journal() as journal:
        async with serve(app, stays=True) as server:
            port, ways = server.port, Ways([connect(server.url), by_broker], clock)
            async with sending(journal, ways) as running:
                assert await append(journal, running, "by https") == "https"
        async with sending(journal, ways) as running:
            assert await append(journal, running, "by the broker") == "mqtt"
            async with serve(app, port=port, stays=True):
                probing = asyncio.ensure_future(ways.keep_probing(lambda _pause_s: asyncio.sleep(0.01)))
                clock.turn(PROBE_EVERY_NS / 1e9)
                async with asyncio.timeout(20):
                    while ways.name != "https":  # noqa: ASYNC110 - nobody tells of it
                        await asyncio.sleep(0.01)
                probing.cancel()
                await asyncio.gather(probing, return_exceptions=True)
                assert await append(journal, running, "by https again") == "https"
        assert names(cloud_inbox, journal.run) == ["by https", "by the broker", "by https again"]


@pytest.mark.usefixtures("worker")
async def test_a_broker_killed_again_and_again_loses_and_doubles_nothing(
    broker: Broker, by_broker: MqttCloud, cloud_inbox: Any, open_journal: Any, note: Any, sending: Any, until: Any
) -> None:
    async with open_journal() as journal, sending(journal, by_broker, cap_s=1) as running:
        for number in range(60):
            await journal.append(note(f"n{number}"))
            if number % 20 == 10:
                await asyncio.to_thread(broker.kill)
            if number % 20 == 15:
                await asyncio.to_thread(broker.start)
        await until(lambda: running.sender.waiting() == 0)
        assert [name for name in names(cloud_inbox, journal.run) if name != "cloud_refused"] == [f"n{n}" for n in range(60)]


async def test_the_cloud_is_heard_through_the_broker(
    broker: Broker, worker: Worker, by_broker: MqttCloud, box: Any, clock: Any, until: Any
) -> None:
    worker.answer = lambda _box, _frame: b'{"lease": 3, "srv_time": "2026-05-01T10:00:00Z"}'
    changes: list[int] = []
    listener = Listener(by_broker, Hearers(lambda: changes.append(1)), clock=clock, backoff=Backoff(0.1, lambda: 0.1))
    listening = asyncio.ensure_future(listener.run())
    try:
        await until(lambda: listener.up)
        heard = len(changes)
        worker.say(f"v1/{box.box_id}/down", b'{"t": "changed"}')
        await until(lambda: len(changes) == heard + 1)
        await asyncio.to_thread(broker.kill)
        await until(lambda: not listener.up)
        await asyncio.to_thread(broker.start)
        await until(lambda: listener.up)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
