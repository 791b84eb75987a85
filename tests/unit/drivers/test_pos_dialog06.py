"""Checkout-Dialog 06: who says what when, the reasons behind a NAK, and the log-on with its two checksums."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Flag, Malformed, Reading, Refused, SettingsFault, Status
from drivers.scales.pos.dialog06 import DIALOG06
from drivers.scales.pos.logon import LogOn, rotated_left
from drivers.settings import read_settings

MS = 1_000_000

ACK, NAK, EOT = b"\x06", b"\x15", b"\x04"
PRICE = b"\x04\x0201\x1b000000\x1b\x03"
RESULT = b"\x04\x05"
WHY = b"\x04\x0208\x03"


def record(number: str, *fields: str) -> bytes:
    return b"\x02" + "\x1b".join([number, *fields]).encode() + b"\x03"


WEIGHT = record("02", "3", "01234", "000500", "000617")


def codec(**values: Any) -> Any:
    return DIALOG06.make_codec(read_settings(DIALOG06.settings, values))


def one(data: bytes) -> Decoded:
    (item,) = DIALOG06.decode(data, {})
    return item


def test_price_result_and_closing() -> None:
    talker = codec()
    assert talker.poll(0) == PRICE
    assert isinstance(talker.receive(ACK, 0)[0], Acknowledged)
    assert talker.poll(0) == RESULT
    (weight,) = talker.receive(WEIGHT, 0)
    assert (weight.value, weight.unit) == (Decimal("1.234"), "kg")
    assert weight.flags == {Flag.NET, Flag.STABLE}
    assert talker.poll(0) == EOT
    assert talker.poll(1 * MS) is None
    assert talker.poll(500 * MS) == PRICE


@pytest.mark.parametrize(("dialog", "digits"), [("06", "000500"), ("04", "00500"), ("02", "00500")])
def test_price_has_the_digits_of_the_dialog(dialog: str, digits: str) -> None:
    assert codec(dialog=dialog, unit_price=500).poll(0) == f"\x04\x0201\x1b{digits}\x1b\x03".encode()


@pytest.mark.parametrize("refused_at", ["price", "result"])
def test_load_that_did_not_move_is_a_typed_refusal(refused_at: str) -> None:
    talker = codec()
    talker.poll(0)
    if refused_at == "result":
        talker.receive(ACK, 0)
        talker.poll(0)
    (nak,) = talker.receive(NAK, 0)
    assert isinstance(nak, Acknowledged)
    assert talker.poll(0) == WHY
    (reason,) = talker.receive(record("09", "21"), 0)
    assert isinstance(reason, Refused)
    assert reason.code == "21"
    assert "take it off" in reason.reason
    assert talker.poll(0) == EOT


def weighed(talker: Any, now_ns: int) -> Decoded:
    talker.poll(now_ns)
    talker.receive(ACK, now_ns)
    talker.poll(now_ns)
    (weight,) = talker.receive(WEIGHT, now_ns)
    talker.poll(now_ns)
    return weight


def why(talker: Any, now_ns: int, code: str) -> Decoded:
    talker.poll(now_ns)
    talker.receive(NAK, now_ns)
    talker.poll(now_ns)
    (reason,) = talker.receive(record("09", code), now_ns)
    talker.poll(now_ns)
    return reason


def test_load_that_did_not_move_keeps_the_weight_that_was_given() -> None:
    talker = codec()
    weighed(talker, 0)
    for step in range(1, 4):
        assert isinstance(why(talker, step * 1000 * MS, "21"), Acknowledged)
    assert isinstance(why(talker, 4000 * MS, "20"), Reading)
    assert isinstance(why(talker, 5000 * MS, "21"), Refused)


def test_silence_makes_an_unmoved_load_a_refusal_again() -> None:
    talker = codec()
    weighed(talker, 0)
    talker.poll(1000 * MS)
    assert talker.overdue(4000 * MS)
    assert isinstance(why(talker, 4000 * MS, "21"), Refused)


@pytest.mark.parametrize(
    ("code", "flags"),
    [
        ("20", {Flag.STATUS, Flag.MOTION}),
        ("30", {Flag.STATUS, Flag.STABLE}),
        ("31", {Flag.STATUS, Flag.UNDERLOAD}),
        ("32", {Flag.STATUS, Flag.OVERLOAD}),
    ],
)
def test_states_are_readings_without_a_value(code: str, flags: set[Flag]) -> None:
    item = one(record("09", code))
    assert isinstance(item, Reading)
    assert (item.value, item.flags) == (None, flags)


@pytest.mark.parametrize("code", ["01", "02", "10", "11", "12", "13", "21", "22", "99"])
def test_everything_else_is_refused_with_its_number(code: str) -> None:
    item = one(record("09", code))
    assert isinstance(item, Refused)
    assert item.code == code


def test_no_fault_is_a_status() -> None:
    assert isinstance(one(record("09", "00")), Status)


@pytest.mark.parametrize(
    ("status", "value", "unit"), [("1", "12.34", "[lb_av]"), ("2", "1.234", "[lb_av]"), ("3", "1.234", "kg")]
)
def test_scale_status_says_unit_and_point(status: str, value: str, unit: str) -> None:
    item = one(record("02", status, "01234", "00500", "000617"))
    assert isinstance(item, Reading)
    assert (str(item.value), item.unit) == (value, unit)


@pytest.mark.parametrize(
    "raw",
    [
        record("02", "0", "01234", "000500", "000617"),
        record("02", "3", "0123", "000500", "000617"),
        record("02", "3", "01.34", "000500", "000617"),
        record("07"),
        record("11", "3"),
    ],
)
def test_record_that_cannot_be_used_is_malformed(raw: bytes) -> None:
    assert isinstance(one(raw), Malformed)


def test_a_nak_to_the_question_why_is_not_asked_why() -> None:
    talker = codec()
    talker.poll(0)
    talker.receive(NAK, 0)
    talker.poll(0)
    talker.receive(NAK, 0)
    assert talker.poll(0) is None
    assert talker.poll(500 * MS) == PRICE


def test_log_on_answers_with_both_checksums_and_goes_on() -> None:
    talker = codec(logon_polynomial="18005", logon_checksum="1234")
    talker.poll(0)
    assert isinstance(talker.receive(record("11", "2A7"), 0)[0], Status)
    sent = talker.poll(0)
    assert sent == b"\x04\x0210\x1b" + LogOn(0x18005, 0x1234).answer("A7").encode() + b"\x03"
    talker.receive(ACK, 0)
    assert talker.poll(0) == RESULT
    assert isinstance(talker.receive(record("11", "1"), 0)[0], Status)
    assert talker.poll(0) == EOT
    assert talker.poll(500 * MS) == PRICE


def test_log_on_that_is_not_accepted_backs_off() -> None:
    talker = codec(logon_polynomial="18005")
    talker.poll(0)
    talker.receive(record("11", "200"), 0)
    talker.poll(0)
    talker.receive(ACK, 0)
    talker.poll(0)
    (refusal,) = talker.receive(record("11", "0"), 0)
    assert isinstance(refusal, Refused)
    assert talker.poll(0) == EOT
    assert talker.due_ns(0) == 1000 * MS


def test_log_on_without_a_polynomial_names_the_setting() -> None:
    talker = codec()
    talker.poll(0)
    (refusal,) = talker.receive(record("11", "2A7"), 0)
    assert isinstance(refusal, Refused)
    assert "logon_polynomial" in refusal.reason


@pytest.mark.parametrize(
    "values", [{"logon_polynomial": "8005"}, {"logon_polynomial": "28005"}, {"logon_checksum": "12"}, {"unit_price": -1}]
)
def test_settings_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsFault):
        codec(**values)


def test_correction_is_the_published_remainder() -> None:
    # CRC of the two bytes 12 34 with polynomial 1021 and no start value, as the CRC catalogue's XMODEM.
    assert LogOn(0x11021, 0x1234).correction() == 0x13C6


@given(checksum=st.integers(0, 0xFFFF), polynomial=st.integers(0x10000, 0x1FFFF), number=st.integers(0, 0xFF))
def test_both_checksums_turned_back_are_a_multiple_of_the_polynomial(checksum: int, polynomial: int, number: int) -> None:
    sums = LogOn(polynomial, checksum).answer(f"{number:02X}")
    word = rotated_left(int(sums[:4], 16), 16 - number // 16) << 16 | rotated_left(int(sums[4:], 16), number % 16)
    assert word >> 16 == checksum
    while word.bit_length() > 16:
        word ^= polynomial << (word.bit_length() - 17)
    assert word == 0


@given(weight=st.integers(0, 99_999), price=st.integers(0, 999_999), total=st.integers(0, 999_999))
def test_rendered_record_is_read_back(weight: int, price: int, total: int) -> None:
    item = one(record("02", "3", f"{weight:05d}", f"{price:06d}", f"{total:06d}"))
    assert isinstance(item, Reading)
    assert item.value == Decimal(weight).scaleb(-3)
    assert item.details == {"unit_price_raw": f"{price:06d}", "price_raw": f"{total:06d}"}


def test_unmoved_load_is_a_refusal_where_nobody_asked() -> None:
    talker = codec()
    found = talker.receive(WEIGHT + record("09", "21"), 0)
    assert [type(item) for item in found] == [Reading, Refused]
