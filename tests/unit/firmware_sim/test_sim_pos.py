"""Simulated tills' scales on a bench: their grammar as the manuals give it, refusals, power-up, any bytes at all."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.actions import PowerCycle, Put, Remove
from firmware_sim.balance import Balance, BalanceSpec
from firmware_sim.errors import ActionRefused
from firmware_sim.pos_cas import CasOptions, CasScale
from firmware_sim.pos_dialog import DialogOptions, DialogScale
from firmware_sim.pos_nci import NciOptions, NciScale
from firmware_sim.pos_penn import PennOptions, PennScale
from firmware_sim.pos_sma import SmaOptions, SmaScale
from firmware_sim.pos_toledo import ToledoOptions, ToledoScale
from firmware_sim.specs import TerminalSpec

SECOND = 1_000_000_000

KINDS: dict[str, tuple[Any, Any]] = {
    "toledo": (ToledoScale, ToledoOptions),
    "nci": (NciScale, NciOptions),
    "sma": (SmaScale, SmaOptions),
    "cas": (CasScale, CasOptions),
    "dialog": (DialogScale, DialogOptions),
    "penn": (PennScale, PennOptions),
}


@dataclass
class Bench:
    """One scale of 60 kg x 0.005 kg and its clock."""

    device: Any
    now_ns: int = 1_000 * SECOND

    def send(self, data: bytes) -> bytes:
        return bytes(self.device.receive(data, self.now_ns))

    def wait(self, seconds: float) -> bytes:
        """What comes by itself meanwhile; the device is woken exactly when it asked for it."""
        end_ns, said = self.now_ns + round(seconds * SECOND), b""
        while (due := self.device.due_ns(self.now_ns)) is not None and due <= end_ns:
            self.now_ns = max(due, self.now_ns)
            said += self.device.tick(self.now_ns)
        self.now_ns = end_ns
        return said

    def put(self, grams: str, *, settled: bool = True) -> None:
        self.device.act(Put(action="put", device="scale", grams=grams), self.now_ns)
        if settled:
            self.wait(3)

    def remove(self) -> None:
        self.device.act(Remove(action="remove", device="scale"), self.now_ns)
        self.wait(3)

    def power_cycle(self) -> None:
        self.device.act(PowerCycle(action="power_cycle", device="scale"), self.now_ns)


Make = Callable[..., Bench]


def make_bench(kind: str, *, unit: str = "kg", increment: str = "0.005", **options: Any) -> Bench:
    device, model = KINDS[kind]
    spec = BalanceSpec(capacity=Decimal(60), increment=Decimal(increment), unit=unit)
    bench = Bench(device(Balance(spec, 1), TerminalSpec(), model(**options).model_dump()))
    bench.device.balance.weigh(bench.now_ns)
    bench.wait(3)
    return bench


@pytest.mark.parametrize(
    ("model", "load", "answer"),
    [
        ("8217", "1250", b"\x0201.250\r"),
        ("8213", "1250", b"\x02001.250\r"),
        ("8217", "70000", b"\x02?\x0a\r"),
        ("8213", "70000", b"\x02?\x4a\r"),
        ("8213-clone", "70000", b"\x02?\x6a\r"),
    ],
)
def test_toledo_weight_or_state(model: str, load: str, answer: bytes) -> None:
    bench = make_bench("toledo", model=model)
    bench.put(load)
    assert bench.send(b"W") == answer


def test_toledo_motion_net_and_letters() -> None:
    bench = make_bench("toledo")
    bench.put("2000", settled=False)
    assert bench.send(b"W")[:2] == b"\x02?"
    assert bench.send(b"W")[2] & 1
    bench.wait(3)
    assert bench.send(b"T\r") == b""
    assert bench.wait(0.2) == b"\x02?\x28\r"
    assert bench.send(b"WT00500\r") == b"\x0200.000N\r"
    assert bench.wait(0.2) == b"\x02?\x28\r"
    assert bench.send(b"W") == b"\x0201.500N\r"
    assert bench.send(b"C") == b"\x02?\x08\r"
    assert bench.send(b"H") == b"\x0202.0000\r"
    assert bench.send(b"q") == b"\x02?\x48\r"
    assert bench.send(b"Tx") == b"\x02?\x48\r"
    assert bench.send(b"Ehello") == b"\x02E\rhello"
    assert bench.send(b"FABB") == b"\x02\r\x02?@\r\x02?\x00\r"


def test_toledo_tare_that_is_switched_off_is_not_answered() -> None:
    bench = make_bench("toledo", tare_enabled=False)
    bench.put("2000")
    assert bench.send(b"T\r") + bench.wait(1) == b""
    assert bench.send(b"W") == b"\x0202.000\r"


def test_toledo_zero_outside_its_range_changes_nothing() -> None:
    bench = make_bench("toledo")
    bench.put("30000")
    assert bench.send(b"Z") == b"\x02?\x08\r"
    assert bench.send(b"W") == b"\x0230.000\r"


def test_nci_weight_states_and_unknown_letter() -> None:
    bench = make_bench("nci")
    assert bench.send(b"W\r") == b"\n00.000KG\r\nS20\r\x03"
    bench.put("1250")
    assert bench.send(b"W\r") == b"\n01.250KG\r\nS00\r\x03"
    assert bench.send(b"H\r") == b"\n01.2500KG\r\nS00\r\x03"
    assert bench.send(b"T\r") == b"\nS0p4\r\x03"
    assert bench.send(b"S\r") == b"\nS0p4\r\x03"
    assert bench.send(b"U\r") == b"\nKG\r\nS0p4\r\x03"
    assert bench.send(b"q\r") == b"\n?\r\x03"
    bench.put("70000")
    assert bench.send(b"W\r") == b"\nS0r4\r\x03"
    bench.remove()
    assert bench.send(b"W\r") == b"\nS2q4\r\x03"


def test_nci_pounds_with_ounces() -> None:
    bench = make_bench("nci", unit="lb", increment="0.01", compound=True, letter=False)
    bench.put("1048.93")
    assert bench.send(b"W\r") == b"\n02LB 05.0OZ\r\n00\r\x03"


def test_sma_weight_states_and_repeat() -> None:
    bench = make_bench("sma")
    assert bench.send(b"\nW\r") == b"\nZ1G       0.000kg \r"
    bench.put("1250", settled=False)
    assert bench.send(b"\nW\r")[4:5] == b"M"
    assert bench.send(b"\nP\r") == b""
    assert bench.wait(3) == b"\n 1G       1.250kg \r"
    assert bench.send(b"\nT\r") == b"\n 1N       0.000kg \r"
    assert bench.send(b"\nM\r") == b"\n 1T       1.250kg \r"
    assert bench.send(b"\nC\r") == b"\n 1G       1.250kg \r"
    assert bench.send(b"\nH\r") == b"\n 1g       1.250kg \r"
    assert bench.send(b"\nR\r" * 1) == b"\n 1G       1.250kg \r"
    assert bench.wait(0.35) == b"\n 1G       1.250kg \r" * 3
    assert bench.send(b"\x1b") + bench.wait(1) == b""
    bench.put("70000")
    assert bench.send(b"\nW\r")[1:2] == b"O"
    assert bench.send(b"\nZ\r") == b"\nE1G  ----------kg \r"
    assert bench.send(b"\nT\r") == b"\nT1G  ----------kg \r"


def test_sma_says_who_it_is_line_by_line() -> None:
    bench = make_bench("sma", underscore=True)
    assert bench.send(b"\nA\r") == b"\nSMA:2/1.0\r"
    lines = [bench.send(b"\nB\r") for _ in range(5)]
    assert lines[0].startswith(b"\nMFG:")
    assert lines[3:] == [b"\nEND:\r", b"\nEND:\r"]
    assert bench.send(b"\nD\r\nq\rW\r") == b"\n    \r\n?\r\n!\r"
    assert bench.send(b"\nW\r").endswith(b"kg_\r")
    assert make_bench("sma", level=1).send(b"\nT\r") == b"\n?\r"


def test_cas_block_after_its_handshake() -> None:
    bench = make_bench("cas")
    bench.put("1250")
    assert bench.send(b"\x11") == b""
    assert bench.send(b"\x05") == b"\x06"
    assert bench.send(b"\x11") == bytes.fromhex("0102532030312e3235304b47670304")
    assert bench.send(b"\x11") == b""
    bench.put("70000")
    assert bench.send(b"\x05\x11") == b"\x06" + bytes.fromhex("010253462020202020204b47190304")


def test_cousins_block_is_confirmed_or_not() -> None:
    bench = make_bench("cas", variant="ecr", misheard=1)
    bench.put("1250", settled=False)
    assert bench.send(b"\x05") == b"\x18"
    bench.wait(3)
    block = bench.send(b"\x05\x11")[1:]
    assert block[:7] == b"\x02101250"
    assert bench.send(block) == b"\x15"
    assert bench.send(b"\x05\x11") == b"\x06" + block
    assert bench.send(block) == b"\r"
    bench.send(b"\x05\x11")
    assert bench.send(b"\x02x" + block[2:]) == b"\x15"


PRICE = b"\x04\x0201\x1b000500\x1b\x03"
WHY = b"\x04\x0208\x03"


def test_dialog_weighs_a_load_once() -> None:
    bench = make_bench("dialog")
    bench.put("1235")
    assert bench.send(PRICE) == b"\x06"
    assert bench.send(b"\x04\x05") == b"\x0202\x1b3\x1b01235\x1b000500\x1b000618\x03"
    assert bench.send(PRICE + b"\x04\x05" + WHY) == b"\x06\x15\x0209\x1b21\x03"
    bench.put("500")
    assert bench.send(PRICE + b"\x04\x05")[:5] == b"\x06\x0202\x1b"


@pytest.mark.parametrize(("load", "settled", "reason"), [("5", True, b"30"), ("70000", True, b"32"), ("2000", False, b"20")])
def test_dialog_says_why_it_does_not_weigh(load: str, *, settled: bool, reason: bytes) -> None:
    bench = make_bench("dialog")
    bench.put(load, settled=settled)
    assert bench.send(PRICE + b"\x04\x05" + WHY) == b"\x06\x15\x0209\x1b" + reason + b"\x03"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x04\x0207\x03", b"10"),
        (b"\x04\x0201\x1bxx\x1b\x03", b"11"),
        (b"\x04\x05", b"22"),
        (b"\x04\x0210\x1b12345678\x03", b"10"),
    ],
)
def test_dialog_refuses_records(data: bytes, reason: bytes) -> None:
    assert make_bench("dialog").send(data + WHY) == b"\x15\x0209\x1b" + reason + b"\x03"


def test_dialog_log_on_wants_checksums_that_fit() -> None:
    bench = make_bench("dialog", polynomial="11021")
    bench.put("1235")
    assert bench.send(PRICE) == b"\x0211\x1b2A7\x03"
    assert bench.send(b"\x04\x0210\x1b00000001\x03\x04\x05") == b"\x06\x0211\x1b0\x03"
    assert bench.send(PRICE) == b"\x0211\x1b2A7\x03"
    # 1234 turned left by 10 places, its remainder 13C6 turned right by 7.
    assert bench.send(b"\x04\x0210\x1bD0488C27\x03\x04\x05") == b"\x06\x0211\x1b1\x03"
    assert bench.send(PRICE) == b"\x06"


def test_penn_words_echo_and_refusals() -> None:
    bench = make_bench("penn", echo="clipped")
    bench.put("1250")
    assert bench.send(b"SGW\r") == b"WGross 1.250 kg.\r\n"
    assert bench.send(b"SCO\r") == b"OCount 125 Pieces\r\n"
    assert make_bench("penn", echo="on").send(b"SVN\r") == b"SVNV 2.01\r\n"
    plain = make_bench("penn")
    assert plain.send(b"ITW 0.500\rSNW\rSTW\r") == b"OK\r\nNet -0.500 kg.\r\nTare 0.500 kg.\r\n"
    assert plain.send(b"ITW x\rITW 99\rQQQ\r") == b"Err.80\r\nErr.80\r\nErr.81\r\n"
    plain.put("70000")
    assert plain.send(b"SGW\rATW\rZRO\r") == b"OLOLOL\r\nOLOLOL\r\nOLOLOL\r\n"
    plain.put("1", settled=False)
    assert plain.send(b"ZRO\r") == b"-------\r\n"


QUESTIONS = {
    "toledo": b"W",
    "nci": b"W\r",
    "sma": b"\nW\r",
    "cas": b"\x05\x11",
    "dialog": PRICE + b"\x04\x05",
    "penn": b"SGW\r",
}


@pytest.mark.parametrize("kind", KINDS)
def test_scale_is_silent_while_it_boots_and_weighs_nothing_without_a_zero(kind: str) -> None:
    bench = make_bench(kind)
    bench.put("30000")
    bench.power_cycle()
    assert bench.send(QUESTIONS[kind]) == b""
    bench.wait(5)
    answer = bench.send(QUESTIONS[kind])
    assert answer
    assert b"30" not in answer
    bench.remove()
    bench.wait(3)
    bench.put("1250")
    assert b"1.250" in bench.send(QUESTIONS[kind]) or kind == "dialog"


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_key_is_refused(kind: str) -> None:
    bench = make_bench(kind)
    with pytest.raises(ActionRefused):
        bench.device.press("explode", bench.now_ns)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([*QUESTIONS.values(), b"T\r", b"x" * 300])), max_size=6))
def test_any_bytes_are_survived_and_the_next_question_is_answered(kind: str, data: list[bytes]) -> None:
    bench = make_bench(kind)
    for piece in data:
        bench.send(piece)
        bench.wait(0.1)
    end = {"toledo": b"F\r\rF", "cas": b"\x05", "dialog": b"\x04"}.get(kind, b"\r")
    bench.send(end)
    bench.wait(0.3)
    assert bench.send(QUESTIONS[kind])
