"""Every driver's question at every simulated scale: whose answer it is, and that it changes no measurement."""

from typing import Any

import pytest

from drivers import registry
from drivers.api import Driver, Probe
from firmware_sim.config import DeviceConfig
from firmware_sim.offered import SIMULATORS

SECOND = 1_000_000_000

PROBES: list[tuple[Driver, Probe]] = sorted(
    ((driver, driver.info.probe) for driver in registry.BUILT_IN if driver.info.probe is not None),
    key=lambda pair: pair[1].order,
)

SCALES = {kind.name: kind for kind in SIMULATORS if kind.settings == "scale" and kind.plug is None}

FOUND = {
    ("toledo-8217", ""): "toledo-8217",
    ("toledo-8217", "8213"): "toledo-8213",
    ("nci", ""): "nci-scp01",
    ("sma", ""): "sma",
    ("cas-enq", ""): "cas-enq",
    ("dialog06", ""): None,
    ("penn", ""): None,
}
"""What tills' scales are found to be; where a question is not safe or an answer not certain, nothing."""


class Bench:
    """One scale with a tared load, and its clock."""

    def __init__(self, name: str, **options: Any) -> None:
        config = DeviceConfig.model_validate(
            {"name": "scale", "kind": name, "pty": "scale", "scale": {"load": "2000", "noise": 0.0}, "options": options}
        )
        self.now_ns = 1_000 * SECOND
        self.device: Any = SCALES[name].make(config, 1, self.now_ns)
        self.wait(3)
        self.device.balance.tare(self.now_ns)

    def ask(self, data: bytes) -> bytes:
        return bytes(self.device.receive(data, self.now_ns)) + self.wait(0.3)

    def wait(self, seconds: float) -> bytes:
        end_ns, said = self.now_ns + round(seconds * SECOND), b""
        while (due := self.device.due_ns(self.now_ns)) is not None and due <= end_ns:
            self.now_ns = max(due, self.now_ns)
            said += bytes(self.device.tick(self.now_ns))
        self.now_ns = end_ns
        return said

    def measures(self) -> tuple[Any, ...]:
        weight = self.device.balance.weigh(self.now_ns)
        return weight.net, weight.gross, weight.tare


def owners(heard: bytes) -> list[str]:
    return [driver.info.name for driver, probe in PROBES if probe.recognises(heard)]


@pytest.mark.parametrize("name", SCALES)
def test_no_question_changes_a_measurement(name: str) -> None:
    bench = Bench(name)
    before = bench.measures()
    for _, probe in PROBES:
        for sent in (probe.send, probe.send, probe.undo):
            bench.ask(sent)
    assert bench.measures() == before


@pytest.mark.parametrize("name", SCALES)
def test_no_answer_is_taken_for_two_drivers(name: str) -> None:
    for _, probe in PROBES:
        bench = Bench(name)
        assert len(owners(bench.ask(probe.send))) <= 1, probe.send


@pytest.mark.parametrize(("name", "model"), FOUND)
def test_tills_scales_are_found_or_left_alone(name: str, model: str) -> None:
    bench = Bench(name, **({"model": model} if model else {}))
    found: str | None = None
    for _, probe in PROBES:
        for _ in range(2):
            if found is None and len(owned := owners(bench.ask(probe.send))) == 1:
                (found,) = owned
    assert found == FOUND[name, model]
