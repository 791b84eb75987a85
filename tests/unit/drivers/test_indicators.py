"""Rice Lake, Condec, Weigh-Tronix, Cardinal, Western, Rinstrum and DIGI: fixed frames, their states and their tails."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Driver, Flag, Malformed, Reading, Refused
from drivers.framing import with_parity
from drivers.scales.streams import indicators
from drivers.scales.streams.digi import DIGI_DI600
from drivers.scales.streams.rice_lake import RICE_LAKE
from drivers.scales.streams.rinstrum import RINSTRUM

CONDEC, WEIGHTRONIX, CARDINAL, WESTERN = indicators.DRIVERS

FRAMES: dict[str, tuple[Driver, bytes]] = {
    "rice lake": (RICE_LAKE, b"\x02   12.50LG \r\n"),
    "rice lake 2": (RICE_LAKE, b"\x02-  12.50KGNM\r"),
    "condec": (CONDEC, b"\x02   1250LGR \r\n"),
    "weigh-tronix": (WEIGHTRONIX, b" g  12.50 lb\r\n"),
    "cardinal": (CARDINAL, b"\r+001250  lb g  \x03"),
    "western": (WESTERN, b"\x02  123.45 KG GR  \r\n"),
    "rinstrum": (RINSTRUM, b"\x02   12.50G\x03"),
    "digi": (DIGI_DI600, b"\x00\r00012,340\r40000,450\r\n"),
}

every_frame = pytest.mark.parametrize(("driver", "frame"), FRAMES.values(), ids=FRAMES)


def one(driver: Driver, data: bytes, **given_settings: object) -> Decoded:
    (item,) = driver.decode(data, given_settings)
    return item


def reading(driver: Driver, data: bytes) -> Reading:
    item = one(driver, data)
    assert isinstance(item, Reading), item
    return item


@every_frame
def test_frame_is_read_alone_glued_and_byte_by_byte(driver: Driver, frame: bytes) -> None:
    assert reading(driver, frame).raw == frame
    codec = driver.make_codec(driver.settings())
    found = [item for byte in frame * 3 for item in codec.receive(bytes([byte]), 0)] + codec.finish()
    assert [item.raw for item in found] == [frame] * 3
    assert not [item for item in found if isinstance(item, Malformed)]


@every_frame
@given(data=st.data())
def test_tail_of_a_frame_is_never_another_weight(driver: Driver, frame: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(frame) - 1))
    value = reading(driver, frame).value
    found = [item for item in driver.decode(frame[cut:] + frame * 2, {}) if isinstance(item, Reading)]
    # DI-600: a sign for rest or leading zeros that are missing do not change the number.
    assert {item.value for item in found} == {value}
    assert all(len(item.raw) >= len(frame) - 3 for item in found)


@every_frame
@given(place=st.integers(0, 30), byte=st.integers(0, 31))
def test_control_byte_in_the_middle_is_never_another_weight(driver: Driver, frame: bytes, place: int, byte: int) -> None:
    at = 1 + place % (len(frame) - 4)
    damaged = frame[:at] + bytes([byte]) + frame[at + 1 :]
    if damaged == frame:
        return
    found = [item.value for item in driver.decode(damaged, {}) if isinstance(item, Reading) and item.value is not None]
    # A line feed behind DI-600's sign for rest leaves a whole frame without that sign.
    assert found in ([], [reading(driver, frame).value] if driver is DIGI_DI600 else [])


@pytest.mark.parametrize(("driver", "frame"), [pair for pair in FRAMES.values() if b"\x00" not in pair[1]])
def test_parity_on_an_eight_bit_port_is_no_weight_and_named(driver: Driver, frame: bytes) -> None:
    found = driver.decode(with_parity(frame, "even") * 30, {})
    assert not [item for item in found if isinstance(item, Reading)]
    assert any(isinstance(item, Malformed) and "even parity" in item.reason for item in found)


@pytest.mark.parametrize(
    ("frame", "value", "unit", "flags"),
    [
        (b"\x02   12.50LG \r", "12.50", "[lb_av]", {Flag.GROSS, Flag.STABLE}),
        (b"\x02   12.50KN \r", "12.50", "kg", {Flag.NET, Flag.STABLE}),
        (b"\x02   12.50GG \r", "12.50", "g", {Flag.GROSS, Flag.STABLE}),
        (b"\x02   12.50GNM\r", "12.50", "g", {Flag.NET, Flag.MOTION}),
        (b"\x02   12.50KGG \r", "12.50", "kg", {Flag.GROSS, Flag.STABLE}),
        (b"\x02   12.50OG \r", "12.50", "[oz_av]", {Flag.GROSS, Flag.STABLE}),
        (b"\x02   12.50OZG \r", "12.50", "[oz_av]", {Flag.GROSS, Flag.STABLE}),
        (b"\x02-  12.50KGNZ\r", "-12.50", "kg", {Flag.NET, Flag.STABLE, Flag.ZERO}),
        (b"\x02   1250.LG \r", "1250", "[lb_av]", {Flag.GROSS, Flag.STABLE}),
        (b"\x02    .250LG \r", "0.250", "[lb_av]", {Flag.GROSS, Flag.STABLE}),
    ],
)
def test_rice_lake_frames(frame: bytes, value: str, unit: str, flags: set[Flag]) -> None:
    item = reading(RICE_LAKE, frame)
    assert (str(item.value), item.unit, item.flags) == (value, unit, flags)


@pytest.mark.parametrize(
    ("frame", "flag"),
    [
        (b"\x02^^^^^^^^LGO\r", Flag.OVERLOAD),
        (b"\x02^  99.99LG \r", Flag.OVERLOAD),
        (b"\x02]]]]]]]]LGO\r", Flag.UNDERLOAD),
        (b"\x02   99.99LGO\r", Flag.OVERLOAD),
        (b"\x02-  99.99LGO\r", Flag.UNDERLOAD),
        (b"\x02 OVERFLOLGO\r", Flag.OVERLOAD),
    ],
)
def test_rice_lake_ranges_are_states(frame: bytes, flag: Flag) -> None:
    item = reading(RICE_LAKE, frame)
    assert (item.value, item.flags) == (None, {Flag.GROSS, flag})


@pytest.mark.parametrize("unit", [b"T", b"TN", b" "])
def test_rice_lake_unit_that_means_two_things_is_not_taken(unit: bytes) -> None:
    item = one(RICE_LAKE, b"\x02   12.50" + unit + b"G \r")
    assert isinstance(item, Malformed)
    assert "unit" in item.reason


def test_rice_lake_keys_are_answered() -> None:
    codec: Any = RICE_LAKE.make_codec(RICE_LAKE.settings())
    assert codec.command("zero") == b"KZERO\r"
    codec.receive(b"\x02   12.50LG \r\n\x02   12.50LG \r\n", 0)
    assert codec.receive(b"OK\r\n", 0) == [Acknowledged("zero", b"OK\r\n")]
    assert codec.command("tare") == b"KTARE\r"
    (item,) = codec.receive(b"??\r\n", 0)
    assert isinstance(item, Refused)


@pytest.mark.parametrize(
    ("driver", "frame", "value", "unit", "flags"),
    [
        (CONDEC, b"\x02-  12.5KNTM\r", "-12.5", "kg", {Flag.NET, Flag.MOTION}),
        (CONDEC, b"\x02-999999LGRO\r", "None", None, {Flag.GROSS, Flag.UNDERLOAD}),
        (WEIGHTRONIX, b" n-  12.5 kg\r", "-12.5", "kg", {Flag.NET}),
        (WEIGHTRONIX, b" G   1250 lb\r", "1250", "[lb_av]", {Flag.GROSS}),
        (WEIGHTRONIX, b" G  1250 lb\r", "1250", "[lb_av]", {Flag.GROSS}),
        (WEIGHTRONIX, b" m   1250 lb\r", "1250", "[lb_av]", {Flag.MOTION}),
        (WEIGHTRONIX, b" o 999999 lb\r", "None", None, {Flag.OVERLOAD}),
        (CARDINAL, b"\r-0012.5m kg n  \x03", "-12.5", "kg", {Flag.NET, Flag.MOTION}),
        (CARDINAL, b"\r+001250.  lb g  \x03", "1250", "[lb_av]", {Flag.GROSS, Flag.STABLE}),
        (CARDINAL, b"\r+999999o lb g  \x03", "None", None, {Flag.GROSS, Flag.OVERLOAD}),
        (WESTERN, b"\x02-   0.55 LB NT M\r\n", "-0.55", "[lb_av]", {Flag.NET, Flag.MOTION}),
        (RINSTRUM, b"\x02-  12.50N\x03", "-12.50", "kg", {Flag.NET, Flag.STABLE}),
        (RINSTRUM, b"\x02   12.50M\x03", "12.50", "kg", {Flag.MOTION}),
        (RINSTRUM, b"\x02   99.99O\x03", "None", None, {Flag.OVERLOAD}),
        (RINSTRUM, b"\x02   99.99U\x03", "None", None, {Flag.UNDERLOAD}),
        (RINSTRUM, b"\x02   99.99E\x03", "None", None, {Flag.UNAVAILABLE}),
        (DIGI_DI600, b"\x01\r0-001,230\r40000,450\r\n", "-1.230", "kg", {Flag.NET, Flag.MOTION}),
        (DIGI_DI600, b"00001,230\r40000,450\r\n", "1.230", "kg", {Flag.NET}),
        (DIGI_DI600, b"\x00\r0OV00000\r4???????\r\n", "None", None, {Flag.NET, Flag.OVERLOAD}),
    ],
)
def test_states_and_signs(driver: Driver, frame: bytes, value: str, unit: str | None, flags: set[Flag]) -> None:
    item = reading(driver, frame)
    assert (str(item.value), item.unit, item.flags) == (value, unit, flags)


def test_digi_tare_comes_with_the_net_weight() -> None:
    assert dict(reading(DIGI_DI600, FRAMES["digi"][1]).details) == {"tare": "0.450"}


@pytest.mark.parametrize(
    "frame",
    [b"0001,23\r40000,450\r\n", b"40000,450\r\n", b"00001,230\r\n", b"C0000012\r40000,450\r\n", b"0001230,\r40000,45x\r\n"],
)
def test_digi_line_without_both_headers_is_no_weight(frame: bytes) -> None:
    assert isinstance(one(DIGI_DI600, frame), Malformed)


@pytest.mark.parametrize(
    ("driver", "frame"),
    [pair for name, pair in FRAMES.items() if pair[0].info.probe is not None and name != "rice lake 2"],
)
def test_listening_needs_several_frames_and_takes_no_others(driver: Driver, frame: bytes) -> None:
    probe = driver.info.probe
    assert probe is not None
    assert probe.recognises(frame[3:] + frame * 4)
    assert not probe.recognises(frame * 2)
    for other, theirs in FRAMES.values():
        if other is not driver:
            assert not probe.recognises(theirs * 5), (driver.info.name, theirs)
