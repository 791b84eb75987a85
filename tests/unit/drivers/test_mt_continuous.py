"""Toledo continuous output: status bits, decimals, lengths, check bytes, and what may never be taken for a weight."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Decoded, Flag, Malformed, Reading, SettingsFault
from drivers.framing import with_parity
from drivers.scales.streams.mt_continuous import MT_CONTINUOUS, MT_CONTINUOUS_SHORT
from drivers.settings import read_settings

SILENCE_NS = 2_000_000_000


def frame(a: int = 0x2D, b: int = 0x30, c: int = 0x20, weight: str = "012345", tare: str = "000000") -> bytes:
    return bytes([0x02, a, b, c]) + f"{weight}{tare}\r".encode("ascii")


def checked(data: bytes) -> bytes:
    return data + bytes([-sum(byte & 0x7F for byte in data) & 0x7F])


def read(data: bytes, **given_settings: object) -> list[Decoded]:
    return list(MT_CONTINUOUS.decode(data, given_settings))


def one(data: bytes, **given_settings: object) -> Reading:
    (item,) = read(data, **given_settings)
    assert isinstance(item, Reading), item
    return item


@pytest.mark.parametrize(
    ("point", "value"),
    [
        (0, "1234500"),
        (1, "123450"),
        (2, "12345"),
        (3, "1234.5"),
        (4, "123.45"),
        (5, "12.345"),
        (6, "1.2345"),
        (7, "0.12345"),
    ],
)
def test_point_stands_where_the_first_status_says(point: int, value: str) -> None:
    assert str(one(frame(a=0x28 | point)).value) == value


@pytest.mark.parametrize(
    ("b", "c", "unit"),
    [
        (0x20, 0x20, "[lb_av]"),
        (0x30, 0x20, "kg"),
        (0x20, 0x21, "g"),
        (0x20, 0x22, "t"),
        (0x20, 0x23, "[oz_av]"),
        (0x20, 0x24, "[oz_tr]"),
        (0x20, 0x25, "[pwt_tr]"),
        (0x20, 0x26, "[ston_av]"),
    ],
)
def test_unit_is_of_the_second_or_the_third_status(b: int, c: int, unit: str) -> None:
    assert one(frame(b=b, c=c)).unit == unit


def test_unit_that_the_operator_named_makes_the_frame_unusable() -> None:
    (item,) = read(frame(c=0x27))
    assert isinstance(item, Malformed)
    assert "unit" in item.reason


@pytest.mark.parametrize(
    ("b", "flags"),
    [
        (0x30, {Flag.GROSS, Flag.STABLE}),
        (0x31, {Flag.NET, Flag.STABLE}),
        (0x38, {Flag.GROSS, Flag.MOTION}),
        (0x70, {Flag.GROSS, Flag.STABLE, Flag.NOT_ZEROED}),
        (0x34, {Flag.GROSS, Flag.STABLE, Flag.OVERLOAD}),
        (0x36, {Flag.GROSS, Flag.STABLE, Flag.UNDERLOAD}),
        (0x10, {Flag.GROSS, Flag.STABLE}),  # Fairbanks: bit 5 is 0
    ],
)
def test_second_status_gives_the_flags(b: int, flags: set[Flag]) -> None:
    assert one(frame(b=b)).flags == flags


@pytest.mark.parametrize("weight", ["012345", "999999", "      ", "------", "000000"])
def test_digits_out_of_range_are_never_used(weight: str) -> None:
    reading = one(frame(b=0x34, weight=weight))
    assert reading.value is None
    assert "tare" not in reading.details


def test_expanded_display_is_a_state_without_a_value() -> None:
    reading = one(frame(c=0x30))
    assert reading.value is None
    assert Flag.UNAVAILABLE in reading.flags


def test_zero_with_a_sign_keeps_its_sign_as_sent() -> None:
    assert str(one(frame(b=0x32, weight="000500")).value) == "-0.500"


def test_status_that_looks_like_an_end_does_not_end_the_frame() -> None:
    assert one(frame(a=0x0D)).value == Decimal("12.345")


@pytest.mark.parametrize("weight", ["01234 ", "0 2345", "01a345", "-12345", "      ", "12.345"])
def test_anything_but_digits_is_no_weight(weight: str) -> None:
    assert isinstance(read(frame(weight=weight))[0], Malformed)


def test_check_byte_must_fit() -> None:
    good = checked(frame())
    assert one(good, checksum=True).value == Decimal("12.345")
    for place in range(1, 16):
        bad = bytearray(good)
        bad[place] ^= 0x01
        assert not [item for item in read(bytes(bad), checksum=True) if isinstance(item, Reading)]


def test_check_byte_that_is_not_sent_gives_no_weight_and_says_so() -> None:
    found = read(frame() * 4, checksum=True)
    assert not [item for item in found if isinstance(item, Reading)]
    assert any(isinstance(item, Malformed) and "check byte" in item.reason for item in found)


def test_check_byte_that_was_not_expected_is_named_and_the_weights_go_on() -> None:
    found = read(checked(frame()) * 3)
    assert [item.value for item in found if isinstance(item, Reading)] == [Decimal("12.345")] * 3
    assert any(isinstance(item, Malformed) and "checksum" in item.reason for item in found)


def test_short_frames_are_named_in_the_long_format() -> None:
    found = read(b"\x02-0 012345\r" * 30)
    assert not [item for item in found if isinstance(item, Reading)]
    assert any(isinstance(item, Malformed) and "mt-continuous-short" in item.reason for item in found)


def test_long_frames_are_no_short_ones() -> None:
    assert not [item for item in MT_CONTINUOUS_SHORT.decode(frame() * 30, {}) if isinstance(item, Reading)]


def test_short_frame_carries_no_tare() -> None:
    (item,) = MT_CONTINUOUS_SHORT.decode(b"\x02-1 012345\r", {})
    assert isinstance(item, Reading)
    assert (str(item.value), dict(item.details)) == ("12.345", {})


@pytest.mark.parametrize("parity", ["even", "mark"])
def test_seven_bit_terminal_on_an_eight_bit_port_is_named(parity: str) -> None:
    found = read(with_parity(frame(), parity) * 20)
    assert not [item for item in found if isinstance(item, Reading)]
    assert any(isinstance(item, Malformed) and f"{parity} parity" in item.reason for item in found)


@given(cut=st.integers(1, 16), number=st.integers(0, 999_999), b=st.sampled_from([0x30, 0x31, 0x32, 0x38]))
def test_attached_in_the_middle_no_tail_is_a_weight(cut: int, number: int, b: int) -> None:
    data = frame(b=b, weight=f"{number:06d}", tare="002000")
    found = [item for item in read(data[cut:] + data * 2) if isinstance(item, Reading)]
    assert [item.raw for item in found] == [data, data]


@given(number=st.integers(0, 999_999), tare=st.integers(0, 999_999), point=st.integers(2, 7), negative=st.booleans())
def test_every_number_comes_back_with_its_digits(number: int, tare: int, point: int, negative: bool) -> None:
    data = checked(frame(0x28 | point, 0x31 | negative << 1, weight=f"{number:06d}", tare=f"{tare:06d}"))
    reading = one(data, checksum=True)
    wanted = Decimal(number).scaleb(2 - point)
    assert reading.value == (-wanted if negative else wanted)
    assert Decimal(reading.details["tare"]) == Decimal(tare).scaleb(2 - point)
    assert reading.raw == data


def test_silence_of_a_stream_shows_and_of_a_printer_does_not() -> None:
    for mode, late in (("stream", True), ("autoprint", False)):
        codec = MT_CONTINUOUS.make_codec(read_settings(MT_CONTINUOUS.settings, {"mode": mode}))
        codec.receive(frame(), 0)
        assert codec.due_ns(0) == (SILENCE_NS + 1 if late else None)
        assert not codec.overdue(SILENCE_NS)
        assert codec.overdue(SILENCE_NS + 1) is late


def test_commands_are_single_characters_and_take_nothing() -> None:
    codec = MT_CONTINUOUS.make_codec(MT_CONTINUOUS.settings())
    assert [codec.command(name) for name in MT_CONTINUOUS.info.commands] == [b"Z", b"T", b"C", b"P"]
    with pytest.raises(SettingsFault):
        codec.command("tare", "1 kg")


def test_probe_is_sure_only_with_check_bytes() -> None:
    probe = MT_CONTINUOUS.info.probe
    assert probe is not None
    assert probe.send == b""
    assert probe.recognises(b"45000000\r%" + checked(frame()) * 3)
    assert not probe.recognises(frame() * 9)
    assert not probe.recognises(checked(frame()) * 2)
