"""What is sent to each bench balance, when, and what counts as its answer."""

from typing import Any

import pytest

from drivers import registry
from drivers.api import Acknowledged, Codec, Decoded, Identity, Reading, Refused, SettingsFault
from drivers.settings import read_settings
from drivers.talk import QUIET_NS, STABLE_TIMEOUT_NS, STREAM_SILENCE_NS
from tests.contract.samples import gauges, lab, pos, streams

SAMPLES = lab.SAMPLES | pos.SAMPLES | streams.SAMPLES | gauges.SAMPLES
"""What every scale and gauge on a serial line says."""

MS = 1_000_000
SECOND = 1_000_000_000


def new(driver: str, **settings: Any) -> Codec:
    found = registry.get(driver)
    return found.make_codec(read_settings(found.settings, settings))


def commands_of(items: list[Decoded]) -> list[str]:
    return [item.command for item in items if isinstance(item, Acknowledged)]


@pytest.mark.parametrize(
    ("driver", "settings", "question"),
    [
        ("sartorius-sbi", {}, b"\x1bP\r\n"),
        ("sartorius-sbi", {"autoprint": True}, None),
        ("and-standard", {}, b"Q\r\n"),
        ("and-standard", {"mode": "stream"}, b"SIR\r\n"),
        ("and-standard", {"mode": "autoprint"}, None),
        ("ohaus-print", {}, b"IP\r\n"),
        ("ohaus-print", {"mode": "stream"}, b"CP\r\n"),
        ("ohaus-print", {"mode": "autoprint"}, None),
        ("adam-cpw", {}, b"N\r\n"),
        ("adam-cpw", {"weight_command": "G"}, b"G\r\n"),
        ("adam-azextra", {}, b"P\r\n"),
        ("adam-16", {}, None),
        ("adam-pgl", {}, b"!KP\r"),
        ("adam-pgl", {"mode": "autoprint"}, None),
        ("kern-print", {}, b"w"),
        ("kern-print", {"mode": "autoprint"}, None),
        ("kern-platform", {}, b"W"),
        ("kern-platform", {"counting": True}, None),
        ("gg-print", {}, b"\x1bp"),
        ("radwag", {}, b"SI\r\n"),
        ("radwag", {"current_unit": True}, b"SUI\r\n"),
        ("radwag", {"mode": "stream"}, b"C1\r\n"),
        ("radwag", {"mode": "stream", "current_unit": True}, b"CU1\r\n"),
        ("axis", {}, b"SI\r\n"),
        ("mt-lab-print", {}, None),
    ],
)
def test_question(driver: str, settings: dict[str, Any], question: bytes | None) -> None:
    codec = new(driver, **settings)
    assert codec.poll(0) == question
    assert codec.poll(1) is None, "one question at a time"


@pytest.mark.parametrize(
    ("driver", "command", "settings", "sent"),
    [
        ("sartorius-sbi", "zero", {}, b"\x1bV\r\n"),
        ("sartorius-sbi", "tare", {}, b"\x1bU\r\n"),
        ("sartorius-sbi", "identify", {}, b"\x1bx2_\r\n"),
        ("and-standard", "stable", {}, b"S\r\n"),
        ("and-standard", "zero", {}, b"Z\r\n"),
        ("and-standard", "tare", {"acknowledge": True}, b"T\r\n"),
        ("ohaus-print", "stable", {}, b"SP\r\n"),
        ("adam-16", "print", {}, b"P\r\n"),
        ("adam-cpw", "zero_tare", {}, b"Z\r\n"),
        ("adam-cpw", "tare_value", {}, b"T\r\n"),
        ("adam-pgl", "zero_tare", {}, b"!KT\r"),
        ("kern-print", "stable", {}, b"s"),
        ("kern-print", "tare", {}, b"t"),
        ("kern-platform", "zero", {}, b"Z"),
        ("kern-platform", "zero", {"counting": True}, b"Z\r\n"),
        ("gg-print", "tare", {}, b"\x1bt"),
        ("radwag", "stable", {}, b"S\r\n"),
        ("radwag", "stable", {"current_unit": True}, b"SU\r\n"),
        ("radwag", "zero", {}, b"Z\r\n"),
        ("radwag", "identify", {}, b"NB\r\n"),
        ("axis", "tare", {}, b"ST\r\n"),
    ],
)
def test_command(driver: str, command: str, settings: dict[str, Any], sent: bytes) -> None:
    assert new(driver, **settings).command(command) == sent
    with pytest.raises(SettingsFault):
        new(driver, **settings).command(command, "5 kg")


@pytest.mark.parametrize(
    ("argument", "settings", "sent"),
    [
        ("12.5 g", {}, b"UT 12.5\r\n"),
        ("0.0125 kg", {}, b"UT 12.5\r\n"),
        ("250 g", {"tare_unit": "kg"}, b"UT 0.25\r\n"),
        ("0 g", {}, b"UT 0\r\n"),
    ],
)
def test_preset_tare_goes_out_in_the_unit_that_the_balance_expects(argument: str, settings: Any, sent: bytes) -> None:
    codec = new("radwag", **settings)
    assert codec.command("preset_tare", argument) == sent
    (answer,) = codec.receive(b"UT OK\r\n", 0)
    assert commands_of([answer]) == ["preset_tare"]


@pytest.mark.parametrize("argument", [None, "12.5", "-1 g", "5 {pcs}", "x g"])
def test_preset_tare_that_is_none_is_refused(argument: str | None) -> None:
    with pytest.raises(SettingsFault):
        new("radwag").command("preset_tare", argument)


