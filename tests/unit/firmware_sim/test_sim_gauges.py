"""The simulated gauges by their manuals: lines, buttons, a tip that moves, no value, switching on."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.actions import Measure, NoRead, PowerCycle, Press
from firmware_sim.config import make_site
from firmware_sim.errors import ActionRefused, SiteFault
from firmware_sim.gauges import MAX_LINE
from firmware_sim.gauges_offered import SIMULATORS

SECOND = 1_000_000_000
KINDS = {kind.name: kind for kind in SIMULATORS}


class Bench:
    """One gauge in virtual time."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self.now_ns = 1000 * SECOND

    def send(self, text: str) -> str:
        return str(self.device.receive(text.encode(), self.now_ns).decode())

    def wait(self, seconds: float) -> str:
        end_ns, said = self.now_ns + round(seconds * SECOND), b""
        while (due := self.device.due_ns(self.now_ns)) is not None and due <= end_ns:
            self.now_ns = max(due, self.now_ns)
            said += self.device.tick(self.now_ns)
        self.now_ns = end_ns
        return said.decode()

    def measure(self, value: str | None, what: str | None = None, *, wait_s: float = 1) -> None:
        self.device.act(
            Measure.model_validate({"action": "measure", "device": "it", "value": value, "what": what}), self.now_ns
        )
        self.wait(wait_s)

    def press(self, key: str) -> str:
        return str(self.device.act(Press(action="press", device="it", key=key), self.now_ns).decode())

    def power_cycle(self) -> None:
        self.device.act(PowerCycle(action="power_cycle", device="it"), self.now_ns)


MakeBench = Callable[..., Bench]


@pytest.fixture
def make() -> MakeBench:
    def made(kind: str, **options: Any) -> Bench:
        device = {"name": "it", "kind": kind, "pty": "it", "options": options}
        config = make_site({"title": "Bench", "devices": [device]}).devices[0]
        return Bench(KINDS[kind].make(config, 0, 1000 * SECOND))

    return made


def test_digimatic_box_sends_at_its_button_and_at_any_byte(make: MakeBench) -> None:
    box = make("mitutoyo-spc", decimals=3)
    box.measure("0.123")
    assert box.press("data") == "01A+0000.123\r"
    assert box.send("x") == "01A+0000.123\r"
    box.measure("-12.3456")
    assert box.send("\r") == "01A-0012.346\r"
    box.measure(None)
    assert box.press("data") == "911\r"
    box.measure("101")
    assert box.press("data") == "911\r", "beyond its travel there is no value"


@pytest.mark.parametrize(
    ("unit", "decimals", "value", "frame"),
    [("mm", 3, "0.125", "01A+0000.125"), ("in", 5, "0.12345", "01A+00.12345"), ("in", 4, "0.1234", "01A+000.1234")],
)
def test_digimatic_frames_are_those_of_the_manual(make: MakeBench, unit: str, decimals: int, value: str, frame: str) -> None:
    box = make("mitutoyo-spc", unit=unit, decimals=decimals)
    box.measure(value)
    assert box.press("data") == f"{frame}\r"


def test_idh_answers_to_its_identifier_and_to_all(make: MakeBench) -> None:
    idh = make("mitutoyo-idh", identifier=7)
    idh.measure("16.2345")
    assert idh.send("GA07\r\n") == "GN07,+0016.2345\r\n"
    assert idh.send("GA00\r\n") == "GN07,+0016.2345\r\n"
    assert idh.send("GA08\r\n") == ""
    assert idh.send("XX00\r\n") == ""


def test_idh_keeps_extremes_in_its_modes(make: MakeBench) -> None:
    idh = make("mitutoyo-idh")
    assert idh.send("CX00\r\n") == "CH01\r\n"
    for value in ("5", "-2", "1"):
        idh.measure(value)
        idh.send("GA00\r\n")
    assert idh.send("GA00\r\n") == "GX01,+0005.0000\r\n"
    assert idh.send("CM00\r\n") == "CH01\r\n"
    assert idh.send("GA00\r\n") == "GM01,+0001.0000\r\n", "a new mode begins anew"
    idh.measure("-2")
    assert idh.send("CW00\r\nGA00\r\n") == "CH01\r\nGW01,+0000.0000\r\n"
    idh.measure("4")
    assert idh.send("GA00\r\n") == "GW01,+0006.0000\r\n"
    assert idh.send("CN00\r\nCR00\r\nGA00\r\n") == "CH01\r\nCH01\r\nGN01,+0000.0000\r\n"


def test_idh_judges_by_its_limits(make: MakeBench) -> None:
    idh = make("mitutoyo-idh", lower="-1", upper="1")
    for value, word in (("0", "OK"), ("1.5", "+NG"), ("-1.5", "-NG")):
        idh.measure(value)
        assert idh.send("DJ00,OUT\r\n") == f"DH01,{word}\r\n"
    assert idh.send("DJ00,OFF\r\nDJ00,OUT\r\n") == "DH01\r\nDH01,JOFF\r\n"


