"""A whole site in real time: from TOML, with scenario, control port and real clients."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import serial
from structlog.testing import capture_logs

from firmware_sim.catalog import SCENARIOS, SIMULATORS, scenario, serve
from firmware_sim.config import FaultConfig, LineConfig, SiteConfig, make_site, read_site
from firmware_sim.errors import ActionRefused, SiteFault, WireTaken
from firmware_sim.site import Site, run_site

DEADLINE_S = 20
SITE = """
title = "Test"
seed = 3
control_port = 0

[[devices]]
name = "scale-1"
kind = "mt-sics"
pty = "scale-1"
scale = { settle = 0.02, stable_after = 0.1, boot = 0.1 }

[[devices]]
name = "scale-2"
kind = "mt-sics"
tcp = 0
scale = { unit = "g", capacity = "220", increment = "0.0001", load = "52.1873" }

[[devices]]
name = "reader-1"
kind = "serial-reader"
pty = "reader-1"
"""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with run_site(read_site(SITE), directory=tmp_path) as running:
        yield running


class Port:
    """A serial port as a person at a terminal uses it."""

    def __init__(self, path: str) -> None:
        self._port = serial.Serial(path, 9600, timeout=DEADLINE_S, exclusive=True)

    async def line(self, end: bytes = b"\r\n") -> bytes:
        return await asyncio.to_thread(self._port.read_until, end)

    async def ask(self, command: str) -> bytes:
        await asyncio.to_thread(self._port.write, command.encode() + b"\r\n")
        return await self.line()

    async def ask_until_broken(self, command: str) -> None:
        while True:
            await self.ask(command)

    def __enter__(self) -> "Port":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._port.close()


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def control(port: int | None, *requests: Mapping[str, Any] | bytes) -> list[Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for request in requests:
        writer.write((request if isinstance(request, bytes) else json.dumps(request).encode()) + b"\n")
        answers.append(json.loads(await asyncio.wait_for(reader.readline(), DEADLINE_S)))
    writer.close()
    await writer.wait_closed()
    return answers


async def test_a_load_put_in_process_is_weighed_at_the_port(site: Site) -> None:
    scale = site.device("scale-1")
    with Port(scale.address) as port:
        assert await port.ask("S") == b"S S      0.000 kg\r\n"
        await scale.put("12340")
        assert await port.ask("S") == b"S S     12.340 kg\r\n"
        await scale.press("tare")
        await scale.remove("340")
        assert await port.ask("S") == b"S S     -0.340 kg\r\n"


async def test_a_balance_on_tcp_starts_with_its_load(site: Site) -> None:
    host, _, port = site.device("scale-2").address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"S\r\n")
    assert await asyncio.wait_for(reader.readline(), DEADLINE_S) == b"S S    52.1873 g\r\n"
    writer.close()
    await writer.wait_closed()


async def test_a_repeated_weight_streams_without_being_asked_again(site: Site) -> None:
    with Port(site.device("scale-1").address) as port:
        assert await port.ask("SIR") == b"S S      0.000 kg\r\n"
        assert [await port.line() for _ in range(3)] == [b"S S      0.000 kg\r\n"] * 3
        await port.ask("@")


async def test_a_scan_arrives_with_identifier_and_suffix(site: Site) -> None:
    reader = site.device("reader-1")
    with Port(reader.address) as port:
        await reader.scan("010729001234567810AB\x1d17270630", "]C1")
        assert await port.line(b"\r") == b"]C1010729001234567810AB\x1d17270630\r"


async def test_unplugged_and_plugged_in_again_the_same_balance_is_there(site: Site, tmp_path: Path) -> None:
    scale = site.device("scale-1")
    await scale.put("5000")
    with Port(scale.address) as port:
        await scale.unplug()
        assert "scale-1" not in names_in(tmp_path)
        with pytest.raises(serial.SerialException):
            await port.line()
    await scale.replug()
    await scale.replug()
    with Port(scale.address) as port:
        assert await port.ask("S") == b"S S      5.000 kg\r\n"


async def test_power_on_is_heard_at_the_port(site: Site) -> None:
    scale = site.device("scale-1")
    with Port(scale.address) as port:
        await scale.power_cycle()
        assert await port.line() == b'I4 A "B214507731"\r\n'


async def test_a_line_fault_that_pulls_the_plug_also_puts_it_back(site: Site) -> None:
    scale = site.device("scale-1")
    await scale.faults(LineConfig(from_device=FaultConfig(unplug=1.0, away=(0.2, 0.2))))
    with Port(scale.address) as port, pytest.raises(serial.SerialException):
        await port.ask_until_broken("I4")
    await scale.faults(LineConfig())
    async with asyncio.timeout(DEADLINE_S):
        while not (await scale.state())["plugged"]:  # noqa: ASYNC110 - the site tells only when asked
            await asyncio.sleep(0.01)
    with Port(scale.address) as port:
        assert await port.ask("I3") == b'I3 A "1.20 18.6.4.1361.772"\r\n'


async def test_delayed_and_split_answers_arrive_whole_in_the_end(site: Site) -> None:
    scale = site.device("scale-1")
    await scale.faults(LineConfig(from_device=FaultConfig(split=1.0, split_bytes=1, delay=(0.01, 0.05))))
    with Port(scale.address) as port:
        assert await port.ask("SI") == b"S S      0.000 kg\r\n"


async def test_a_wrong_line_setting_shows_as_parity_bits_and_transmission_errors(site: Site) -> None:
    scale = site.device("scale-1")
    await scale.faults(LineConfig(from_device=FaultConfig(parity_7e1=True)))
    with Port(scale.address) as port:
        await asyncio.to_thread(port._port.write, b"SI\x8d\n")
        assert await asyncio.to_thread(port._port.read, 4) == b"\xc5\xd4\x8d\x0a"


async def test_another_process_acts_through_the_control_port(site: Site) -> None:
    answers = await control(
        site.control_port,
        {"device": "scale-1", "action": "put", "grams": "12340"},
        {"id": 7, "device": "scale-1", "action": "remove", "grams": "340"},
        {"action": "list"},
    )
    assert answers[:2] == [{"ok": True}, {"id": 7, "ok": True}]
    assert answers[2]["devices"]["scale-1"]["load_grams"] == "12000"
    assert answers[2]["devices"]["reader-1"] == {
        "kind": "serial-reader",
        "address": site.device("reader-1").address,
        "plugged": True,
        "labels": 0,
    }


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (b"{", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b"[" * 5_000, "not a JSON object"),
        (b"\xff", "not a JSON object"),
        ({}, "action: Unable to extract tag"),
        ({"device": "scale-1", "action": "fly"}, "action: "),
        ({"device": "scale-9", "action": "unplug"}, "device: there is no device 'scale-9'"),
        ({"device": "scale-1", "action": "put", "grams": 5}, "grams: an amount is written as text"),
        ({"device": "scale-1", "action": "put", "grams": "-5"}, "grams: "),
        ({"device": "scale-1", "action": "put", "grams": "5", "kg": "1"}, "kg: "),
        ({"device": "scale-1", "action": "remove", "grams": "5"}, "5 g cannot be taken off"),
        ({"device": "scale-1", "action": "scan", "text": "1"}, "a balance cannot scan"),
        ({"device": "reader-1", "action": "put", "grams": "5"}, "a barcode reader cannot put"),
        ({"device": "reader-1", "action": "scan", "text": "1", "symbology_id": "C1"}, "symbology_id: "),
        ({"device": "reader-1", "action": "scan", "text": "\ud800"}, "text: "),
    ],
)
async def test_a_refused_request_says_why_and_the_conversation_goes_on(site: Site, request_: Any, error: str) -> None:
    refused, after = await control(site.control_port, request_, {"device": "scale-1", "action": "state"})
    assert refused["ok"] is False
    assert refused["error"].startswith(error)
    assert after["ok"] is True


async def test_a_control_request_has_a_greatest_length(site: Site) -> None:
    answers = await control(site.control_port, b'{"x": "' + b"x" * (1 << 21) + b'"}', {"action": "list"})
    assert answers[0] == {"ok": False, "error": "a request has at most 1048576 bytes"}
    assert answers[1]["ok"] is True


async def test_the_methods_refuse_what_a_device_cannot_do(site: Site) -> None:
    with pytest.raises(ActionRefused):
        await site.device("reader-1").put("5")
    with pytest.raises(SiteFault, match="scale-1, scale-2, reader-1"):
        site.device("scale-7")


STEPS = """
[[steps]]
at = "0:00:02"
device = "reader-1"
action = "scan"
text = "B"

