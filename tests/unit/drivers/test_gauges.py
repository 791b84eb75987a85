"""Lines of gauges at their edges, what is asked of them, and what they are not believed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Acknowledged, Codec, Decoded, Identity, Malformed, Reading, Refused, Status
from drivers.decoding import decode
from drivers.settings import read_settings
from drivers.talk import QUIET_NS

SECOND = 1_000_000_000


def codec(driver: str, **settings: Any) -> Codec:
    known = registry.get(driver)
    return known.make_codec(read_settings(known.settings, settings))


def read(driver: str, text: str, **settings: Any) -> list[Decoded]:
    one = codec(driver, **settings)
    return [*one.receive(text.encode("latin-1"), 0), *one.finish()]


def only(driver: str, text: str, **settings: Any) -> Decoded:
    (found,) = read(driver, text, **settings)
    return found


VALUES = [
    ("mitutoyo-spc", "01A-0012.346\r", "-12.346", "mm"),
    ("mitutoyo-spc", "09A+00000001\r", "1", "mm"),
    ("mitutoyo-spc", "\n01A+0000.123\r", "0.123", "mm"),
    ("sylvac-serial", "\n+012.345\r", "12.345", "mm"),
    ("mitutoyo-idh", "GN99,-0000.0005\r\n", "-0.0005", "mm"),
    ("surftest-sj", "OKRa      3.123 um\r", "3.123", "um"),
    ("surftest-sj", "OKRz     12.500 \xe6m\r", "12.500", "um"),
    ("surftest-sj", "OKRmr    45.000  %\r", "45.000", "%"),
    ("surftest-sj", "OKRsk   -0.5000   \r", "-0.5000", "1"),
    ("mahr", "1 +012.34 mm =\r", "12.34", "mm"),
    ("mahr", "3 -000.50 inch\r", "-0.50", "[in_i]"),
    ("mahr", "2 +001.5 \xb5m > <\r", "1.5", "um"),
    ("mahr", "+012.345mm\r", "12.345", "mm"),
    ("mahr", "-0.5\r", "-0.5", "mm"),
    ("mahr", "1 +012.50 deg\r", "12.50", "deg"),
    ("mahr-maxum", "A+ 01.234M \r\n", "1.234", "mm"),
    ("mahr-maxum", "t- 0.1234I \n", "-0.1234", "[in_i]"),
    ("mahr-maxum", " + 0.123 MU \n", "0.123", "mm"),
    ("sylvac-serial", "+012.345\r", "12.345", "mm"),
    ("sylvac-serial", " 12.34=\r", "12.34", "mm"),
]


@pytest.mark.parametrize(("driver", "text", "value", "unit"), VALUES)
def test_value_keeps_its_digits_and_unit(driver: str, text: str, value: str, unit: str) -> None:
    found = only(driver, text)
    assert isinstance(found, Reading)
    assert (str(found.value), found.unit, found.raw) == (value, unit, text.encode("latin-1"))


MALFORMED = [
    ("mitutoyo-spc", "01A+0000.1X3\r"),
    ("mitutoyo-spc", "01A+0000..23\r"),
    ("mitutoyo-spc", "01A+0000.12\r"),
    ("mitutoyo-spc", "01A+0000.1234\r"),
    ("mitutoyo-spc", "01A 0000.123\r"),
    ("mitutoyo-spc", "00A+0000.123\r"),
    ("mitutoyo-spc", "01A+.1234567\r"),
    ("mitutoyo-spc", "\r"),
    ("mitutoyo-idh", "GN01,0016.2345\r\n"),
    ("mitutoyo-idh", "GN1,+0016.2345\r\n"),
    ("mitutoyo-idh", "GA01,+0016.2345\r\n"),
    ("mitutoyo-idh", "GN01,+0016\r\n"),
    ("surftest-sj", "OKRa      3.123uin\r"),
    ("surftest-sj", "OKRa      -----um \r"),
    ("surftest-sj", "OK12345\r"),
    ("surftest-sj", "NG\r"),
    ("mahr", "1 +012.34 furlong\r"),
    ("mahr", "1 +012:34:56 dms =\r"),
    ("mahr", "1 +012.34 rad\r"),
    ("mahr", "++012.34 mm\r"),
    ("mahr-maxum", "A+ 01.234X \r\n"),
    ("mahr-maxum", "A+ 0 1.234M \r\n"),
    ("mahr-maxum", "Q+ 01.234M \r\n"),
    ("sylvac-serial", "12.34.5\r"),
    ("sylvac-serial", "+012.345?\r"),
    ("sylvac-serial", "ERR9\r"),
    ("sylvac-serial", "\r"),
]


@pytest.mark.parametrize(("driver", "text"), MALFORMED)
def test_what_is_no_line_is_never_a_value(driver: str, text: str) -> None:
    assert all(isinstance(item, Malformed) for item in read(driver, text))


REFUSALS = [
    ("mitutoyo-spc", "913\r", "913"),
    ("surftest-sj", "NG004\r", "004"),
    ("mahr", "2 ERR6\r", "ERR6"),
    ("sylvac-serial", "ERR0\r", "ERR0"),
    ("sylvac-serial", "ERR1\r", "ERR1"),
    ("sylvac-serial", "ERR2\r", "ERR2"),
    ("sylvac-serial", "ERR3\r", "ERR3"),
]


@pytest.mark.parametrize(("driver", "text", "code"), REFUSALS)
def test_errors_of_the_gauge_keep_their_own_word(driver: str, text: str, code: str) -> None:
    found = only(driver, text)
    assert isinstance(found, Refused)
    assert (found.code, bool(found.reason)) == (code, True)


@pytest.mark.parametrize(
    ("driver", "text", "details"),
    [
        ("mahr", "1 +012.34 mm > <\r", {"feature": "1", "tolerance": "over", "warning_limit": "under"}),
        ("sylvac-serial", "+012.345<\r", {"tolerance": "under"}),
        ("mahr-maxum", "M+ 01.234MU \n", {"mode": "max", "hold": "true", "tolerance": "under"}),
        ("mahr-maxum", "a+ 01.234M0 \n", {"hold": "false", "tolerance": "over"}),
        ("mitutoyo-idh", "GW05,+0001.0000\r\n", {"identifier": "05", "mode": "run-out"}),
        ("mitutoyo-spc", "04A+0001.000\r", {"channel": "4"}),
        ("surftest-sj", "OKRa      3.123 um\r", {"parameter": "Ra"}),
    ],
)
def test_what_else_the_line_says_goes_with_the_value(driver: str, text: str, details: dict[str, str]) -> None:
    found = only(driver, text)
    assert isinstance(found, Reading)
    assert found.details == details


@pytest.mark.parametrize(
    ("driver", "text"),
    [
        ("mitutoyo-spc", "01A+0000.123\r"),
        ("mitutoyo-idh", "GN01,+0016.234\r\n"),
        ("mahr", "+12.345\r"),
        ("sylvac-serial", "+12.345\r"),
    ],
)
def test_other_decimals_than_the_gauge_is_said_to_show_are_refused(driver: str, text: str) -> None:
    assert isinstance(only(driver, text, decimals=3), Reading)
    found = only(driver, text, decimals=4)
    assert isinstance(found, Malformed)
    assert "unit or resolution changed" in found.reason


@pytest.mark.parametrize("driver", ["mitutoyo-spc", "mitutoyo-idh", "mahr", "sylvac-serial"])
def test_the_unit_is_the_configured_one_and_never_taken_from_the_digits(driver: str) -> None:
    text = {"mitutoyo-spc": "01A+00.12345\r", "mitutoyo-idh": "GN01,+0000.12345\r\n"}.get(driver, "+0.12345\r")
    units = {unit: item.unit for unit in ("mm", "in") if isinstance(item := only(driver, text, unit=unit), Reading)}
    assert units == {"mm": "mm", "in": "[in_i]"}


@pytest.mark.parametrize(
    ("driver", "settings", "text"),
    [
        ("mitutoyo-spc", {"channel": 2}, "01A+0000.123\r"),
        ("mitutoyo-idh", {"identifier": 2}, "GN01,+0016.2345\r\n"),
        ("mahr", {"feature": 2}, "1 +012.34 mm\r"),
    ],
)
def test_values_of_another_gauge_on_the_line_are_not_this_one(driver: str, settings: dict[str, Any], text: str) -> None:
    assert isinstance(only(driver, text, **settings), Status)


def test_features_of_an_amplifier_come_apart() -> None:
    found = read("mahr", "1 +012.34 mm =;2 ERR6;3 -001.00 um\r")
    assert [type(item) for item in found] == [Reading, Refused, Reading]
    assert b"".join(item.raw for item in found) == b"1 +012.34 mm =;2 ERR6;3 -001.00 um\r"


COMMANDS = [
    ("mitutoyo-spc", {}, {"print": b"\r"}),
    (
        "mitutoyo-idh",
        {"identifier": 7},
        {
            "print": b"GA07\r\n",
            "zero": b"CR07\r\n",
            "normal": b"CN07\r\n",
            "maximum": b"CX07\r\n",
            "minimum": b"CM07\r\n",
            "run_out": b"CW07\r\n",
            "restart_peak": b"CL07\r\n",
        },
    ),
    ("surftest-sj", {"parameter": 3}, {"print": b"RDRES02,03,00\r", "status": b"RDSTU00\r"}),
    ("mahr", {}, {"print": b"?\r"}),
    ("mahr", {"feature": 2}, {"print": b"M2?\r"}),
    (
        "sylvac-serial",
        {},
        {
            "print": b"?\r",
            "zero": b"SET\r",
            "minimum": b"MIN\r",
            "maximum": b"MAX\r",
            "delta": b"DEL\r",
            "normal": b"NOR\r",
            "restart_peak": b"CLE\r",
            "identify": b"ID?\r",
            "mode": b"MOD?\r",
            "battery": b"BAT?\r",
            "settings": b"SET?\r",
        },
    ),
]


@pytest.mark.parametrize(("driver", "settings", "commands"), COMMANDS)
def test_commands_are_those_of_the_manual(driver: str, settings: dict[str, Any], commands: dict[str, bytes]) -> None:
    assert set(commands) == set(registry.get(driver).info.commands)
    for name, sent in commands.items():
        assert codec(driver, **settings).command(name) == sent


def test_an_answer_to_a_command_carries_its_name() -> None:
    idh = codec("mitutoyo-idh")
    idh.command("zero")
    assert idh.receive(b"CH00\r\n", 0) == [Acknowledged("zero", b"CH00\r\n")]


def test_sylvac_says_nothing_to_a_setting_so_silence_is_its_yes() -> None:
    dial = codec("sylvac-serial")
    sent = dial.command("zero")
    assert dial.receive(b"", 0) == []
    assert dial.receive(b"", QUIET_NS + 1) == [Acknowledged("zero", sent)]


def test_sylvac_texts_are_named_by_what_was_asked() -> None:
    dial = codec("sylvac-serial")
    dial.command("battery")
    assert dial.receive(b"BAT1\r", 0) == [Status("battery BAT1", b"BAT1\r")]
    dial.command("identify")
    (who,) = dial.receive(b"C235.100\r", 0)
    assert isinstance(who, Identity)
    assert isinstance(dial.receive(b"C235.100\r", 0)[0], Malformed)


def test_sylvac_is_asked_for_its_unit_among_the_values() -> None:
    dial = codec("sylvac-serial")
    asked = []
    for number in range(21):
        now_ns = number * SECOND
        asked.append(dial.poll(now_ns))
        dial.receive(b"MM\r" if asked[-1] == b"UNI?\r" else b"+1.000\r", now_ns + 1)
    assert [number for number, one in enumerate(asked) if one == b"UNI?\r"] == [0, 10, 20]
    assert set(asked) == {b"?\r", b"UNI?\r"}
    older = codec("sylvac-serial", ask_unit=False)
    assert older.poll(0) == b"?\r"
    assert codec("sylvac-serial", mode="autoprint").poll(0) is None


def test_no_value_is_taken_while_the_gauge_says_another_unit() -> None:
    dial = codec("sylvac-serial")
    found = dial.receive(b"+1.000\rIN\r+0.039\rMM\r+1.000\r", 0)
    assert [type(item) for item in found] == [Reading, Refused, Refused, Status, Reading]
    assert found[2].raw == b"+0.039\r"


def test_silence_of_a_polled_gauge_shows_and_ends() -> None:
    gauge = codec("mahr")
    gauge.poll(0)
    assert not gauge.overdue(SECOND)
    assert gauge.overdue(SECOND + 1)
    gauge.poll(2 * SECOND)
    gauge.receive(b"1 +012.34 mm\r", 2 * SECOND)
    assert not gauge.overdue(2 * SECOND)


def test_a_roughness_tester_is_not_asked_again_for_what_it_measured_before() -> None:
    assert codec("surftest-sj").poll(0) is None
    assert codec("surftest-sj").due_ns(0) is None


@given(value=st.decimals(min_value=Decimal(-9999), max_value=Decimal(9999), places=3, allow_nan=False))
def test_any_value_on_the_wire_is_the_value_that_is_read(value: Decimal) -> None:
    digits = f"{abs(value):08.3f}"
    sign = "-" if value.is_signed() else "+"
    (spc,) = decode("mitutoyo-spc", {"text": f"01A{sign}{digits}\r"}, {})
    (dial,) = decode("sylvac-serial", {"text": f"{sign}{digits}\r"}, {})
    assert Decimal(str(spc["value"])) == Decimal(str(dial["value"])) == value
