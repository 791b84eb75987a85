"""Damage on the line is no other value: frames that lost a byte or their head are refused wherever the protocol shows it."""

from collections.abc import Iterator

import pytest

from drivers import registry
from drivers.api import Driver, Flag, Kind, Malformed, Reading
from tests.contract.samples import ble, gauges, lab, modbus, mqtt, pos, profiles, scanners, streams

AREAS = (lab, pos, streams, modbus, scanners, gauges, ble, mqtt, profiles)
SAMPLES = {name: frames for area in AREAS for name, frames in area.SAMPLES.items()}

MEASURING = [driver for driver in registry.BUILT_IN if driver.info.kinds != {Kind.CODE}]

WIDTH_IS_FREE = frozenset(
    {
        # The manual gives no width, or lines of several widths are in use: a digit that is missing inside cannot be seen.
        "mt-sics",
        "ohaus-print",
        "adam-cpw",
        "adam-azextra",
        "adam-pgl",
        "kern-platform",
        "gg-print",
        "st-gs-comma",
        "st-gs-space",
        "pennsylvania-7600",
        "mitutoyo-idh",
        "mahr",
        "mahr-maxum",
        "sylvac-serial",
        "atago-prm",
        "fluke-7341",
        "mark-10",
        "number-and-unit",
        "omega-iseries",
        "vaisala-ptb330",
        "profile",
        # Pounds with ounces.
        "nci-scp01",
        # The extended string; and KG that has lost its K is grams, as at the next one.
        "dini-argeo",
        "ricelake-stream",
        # The sign is left out by some models, the point stands in a place of its own in others.
        "weightronix-stream",
        "cardinal-stream",
        # Five digits are kilograms and four are pounds where the setting `unit` is not made.
        "datalogic-single-cable",
    }
)
"""Drivers one line of which does not show that a byte inside is missing. There the next line is what shows it."""

HEAD_IS_FREE = frozenset({"ohaus-print", "adam-azextra", "adam-pgl", "gg-print", "fluke-7341", "mark-10", "omega-iseries"})
"""Drivers whose lines may begin with the number itself: one that begins late looks like a whole one."""

TAILS = {
    "adam-cpw": [b".00 kg\r\n", b".50 kg\r\n", b"2.00 kg\r\n", b". 123 g\r\n"],
    "adam-azextra": [b".234kg\r\n", b"  .234kg\r\n"],
    "adam-pgl": [b".4567 g\r\n", b": .201 g\r\n"],
    "mahr": [b"6\r", b"12.34 mm =\r", b"34 mm =\r"],
    "mahr-maxum": [b"A+ 01234M \r\n"],
    "sylvac-serial": [b"0\r", b"000.500<\r", b"2.345\r"],
    "mark-10": [b".258 N\r\n"],
    "omega-iseries": [b"+999\r", b"999\r", b"43\r"],
    "toledo-8217": [b"\x0201.25\r", b"\x021.250\r"],
    "toledo-8213": [b"\x0201.25\r", b"\x0212.34\r"],
    "nci-scp01": [b"\n00125LB\r\nS00\r\x03", b"\n00.25LB\r\nS00\r\x03", b"\n1.250KG\r\nS00\r\x03"],
    "fedex": [b"\n 00125LB\r00\x03", b"\n 00.25LB\r00\x03"],
    "digi-di600": [b"\x00\r0-001230\r40000,450\r\n", b"\x00\r0-00,230\r40000,450\r\n", b"0001,230\r40000,450\r\n"],
    "dini-argeo": [b"ST,NT,   1250,kg\r\n", b"ST,NT,   2.50,kg\r\n", b"US,GS,  12.50,kg\r\n", b"US,GS  -12.50kg\r\n"],
    "sartorius-sbi": [b"+   12356 g  \r\n", b"+   23.56 g  \r\n", b"Qnt +    53 pcs  \r\n"],
}
"""What is left of values, states and errors that lost a sign, a point, a digit or their head: each once read as a number."""


def said(driver: Driver, frame: bytes) -> set[tuple[object, ...]]:
    """What could be booked from these bytes. A unit that is gone altogether is motion to those who leave it out then."""
    codec = driver.make_codec(driver.settings())
    return {
        (item.kind, item.value, item.unit)
        for item in [*codec.receive(frame, 0), *codec.finish()]
        if isinstance(item, Reading) and item.value is not None and item.kind is not Kind.CODE
        if item.unit is not None and Flag.TARE not in item.flags
    }


def wrong(driver: Driver, mutants: Iterator[tuple[bytes, bytes]]) -> list[bytes]:
    return [mutant for frame, mutant in mutants if said(driver, mutant) - said(driver, frame)]


def shortened(driver: Driver) -> Iterator[tuple[bytes, bytes]]:
    """Each sample without one of its bytes, as after an overrun of the port."""
    for frame in SAMPLES[driver.info.name]:
        for at in range(len(frame)):
            yield frame, frame[:at] + frame[at + 1 :]


def late(driver: Driver) -> Iterator[tuple[bytes, bytes]]:
    """Each sample without its beginning, as where the port is opened in the middle of a frame."""
    for frame in SAMPLES[driver.info.name]:
        for at in range(2, len(frame)):
            yield frame, frame[at:]


@pytest.mark.parametrize("driver", MEASURING, ids=lambda driver: driver.info.name)
def test_a_frame_that_lost_a_byte_gives_no_other_value(driver: Driver) -> None:
    assert bool(wrong(driver, shortened(driver))) is (driver.info.name in WIDTH_IS_FREE)


@pytest.mark.parametrize("driver", MEASURING, ids=lambda driver: driver.info.name)
def test_a_frame_that_begins_late_gives_no_other_value(driver: Driver) -> None:
    assert bool(wrong(driver, late(driver))) is (driver.info.name in HEAD_IS_FREE)


@pytest.mark.parametrize(("name", "tail"), [(name, tail) for name, tails in TAILS.items() for tail in tails])
def test_what_is_left_of_a_frame_is_no_value(name: str, tail: bytes) -> None:
    assert said(registry.get(name), tail) == set()


@pytest.mark.parametrize("line", [b"S110125\r", b"S1440125\r"])
def test_a_metric_weight_that_lost_a_digit_is_not_taken_for_pounds(line: bytes) -> None:
    driver = registry.get("datalogic-single-cable")
    (loose,) = driver.decode(line, {})
    (set_right,) = driver.decode(line, {"unit": "kg"})
    assert isinstance(loose, Reading)
    assert isinstance(set_right, Malformed)