[[steps]]
at = 1
device = "reader-1"
action = "scan"
text = "A"

[[steps]]
at = 3
device = "scale-1"
action = "remove"
grams = "1"

[[steps]]
at = 4
device = "scale-1"
action = "put"
grams = "1000"
"""


async def test_a_scenario_is_played_in_the_order_of_its_times(tmp_path: Path) -> None:
    config = read_site(SITE.replace("seed = 3", "speed = 20") + STEPS)
    with capture_logs() as logs:
        async with run_site(config, directory=tmp_path) as site:
            with Port(site.device("reader-1").address) as port:
                assert [await port.line(b"\r"), await port.line(b"\r")] == [b"A\r", b"B\r"]
            await asyncio.wait_for(site.played(), DEADLINE_S)
            assert (await site.device("scale-1").state())["load_grams"] == "1000"
    refused = [entry for entry in logs if entry["event"] == "step_refused"]
    assert [entry["action"] for entry in refused] == ["remove"], "a step that cannot be done is said, and the day goes on"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('device = "scale-1"', 'device = "scale-9"'), "steps.2.device"),
        (('grams = "1000"', 'gram = "1000"'), "steps.3.grams"),
        (('grams = "1000"', "grams = 1000"), "steps.3.grams"),
        (('action = "put"', 'action = "throw"'), "steps.3.action"),
        (("at = 3", 'at = "x:y:z"'), "steps.2.at"),
        (("at = 3", "at = -1"), "steps.2.at"),
        (('increment = "0.0001"', "increment = 0.0001"), "devices.1.scale.increment"),
        (('unit = "g"', 'unit = "stone"'), "devices.1.scale.unit"),
        (("tcp = 0", "tcp = 70000"), "devices.1.tcp"),
        (("tcp = 0", 'tcp = 0\npty = "x"'), "devices.1"),
        (('name = "scale-2"', 'name = "Scale 2"'), "devices.1.name"),
        (('kind = "serial-reader"', 'kind = "laser"'), "devices.2.kind"),
        (("seed = 3", "seeds = 3"), "seeds"),
        (("stable_after = 0.1", "stable_after = 0"), "devices.0.scale.stable_after"),
    ],
)
async def test_a_wrong_site_file_names_the_key(tmp_path: Path, change: tuple[str, str], key: str) -> None:
    with pytest.raises(SiteFault) as caught:
        async with run_site(read_site((SITE + STEPS).replace(*change)), directory=tmp_path):
            pass
    assert caught.value.key == key
    assert str(caught.value).startswith(key)
    assert names_in(tmp_path) == [], "nothing was started"


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "",
        SITE.replace("scale-2", "scale-1"),
    ],
)
def test_a_site_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(SiteFault):
        read_site(text)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ('kind = "mt-sics"\nreader = {}', "devices.1.reader"),
        ('kind = "teapot"', "devices.1.kind"),
        ('kind = "mt-sics"\noptions = {a = 1}', "devices.1.options"),
    ],
)
async def test_a_device_that_makes_no_sense_is_refused_by_its_key(tmp_path: Path, wrong: str, key: str) -> None:
    one = '[[devices]]\nname = "scale-1"\nkind = "mt-sics"\npty = "s"\n\n[[devices]]\nname = "second"\npty = "r"\n'
    with pytest.raises(SiteFault) as caught:
        async with run_site(read_site(one + wrong + "\n"), directory=tmp_path):
            pass
    assert caught.value.key == key


async def test_what_the_block_raises_comes_out_as_it_was_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with run_site(read_site(SITE), directory=tmp_path):
            raise ZeroDivisionError
    assert names_in(tmp_path) == []


async def test_a_taken_address_stops_the_start_and_frees_what_was_taken(tmp_path: Path) -> None:
    (tmp_path / "reader-1").write_text("in the way")
    with pytest.raises(WireTaken):
        async with run_site(read_site(SITE), directory=tmp_path):
            pass
    assert names_in(tmp_path) == ["reader-1"]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_each_scenario_that_is_shipped_starts(tmp_path: Path, name: str) -> None:
    async with run_site(scenario(name), directory=tmp_path) as site:
        assert set(site.devices) == {"scale-1", "reader-1"}
        assert site.control_port


async def test_the_morning_of_receiving_can_be_played_to_its_end(tmp_path: Path) -> None:
    config = SiteConfig.model_validate(
        {**scenario("receipt").model_dump(exclude={"devices", "steps"}), "speed": 1000.0}
        | {
            "devices": [device.model_dump(exclude_none=True, mode="json") for device in scenario("receipt").devices],
            "steps": [step.model_dump() for step in scenario("receipt").steps],
        }
    )
    with capture_logs() as logs:
        async with run_site(config, directory=tmp_path) as site:
            await asyncio.wait_for(site.played(), DEADLINE_S)
            assert (await site.device("scale-1").state())["load_grams"] == "0"
    assert [entry["event"] for entry in logs].count("step_done") == len(config.steps)


async def test_an_unknown_scenario_or_simulator_is_named_with_the_known_ones() -> None:
    with pytest.raises(SiteFault, match="demo, receipt"):
        scenario("lunch")
    with pytest.raises(SiteFault, match="mt-sics, serial-reader"):
        await serve("toaster", tcp_port=0)
    with pytest.raises(SiteFault, match="either"):
        await serve("mt-sics")


ON_A_NETWORK = {"camera"}
"""Simulators that are no line: they are asked over HTTP."""


@pytest.mark.parametrize("simulator", SIMULATORS, ids=lambda simulator: simulator.name)
@pytest.mark.parametrize("where", ["tcp", "pty"])
async def test_each_simulator_serves_anyone_until_cancelled(tmp_path: Path, simulator: Any, where: str) -> None:
    ready: asyncio.Queue[Site] = asyncio.Queue(1)
    address: dict[str, Any] = {"tcp_port": 0} if where == "tcp" else {"pty_path": tmp_path / "device"}
    if where == "pty" and simulator.name in ON_A_NETWORK:
        with pytest.raises(SiteFault, match="tcp"):
            await serve(simulator.name, **address)
        return
    task = asyncio.create_task(serve(simulator.name, announce=ready.put_nowait, control_port=0, **address))
    site = await asyncio.wait_for(ready.get(), DEADLINE_S)
    assert (await control(site.control_port, {"action": "list"}))[0]["devices"][simulator.name]["plugged"] is True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names_in(tmp_path) == []


def test_each_simulators_settings_are_a_table_of_the_site_file() -> None:
    for simulator in SIMULATORS:
        table = {} if simulator.settings == "none" else {simulator.settings: {}}
        site = make_site({"devices": [{"name": "a", "kind": simulator.name, "tcp": 0, **table}]})
        assert site.devices[0].kind == simulator.name
