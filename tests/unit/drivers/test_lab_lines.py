"""What each line of a bench balance means, and what is no line of it: torn, mixed up, in an unknown unit, an error's number."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Acknowledged, Decoded, Flag, Identity, Malformed, Reading, Refused, Status
from drivers.framing import with_parity
from drivers.scales.lab.lines import MAX_LINE
from drivers.scales.lab.offered import DRIVERS
from tests.contract.samples.lab import SAMPLES

LINE_DRIVERS = [driver.info.name for driver in DRIVERS if driver.info.name != "sartorius-xbpi"]
S, M, N, G, T = Flag.STABLE, Flag.MOTION, Flag.NET, Flag.GROSS, Flag.TARE
OVER, UNDER = Flag.OVERLOAD, Flag.UNDERLOAD


def decoded(driver: str, line: str | bytes, **settings: Any) -> Decoded:
    data = line if isinstance(line, bytes) else f"{line}\r\n".encode("latin-1")
    (item,) = registry.get(driver).decode(data, settings)
    assert item.raw == data
    return item


@pytest.mark.parametrize(
    ("driver", "line", "value", "unit", "flags"),
    [
        ("mt-lab-print", "     G     120.0001 ct  ", "120.0001", "[car_m]", {G, S}),
        ("mt-lab-print", "     T      -0.5 kg     ", "-0.5", "kg", {T, S}),
        ("sartorius-sbi", "+   123.56 g  ", "123.56", "g", {S}),
        ("sartorius-sbi", "-   123.56    ", "-123.56", None, {M}),
        ("sartorius-sbi", "N     +    0.031", "0.031", None, {N, M}),
        ("sartorius-sbi", "-    0.006 g", "-0.006", "g", {S}),
        ("sartorius-sbi", "G#    +  52.1874 g  ", "52.1874", "g", {G, S}),
        ("sartorius-sbi", "T1    +  52.1874 kg ", "52.1874", "kg", {T, S}),
        ("sartorius-sbi", "Prc   +     99.9 %  ", "99.9", "%", {S}),
        ("sartorius-sbi", "+   1.2345 N  ", "1.2345", "N", {S}),
        ("and-standard", "ST,LO,+0001.234 kg", "1.234", "kg", {S}),
        ("and-standard", "US,--,+0001.234 ct", "1.234", "[car_m]", {M}),
        ("and-standard", "ST,+00012.34  %", "12.34", "%", {S}),
        ("and-standard", "ST,-0001.234ozt", "-1.234", "[oz_tr]", {S}),
        ("ohaus-print", "     192.21 g", "192.21", "g", {S}),
        ("ohaus-print", "       0.01 g ?", "0.01", "g", {M}),
        ("ohaus-print", "     176.30 g ? 00:00:15", "176.30", "g", {M}),
        ("ohaus-print", "     207.80 g TOTAL", "207.80", "g", {Flag.TOTAL}),
        ("ohaus-print", "TOTAL:   207.80 g", "207.80", "g", {Flag.TOTAL}),
        ("ohaus-print", "   0.250 kg    T", "0.250", "kg", {T, S}),
        ("ohaus-print", "          3 PCS ?", "3", "{pcs}", {M}),
        ("ohaus-print", "1234.567 kg    G", "1234.567", "kg", {G, S}),
        ("adam-cpw", "G +     2.00 kg", "2.00", "kg", {G}),
        ("adam-cpw", "N -  1.00 kg", "-1.00", "kg", {N}),
        ("adam-cpw", "T + 0.50 kg", "0.50", "kg", {T}),
        ("adam-cpw", "Gross Wt 1.234 Kg", "1.234", "kg", {G}),
        ("adam-cpw", "GS    123.45g", "123.45", "g", {G}),
        ("adam-cpw", "Total  123.45g", "123.45", "g", {Flag.TOTAL}),
        ("adam-azextra", "  1.234kg", "1.234", "kg", {S}),
        ("adam-pgl", "Net: -3.201 g", "-3.201", "g", {N}),
        ("kern-print", "M-      12.34 g  ".replace("      ", "     "), "-12.34", "g", {S}),
        ("kern-print", "       10.21    ", "10.21", None, {M}),
        ("kern-print", "       10.21 ", "10.21", None, {M}),
        ("kern-print", "         100 pcs", "100", "{pcs}", {S}),
        ("kern-platform", "ST,GS   1.000KG", "1.000", "kg", {G, S}),
        ("kern-platform", "US,NT-  1.342KG", "-1.342", "kg", {N, M}),
        ("kern-platform", "ST,G ,   1.342,kg", "1.342", "kg", {G, S}),
        ("gg-print", "-    12.34 G ", "-12.34", "g", {*()}),
        ("gg-print", " 100.0001 CT ", "100.0001", "[car_m]", {*()}),
        ("gg-print", "QT  1000 Pcs", "1000", "{pcs}", {*()}),
        ("gg-print", "MW  12345.6 kg", "12345.6", "kg", {Flag.TOTAL}),
        ("radwag", "SI ?       18.5 kg ", "18.5", "kg", {M}),
        ("radwag", "S    -    8.500 t  ", "-8.500", "t", {S}),
        ("radwag", "OT      0.250 kg ", "0.250", "kg", {T}),
        ("axis", "-   12.345 kg ", "-12.345", "kg", {*()}),
        ("axis", "       0.5  g ", "0.5", "g", {*()}),
        ("axis", "      99.9  % ", "99.9", "%", {*()}),
    ],
)
def test_weight_line(driver: str, line: str, value: str, unit: str | None, flags: set[Flag]) -> None:
    item = decoded(driver, line)
    assert isinstance(item, Reading)
    assert (str(item.value), item.unit, set(item.flags)) == (value, unit, flags)


@pytest.mark.parametrize(
    ("driver", "line", "flags"),
    [
        ("sartorius-sbi", "     High     ", {OVER, Flag.STATUS}),
        ("sartorius-sbi", "Stat        Low     ", {UNDER, Flag.STATUS}),
        ("and-standard", "OL,+9999999E+19", {OVER}),
        ("and-standard", "OL,HI,+9999.999 kg", {OVER}),
        ("and-standard", "OL,-9999.999 kg", {UNDER}),
        ("kern-platform", "OL,GS", {OVER, G}),
        ("kern-platform", "OL,NT-", {UNDER, N}),
        ("radwag", "SI ^     9999.9 kg ", {OVER}),
        ("radwag", "SUIv            kg ", {UNDER}),
    ],
)
def test_range_has_no_value_whatever_digits_stand_there(driver: str, line: str, flags: set[Flag]) -> None:
    item = decoded(driver, line)
    assert isinstance(item, Reading)
    assert (item.value, item.unit, set(item.flags)) == (None, None, flags)


@pytest.mark.parametrize(
    ("driver", "line", "code"),
    [
        ("sartorius-sbi", "Err 101", "Err 101"),
        ("sartorius-sbi", "Stat  ERR 054       ", "ERR 054"),
        ("sartorius-sbi", "DIS.ERR", "DIS.ERR"),
        ("and-standard", "EC,E17", "E17"),
        ("and-standard", "EC,E3", "E3"),
        ("ohaus-print", "ES", "ES"),
        ("adam-pgl", "!EF", "!EF"),
        ("kern-print", "           Error", "Error"),
        ("kern-platform", "ER NN", "ER NN"),
        ("radwag", "T v", "T v"),
        ("radwag", "UT I", "UT I"),
        ("radwag", "ES", "ES"),
    ],
)
def test_refusals_and_faults_of_the_device_keep_its_own_word(driver: str, line: str, code: str) -> None:
    item = decoded(driver, line)
    assert isinstance(item, Refused)
    assert item.code == code


@pytest.mark.parametrize(
    ("driver", "line", "kind", "text"),
    [
        ("sartorius-sbi", "SerNo. 0031801165", Identity, "0031801165"),
        ("sartorius-sbi", "BAC: 00-39-21", Identity, "00-39-21"),
        ("sartorius-sbi", "WZA8202-N", Identity, "WZA8202-N"),
        ("sartorius-sbi", "nRef  +     10 pcs  ", Status, "nRef  +     10 pcs"),
        ("sartorius-sbi", "Stat     Cal.Int.   ", Status, "Cal.Int."),
        ("adam-cpw", "Unit Wt. 123 g", Status, "Unit Wt. 123 g"),
        ("adam-cpw", "Date 12/09/2026", Status, "Date 12/09/2026"),
        ("gg-print", "UW  12.34 g", Status, "UW  12.34 g"),
        ("gg-print", "MN   12    ", Status, "MN   12"),
        ("radwag", 'NB A "123456"', Identity, "123456"),
    ],
)
def test_numbers_that_are_no_weight_on_the_pan(driver: str, line: str, kind: type, text: str) -> None:
    item = decoded(driver, line)
    assert isinstance(item, kind)
    assert item.text == text  # type: ignore[union-attr]  # both kinds have it


@pytest.mark.parametrize(
    ("driver", "line"),
    [
        ("mt-lab-print", "    N       0.3746 g   "),
        ("mt-lab-print", "     N       0.3746 g  "),
        ("mt-lab-print", "     X       0.3746 g   "),
        ("mt-lab-print", "     N       0..746 g   "),
        ("mt-lab-print", "     N       0.3746 tl  "),
        ("sartorius-sbi", "   079"),
        ("sartorius-sbi", "  123.56 g  "),
        ("sartorius-sbi", "123.56 g"),
        ("sartorius-sbi", "rr 101"),
        ("sartorius-sbi", "T 101"),
        ("sartorius-sbi", "    +  52.1874 g  "),
        ("sartorius-sbi", "R 101"),
        ("sartorius-sbi", "rNo. 0031801165"),
        ("sartorius-sbi", "0031801165"),
        ("sartorius-sbi", "+   123.56 tlh"),
        ("sartorius-sbi", "+  12345.. g  "),
        ("and-standard", "T,+0001.234 kg"),
        ("and-standard", "+0001.234 kg"),
        ("and-standard", "ST,+001.234 kg"),
        ("and-standard", "ST, 0001.234 kg"),
        ("and-standard", "ST,+0001.234  t"),
        ("and-standard", "ST,+0001.234mom"),
        ("and-standard", "ST,GS,+0001.234 kg"),
        ("and-standard", "OL,+"),
        ("ohaus-print", "645 kg    N"),
        ("ohaus-print", ".645 kg    N"),
        ("ohaus-print", "     Err8.4"),
        ("ohaus-print", "   1.645 kg    X"),
        ("ohaus-print", "   1.645 stone"),
        ("ohaus-print", "   1.645"),
        ("adam-cpw", "+ 2.00"),
        ("adam-cpw", "X + 2.00 kg"),
        ("adam-16", "      123.45 g "),
        ("adam-16", "        123.45 g "),
        ("adam-16", "X      123.45 g "),
        ("adam-pgl", "!EX"),
        ("kern-print", "     450.45 gn "),
        ("kern-print", "       450.45 gn "),
        ("kern-print", "0.01 gn "),
        ("kern-print", "       10.21Xg  "),
        ("kern-print", "X      10.21 g  "),
        ("kern-print", "M-     -12.34 g "),
        ("kern-platform", ",GS   1.000KG"),
        ("kern-platform", "ST,GS"),
        ("kern-platform", "ST,GS   1.000PCX"),
        ("gg-print", "12.34 G "),
        ("gg-print", "   12.34"),
        ("radwag", "I ?       18.5 kg "),
        ("radwag", "SI ?      18.5 kg "),
        ("radwag", "SI ?            kg "),
        ("radwag", "SI ?       18.5 mom"),
        ("axis", "   12.345 kg "),
        ("axis", "X   12.345 kg "),
        ("axis", "-X  12.345 kg "),
        ("axis", "-   12.345Xkg "),
    ],
)
def test_torn_or_foreign_line_is_no_weight(driver: str, line: str) -> None:
    assert isinstance(decoded(driver, line), Malformed)


def test_lost_sign_of_an_ohaus_is_noticed_where_the_columns_are_known() -> None:
    assert isinstance(decoded("ohaus-print", "-    1.25 lb    NET", columns=9), Reading)
    assert isinstance(decoded("ohaus-print", "   500.00 lb   ?G", columns=9), Reading)
    assert isinstance(decoded("ohaus-print", "    1.25 lb    NET", columns=9), Malformed)


def test_stable_count_and_unstable_count_of_kern_share_no_width() -> None:
    for cut in range(1, 16):
        assert isinstance(decoded("kern-print", "       10.21 g  "[cut:] or " "), Malformed)
        assert isinstance(decoded("kern-print", "       10.21    "[cut:] or " "), Malformed)


@pytest.mark.parametrize("name", LINE_DRIVERS)
def test_seven_bit_line_read_with_eight_is_named(name: str) -> None:
    for sample in SAMPLES[name]:
        shifted = with_parity(sample, "even")
        items = registry.get(name).decode(shifted, {})
        assert not any(isinstance(item, Reading) and item.value is not None for item in items)
        if shifted != sample and b"\x06" not in sample:
            assert any("even parity" in item.reason for item in items if isinstance(item, Malformed)), sample


@pytest.mark.parametrize("name", LINE_DRIVERS)
def test_one_byte_more_than_the_cap_is_a_fault(name: str) -> None:
    for item in registry.get(name).decode(b" " * (MAX_LINE + 1) + b"\r\n", {}):
        assert isinstance(item, Malformed)


@pytest.mark.parametrize("name", LINE_DRIVERS)
def test_what_goes_wrong_is_said_without_the_bytes(name: str) -> None:
    (item,) = registry.get(name).decode(b"\x1b[31m\x07 1.5 kg\r\n", {})
    assert isinstance(item, Malformed)
    assert item.reason.isprintable()


@given(st.integers(-(10**6), 10**6), st.integers(0, 4), st.booleans())
def test_columns_of_every_family_read_back_the_digits(digits: int, places: int, rest: bool) -> None:
    value = Decimal(digits).scaleb(-places)
    size, sign = abs(value), "-" if value < 0 else " "
    lines = {
        "sartorius-sbi": f"{'-' if value < 0 else '+'} {size:>8f} {'g' if rest else '':<3}",
        "and-standard": f"{'ST' if rest else 'US'},{value:+09f} kg",
        "radwag": f"SI {' ' if rest else '?'} {sign}{size:>9f} kg ",
        "kern-print": f" {sign}{size:>10f} {'g' if rest else '':<3}",
        "ohaus-print": f"{sign}{size:>9f} kg   {' ' if rest else '?'}G",
        "axis": f"{sign} {size:>8f} kg ",
        "adam-16": f"{sign}{size:>12f}kg ",
    }
    for driver, line in lines.items():
        item = decoded(driver, line)
        assert isinstance(item, Reading), line
        assert str(abs(item.value)) == f"{size:f}"  # type: ignore[arg-type]  # a Decimal
        assert item.value == value
        assert item.stable in {rest, None}


def test_acknowledgements_are_of_receipt_first() -> None:
    received = decoded("radwag", "Z A")
    finished = decoded("radwag", "Z D")
    assert isinstance(received, Acknowledged)
    assert isinstance(finished, Acknowledged)
    assert (received.command, finished.command) == ("received", "zero")
