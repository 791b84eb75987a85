"""Toledo 8217 and its relatives: the status byte, the letters, what answers which command, and what is recognised."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Flag, Malformed, Reading, Refused, SettingsFault
from drivers.decoding import decode
from drivers.framing import with_parity
from drivers.scales.pos.toledo import DATALOGIC_SASI, TOLEDO_8213, TOLEDO_8217
from drivers.settings import read_settings

SECOND = 1_000_000_000


def codec(driver: Any = TOLEDO_8217, **values: Any) -> Any:
    return driver.make_codec(read_settings(driver.settings, values))


def one(data: bytes, driver: Any = TOLEDO_8217, **values: Any) -> Decoded:
    (item,) = driver.decode(data, values)
    return item


def after(command: str, answer: bytes, driver: Any = TOLEDO_8217, argument: str | None = None) -> Decoded:
    talker = codec(driver)
    talker.command(command, argument)
    (item,) = talker.receive(answer, SECOND)
    return item


def test_status_byte_that_equals_cr_is_taken_as_one() -> None:
    talker = codec()
    assert [talker.receive(bytes([byte]), 0) for byte in b"\x02?\x0d"] == [[], [], []]
    (item,) = talker.receive(b"\r\x0201.250\r"[:1], 0)
    assert item == Reading(item.kind, None, None, frozenset({Flag.STATUS, Flag.MOTION, Flag.UNDERLOAD}), b"\x02?\x0d\r")


@pytest.mark.parametrize("status", range(256))
def test_every_status_byte_is_four_bytes_and_never_a_number(status: int) -> None:
    raw = b"\x02?" + bytes([status]) + b"\r"
    for driver in (TOLEDO_8217, TOLEDO_8213):
        first, second = driver.decode(raw + b"\x0201.250\r", {})
        assert first.raw == raw
        assert isinstance(first, Refused) or (isinstance(first, Reading) and first.value is None)
        assert isinstance(second, Reading)
        assert second.value == Decimal("1.250")


def test_letters_and_bits_read_differently_on_the_same_byte() -> None:
    # ?C is motion and over as bits, under zero as a letter.
    as_bits, as_letter = one(b"\x02?C\r", TOLEDO_8213), one(b"\x02?C\r", DATALOGIC_SASI)
    assert isinstance(as_bits, Reading)
    assert isinstance(as_letter, Reading)
    assert as_bits.flags >= {Flag.MOTION, Flag.OVERLOAD}
    assert as_letter.flags == {Flag.STATUS, Flag.UNDERLOAD}
    assert isinstance(one(b"\x02?E\r", DATALOGIC_SASI), Malformed)


@pytest.mark.parametrize(
    ("data", "values", "flags"),
    [
        (b"\x0212.340\r", {}, {Flag.STABLE, Flag.GROSS}),
        (b"\x0212.34\r", {"unit": "lb", "status_bit5": "fixed"}, {Flag.STABLE}),
        (b"\x0212.34N\r", {"unit": "lb", "status_bit5": "fixed"}, {Flag.STABLE, Flag.NET}),
        (b"\x02? \r", {}, {Flag.STATUS, Flag.STABLE, Flag.NET}),
        (b"\x02? \r", {"status_bit5": "fixed"}, {Flag.STATUS, Flag.STABLE}),
        (b"\x02?@\r", {"status_bit6": "fixed"}, {Flag.STATUS, Flag.STABLE}),
    ],
)
def test_bits_five_and_six_mean_what_the_settings_say(data: bytes, values: dict[str, Any], flags: set[Flag]) -> None:
    item = one(data, **values)
    assert isinstance(item, Reading)
    assert item.flags == flags


@pytest.mark.parametrize(
    "raw", [b"\x0201.2.5\r", b"\x02\x0201.25", b"\x0201.25X\r", b"\x02.\r", b"\x0212345678\r", b"\x0201250\r", b"\x02-1.25\r"]
)
def test_what_is_no_weight_is_malformed(raw: bytes) -> None:
    assert all(isinstance(item, Malformed) for item in TOLEDO_8217.decode(raw, {}))


def test_seven_bit_line_read_with_eight_is_named() -> None:
    item = one(with_parity(b"\x0201.250\r", "even"))
    assert isinstance(item, Malformed)
    assert "even parity" in item.reason


@pytest.mark.parametrize(
    ("command", "answer", "wanted"),
    [
        ("zero", b"\x02?\x10\r", Acknowledged),
        ("zero", b"\x02?\x01\r", "motion"),
        ("zero", b"\x02?\x08\r", "zero-range"),
        ("zero", b"\x02?\x40\r", "bad-command"),
        ("zero", b"\x0200.000\r", Acknowledged),
        ("zero", b"\x0201.000\r", Reading),
        ("tare", b"\x02?\x20\r", Acknowledged),
        ("tare", b"\x02?\x00\r", "not-net"),
        ("tare", b"\x02?\x02\r", "over"),
        ("tare", b"\x02?\x24\r", "under"),
        ("tare", b"\x0200.000N\r", Acknowledged),
        ("clear_tare", b"\x02?\x00\r", Acknowledged),
        ("clear_tare", b"\x02?\x20\r", "net"),
        ("self_test", b"\x02\r", Acknowledged),
        ("self_test_result", b"\x02?@\r", Acknowledged),
        ("self_test_result", b"\x02?\x00\r", "no-result"),
        ("self_test_result", b"\x02?\x01\r", "novram"),
        ("self_test_result", b"\x02?\x08\r", "rom"),
    ],
)
def test_the_same_bytes_mean_what_the_command_asked(command: str, answer: bytes, wanted: Any) -> None:
    item = after(command, answer)
    if isinstance(wanted, str):
        assert isinstance(item, Refused)
        assert item.code == wanted
    else:
        assert isinstance(item, wanted)
        assert not isinstance(item, Acknowledged) or item.command == command


def test_capture_may_say_what_it_answers() -> None:
    assert decode("toledo-8217", {"hex": "023f400d"}, {"reply_to": "B"}) == [{"kind": "ack"}]
    assert decode("toledo-8217", {"hex": "023f020d"}, {"reply_to": "B"})[0]["device_error"] == "ram"
    assert decode("toledo-8217", {"hex": "023f020d"}, {"reply_to": "W"})[0]["overload"] is True
    assert decode("toledo-8217", {"hex": "023f020d"}, {"reply_to": "Q"})[0]["error"] is True
    assert decode("toledo-8217", {"hex": "023f02"}, {"reply_to": "B"})[0]["error"] is True


@pytest.mark.parametrize(
    ("unit", "argument", "sent"),
    [("kg", "1.25 kg", b"T01250\r"), ("lb", "12.5 [lb_av]", b"T01250\r"), ("g", "7 g", b"T00007\r")],
)
def test_known_tare_is_five_digits_of_the_scales_unit(unit: str, argument: str, sent: bytes) -> None:
    assert codec(unit=unit).command("preset_tare", argument) == sent


@pytest.mark.parametrize("argument", [None, "1.25", "1.25 [lb_av]", "-1 kg", "1.2345 kg", "100 kg", "much kg"])
def test_tare_that_the_scale_cannot_take_is_refused_before_it_is_sent(argument: str | None) -> None:
    with pytest.raises(SettingsFault):
        codec().command("preset_tare", argument)


@pytest.mark.parametrize(
    ("answer", "is_8217", "is_8213"),
    [
        (b"\x0201.250\r", True, False),
        (b"\x0212.34N\r", True, False),
        (b"\x02?\x01\r", True, False),
        (b"\x02012.34\r", False, True),
        (b"\x02?A\r", False, False),
        (b"\x02ST,GS,+  1.25 lb\r", False, False),
        (b"01.250\r", False, False),
        (b"\x0201.250\r\x0201.250\r", False, False),
        (b"", False, False),
    ],
)
def test_probe_recognises_its_own_only(answer: bytes, *, is_8217: bool, is_8213: bool) -> None:
    probes = [driver.info.probe for driver in (TOLEDO_8217, TOLEDO_8213)]
    assert [probe is not None and probe.send for probe in probes] == [b"W", b"W"]
    assert [probe is not None and probe.recognises(answer) for probe in probes] == [is_8217, is_8213]


@given(value=st.integers(0, 99_999), net=st.booleans())
def test_rendered_weight_is_read_back(value: int, *, net: bool) -> None:
    digits = f"{value / 1000:06.3f}"
    item = one(f"\x02{digits}{'N' if net else ''}\r".encode())
    assert isinstance(item, Reading)
    assert item.value == Decimal(value).scaleb(-3)
    assert (Flag.NET in item.flags) is net
