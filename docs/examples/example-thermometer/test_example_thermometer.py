"""The thermometer's lines, and what is none."""

# ruff: noqa: S101 - a test asserts

from decimal import Decimal

import pytest
from example_thermometer import DRIVER

from drivers.api import Kind, Malformed, Reading


@pytest.mark.parametrize(
    ("line", "value"), [(b"T=21.5C\r", "21.5"), (b"T=-3C\r", "-3"), (b"T=0.00C\r", "0.00"), (b"T=120.25C\r", "120.25")]
)
def test_a_line_is_a_temperature_with_the_digits_as_sent(line: bytes, value: str) -> None:
    (reading,) = DRIVER.decode(line, {})
    assert reading == Reading(Kind.TEMPERATURE, Decimal(value), "Cel", frozenset(), line)
    assert isinstance(reading, Reading)
    assert str(reading.value) == value


@pytest.mark.parametrize("line", [b"1.5C\r", b"T=21.5F\r", b"T=C\r", b"T=1.234C\r", b"T=1234C\r", b"\xff\r", b"T=21"])
def test_what_is_no_line_is_kept_and_never_a_temperature(line: bytes) -> None:
    (found,) = DRIVER.decode(line, {})
    assert isinstance(found, Malformed)
    assert found.raw == line


def test_a_line_may_come_in_any_pieces() -> None:
    codec = DRIVER.make_codec(DRIVER.settings())
    found = [item for byte in b"T=21.5C\rT=21.6C\r" for item in codec.receive(bytes([byte]), 0)]
    assert [item.raw for item in found] == [b"T=21.5C\r", b"T=21.6C\r"]
