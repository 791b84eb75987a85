"""USB HID scales: states, units, exponents with their sign, and reports that are something else."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Decoded, Flag, Malformed, Reading, Refused, SettingsFault, Status
from drivers.envelope import Message
from drivers.scales.streams.hid_scale import EXPONENTS, HID_POS_SCALE, UNITS
from sync_protocol.quantity import UNITS as KNOWN


def one(report: bytes, origin: str = "report") -> Decoded:
    (item,) = HID_POS_SCALE.decode(Message(origin, report).to_bytes(), {})
    return item


def weight(status: int, unit: int, exponent: int, value: int) -> bytes:
    return bytes([3, status, unit, exponent & 0xFF]) + value.to_bytes(2, "little")


@given(
    value=st.integers(0, 0xFFFF),
    exponent=st.sampled_from(EXPONENTS),
    unit=st.sampled_from(sorted(UNITS)),
    status=st.sampled_from([2, 3, 4]),
)
def test_every_value_comes_back_exact_and_plain(value: int, exponent: int, unit: int, status: int) -> None:
    item = one(weight(status, unit, exponent, value))
    assert isinstance(item, Reading)
    assert item.value == Decimal(value).scaleb(exponent)
    assert isinstance(item.value, Decimal)
    assert "E" not in str(item.value) or exponent < -6
    assert item.unit in KNOWN
    assert item.stable is (status != 3)
    assert (Flag.ZERO in item.flags) is (status == 2)


@pytest.mark.parametrize("exponent", [0xFF, 0xFE, 0xFD])
def test_exponent_has_a_sign(exponent: int) -> None:
    item = one(bytes([3, 4, 2, exponent, 0xD2, 0x04]))
    assert isinstance(item, Reading)
    assert item.value == Decimal(1234).scaleb(exponent - 256)


@pytest.mark.parametrize("exponent", [7, 0x7F, 0x80, -13])
def test_exponent_of_no_scale_is_damage(exponent: int) -> None:
    assert isinstance(one(weight(4, 2, exponent, 1)), Malformed)


@pytest.mark.parametrize(("status", "flag"), [(5, Flag.UNDERLOAD), (6, Flag.OVERLOAD)])
@pytest.mark.parametrize("unit", [2, 5, 0])
def test_ranges_are_states_whatever_the_digits(status: int, flag: Flag, unit: int) -> None:
    item = one(weight(status, unit, 0, 1234))
    assert isinstance(item, Reading)
    assert (item.value, item.unit, item.flags) == (None, None, {flag})


@pytest.mark.parametrize(("status", "code"), [(1, "fault"), (7, "requires-calibration"), (8, "requires-rezero")])
def test_faults_come_with_their_name(status: int, code: str) -> None:
    item = one(weight(status, 2, 0, 0))
    assert isinstance(item, Refused)
    assert item.code == code


@pytest.mark.parametrize("status", [0, 9, 255])
def test_status_that_does_not_exist_is_no_weight(status: int) -> None:
    assert isinstance(one(weight(status, 2, 0, 1)), Malformed)


@pytest.mark.parametrize("unit", [0, 5, 13])
def test_unit_without_an_agreed_mass_is_no_weight(unit: int) -> None:
    assert isinstance(one(weight(4, unit, 0, 1)), Malformed)


def test_number_in_front_of_the_reports_own_is_taken_off() -> None:
    item = one(b"\0" + weight(4, 3, -3, 1234))
    assert isinstance(item, Reading)
    assert item.value == Decimal("1.234")


@pytest.mark.parametrize("report", [b"", b"\0", b"\x03", weight(4, 2, 0, 1) + b"\0", weight(4, 2, 0, 1)[:-1], b"\x09\x01\x02"])
def test_report_of_another_length_or_number_is_no_weight(report: bytes) -> None:
    assert isinstance(one(report), Malformed)


@pytest.mark.parametrize("number", [1, 2, 4, 5, 6])
def test_other_reports_are_told_as_they_are(number: int) -> None:
    item = one(bytes([number, 0x0B, 0x0C]))
    assert isinstance(item, Status)
    assert item.text.endswith("0b0c")


def test_message_of_another_link_is_no_report() -> None:
    assert isinstance(one(weight(4, 2, 0, 1), origin="read:3:0:1"), Malformed)


def test_same_report_again_is_the_same_reading_again() -> None:
    data = Message("report", weight(4, 2, 0, 1)).to_bytes()
    codec = HID_POS_SCALE.make_codec(HID_POS_SCALE.settings())
    assert len(codec.receive(data * 5, 0)) == 5


def test_nothing_is_asked_owed_or_taken() -> None:
    codec = HID_POS_SCALE.make_codec(HID_POS_SCALE.settings())
    codec.receive(Message("report", weight(4, 2, 0, 1)).to_bytes(), 0)
    assert (codec.poll(0), codec.due_ns(0), codec.overdue(10**18)) == (None, None, False)
    with pytest.raises(SettingsFault):
        codec.command("zero")