def test_sylvac_answers_questions_and_takes_settings_in_silence(make: MakeBench) -> None:
    dial = make("sylvac-serial")
    dial.measure("12.345")
    assert dial.send("?\r") == "+012.345\r"
    assert dial.send("uni?\rID?\rMOD?\r") == "MM\rSYLVAC S_DIAL\rNOR\r"
    assert dial.send("IN\rUNI?\r?\r") == "IN\r+000.4860\r"
    assert dial.send("MM\rSET\r?\r") == "+000.000\r"
    assert dial.send("NONSENSE\rFOO?\r") == "ERR1\rERR1\r"
    dial.measure(None)
    assert dial.send("?\r") == "ERR0\r"
    dial.measure("150")
    assert dial.send("?\r") == "ERR3\r"


def test_sylvac_marks_what_is_out_of_tolerance(make: MakeBench) -> None:
    dial = make("sylvac-serial", lower="9.9", upper="10.1")
    for value, mark in (("9.8", "<"), ("10", "="), ("10.2", ">")):
        dial.measure(value)
        assert dial.send("?\r").endswith(f"{mark}\r")


def test_sylvac_keys_can_be_locked_and_old_ones_do_not_know_their_unit(make: MakeBench) -> None:
    dial = make("sylvac-serial", knows_unit=False)
    assert dial.send("UNI?\r") == "ERR1\r"
    dial.press("unit")
    assert dial.device.state(dial.now_ns)["unit"] == "in"
    dial.send("KEY0\r")
    dial.press("unit")
    assert dial.device.state(dial.now_ns)["unit"] == "in"
    assert dial.press("data")


def test_millimar_gives_one_feature_or_all(make: MakeBench) -> None:
    amplifier = make("mahr", features=2, decimals=2, lower="0", upper="20")
    amplifier.measure("12.34")
    amplifier.measure("-1.5", "2")
    assert amplifier.send("M1?\r") == "1 +012.34 mm =\r"
    assert amplifier.send("?\r") == "1 +012.34 mm =;2 -001.50 mm;3 ERR6\r"
    assert amplifier.send("M3?\r") == "3 ERR6\r"
    assert amplifier.send("M9?\r") == ""
    assert amplifier.send("ID?\r").startswith("1 T ")
    amplifier.measure(None)
    assert amplifier.send("M1?\r") == "1 ERR6\r"
    with pytest.raises(ActionRefused):
        amplifier.measure("1", "3")


def test_tip_takes_its_time(make: MakeBench) -> None:
    dial = make("sylvac-serial", settle_ms=1000)
    dial.measure("10", wait_s=0.25)
    assert dial.send("?\r") == "+002.500\r"
    dial.wait(1)
    assert dial.send("?\r") == "+010.000\r"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_switched_off_it_is_silent_and_forgets(make: MakeBench, kind: str) -> None:
    gauge = make(kind, boot_ms=500)
    gauge.measure("3")
    gauge.press("zero")
    gauge.press("unit")
    gauge.power_cycle()
    assert gauge.send("?\rGA00\r\n\r") == ""
    assert gauge.press("data") == ""
    gauge.wait(1)
    state = gauge.device.state(gauge.now_ns)
    assert (Decimal(state["shown"]), state["unit"]) == (3, "mm")
    assert gauge.press("data")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_it_does_not_have_is_refused(make: MakeBench, kind: str) -> None:
    gauge = make(kind)
    with pytest.raises(ActionRefused):
        gauge.press("tare")
    with pytest.raises(ActionRefused):
        gauge.device.act(NoRead(action="no_read", device="it"), gauge.now_ns)
    with pytest.raises(ActionRefused):
        gauge.measure("1", "no such")
    with pytest.raises(SiteFault):
        make(kind, colour="red")


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"mitutoyo-spc"}))
@given(data=st.binary(max_size=200), cut=st.integers(0, 200))
def test_any_bytes_in_any_split_give_the_same(kind: str, data: bytes, cut: int) -> None:
    config = make_site({"title": "x", "devices": [{"name": "it", "kind": kind, "pty": "it"}]}).devices[0]
    whole, split = (KINDS[kind].make(config, 0, 0) for _ in range(2))
    together = whole.receive(data, 1)
    assert together == split.receive(data[:cut], 1) + split.receive(data[cut:], 1)


@pytest.mark.parametrize(("kind", "ask"), [("sylvac-serial", "?\r"), ("mahr", "?\r"), ("mitutoyo-idh", "GA00\r\n")])
def test_a_line_longer_than_any_command_is_thrown_away(make: MakeBench, kind: str, ask: str) -> None:
    gauge = make(kind)
    assert gauge.send("x" * (MAX_LINE + 1)) == ""
    assert gauge.send(ask) == "", "the end of the long line"
    assert gauge.send(ask)
