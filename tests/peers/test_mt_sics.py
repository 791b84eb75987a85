"""MT-SICS: another client at our simulated balance, and our driver at another simulator."""

import asyncio
import json
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Acknowledged, DeviceRefused, Flag, Reading
from drivers.registry import get
from drivers.transports import make_transport
from edge.clock import BoxClock
from edge.devices.link import DeviceLink, Owner
from tests.peers.conftest import PYTHON, simulated

CLIENT = """
import json, sys, time
from mettler_toledo_device import MettlerToledoDevice
device = MettlerToledoDevice(port=sys.argv[1])
said = {"serial": device.get_serial_number(), "data": device.get_balance_data()}
said["stable"], said["now"] = device.get_weight_stable(), device.get_weight()
said["zero"] = device.zero_stable()
print(json.dumps(said))
"""


async def test_their_client_reads_our_balance(tmp_path: Path, peer: Any) -> None:
    async with simulated(
        tmp_path, "mt-sics", scale={"unit": "g", "capacity": "220", "increment": "0.01", "load": "52.18"}
    ) as site:
        said = await peer(CLIENT, site.device("one").address)
    assert said["serial"] == "B214507731"
    assert said["data"][-2:] == ["220", "g"]
    assert said["stable"] == [52.18, "g"]
    assert said["now"] == [52.18, "g", "S"]
    assert said["zero"] is False, "52 g are outside the zero range"


@pytest.fixture
async def emulator(unused_tcp_port_factory: Callable[[], int]) -> AsyncIterator[tuple[int, int]]:
    """Their emulator: the ports of its scale and of its hands."""
    port, control = unused_tcp_port_factory(), unused_tcp_port_factory()
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--control-port", str(control)]
    process = subprocess.Popen(  # noqa: ASYNC220
        [str(PYTHON.with_name("mtsics-tcp")), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", control)
                writer.close()
                await writer.wait_closed()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield port, control
    finally:
        process.terminate()
        process.wait(10)


def put(control: int, kilograms: float) -> None:
    body = json.dumps({"value": kilograms, "snap": True}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{control}/weight", body, timeout=10) as answer:
        answer.read()


async def until(found: list[Reading], fits: Callable[[Reading], bool]) -> Reading:
    async with asyncio.timeout(20):
        while not (found and fits(found[-1])):  # noqa: ASYNC110 - the other side is another program
            await asyncio.sleep(0.02)
    return found[-1]


@pytest.mark.parametrize("mode", ["poll", "stream"])
async def test_our_driver_weighs_tares_and_is_refused_at_their_emulator(emulator: tuple[int, int], mode: str) -> None:
    port, control = emulator
    found: list[Reading] = []

    async def took(reading: Reading) -> None:
        found.append(reading)

    async def nothing(*_said: object) -> None:
        return None

    owner = Owner(reading=took, state=lambda _state: None, outdated=lambda: None, identified=nothing, note=nothing)
    link = DeviceLink(
        "scale",
        get("mt-sics"),
        {"mode": mode},
        transport=lambda: make_transport("tcp", {"host": "127.0.0.1", "port": port}),
        clock=BoxClock.of_this_machine(),
        owner=owner,
    )
    running = asyncio.create_task(link.run())
    try:
        await asyncio.to_thread(put, control, 12.5)
        reading = await until(found, lambda one: one.stable is True and one.value == Decimal("12.50"))
        assert (reading.unit, Flag.NET in reading.flags) == ("kg", True)
        tare = await link.ask("tare")
        assert isinstance(tare, Reading)
        assert tare.value == Decimal("12.50")
        await until(found, lambda one: one.value == 0 and Flag.TARE not in one.flags)
        assert isinstance(await link.ask("clear_tare"), Acknowledged)
        with pytest.raises(DeviceRefused):
            await link.ask("zero")  # 12.5 kg of 150 kg are outside the zero range
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
