"""`ST,GS` lines and Dini Argeo: free separators, strict words, numbers and units; addresses, answers and refusals."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Driver, Flag, Identity, Kind, Malformed, Reading, Refused, SettingsFault
from drivers.scales.streams.dini_argeo import DINI_ARGEO
from drivers.scales.streams.st_gs import ST_GS_COMMA, ST_GS_SPACE
from drivers.settings import read_settings

SECOND = 1_000_000_000


def one(text: str, driver: Driver = ST_GS_COMMA, **given_settings: object) -> Decoded:
    (item,) = driver.decode(f"{text}\r\n".encode("latin-1"), given_settings)
    return item


def codec(**given_settings: Any) -> Any:
    return DINI_ARGEO.make_codec(read_settings(DINI_ARGEO.settings, given_settings))


@pytest.mark.parametrize(
    ("text", "value", "unit", "flags"),
    [
        ("ST,GS,   245.6 g", "245.6", "g", {Flag.STABLE, Flag.GROSS}),
        ("ST,GS,+  1.234kg", "1.234", "kg", {Flag.STABLE, Flag.GROSS}),
        ("US,NT,-  1.234 kg", "-1.234", "kg", {Flag.MOTION, Flag.NET}),
        ("ST,NT,-00.500kg", "-0.500", "kg", {Flag.STABLE, Flag.NET}),
        ("ST,GS   1.000KG", "1.000", "kg", {Flag.STABLE, Flag.GROSS}),
        ("ST GS   1.000 lb", "1.000", "[lb_av]", {Flag.STABLE, Flag.GROSS}),
        ("ST, GS, 12.5, kg", "12.5", "kg", {Flag.STABLE, Flag.GROSS}),
        ("ST,TR,   0.500kg", "0.500", "kg", {Flag.STABLE, Flag.TARE}),
        ("ST,G,   0.500kg", "0.500", "kg", {Flag.STABLE, Flag.GROSS}),
        ("ST,GS,  1250. lb", "1250", "[lb_av]", {Flag.STABLE, Flag.GROSS}),
    ],
)
@pytest.mark.parametrize("driver", [ST_GS_COMMA, ST_GS_SPACE], ids=lambda driver: driver.info.name)
def test_separators_are_free(driver: Driver, text: str, value: str, unit: str, flags: set[Flag]) -> None:
    item = one(text, driver)
    assert isinstance(item, Reading), item
    assert (str(item.value), item.unit, item.flags) == (value, unit, flags)


@pytest.mark.parametrize(
    "text",
    [
        "ST,GS,+  1.2",
        "GS,ST,+  1.234kg",
        ",GS,+  1.234kg",
        "T,GS,+  1.234kg",
        "S,+  1.234kg",
        "+  1.234kg",
        "1.234kg",
        "079",
        "ST,GS,+ 1 234kg",
        "ST,GS,+ 1.2.4kg",
        "ST,GS,+ 1,234kg",
        "ST,GS,  --.-- kg",
        "ST,GS,  1.234 jin",
        "ST,GS,  1.234 tn",
        "ST,GS,  1.234 k",
        "ST,GS,kg",
        "ST,GS",
        "ST,GS,A7,  1.234 kg",
        "st,gs,  1.234 kg",
        "STGS  1.234 kg",
        "",
    ],
)
def test_words_numbers_and_units_are_not(text: str) -> None:
    assert isinstance(one(text), Malformed)


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("OL,GS,+        kg", Flag.OVERLOAD),
        ("OL,GS,-        kg", Flag.UNDERLOAD),
        ("OL,GS,--------kg", Flag.OVERLOAD),
        ("OL,GS,  99.999kg", Flag.OVERLOAD),
        ("OL,NT", Flag.OVERLOAD),
        ("UL,GS,+  0.000kg", Flag.UNDERLOAD),
        ("TL,GS,   1.000kg", Flag.UNAVAILABLE),
    ],
)
def test_first_word_forbids_the_digits(text: str, flag: Flag) -> None:
    item = one(text)
    assert isinstance(item, Reading)
    assert flag in item.flags
    assert (item.value, item.unit) == (None, None)


@pytest.mark.parametrize(
    ("text", "details"),
    [("ST,GS,OK,  1.2kg", {"comparator": "OK"}), ("ST,GS,1,+  1.2 kg", {"mode": "1"}), ("ST,GS, 1.2kg", {})],
)
def test_third_word_is_kept(text: str, details: dict[str, str]) -> None:
    item = one(text)
    assert isinstance(item, Reading)
    assert dict(item.details) == details


def test_pieces_are_a_count() -> None:
    item = one("ST,NT      12PCS")
    assert isinstance(item, Reading)
    assert (item.kind, item.unit) == (Kind.COUNT, "{pcs}")


@given(
    whole=st.integers(0, 999_999),
    part=st.text("0123456789", max_size=4),
    sign=st.sampled_from("+- "),
    glue=st.sampled_from(["", " ", "  "]),
    comma=st.sampled_from([",", " ", ", "]),
    base=st.sampled_from(["GS", "NT"]),
)
def test_any_number_comes_back(whole: int, part: str, sign: str, glue: str, comma: str, base: str) -> None:
    digits = f"{whole}.{part}" if part else str(whole)
    item = one(f"ST,{base}{comma}{sign}{digits:>9}{glue}kg")
    assert isinstance(item, Reading)
    assert str(item.value) == ("-" if sign == "-" else "") + digits


@pytest.mark.parametrize(
    ("driver", "line", "sure"),
    [
        (ST_GS_COMMA, b"ST,GS,   245.6 g\r\n", True),
        (ST_GS_COMMA, b"ST,GS,     0.0,kg\r\n", False),
        (ST_GS_COMMA, b"ST,GS   1.000KG\r\n", False),
        (ST_GS_COMMA, b"ST,+00012.30  g\r\n", False),
        (ST_GS_SPACE, b"ST,GS   1.000KG\r\n", True),
        (ST_GS_SPACE, b"ST,GS,   245.6 g\r\n", False),
    ],
)
def test_listening_is_sure_of_its_own_lines_only(driver: Driver, line: bytes, sure: bool) -> None:
    assert driver.info.probe is not None
    assert driver.info.probe.recognises(b"45.6 g\r\n" + line * 3) is sure


def test_dini_is_sure_of_a_unit_behind_its_own_comma() -> None:
    probe = DINI_ARGEO.info.probe
    assert probe is not None
    assert (probe.send, probe.order) == (b"READ\r\n", 70)
    assert probe.recognises(b"ST,GS,     0.0,kg\r\n")
    assert probe.recognises(b"US,NT,     0.0, g\r\n")
    assert not probe.recognises(b"ERR04\r\n")
    assert not probe.recognises(b"ST,GS,   245.6 g\r\n")
    assert not probe.recognises(b"S S      1.00 g\r\n")


@pytest.mark.parametrize(
    ("line", "net", "details"),
    [
        (
            "ST,1,     0.0,PT    20.8,         0,kg",
            "0.0",
            {"tare": "20.8", "preset_tare": "true"},
        ),
        ("US,2,    12.5,      20.8,        14, g", "12.5", {"tare": "20.8", "preset_tare": "false", "pieces": "14"}),
        ("1,ST,     -12.5,      20.8,         0,         0,Kg", "-12.5", {"tare": "20.8", "preset_tare": "false"}),
    ],
)
def test_extended_string_tells_net_tare_and_pieces(line: str, net: str, details: dict[str, str]) -> None:
    item = one(line, DINI_ARGEO)
    assert isinstance(item, Reading)
    assert (str(item.value), dict(item.details)) == (net, details)
    assert Flag.NET in item.flags


def test_extended_string_out_of_range_has_no_numbers() -> None:
    item = one("OL,1,        ,PT    20.8,         0,kg", DINI_ARGEO)
    assert isinstance(item, Reading)
    assert (item.value, dict(item.details)) == (None, {})


@pytest.mark.parametrize(
    ("address", "line", "usable"),
    [
        (False, "ST,GS,     0.0,kg", True),
        (False, "01ST,GS,     0.0,kg", False),
        (True, "01ST,GS,     0.0,kg", True),
        (True, "ST,GS,     0.0,kg", False),
        ("01", "01ST,GS,     0.0,kg", True),
        ("02", "01ST,GS,     0.0,kg", False),
        ("02", "02OK", True),
        ("02", "OK", False),
        ("02", "02ERR04", True),
        (False, "1,ST,      12.5,      20.8,         0,         0,kg", True),
    ],
)
def test_address_in_front_is_as_the_settings_say(address: object, line: str, usable: bool) -> None:
    assert isinstance(one(line, DINI_ARGEO, address=address), Malformed) is not usable


@pytest.mark.parametrize("address", ["1", "A1", "001", 7, 1.5])
def test_impossible_addresses_are_refused_by_name(address: object) -> None:
    with pytest.raises(SettingsFault) as caught:
        read_settings(DINI_ARGEO.settings, {"address": address})
    assert str(caught.value.setting).startswith("address")


def test_question_is_asked_at_its_interval_and_waits_for_its_answer() -> None:
    talking = codec(interval_ms=200, address="05")
    assert talking.poll(0) == b"05READ\r\n"
    assert talking.poll(300_000_000) is None
    talking.receive(b"05ST,GS,     0.0,kg\r\n", 310_000_000)
    assert talking.poll(320_000_000) == b"05READ\r\n"


def test_nobody_is_asked_where_no_address_is_known() -> None:
    assert codec(address=True).poll(0) is None


def test_silence_shows_after_a_second_and_the_box_asks_on() -> None:
    talking = codec()
    talking.poll(0)
    assert not talking.overdue(SECOND)
    assert talking.overdue(SECOND + 1)
    assert talking.poll(SECOND + 1) == b"READ\r\n"


@pytest.mark.parametrize("mode", ["stream", "autoprint"])
def test_nothing_is_asked_of_a_terminal_that_talks(mode: str) -> None:
    talking = codec(mode=mode)
    talking.receive(b"ST,GS,     0.0,kg\r\n", 0)
    assert talking.poll(0) is None
    assert talking.overdue(10 * SECOND) is (mode == "stream")


def test_ok_and_errors_answer_the_command() -> None:
    talking = codec()
    assert talking.command("tare") == b"TARE\r\n"
    assert talking.poll(0) is None
    assert talking.receive(b"OK\r\n", 0) == [Acknowledged("tare", b"OK\r\n")]
    talking.command("zero")
    (refused,) = talking.receive(b"ERR03\r\n", 0)
    assert isinstance(refused, Refused)
    assert refused.code == "ERR03"


def test_identity_is_the_answer_to_ver() -> None:
    talking = codec(address="05")
    assert talking.command("identify") == b"05VER\r\n"
    (who,) = talking.receive(b"05VER,01.25,E-AF03\r\n", 0)
    assert who == Identity("01.25,E-AF03", b"05VER,01.25,E-AF03\r\n", what="software")
    assert talking.poll(0) == b"05READ\r\n"


@pytest.mark.parametrize("argument", [None, "", "12.5", "-1 kg", "500 g", "12345.67 kg", "1 tl"])
def test_preset_tare_must_fit_the_display(argument: str | None) -> None:
    talking = codec()
    talking.receive(b"ST,GS,     0.0,kg\r\n", 0)
    with pytest.raises(SettingsFault):
        talking.command("preset_tare", argument)
    assert talking.command("preset_tare", "12.5 kg") == b"TMAN12.5\r\n"


def test_preset_tare_follows_the_unit_that_was_shown_last() -> None:
    talking = codec(unit="lb")
    assert talking.command("preset_tare", "5 [lb_av]") == b"TMAN5\r\n"
    talking.receive(b"ST,GS,     0.0, g\r\n", 0)
    assert talking.command("preset_tare", "5 g") == b"TMAN5\r\n"
    with pytest.raises(SettingsFault):
        talking.command("preset_tare", "5 [lb_av]")
