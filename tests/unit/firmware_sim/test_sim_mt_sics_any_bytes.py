"""Whatever is sent, whenever: the balance does not fail and says whole lines only."""

import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.balance import Balance, BalanceSpec
from firmware_sim.mt_sics import MtSicsBalance, TerminalSpec
from firmware_sim.mt_sics_lines import LEVELS

LINE = re.compile(rb"(E[STL]|@|[A-Z]+[0-9]?( [\x20-\x7e]+)?)")
COMMANDS = st.builds(
    lambda name, argument: f"{name}{argument}\r\n".encode(),
    st.sampled_from([*LEVELS, "s", "Q", ""]),
    st.sampled_from(["", "", "", " 1", " 2", " 4", " 1 kg", " 1e9 kg", ' "text"', ' "', " ", " 99999999999999 kg"]),
)
NOISE = st.binary(max_size=200)
MOVES = st.tuples(st.sampled_from(["put", "remove", "zero", "tare", "power"]), st.integers(1, 80_000))
STEPS = st.lists(st.tuples(st.integers(0, 3_000_000_000), st.one_of(COMMANDS, NOISE, MOVES)), max_size=40)


def move(device: MtSicsBalance, what: str, grams: int, now_ns: int) -> bytes:
    if what == "put":
        device.put(Decimal(grams), now_ns)
    elif what == "remove":
        device.remove(now_ns)
    elif what == "power":
        device.power_cycle(now_ns)
    else:
        return device.press(what, now_ns)
    return b""


def transcript(steps: list[tuple[int, bytes | tuple[str, int]]], cuts: int = 0) -> bytes:
    device = MtSicsBalance(Balance(BalanceSpec(Decimal(60), Decimal("0.005"), "kg"), 5), TerminalSpec(boot_ns=500_000_000))
    said, now_ns = b"", 0
    for wait_ns, event in steps:
        end_ns = now_ns + wait_ns
        while (due := device.due_ns(now_ns)) is not None and due <= end_ns:
            now_ns = max(due, now_ns)
            said += device.tick(now_ns)
        now_ns = end_ns
        if isinstance(event, tuple):
            said += move(device, *event, now_ns)
        elif cuts:
            said += b"".join(device.receive(event[at : at + cuts], now_ns) for at in range(0, len(event), cuts))
        else:
            said += device.receive(event, now_ns)
    return said


@given(steps=STEPS)
def test_only_whole_known_lines_come_out(steps: list[tuple[int, bytes | tuple[str, int]]]) -> None:
    said = transcript(steps)
    assert said == b"" or said.endswith(b"\r\n")
    for line in said.split(b"\r\n")[:-1]:
        assert LINE.fullmatch(line), line


@given(steps=STEPS, cuts=st.integers(1, 5))
def test_how_the_bytes_are_cut_makes_no_difference(steps: list[tuple[int, bytes | tuple[str, int]]], cuts: int) -> None:
    assert transcript(steps) == transcript(steps, cuts)
