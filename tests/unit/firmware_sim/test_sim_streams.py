"""Simulated industrial terminals say what their manuals print, and live through anything that is sent to them."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.balance import Balance, BalanceSpec
from firmware_sim.errors import ActionRefused
from firmware_sim.specs import TerminalSpec
from firmware_sim.streams import StreamingTerminal
from firmware_sim.streams_dini import MAX_COMMAND, DiniTerminal
from firmware_sim.streams_hid import HidScale
from firmware_sim.streams_rice_lake import RiceLakeIndicator
from firmware_sim.streams_toledo import ToledoTerminal
from firmware_sim.streams_yaohua import A9Terminal, A12Terminal

SECOND = 1_000_000_000
REST = 5 * SECOND

Made = type[StreamingTerminal]

KINDS: dict[str, tuple[Made, Mapping[str, object]]] = {
    "toledo": (ToledoTerminal, {"checksum": True}),
    "toledo short": (ToledoTerminal, {"short": True}),
    "dini": (DiniTerminal, {"output": "on_demand", "address": ""}),
    "dini stream": (DiniTerminal, {"output": "continuous", "address": "01"}),
    "a9": (A9Terminal, {"output": "frames"}),
    "a9 command": (A9Terminal, {"output": "command", "address": "A"}),
    "a12e": (A12Terminal, {}),
    "rice lake": (RiceLakeIndicator, {}),
}


def terminal(
    kind: str, grams: str = "0", *, increment: str = "0.001", unit: str = "kg", capacity: str = "60"
) -> StreamingTerminal:
    made, options = KINDS[kind]
    spec = BalanceSpec(Decimal(capacity), Decimal(increment), unit, noise=0.0)
    balance = Balance(spec, 1)
    if Decimal(grams):
        balance.put(Decimal(grams), 0)
    return made(balance, TerminalSpec(), options)


@pytest.mark.parametrize(
    ("kind", "grams", "said"),
    [
        ("toledo", "12345", b"\x02-0 012345000000\r%"),
        ("toledo short", "12345", b"\x02-0 012345\r"),
        ("dini stream", "12500", b"01ST,GS,  12.500,kg\r\n"),
        ("a9", "12345", b"\x02+012345319\x03"),
        ("a12e", "4139", b"WG004.139kg3D\r\n"),
        ("a12e", "90000", b"         OL23\r\n"),
        ("rice lake", "12500", b"\x02  12.500KGG \r\n"),
        ("rice lake", "90000", b"\x02^^^^^^^^KGGO\r\n"),
        ("rice lake", "0", b"\x02   0.000KGGZ\r\n"),
    ],
)
def test_frame_at_rest_is_as_the_manual_prints_it(kind: str, grams: str, said: bytes) -> None:
    assert terminal(kind, grams).frame(REST) == said


def test_moving_load_is_marked() -> None:
    for kind, mark in (("toledo", (2, 0x38)), ("rice lake", (12, ord("M")))):
        device = terminal(kind)
        device.frame(REST)
        device.balance.put(Decimal(1000), REST)
        frame = device.frame(REST + SECOND // 10)
        assert frame[mark[0]] == mark[1]
    dini = terminal("dini stream")
    dini.balance.put(Decimal(1000), REST)
    assert dini.frame(REST + SECOND // 10).startswith(b"01US")


@pytest.mark.parametrize(
    ("increment", "status"), [("0.001", 0x2D), ("0.002", 0x35), ("0.005", 0x3D), ("0.5", 0x3B), ("1", 0x2A)]
)
def test_toledo_tells_point_and_step(increment: str, status: int) -> None:
    assert terminal("toledo", increment=increment).frame(REST)[1] == status


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"READ\r\n", b"ST,GS,   2.000,kg\r\n"),
        (b"R\r\n", b"ST,GS,   2.000,kg\r\n"),
        (b"REXT\r\n", b"ST,1,   2.000,     0.000,         0,kg\r\n"),
        (b"TARE\r\n", b"OK\r\n"),
        (b"TMAN0.5\r\n", b"OK\r\n"),
        (b"TMANx\r\n", b"ERR02\r\n"),
        (b"TMAN1234567\r\n", b"ERR02\r\n"),
        (b"TMAN99\r\n", b"ERR02\r\n"),
        (b"ZERO\r\n", b"ERR03\r\n"),
        (b"READF\r\n", b"ERR01\r\n"),
        (b"HELLO\r\n", b"ERR04\r\n"),
        (b"CLEAR\r\n", b"OK\r\n"),
        (b"READ", b""),
        (b"x" * (MAX_COMMAND + 1) + b"\r\n", b"ERR04\r\n"),
    ],
)
def test_dini_answers_each_command(command: bytes, answer: bytes) -> None:
    assert terminal("dini", "2000").receive(command, REST) == answer


def test_dini_may_not_tare_while_the_load_moves() -> None:
    device = terminal("dini")
    device.balance.put(Decimal(2000), REST)
    assert device.receive(b"TARE\r\n", REST + 1) == b"ERR03\r\n"
    assert device.receive(b"TARE\r\n", REST + 4 * SECOND) == b"OK\r\n"
    assert device.receive(b"READ\r\n", REST + 4 * SECOND) == b"ST,NT,   0.000,kg\r\n"


def test_rice_lake_refuses_what_it_cannot_do_now() -> None:
    device = terminal("rice lake", "30000")
    assert device.receive(b"KZERO\r", REST) == b"??\r\n"
    assert device.receive(b"HELLO\r", REST) == b"??\r\n"
    assert device.receive(b"KTARE\r\n", REST) == b"OK\r\n"
    assert device.frame(REST) == b"\x02   0.000KGNZ\r\n"


def test_a9_answers_its_own_address_with_right_check_digits_only() -> None:
    device = terminal("a9 command", "1000")
    assert device.receive(b"\x02AA00\x03", REST) == b"\x02AA00\x03"
    assert device.receive(b"\x02AB03\x03", REST) == b"\x02AB+00100031A\x03"
    assert device.receive(b"\x02AB04\x03", REST) == b""
    assert device.receive(b"\x02BB00\x03", REST) == b""


def test_power_up_without_a_zero_is_marked() -> None:
    device = terminal("toledo")
    device.frame(REST)
    device.balance.put(Decimal(30_000), REST)
    device.power_cycle(REST)
    assert device.tick(REST + SECOND) == b""
    assert device.frame(REST + 5 * SECOND)[2] & 0x40
    device.balance.remove(REST + 5 * SECOND)
    assert not device.frame(REST + 10 * SECOND)[2] & 0x40


def test_frames_are_not_saved_up_while_nobody_listened() -> None:
    device = terminal("toledo")
    assert device.due_ns(0) == 0
    assert len(device.tick(0)) == 18
    assert len(device.tick(60 * SECOND)) == 18
    assert device.due_ns(60 * SECOND) == 60 * SECOND


def test_key_that_is_not_there_is_refused() -> None:
    with pytest.raises(ActionRefused):
        terminal("dini").press("print", 0)
    device = terminal("toledo")
    device.press("print", REST)
    assert device.frame(REST)[3] & 0x08


@pytest.mark.parametrize("kind", KINDS)
@given(parts=st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"READ\r\n", b"KTARE\r", b"T", b"\x02AB03\x03"]))))
def test_anything_may_be_sent_in_any_split(kind: str, parts: list[bytes]) -> None:
    whole, split = terminal(kind, "1000"), terminal(kind, "1000")
    said = whole.receive(b"".join(parts), REST)
    assert b"".join(split.receive(part, REST) for part in parts) == said
    assert split.frame(REST) == whole.frame(REST)


@pytest.mark.parametrize(
    ("grams", "report"),
    [("0", "030202000000"), ("100", "030402006400"), ("20000", "03060200")],
)
def test_hid_scale_reports_as_the_usage_tables_say(grams: str, report: str) -> None:
    scale = HidScale(Balance(BalanceSpec(Decimal(10_000), Decimal(2), noise=0.0), 1))
    if Decimal(grams):
        scale.balance.put(Decimal(grams), 0)
    assert scale.report(REST).hex().startswith(report)


def test_hid_scale_loses_the_sign_and_has_one_for_its_exponent() -> None:
    scale = HidScale(Balance(BalanceSpec(Decimal(5), Decimal("0.001"), "kg", noise=0.0), 1))
    scale.balance.put(Decimal(50), 0)
    scale.report(REST)
    assert scale.balance.zero(REST).value == "in"
    scale.balance.remove(REST)
    assert scale.report(REST * 2).hex() == "030503fd3200"
