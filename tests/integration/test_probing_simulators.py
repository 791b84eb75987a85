"""Every simulated device of a serial line on a real pseudo-terminal, asked who it is by all drivers of the registry."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import Driver
from drivers.transports import make_transport
from edge.devices import probing
from edge.devices.probing import Line, find_out
from firmware_sim.config import make_site
from firmware_sim.site import run_site

OWNERS = {
    "mt-sics": "mt-sics",
    "sartorius-sbi": "sartorius-sbi",
    "and-standard": "and-standard",
    "radwag": "radwag",
    "toledo-8217": "toledo-8217",
    "nci": "nci-scp01",
    "sma": "sma",
    "cas-enq": "cas-enq",
    "dini-argeo": "dini-argeo",
    "mt-continuous": "mt-continuous",
    "yaohua-a12e": "yaohua-wg",
    "rice-lake": "ricelake-stream",
}
"""Simulated device -> the driver that a probe must find."""

NOBODYS = ("ohaus-print", "kern-print", "adam", "dialog06", "penn", "mitutoyo-spc", "sylvac-serial", "serial-reader")
"""Devices for which no safe question is known: they must not be taken for others, whatever they answer."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LISTEN_S", 0.5)
    monkeypatch.setattr(probing, "REST_S", 0.0)


@pytest.mark.parametrize("kind", [*OWNERS, *NOBODYS])
async def test_a_probe_finds_its_device_takes_none_for_another_and_changes_nothing(tmp_path: Path, kind: str) -> None:
    device: dict[str, object] = {"name": "one", "kind": kind, "pty": "one"}
    if kind == "mt-continuous":
        device["options"] = {"checksum": True}  # without its check byte nothing of it is certain
    scale = kind not in {"serial-reader", "mitutoyo-spc", "sylvac-serial"}
    if scale:
        device["scale"] = {"load": "1200", "noise": 0, "settle": 0}
    async with run_site(make_site({"devices": [device]}), directory=tmp_path) as site:
        one = site.device("one")
        if scale:
            await one.press("tare")
            await one.put("500")
        before = await one.state()
        drivers = [_impatient(registry.get(name)) for name in registry.names()]
        # A pseudo-terminal has no line settings: the first one stands for all.
        lines = ["9600-8N1", *_lines(OWNERS[kind])] if kind in OWNERS else ["9600-8N1"]

        def open_line(line: Line) -> object:
            return make_transport("serial", {"port": one.address, **line.settings(), "bytesize": 8, "parity": "N"})

        finding = await find_out(open_line, drivers, lines)  # type: ignore[arg-type]
        after = await one.state()
    assert finding.driver == OWNERS.get(kind), finding
    if scale:
        assert after["tare"] == before["tare"], "a probe changed the tare"
        assert Decimal(str(after["gross"])) in {Decimal("1.7"), Decimal("1.700")}, "a probe changed the zero"


def _impatient(driver: Driver) -> Driver:
    """Simulated devices answer at once."""
    probe = driver.info.probe
    return driver if probe is None else replace(driver, info=replace(driver.info, probe=replace(probe, wait_ms=100)))


def _lines(name: str) -> tuple[str, ...]:
    driver = registry.get(name)
    return probing._lines_of(driver) if driver.info.probe is not None else ()
