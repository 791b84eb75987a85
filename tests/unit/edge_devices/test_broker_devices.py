"""Devices behind a real Mosquitto in a box: one connection for all, its loss and return, and readings that prove themselves."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers import registry
from drivers.api import Flag, Reading
from drivers.envelope import Message
from drivers.transports import make_transport
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.settings import CaptureSettings, DeviceSettings
from tests.brokers import Broker
from tests.open_brokers import open_broker


@pytest.fixture
def broker() -> Iterator[Broker]:
    with open_broker() as running:
        yield running


def device(broker: Broker, name: str, driver: str, *topics: str, **settings: Any) -> DeviceSettings:
    return DeviceSettings(
        id=name,
        driver=driver,
        transport={"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "topics": list(topics)},
        settings=settings,
        capture=CaptureSettings(policy="every"),
    )


@asynccontextmanager
async def publisher(broker: Broker) -> AsyncIterator[Any]:
    transport = make_transport("mqtt", {"host": "127.0.0.1", "port": broker.port, "topics": ["nothing"]})
    await transport.open()

    async def say(topic: str, payload: str | bytes) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        await transport.write(Message(topic, data).to_bytes())

    try:
        yield say
    finally:
        await transport.close()


def up(hub: DeviceHub) -> Any:
    return lambda: all(hub.live(name).link is LinkState.UP for name in hub.devices())


async def test_devices_of_one_broker_are_read_lost_and_found_together(
    broker: Broker, memory: Any, clock: Any, running: Any, until: Any
) -> None:
    scale = device(broker, "scale", "mqtt-json", "scales/7")
    socket = device(broker, "socket", "mqtt-tasmota", "tele/plug/#", only=["power"])
    hub = DeviceHub([scale, socket], journal=memory, clock=clock)
    with capture_logs() as logs:
        async with running(hub):
            await until(up(hub))
            assert len(hub._shared._held) == 1
            async with publisher(broker) as say:
                await say("scales/7", '{"value": 12.340, "unit": "kg", "stable": true}')
                await say("tele/plug/SENSOR", '{"ENERGY": {"Power": 5}}')
                await until(lambda: hub.live("scale").reading and hub.live("socket").reading)
            assert (hub.live("scale").reading.value, hub.live("scale").reading.stable) == (Decimal("12.340"), True)
            assert hub.live("socket").reading.value == Decimal(5)
            broker.kill()
            await until(lambda: all(hub.live(name).link is LinkState.LOST for name in hub.devices()))
            assert hub.live("scale").at_ns is None, "what was published before is not what lies on the scale now"
            broker.start()
            await until(up(hub))
            clock.turn(60)
            async with publisher(broker) as say:
                await say("tele/plug/LWT", "Offline")
                await until(lambda: Flag.UNAVAILABLE in hub.live("socket").reading.flags)
                await say("scales/7", '{"value": 0.000, "unit": "kg"}')
                await until(lambda: hub.live("scale").reading.value == 0)
    assert sorted(line["device"] for line in logs if line["event"] == "link_lost") == ["scale", "socket"]
    assert sorted(line["device"] for line in logs if line["event"] == "link_back") == ["scale", "socket"]


async def test_kept_readings_mean_the_same_when_read_again_from_the_journal(
    broker: Broker, memory: Any, clock: Any, running: Any, until: Any
) -> None:
    settings = {"metrics": [{"name": "Weight", "unit": "kg"}]}
    node = device(broker, "node", "sparkplug-b", "spBv1.0/plant/+/n1/#", **settings)
    hub = DeviceHub([node], journal=memory, clock=clock)
    # Protobuf's wire form: name Weight, alias 7, datatype 10 (double), 2.0; then alias 7 and 12.34 alone.
    birth = bytes.fromhex("1215 0a06576569676874 1007 200a 690000000000000040 1800")
    data = bytes.fromhex("120b 1007 69ae47e17a14ae2840 1801")
    async with running(hub):
        await until(up(hub))
        await hub.introduce()
        async with publisher(broker) as say:
            await say("spBv1.0/plant/NBIRTH/n1", birth)
            await say("spBv1.0/plant/NDATA/n1", data)
            await until(lambda: len([entry for entry in memory.entries if entry.t == "reading"]) == 2)
    (described,) = [entry for entry in memory.entries if entry.t == "device"]
    for entry in memory.entries:
        if entry.t == "reading":
            again = registry.get(entry.driver).decode(base64.b64decode(entry.raw), described.settings)
            assert [str(one.value) for one in again if isinstance(one, Reading)] == [entry.value]
    assert [entry.value for entry in memory.entries if entry.t == "reading"] == ["2.0", "12.34"]


async def test_a_broker_that_is_not_there_is_said_once(
    broker: Broker, memory: Any, clock: Any, running: Any, until: Any
) -> None:
    broker.stop()
    hub = DeviceHub([device(broker, "scale", "mqtt-json", "scales/7")], journal=memory, clock=clock)
    with capture_logs() as logs:
        async with running(hub):
            await until(lambda: hub.live("scale").link is LinkState.LOST)
            await asyncio.sleep(0.3)
    assert sum(line["event"] == "link_lost" for line in logs) == 1
