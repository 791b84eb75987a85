"""NCI and SMA: what a status forbids, compound pounds, labels, and what answers a command."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Flag, Identity, Malformed, Reading, Refused, Status
from drivers.framing import with_parity
from drivers.scales.pos.nci import NCI
from drivers.scales.pos.sma import SMA
from drivers.settings import read_settings

SECOND = 1_000_000_000


def codec(driver: Any, **values: Any) -> Any:
    return driver.make_codec(read_settings(driver.settings, values))


def one(driver: Any, data: bytes) -> Decoded:
    (item,) = driver.decode(data, {})
    return item


def after(driver: Any, command: str, answer: bytes) -> Decoded:
    talker = codec(driver)
    talker.command(command)
    (item,) = talker.receive(answer, SECOND)
    return item


@pytest.mark.parametrize(
    ("line", "value", "unit"),
    [
        (b"001.25LB", "1.25", "[lb_av]"),
        (b"-01.25kg", "-1.25", "kg"),
        (b"02LB 05.5OZ", "37.5", "[oz_av]"),
        (b"-02lb 05.5oz", "-37.5", "[oz_av]"),
        (b"00lb 00.5oz", "0.5", "[oz_av]"),
        (b"0012.5 oz", "12.5", "[oz_av]"),
        (b"01250.G", None, None),
        (b"01250G", "1250", "g"),
        (b"01.250TL", None, None),
        (b"01.2.5KG", None, None),
    ],
)
def test_nci_weight_line(line: bytes, value: str | None, unit: str | None) -> None:
    item = one(NCI, b"\n" + line + b"\r\nS00\r\x03")
    if value is None:
        assert isinstance(item, Malformed)
    else:
        assert isinstance(item, Reading)
        assert (str(item.value), item.unit) == (value, unit)


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        (b"\n001.25LB\r\nS02\r\x03", {Flag.OVERLOAD, Flag.GROSS}),
        (b"\n001.25LB\r\nS01\r\x03", {Flag.UNDERLOAD, Flag.GROSS}),
        (b"\n001.25LB\r\nS0p8\r\x03", {Flag.NOT_ZEROED, Flag.GROSS}),
        (b"\n^^^^^^LB\r\nS00\r\x03", {Flag.OVERLOAD, Flag.GROSS}),
        (b"\n______LB\r\nS00\r\x03", {Flag.UNDERLOAD, Flag.GROSS}),
        (b"\n------LB\r\nS00\r\x03", {Flag.NOT_ZEROED, Flag.GROSS}),
        (b"\nS1p8\r\x03", {Flag.STATUS, Flag.MOTION, Flag.NOT_ZEROED}),
    ],
)
def test_nci_status_that_forbids_a_weight(data: bytes, flags: set[Flag]) -> None:
    item = one(NCI, data)
    assert isinstance(item, Reading)
    assert item.value is None
    assert item.flags == flags


def test_nci_weight_in_motion_is_kept_where_a_model_sends_it() -> None:
    item = one(NCI, b"\n001.25LB\r\nS1p4\r\x03")
    assert isinstance(item, Reading)
    assert (item.value, item.stable) == (Decimal("1.25"), False)
    assert Flag.NET in item.flags


def test_nci_unit_alone_is_no_weight() -> None:
    assert one(NCI, b"\nKG\r\nS00\r\x03") == Status("unit kg", b"\nKG\r\nS00\r\x03")


@pytest.mark.parametrize(
    "data", [b"\n001.25LB\r\n\r\x03", b"\n\r\x03", b"\nS0\r\x03", b"\nS00000\r\x03", b"\n001.25LB\x03", b"\nS\x00\x00\r\x03"]
)
def test_nci_frame_without_a_status_is_malformed(data: bytes) -> None:
    assert isinstance(one(NCI, data), Malformed)


@pytest.mark.parametrize(
    ("command", "status", "code"),
    [
        ("zero", b"S20", None),
        ("zero", b"S10", "motion"),
        ("zero", b"S00", "zero-range"),
        ("zero", b"S02", "over"),
        ("tare", b"S00", None),
        ("tare", b"S01", "under"),
        ("tare", b"?", "?"),
    ],
)
def test_nci_status_after_a_command(command: str, status: bytes, code: str | None) -> None:
    item = after(NCI, command, b"\n" + status + b"\r\x03")
    if code is None:
        assert item == Acknowledged(command, item.raw)
    else:
        assert isinstance(item, Refused)
        assert item.code == code


@pytest.mark.parametrize(
    ("command", "answer", "code"),
    [
        ("zero", b"\nZ1G       0.000kg \r", None),
        ("zero", b"\nE1G  ----------kg \r", "zero-error"),
        ("zero", b"\n 1GM      1.000kg \r", "motion"),
        ("tare", b"\n 1N       0.000kg \r", None),
        ("tare", b"\nT1G  ----------kg \r", "tare-error"),
        ("tare", b"\nO1G      60.000kg \r", "over"),
        ("tare", b"\n?\r", "?"),
        ("clear_tare", b"\n 1G       1.000kg \r", None),
        ("diagnostics", b"\n    \r", None),
        ("diagnostics", b"\nR  M\r", "diagnostics-rm"),
    ],
)
def test_sma_answer_is_decoded_by_the_command(command: str, answer: bytes, code: str | None) -> None:
    item = after(SMA, command, answer)
    if code is None:
        assert item == Acknowledged(command, answer)
    else:
        assert isinstance(item, Refused)
        assert item.code == code


@pytest.mark.parametrize(("command", "answer"), [("zero", b"\n 1G       1.000kg \r"), ("tare", b"\n 1G       0.000kg \r")])
def test_sma_weight_that_was_asked_before_does_not_answer_a_command(command: str, answer: bytes) -> None:
    assert isinstance(after(SMA, command, answer), Reading)


@pytest.mark.parametrize(
    ("line", "what", "text"),
    [
        (b"SMA:2/1.0", "level", "2/1.0"),
        (b"MFG:ACME", "manufacturer", "ACME"),
        (b"SN :42", "serial", "42"),
        (b"END:", "end", "END"),
    ],
)
def test_sma_labels_say_who_it_is(line: bytes, what: str, text: str) -> None:
    raw = b"\n" + line + b"\r"
    assert one(SMA, raw) == Identity(text, raw, what=what)


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        (b"\nI1G  ----------kg \r", {Flag.NOT_ZEROED, Flag.GROSS}),
        (b"\nU1G  ----------kg \r", {Flag.UNDERLOAD, Flag.GROSS}),
        (b"\nO1N      99.000kg \r", {Flag.OVERLOAD, Flag.NET}),
    ],
)
def test_sma_states_without_a_number(data: bytes, flags: set[Flag]) -> None:
    item = one(SMA, data)
    assert isinstance(item, Reading)
    assert (item.value, item.flags) == (None, flags)


@pytest.mark.parametrize(
    "data", [b"\n 1G       5.025xx \r", b"\n 1G  ----------kg \r", b"\n 1G  5.025kg \r", b"\n\r", b"\nQ1G       5.025kg \r"]
)
def test_sma_line_with_a_field_that_cannot_be_used(data: bytes) -> None:
    assert isinstance(one(SMA, data), Malformed)


def test_sma_stream_is_started_and_started_again_after_silence() -> None:
    talker = codec(SMA, mode="stream")
    assert talker.poll(0) == b"\nR\r"
    talker.receive(b"\n 1G       5.025lb \r", SECOND)
    assert talker.poll(SECOND) is None
    assert not talker.overdue(2 * SECOND)
    assert talker.overdue(4 * SECOND)
    assert talker.poll(4 * SECOND) == b"\nR\r"


@pytest.mark.parametrize("driver", [NCI, SMA], ids=["nci", "sma"])
def test_seven_bit_line_read_with_eight_is_named(driver: Any) -> None:
    frame = b"\n001.25LB\r\nS00\r\x03" if driver is NCI else b"\n 1G       5.025lb \r"
    item = one(driver, with_parity(frame, "even"))
    assert isinstance(item, Malformed)
    assert "even parity" in item.reason


@pytest.mark.parametrize(("driver", "ask", "high"), [(NCI, b"W\r", b"H\r"), (SMA, b"\nW\r", b"\nH\r")], ids=["nci", "sma"])
def test_high_resolution_is_another_question(driver: Any, ask: bytes, high: bytes) -> None:
    assert codec(driver).poll(0) == ask
    assert codec(driver, high_resolution=True).poll(0) == high


def test_probes_recognise_their_own_only() -> None:
    nci, sma = NCI.info.probe, SMA.info.probe
    assert nci is not None
    assert sma is not None
    weights = {"nci": b"\n001.25LB\r\nS00\r\x03", "sma": b"\n 1G       5.025lb \r"}
    assert nci.recognises(weights["nci"])
    assert nci.recognises(b"\nS10\r\x03")
    assert sma.recognises(weights["sma"])
    for foreign in (b"", b"\n?\r", b"\n?\r\x03", b"\x0201.250\r", b"S S 1.0 g\r\n", b"\n 001.25LB\r00\x03"):
        assert not nci.recognises(foreign)
        assert not sma.recognises(foreign)
    assert not nci.recognises(weights["sma"])
    assert not sma.recognises(weights["nci"])


@given(value=st.integers(-99_999, 99_999), moving=st.booleans(), net=st.booleans())
def test_sma_rendered_weight_is_read_back(value: int, *, moving: bool, net: bool) -> None:
    shown = Decimal(value).scaleb(-3)
    item = one(SMA, f"\n 1{'N' if net else 'G'}{'M' if moving else ' '} {shown:>10f}kg \r".encode())
    assert isinstance(item, Reading)
    assert (item.value, item.stable, Flag.NET in item.flags) == (shown, not moving, net)


@given(value=st.integers(0, 99_999), moving=st.booleans())
def test_nci_rendered_weight_is_read_back(value: int, *, moving: bool) -> None:
    shown = Decimal(value).scaleb(-2)
    item = one(NCI, f"\n{shown:06.2f}LB\r\nS{'1' if moving else '0'}0\r\x03".encode())
    assert isinstance(item, Reading)
    assert (item.value, item.stable) == (shown, not moving)
