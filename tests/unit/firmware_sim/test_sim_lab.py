"""The simulated laboratory and bench balances by their manuals: layout of lines, waiting for rest, refusals, switching on."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.actions import Press, Put
from firmware_sim.config import make_site
from firmware_sim.errors import ActionRefused, SiteFault
from firmware_sim.lab_offered import SIMULATORS
from firmware_sim.lab_scale import MAX_INPUT
from firmware_sim.weighing import WeighingDevice

SECOND = 1_000_000_000
KINDS = {kind.name: kind for kind in SIMULATORS}
LINES = sorted(name for name in KINDS if name != "sartorius-xbpi")


class Bench:
    """One device in virtual time; it is woken exactly when it asked for it."""

    def __init__(self, device: WeighingDevice) -> None:
        self.device = device
        self.now_ns = 1000 * SECOND

    def send(self, data: bytes) -> bytes:
        return self.device.receive(data, self.now_ns)

    def wait(self, seconds: float) -> bytes:
        end_ns, said = self.now_ns + round(seconds * SECOND), b""
        while (due := self.device.due_ns(self.now_ns)) is not None and due <= end_ns:
            self.now_ns = max(due, self.now_ns)
            said += self.device.tick(self.now_ns)
        self.now_ns = end_ns
        return said

    def put(self, grams: str) -> None:
        self.device.act(Put.model_validate({"action": "put", "device": "it", "grams": grams}), self.now_ns)

    def press(self, key: str) -> bytes:
        return self.device.act(Press(action="press", device="it", key=key), self.now_ns)

    def load(self, grams: str) -> None:
        self.put(grams)
        self.wait(5)


MakeBench = Callable[..., Bench]


@pytest.fixture
def make() -> MakeBench:
    def made(kind: str, options: dict[str, Any] | None = None, **scale: Any) -> Bench:
        settings = {"noise": 0.0, "stable_wait": 2.0, "boot": 1.0} | scale
        device = {"name": "it", "kind": kind, "pty": "it", "scale": settings, "options": options or {}}
        config = make_site({"title": "Bench", "devices": [device]}).devices[0]
        found = KINDS[kind].make(config, 1, 1000 * SECOND)
        assert isinstance(found, WeighingDevice)
        bench = Bench(found)
        bench.wait(2)
        return bench

    return made


@pytest.mark.parametrize(
    ("kind", "options", "question", "at_zero", "loaded"),
    [
        ("sartorius-sbi", {}, b"\x1bP", b"+    0.000 kg \r\n", b"+    1.250 kg \r\n"),
        ("sartorius-sbi", {"characters": 22}, b"\x1bP\r\n", b"N     +    0.000 kg \r\n", b"N     +    1.250 kg \r\n"),
        ("and-standard", {}, b"Q\r\n", b"ST,+0000.000 kg\r\n", b"ST,+0001.250 kg\r\n"),
        ("ohaus-print", {}, b"IP\r\n", b"    0.000 kg    G  \r\n", b"    1.250 kg    G  \r\n"),
        ("radwag", {}, b"SI\r\n", b"SI        0.000 kg \r\n", b"SI        1.250 kg \r\n"),
        ("radwag", {}, b"SUI\r\n", b"SUI       0.000 kg \r\n", b"SUI       1.250 kg \r\n"),
        ("kern-print", {}, b"w", b"       0.000 kg \r\n", b"       1.250 kg \r\n"),
        ("kern-print", {"letters": "platform"}, b"W", b"ST,GS   0.000KG\r\n", b"ST,GS   1.250KG\r\n"),
        ("adam", {}, b"N\r\n", b"N +    0.000 kg\r\n", b"N +    1.250 kg\r\n"),
        ("adam", {"family": "pgl"}, b"!KP\r", b"0.000 kg\r\n", b"1.250 kg\r\n"),
        ("adam", {"family": "sixteen"}, b"P\r\n", b"        0.000kg \r\n", b"        1.250kg \r\n"),
        (
            "sartorius-xbpi",
            {},
            bytes.fromhex("0401091e2c"),
            b"\x0bAH\0\0\0\0\0\x30\x03\x45\x0c",
            b"\x0bAH?\xa0\0\0\0\x30\x43\x45\x2b",
        ),
    ],
)
def test_weight_is_laid_out_as_the_manual_says(
    make: MakeBench, kind: str, options: dict[str, Any], question: bytes, at_zero: bytes, loaded: bytes
) -> None:
    bench = make(kind, options)
    assert bench.send(question) == at_zero
    bench.load("1250")
    assert bench.send(question) == loaded


@pytest.mark.parametrize(
    ("kind", "options", "question", "answer"),
    [
        ("sartorius-sbi", {}, b"\x1bP", b"+    0.000    \r\n"),
        ("and-standard", {}, b"Q\r\n", b"US,+0000.000 kg\r\n"),
        ("ohaus-print", {}, b"IP\r\n", b"    0.000 kg   ?G  \r\n"),
        ("radwag", {}, b"SI\r\n", b"SI ?      0.000 kg \r\n"),
        ("kern-print", {}, b"w", b"       0.000    \r\n"),
        ("kern-print", {"short_lines": True}, b"w", b"       0.000 \r\n"),
    ],
)
def test_moving_load_is_marked(make: MakeBench, kind: str, options: dict[str, Any], question: bytes, answer: bytes) -> None:
    bench = make(kind, options)
    bench.put("5")
    assert bench.send(question) == answer


@pytest.mark.parametrize(
    ("kind", "options", "question", "over", "under"),
    [
        ("sartorius-sbi", {}, b"\x1bP", b"      H       \r\n", b"      L       \r\n"),
        ("sartorius-sbi", {"characters": 22}, b"\x1bP", b"Stat       High     \r\n", b"Stat       Low      \r\n"),
        ("and-standard", {}, b"Q\r\n", b"OL,+9999.999 kg\r\n", b"OL,-9999.999 kg\r\n"),
        ("ohaus-print", {}, b"IP\r\n", b"     Err8.3\r\n", b"     Err8.4\r\n"),
        ("radwag", {}, b"SI\r\n", b"SI ^            kg \r\n", b"SI v            kg \r\n"),
        ("kern-print", {}, b"w", b"           Error\r\n", b"           Error\r\n"),
        ("adam", {}, b"N\r\n", b"", b""),
        ("sartorius-xbpi", {}, bytes.fromhex("040109303e"), None, None),
    ],
)
def test_range_is_told_and_no_weight(
    make: MakeBench, kind: str, options: dict[str, Any], question: bytes, over: bytes | None, under: bytes | None
) -> None:
    heavy, light = make(kind, options), make(kind, options)
    heavy.load("70000")
    light.load("1000")
    light.device.balance.zero(light.now_ns)
    light.device.balance.remove(light.now_ns)
    light.wait(5)
    if over is None:
        assert (heavy.send(question)[6], light.send(question)[6]) == (0x82, 0x84)
    else:
        assert (heavy.send(question), light.send(question)) == (over, under)


@pytest.mark.parametrize(
    ("kind", "options", "command", "answers"),
    [
        ("and-standard", {"acknowledge": True}, b"Z\r\n", b"\x06\r\nEC,E17\r\n"),
        ("and-standard", {"acknowledge": False}, b"Z\r\n", b""),
        ("radwag", {}, b"Z\r\n", b"Z A\r\nZ ^\r\n"),
        ("sartorius-xbpi", {}, bytes.fromhex("0401091826"), bytes.fromhex("044101064c")),
        ("sartorius-sbi", {}, b"\x1bV", b""),
        ("ohaus-print", {}, b"Z\r\n", b""),
    ],
)
def test_zero_outside_its_range_is_refused_and_changes_nothing(
    make: MakeBench, kind: str, options: dict[str, Any], command: bytes, answers: bytes
) -> None:
    bench = make(kind, options)
    bench.load("20000")
    assert bench.send(command) + bench.wait(1) == answers
    assert bench.device.balance.weigh(bench.now_ns).gross == Decimal(20)


@pytest.mark.parametrize(
    ("kind", "options", "command", "gave_up"),
    [
        ("and-standard", {"acknowledge": True}, b"S\r\n", b"EC,E03\r\n"),
        ("and-standard", {"acknowledge": True}, b"T\r\n", b"\x06\r\nEC,E11\r\n"),
        ("radwag", {}, b"S\r\n", b"S A\r\nS E\r\n"),
        ("radwag", {}, b"T\r\n", b"T A\r\nT E\r\n"),
        ("ohaus-print", {}, b"SP\r\n", b""),
        ("kern-print", {}, b"s", b""),
    ],
)
def test_no_rest_in_the_balances_time_is_given_up(
    make: MakeBench, kind: str, options: dict[str, Any], command: bytes, gave_up: bytes
) -> None:
    bench = make(kind, options, noise=5.0)
    assert bench.send(command) + bench.wait(3) == gave_up
    assert bench.device.due_ns(bench.now_ns) is None


@pytest.mark.parametrize(
    ("kind", "command", "said", "busy"),
    [
        ("and-standard", b"S\r\n", b"ST,+0001.250 kg\r\n", b"EC,E02\r\n"),
        ("radwag", b"S\r\n", b"S         1.250 kg \r\n", b"Q I\r\n"),
        ("kern-print", b"s", b"       1.250 kg \r\n", b""),
    ],
)
def test_weight_at_rest_comes_when_there_is_one(make: MakeBench, kind: str, command: bytes, said: bytes, busy: bytes) -> None:
    bench = make(kind, {"acknowledge": True} if kind == "and-standard" else {})
    bench.put("1250")
    bench.send(command)
    assert bench.send(b"w" if kind == "kern-print" else b"Q\r\n") == busy
    assert bench.wait(5) == said


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_switching_off_forgets_the_tare_and_is_silent_until_it_is_up(make: MakeBench, kind: str) -> None:
    question = {"sartorius-sbi": b"\x1bP", "kern-print": b"w", "adam": b"N\r\n", "sartorius-xbpi": bytes.fromhex("0401091e2c")}
    ask = question.get(kind, b"SI\r\n" if kind in {"radwag", "and-standard"} else b"IP\r\n")
    bench = make(kind)
    bench.load("1250")
    bench.press("tare")
    assert bench.device.balance.weigh(bench.now_ns).tare == Decimal("1.25")
    bench.device.power_cycle(bench.now_ns)
    assert bench.send(ask) == b""
    bench.wait(2)
    assert bench.send(ask)
    assert bench.device.balance.weigh(bench.now_ns).tare == 0


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_switched_on_under_a_heavy_load_there_is_no_weight(make: MakeBench, kind: str) -> None:
    bench = make(kind)
    bench.load("20000")
    bench.device.power_cycle(bench.now_ns)
    bench.wait(5)
    ask = {"sartorius-sbi": b"\x1bP", "kern-print": b"w", "adam": b"N\r\n", "sartorius-xbpi": bytes.fromhex("0401091e2c")}
    said = bench.send(ask.get(kind, b"SI\r\n" if kind in {"radwag", "and-standard"} else b"IP\r\n"))
    no_weight = {
        "sartorius-sbi": b"   Err 054    \r\n",
        "and-standard": b"OL,+9999.999 kg\r\n",
        "radwag": b"SI I\r\n",
        "kern-print": b"           Error\r\n",
        "ohaus-print": b"     Err8.1\r\n",
        "adam": b"",
    }
    assert b"\x7f\xff\xff\xff\xff" in said if kind == "sartorius-xbpi" else said == no_weight[kind]


def test_automatic_output_pauses_for_a_question_until_the_next_tare(make: MakeBench) -> None:
    bench = make("sartorius-sbi", {"autoprint": "always"})
    assert bench.wait(1).count(b"\r\n") in {10, 11}
    assert bench.send(b"\x1bP") == b"+    0.000 kg \r\n"
    assert bench.wait(1) == b""
    bench.send(b"\x1bU")
    assert bench.wait(1).count(b"\r\n") in {10, 11}


def test_automatic_output_with_stability_is_silent_while_the_load_moves(make: MakeBench) -> None:
    bench = make("sartorius-sbi", {"autoprint": "stable"}, noise=5.0)
    assert bench.wait(1) == b""


@pytest.mark.parametrize(
    ("kind", "start", "first", "stop"),
    [("and-standard", b"SIR\r\n", b"ST", b"C\r\n"), ("radwag", b"C1\r\n", b"C1 A", b"C0\r\n")],
)
def test_stream_runs_until_it_is_stopped(make: MakeBench, kind: str, start: bytes, first: bytes, stop: bytes) -> None:
    bench = make(kind)
    assert (bench.send(start) + bench.wait(1)).startswith(first)
    assert bench.wait(1).count(b"\r\n") in {10, 11}
    bench.send(stop)
    assert bench.wait(1) == b""


@pytest.mark.parametrize(
    ("family", "sent", "answer"),
    [
        ("pgl", b"!NT\r", b"!EU\r\n"),
        ("pgl", b"!KK\r", b"!EK\r\n"),
        ("pgl", b"!KTT\r", b"!EF\r\n"),
        ("pgl", b"KT\r", b""),
        ("cpw", b"X\r\n", b""),
        ("azextra", b"P\r\n", b""),
    ],
)
def test_adam_answers_wrong_commands_as_its_family_does(make: MakeBench, family: str, sent: bytes, answer: bytes) -> None:
    assert make("adam", {"family": family}).send(sent) == answer


def test_azextra_tells_each_weight_once(make: MakeBench) -> None:
    bench = make("adam", {"family": "azextra"})
    bench.load("1250")
    assert bench.send(b"P\r\n") == b"  1.250kg\r\n"
    assert bench.send(b"P\r\n") == b""
    bench.load("250")
    assert bench.send(b"P\r\n") == b"  1.500kg\r\n"


def test_print_key_of_an_adam_prints(make: MakeBench) -> None:
    bench = make("adam", {"family": "sixteen"})
    assert bench.press("print") == b"        0.000kg \r\n"
    with pytest.raises(ActionRefused):
        bench.press("start")


def test_preset_tare_of_a_radwag(make: MakeBench) -> None:
    bench = make("radwag")
    assert bench.send(b"UT 0.5\r\n") == b"UT OK\r\n"
    assert bench.send(b"OT\r\n") == b"OT     0.500 kg \r\n"
    assert bench.send(b"UT 61\r\nUT x\r\n") == b"UT I\r\nES\r\n"


def test_xbpi_answers_what_it_does_not_know_and_is_deaf_to_wrong_sums(make: MakeBench) -> None:
    bench = make("sartorius-xbpi")
    assert bench.send(bytes.fromhex("04010999a7")) == bytes.fromhex("044101044a")
    assert bench.send(bytes.fromhex("0401091e2d")) == b""
    bench.wait(1)
    assert bench.send(bytes.fromhex("0401051e28")) == b"", "another bus number"
    assert bench.send(bytes.fromhex("0401")) == b""
    bench.wait(1)
    assert bench.send(b"\x00\xff" + bytes.fromhex("0401091e2c"))[1] == 0x41


@pytest.mark.parametrize("kind", LINES)
def test_endless_input_is_forgotten(make: MakeBench, kind: str) -> None:
    bench = make(kind)
    bench.send(b"\x1bx" + b"9" * 100_000)
    assert len(bench.device._input) <= MAX_INPUT  # type: ignore[attr-defined]  # the cap is what is tested


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.lists(st.binary(max_size=30), max_size=5))
def test_any_bytes_in_any_split_are_legal_input(kind: str, data: list[bytes]) -> None:
    config = make_site({"title": "x", "devices": [{"name": "it", "kind": kind, "pty": "it"}]}).devices[0]
    whole, split = (KINDS[kind].make(config, 1, 0) for _ in range(2))
    assert whole.receive(b"".join(data), 0) == b"".join(split.receive(piece, 0) for piece in data)


def test_unknown_option_is_refused_by_name(make: MakeBench) -> None:
    with pytest.raises(SiteFault) as caught:
        make("sartorius-sbi", {"characters": 15})
    assert "characters" in str(caught.value.key)
