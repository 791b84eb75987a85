"""Datalogic's single cable, Pennsylvania's words and the parcel strings."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Flag, Identity, Kind, Malformed, Reading, Refused, SettingsFault
from drivers.framing import with_parity
from drivers.scales.pos.parcel import FEDEX, UPS_MAX_FRAME, UPS_WORLDSHIP
from drivers.scales.pos.penn import PENNSYLVANIA_7600
from drivers.scales.pos.single_cable import DATALOGIC_SINGLE_CABLE, MAX_FRAME
from drivers.settings import read_settings

SECOND = 1_000_000_000


def codec(driver: Any, **values: Any) -> Any:
    return driver.make_codec(read_settings(driver.settings, values))


def one(driver: Any, data: bytes, **values: Any) -> Decoded:
    (item,) = driver.decode(data, values)
    return item


@pytest.mark.parametrize(
    ("data", "value", "unit", "flags"),
    [
        (b"S1101250\r", "1.250", "kg", set()),
        (b"S110125\r", "1.25", "[lb_av]", set()),
        (b"S14401250\r", "1.250", "kg", {Flag.STABLE}),
        (b"S1440125\r", "1.25", "[lb_av]", {Flag.STABLE}),
        (b"S140\r", None, None, {Flag.UNAVAILABLE}),
        (b"S141\r", None, None, {Flag.STATUS, Flag.MOTION}),
        (b"S142\r", None, None, {Flag.OVERLOAD}),
        (b"S143\r", None, None, {Flag.STATUS, Flag.STABLE, Flag.ZERO}),
        (b"S145\r", None, None, {Flag.UNDERLOAD}),
    ],
)
def test_single_cable_answers_of_the_scale(data: bytes, value: str | None, unit: str | None, flags: set[Flag]) -> None:
    item = one(DATALOGIC_SINGLE_CABLE, data)
    assert isinstance(item, Reading)
    assert item.kind is Kind.MASS
    assert (None if item.value is None else str(item.value), item.unit) == (value, unit)
    assert item.flags == flags


@pytest.mark.parametrize(
    ("data", "value", "gtin"),
    [
        (b"S08F7290001234563\r", "7290001234563", "07290001234563"),
        (b"S08A036000291452\r", "036000291452", "00036000291452"),
        (b"S08FF73513537\r", "73513537", "00000073513537"),
        (b"S08E01234565\r", "01234565", "00012345000065"),
        (b"7290001234563\r\n", "7290001234563", "07290001234563"),
        (b"S08S1101250\r", "S1101250", None),
        (b"S08B3LOT-7\r", "B3LOT-7", None),
        ("S08מחסן\r".encode(), "מחסן", None),
    ],
)
def test_single_cable_scan_is_a_code_and_never_a_weight(data: bytes, value: str, gtin: str | None) -> None:
    item = next(iter(DATALOGIC_SINGLE_CABLE.decode(data, {})))
    assert isinstance(item, Reading)
    assert (item.kind, item.value, item.details.get("gtin")) == (Kind.CODE, value, gtin)


@pytest.mark.parametrize(
    "data", [b"S11012\r", b"S14401\r", b"S146\r", b"S14101250\r", b"S11 1.25\r", b"S08\r", b"\r", b"\x00\x01\r", b"\xff\xfe\r"]
)
def test_single_cable_line_that_is_neither_is_kept_as_malformed(data: bytes) -> None:
    assert isinstance(one(DATALOGIC_SINGLE_CABLE, data), Malformed)


def test_single_cable_scan_does_not_answer_the_question() -> None:
    talker = codec(DATALOGIC_SINGLE_CABLE)
    assert talker.poll(0) == b"S14\r"
    talker.receive(b"S08F7290001234563\r", SECOND // 10)
    assert talker.poll(SECOND // 2) is None
    assert talker.overdue(2 * SECOND)
    talker.receive(b"S141\r", 2 * SECOND)
    assert not talker.overdue(2 * SECOND)


def test_single_cable_seven_bit_line_is_named_and_the_cap_holds() -> None:
    item = one(DATALOGIC_SINGLE_CABLE, with_parity(b"S14401250\r", "even"))
    assert isinstance(item, Malformed)
    assert "even parity" in item.reason
    assert len(DATALOGIC_SINGLE_CABLE.decode(b"x" * (MAX_FRAME + 1) + b"\r", {})) == 2


@pytest.mark.parametrize(
    ("line", "value", "unit", "flag"),
    [
        (b"Gross 100.55 lb.\r\n", "100.55", "[lb_av]", Flag.GROSS),
        (b"WGross   0.00 lb.\r\n", "0.00", "[lb_av]", Flag.GROSS),
        (b"GWGross 100.55 lb.\r\n", "100.55", "[lb_av]", Flag.GROSS),
        (b"SGW\rGross 100.55 lb.\r\n", "100.55", "[lb_av]", Flag.GROSS),
        (b"Net -0.50 kg\r\n", "-0.50", "kg", Flag.NET),
        (b"Tare 1.250 kg.\r\n", "1.250", "kg", Flag.TARE),
    ],
)
def test_pennsylvania_answer_is_found_behind_its_echo(line: bytes, value: str, unit: str, flag: Flag) -> None:
    item = one(PENNSYLVANIA_7600, line)
    assert isinstance(item, Reading)
    assert (str(item.value), item.unit, item.flags, item.stable) == (value, unit, {flag}, None)


@pytest.mark.parametrize(
    "line",
    [
        b"55 lb.\r\n",
        b"XYGross 1.0 lb.\r\n",
        b"Gross 1.0 lb. Gross 2.0 lb.\r\n",
        b"Gross 1.0 xx\r\n",
        b"Gross lb.\r\n",
        b"oss 1.0 lb.\r\n",
    ],
)
def test_pennsylvania_line_that_is_not_whole_is_no_weight(line: bytes) -> None:
    assert isinstance(one(PENNSYLVANIA_7600, line), Malformed)


def test_pennsylvania_counts_pieces_and_says_its_version() -> None:
    count = one(PENNSYLVANIA_7600, b"COCount 157 Pieces\r\n")
    assert isinstance(count, Reading)
    assert (count.kind, count.value, count.unit) == (Kind.COUNT, Decimal(157), "{pcs}")
    assert one(PENNSYLVANIA_7600, b"V 2.01\r\n") == Identity("2.01", b"V 2.01\r\n", what="software")


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (b"OK\r\n", None),
        (b"OLOLOL\r\n", "OLOLOL"),
        (b"-------\r\n", "busy"),
        (b"Err.80\r\n", "Err.80"),
        (b"Err.81\r\n", "Err.81"),
    ],
)
def test_pennsylvania_command_is_done_or_refused(answer: bytes, wanted: str | None) -> None:
    talker = codec(PENNSYLVANIA_7600)
    assert talker.command("tare") == b"ATW\r"
    (echo,) = talker.receive(b"TW\r\n", 0)
    assert echo == Acknowledged("echo", b"TW\r\n")
    assert talker.poll(SECOND) is None
    (item,) = talker.receive(answer, SECOND)
    if wanted is None:
        assert item == Acknowledged("tare", answer)
    else:
        assert isinstance(item, Refused)
        assert item.code == wanted


def test_pennsylvania_while_acquiring_has_no_value() -> None:
    item = one(PENNSYLVANIA_7600, b"-------\r\n")
    assert isinstance(item, Reading)
    assert (item.value, item.flags) == (None, {Flag.UNAVAILABLE})


def test_pennsylvania_known_tare_is_sent_with_its_digits() -> None:
    assert codec(PENNSYLVANIA_7600).command("preset_tare", "1.250 kg") == b"ITW 1.250\r"
    for argument in (None, "-1 kg", "1 m", "kg"):
        with pytest.raises(SettingsFault):
            codec(PENNSYLVANIA_7600).command("preset_tare", argument)


@pytest.mark.parametrize("ask", ["gross", "net", "count"])
def test_pennsylvania_is_asked_for_what_is_set(ask: str) -> None:
    assert codec(PENNSYLVANIA_7600, ask=ask).poll(0) == {"gross": b"SGW\r", "net": b"SNW\r", "count": b"SCO\r"}[ask]


@pytest.mark.parametrize("cut", range(1, 8))
def test_ups_line_without_its_head_is_no_smaller_weight(cut: int) -> None:
    assert isinstance(one(UPS_WORLDSHIP, b"100.55 lb. GR  \r\n\x03"[cut:]), Malformed)


def test_ups_ends_in_eot_where_it_is_set_so() -> None:
    item = one(UPS_WORLDSHIP, b"1100.55 lb. GR  \r\n\x04", end="eot")
    assert isinstance(item, Reading)
    assert item.value == Decimal("1100.55")
    assert one(UPS_WORLDSHIP, b"\r\x04", end="eot") == Reading(
        Kind.MASS, None, None, frozenset({Flag.GROSS, Flag.OVERLOAD}), b"\r\x04"
    )


@pytest.mark.parametrize(
    "data", [b"  5.25 lb. GR  \r\x03", b"x\r\x03", b"\x03", b"  5.25 lb. gR  \r\n\x03", b"  5.25 xx. GR  \r\n\x03"]
)
def test_ups_answer_that_is_not_whole_is_malformed(data: bytes) -> None:
    assert isinstance(one(UPS_WORLDSHIP, data), Malformed)


def test_ups_line_setting_is_named_and_the_cap_holds() -> None:
    item = one(UPS_WORLDSHIP, with_parity(b"  5.25 lb. GR  \r\n\x03", "odd"))
    assert isinstance(item, Malformed)
    assert "odd parity" in item.reason
    found = UPS_WORLDSHIP.decode(b"x" * (UPS_MAX_FRAME + 1) + b"\x03", {})
    assert len(found) == 2
    assert all(isinstance(item, Malformed) for item in found)


@pytest.mark.parametrize(
    ("status", "value", "flag"),
    [(b"00", "1.25", Flag.STABLE), (b"10", "1.25", Flag.MOTION), (b"02", None, Flag.OVERLOAD), (b"01", None, Flag.UNDERLOAD)],
)
def test_fedex_status_is_two_characters(status: bytes, value: str | None, flag: Flag) -> None:
    item = one(FEDEX, b"\n 001.25LB\r" + status + b"\x03")
    assert isinstance(item, Reading)
    assert (None if item.value is None else str(item.value)) == value
    assert flag in item.flags


@pytest.mark.parametrize("data", [b"\n 001.25LB\r\x03", b"\n 001.25LB00\x03", b"\n\r00\x03", b" 001.25LB\r00\x03"])
def test_fedex_answer_that_is_not_whole_is_malformed(data: bytes) -> None:
    assert all(isinstance(item, Malformed) for item in FEDEX.decode(data, {}))


@given(value=st.integers(0, 99_999), moving=st.booleans())
def test_rendered_parcel_weights_are_read_back(value: int, *, moving: bool) -> None:
    shown = Decimal(value).scaleb(-2)
    ups = one(UPS_WORLDSHIP, f"{shown:>6f} lb. {'gr' if moving else 'GR'}  \r\n\x03".encode())
    fedex = one(FEDEX, f"\n {shown:06.2f}LB\r{'1' if moving else '0'}0\x03".encode())
    penn = one(PENNSYLVANIA_7600, f"Gross {shown:f} lb.\r\n".encode())
    for item in (ups, fedex, penn):
        assert isinstance(item, Reading)
        assert item.value == shown
    assert isinstance(ups, Reading)
    assert ups.stable is not moving


@given(value=st.integers(0, 99_999))
def test_rendered_single_cable_weight_is_read_back(value: int) -> None:
    item = one(DATALOGIC_SINGLE_CABLE, f"S144{value:05d}\r".encode())
    assert isinstance(item, Reading)
    assert item.value == Decimal(value).scaleb(-3)