def test_device_that_confirms_nothing_is_believed_and_said_so_once() -> None:
    codec = new("ohaus-print")
    sent = codec.command("zero")
    assert codec.due_ns(5) is not None
    assert codec.receive(b"", 5) == [], "it may still refuse"
    (done,) = codec.receive(b"", 6 + QUIET_NS)
    assert done == Acknowledged("zero", sent)
    assert codec.receive(b"", 7 + QUIET_NS) == []


def test_second_acknowledgement_of_an_and_balance_ends_the_command() -> None:
    codec = new("and-standard", acknowledge=True)
    for name, begin in (("zero", 0), ("tare", 10 * SECOND)):
        codec.command(name)
        assert commands_of(codec.receive(b"\x06\r\n", begin)) == ["received"]
        assert codec.poll(begin + SECOND) is None, "still at it"
        assert commands_of(codec.receive(b"\x06\r\n", begin + SECOND)) == [name]
        assert codec.poll(begin + 2 * SECOND) == b"Q\r\n"
        codec.receive(b"ST,+0001.234 kg\r\n", begin + 2 * SECOND)


def test_refusal_of_an_and_balance_ends_the_command_and_the_next_counts_anew() -> None:
    codec = new("and-standard", acknowledge=True)
    codec.command("zero")
    codec.receive(b"\x06\r\n", 0)
    (refused,) = codec.receive(b"EC,E11\r\n", 1)
    assert isinstance(refused, Refused)
    codec.command("zero")
    assert commands_of(codec.receive(b"\x06\r\n", 2)) == ["received"]
    assert commands_of(codec.receive(b"\x06\r\n", 3)) == ["zero"]


def test_radwag_command_ends_with_done_not_with_understood() -> None:
    codec = new("radwag")
    codec.command("tare")
    assert commands_of(codec.receive(b"T A\r\n", 0)) == ["received"]
    assert codec.poll(SECOND) is None
    assert commands_of(codec.receive(b"T D\r\n", SECOND)) == ["tare"]
    codec.command("zero")
    codec.receive(b"Z A\r\n", SECOND)
    (refused,) = codec.receive(b"Z ^\r\n", SECOND)
    assert isinstance(refused, Refused)
    assert codec.poll(2 * SECOND) == b"SI\r\n"


@pytest.mark.parametrize(
    ("driver", "moving", "resting"),
    [
        ("radwag", b"SI ?       18.5 kg \r\n", b"S          18.5 kg \r\n"),
        ("and-standard", b"US,+0001.234 kg\r\n", b"ST,+0001.234 kg\r\n"),
        ("kern-print", b"       10.21    \r\n", b"       10.21 g  \r\n"),
        ("ohaus-print", b"   0.355 kg   ?G\r\n", b"   0.355 kg    G\r\n"),
    ],
)
def test_moving_weight_does_not_answer_the_question_for_one_at_rest(driver: str, moving: bytes, resting: bytes) -> None:
    codec = new(driver)
    codec.command("stable")
    codec.receive(moving, 0)
    assert codec.poll(SECOND) is None
    assert not codec.overdue(STABLE_TIMEOUT_NS)
    codec.receive(resting, 2 * SECOND)
    assert codec.poll(3 * SECOND) is not None


def test_number_is_a_serial_number_only_for_who_asked() -> None:
    codec = new("sartorius-sbi")
    codec.command("identify")
    weight, serial = codec.receive(b"+   123.56 g  \r\n0031801165\r\n", 0)
    assert isinstance(weight, Reading)
    assert serial == Identity("0031801165", b"0031801165\r\n")
    (stray,) = codec.receive(b"0031801165\r\n", 1)
    assert not isinstance(stray, Identity | Reading)


def test_stream_is_started_again_after_silence() -> None:
    codec = new("radwag", mode="stream")
    assert codec.poll(0) == b"C1\r\n"
    codec.receive(b"C1 A\r\nSI         18.5 kg \r\n", MS)
    assert codec.poll(SECOND) is None
    assert not codec.overdue(SECOND)
    assert codec.overdue(MS + STREAM_SILENCE_NS + 1)
    assert codec.poll(MS + STREAM_SILENCE_NS + 1) == b"C1\r\n"


def test_silence_of_an_azextra_is_no_fault_and_it_is_asked_slowly() -> None:
    codec = new("adam-azextra")
    asked = [now for now in range(0, 60_000, 100) if codec.poll(now * MS) is not None]
    assert not codec.overdue(60 * SECOND)
    assert len(asked) == 12


@pytest.mark.parametrize("driver", ["and-standard", "radwag", "sartorius-sbi"])
def test_probe_asks_for_the_weight_and_knows_its_own_kind_only(driver: str) -> None:
    from_own = {
        "sartorius-sbi": b"+   123.56 g  \r\n",
        "and-standard": b"ST,+0001.234 kg\r\n",
        "radwag": b"SI         18.5 kg \r\n",
    }
    strangers = [b"S S     100.00 g\r\n", b"ES\r\n", b"ST,GS,   1.000kg\r\n", b"\x02   1.234\r", b"?\r\n", b"12.5\r\n", b""]
    probe = registry.get(driver).info.probe
    assert probe is not None
    assert probe.send == new(driver).poll(0)
    assert probe.recognises(from_own[driver])
    for other, answer in from_own.items():
        assert probe.recognises(b"\xff half a line\r\n" + answer) is (other == driver)
    for stranger in [*strangers, *(frame for name, frames in SAMPLES.items() if name != driver for frame in frames)]:
        assert not probe.recognises(stranger), stranger
