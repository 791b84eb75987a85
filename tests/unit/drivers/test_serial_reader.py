"""Framing and text of serial barcode readers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.api import Decoded, Flag, Kind, Malformed, Reading, SettingsFault
from drivers.framing import with_parity
from drivers.scanners.serial_reader import MAX_FRAME, ScannerSettings, SerialReaderCodec

MS = 1_000_000
EAN = "7290001234563"


def reader(**settings: object) -> SerialReaderCodec:
    return SerialReaderCodec(ScannerSettings.model_validate(settings))


def texts(found: list[Decoded]) -> list[object]:
    return [item.value if isinstance(item, Reading) else type(item) for item in found]


@pytest.mark.parametrize(
    ("settings", "data"),
    [
        ({}, b"7290001234563\r"),
        ({}, b"7290001234563\r\n"),
        ({"suffix": "\r\n"}, b"7290001234563\r\n"),
        ({"suffix": "\n"}, b"7290001234563\n"),
        ({"prefix": "\x02", "suffix": "\x03"}, b"\x027290001234563\x03"),
        ({"suffix": "\t"}, b"7290001234563\t"),
    ],
)
def test_two_codes_in_one_read_come_apart(settings: dict[str, object], data: bytes) -> None:
    assert texts(reader(**settings).receive(data + data, 0)) == [EAN, EAN]


def test_code_keeps_text_identifier_and_meaning() -> None:
    raw = b"]C1\x1d0107290012345678310300125017270600\r"
    assert reader().receive(raw, 0) == [
        Reading(
            Kind.CODE,
            "\x1d0107290012345678310300125017270600",
            None,
            frozenset(),
            raw,
            details={
                "symbology_id": "]C1",
                "gtin": "07290012345678",
                "ai.01": "07290012345678",
                "ai.3103": "001250",
                "ai.17": "270600",
                "net_weight_kg": "1.250",
                "expiry": "2027-06-30",
            },
        )
    ]


def test_code_without_suffix_ends_with_silence() -> None:
    codec = reader(suffix="", idle_ms=100)
    assert codec.receive(b"729000", 0) == []
    assert codec.receive(b"1234563", 90 * MS) == []
    assert codec.receive(b"", 189 * MS) == []
    assert texts(codec.receive(b"", 190 * MS)) == [EAN]
    assert codec.receive(b"", 500 * MS) == []


def test_code_after_silence_is_another_one_even_when_nobody_looked_between() -> None:
    codec = reader(suffix="", idle_ms=100)
    codec.receive(EAN.encode(), 0)
    assert texts(codec.receive(b"X1", 100 * MS)) == [EAN]
    assert texts(codec.finish()) == ["X1"]


@pytest.mark.parametrize("message", [b"NR", b"NOREAD", b"?"])
def test_no_read_message_has_no_value(message: bytes) -> None:
    (found,) = reader().receive(message + b"\r", 0)
    assert isinstance(found, Reading)
    assert found.value is None
    assert found.flags == {Flag.NO_READ}


def test_no_read_text_behind_an_identifier_is_a_code() -> None:
    assert texts(reader().receive(b"]C0NR\r", 0)) == ["NR"]
    assert texts(reader(no_read="").receive(b"NR\r", 0)) == ["NR"]


def test_unknown_identifier_of_application_is_delivered_with_its_fault() -> None:
    (found,) = reader().receive(b"]C1891234\r", 0)
    assert isinstance(found, Reading)
    assert found.value == "891234"
    assert "89" in found.details["fault"]
    assert "gtin" not in found.details


def test_number_of_the_shop_is_marked() -> None:
    (found,) = reader().receive(b"]E02112345678900\r", 0)
    assert isinstance(found, Reading)
    assert found.details["restricted"] == "true"


def test_swallowed_separator_is_warned_of() -> None:
    (found,) = reader().receive(b"]C110LOT17260101\r", 0)
    assert isinstance(found, Reading)
    assert "separator" in found.details["warning"]


def test_replaced_separators_come_back_where_element_strings_are_promised() -> None:
    codec = reader(separators="~")
    promised, plain = codec.receive(b"]d210AB~21C\r]Q1a~b\r", 0)
    assert isinstance(promised, Reading)
    assert (promised.details["ai.10"], promised.details["ai.21"]) == ("AB", "C")
    assert texts([plain]) == ["a~b"]


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("utf-8", "שלום".encode()), ("iso-8859-8", "שלום".encode("iso-8859-8")), ("cp1255", "שלום".encode("cp1255"))],
)
def test_hebrew_text_by_its_encoding(encoding: str, data: bytes) -> None:
    assert texts(reader(encoding=encoding).receive(b"]Q1" + data + b"\r", 0)) == ["שלום"]


@pytest.mark.parametrize(
    ("settings", "data", "reason"),
    [
        ({}, b"\xf9\xec\xe5\xed\r", "not utf-8"),
        ({"aim_prefix": True}, b"0001234563\r", "AIM identifier"),
        ({"prefix": "\x02", "suffix": "\x03"}, b"7290001234563\x03", "prefix"),
        ({}, b"\r", "empty"),
        ({"prefix": "\x02", "suffix": "\x03"}, b"\x02\x03", "empty"),
    ],
)
def test_unreadable_code_is_malformed_with_its_reason(settings: dict[str, object], data: bytes, reason: str) -> None:
    (found,) = reader(**settings).receive(data, 0)
    assert isinstance(found, Malformed)
    assert reason in found.reason
    assert found.raw == data


def test_bytes_in_front_of_the_prefix_are_kept_apart() -> None:
    noise, code = reader(prefix="\x02", suffix="\x03").receive(b"noise\x02A1\x03", 0)
    assert isinstance(noise, Malformed)
    assert noise.raw == b"noise"
    assert isinstance(code, Reading)
    assert (code.value, code.raw) == ("A1", b"\x02A1\x03")


@pytest.mark.parametrize("parity", ["even", "odd"])
@pytest.mark.parametrize("suffix", ["\r", "\r\n", "\n", "\x03"])
def test_seven_bit_reader_is_named_at_once(suffix: str, parity: str) -> None:
    sent = with_parity(f"]E0{EAN}{suffix}".encode(), parity)
    codec = reader(suffix=suffix)
    found = codec.receive(sent, 0) + codec.receive(sent, 1)
    assert len(found) == 2
    assert codec.finish() == []
    assert all(isinstance(item, Malformed) and "parity" in item.reason for item in found)


def test_cap_and_one_byte_more() -> None:
    fits = b"]Q1" + b"9" * (MAX_FRAME - 4) + b"\r"
    (whole,) = reader().receive(fits, 0)
    assert isinstance(whole, Reading)
    found = reader().receive(b"9" + fits + b"A1\r", 0)
    assert texts(found) == [Malformed, Malformed, "A1"]
    idle = reader(suffix="")
    assert texts([*idle.receive(b"9" * (MAX_FRAME + 1), 0), *idle.finish()])[0] is Malformed


@pytest.mark.parametrize(
    "settings",
    [
        {"encoding": "rot13"},
        {"encoding": "no-such"},
        {"encoding": "idna"},
        {"suffix": "\u05d0"},
        {"idle_ms": 0},
        {"separators": ["ab"]},
        {"sufix": "\r"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ScannerSettings.model_validate(settings)


def test_reader_is_never_asked_and_takes_no_commands() -> None:
    codec = reader()
    assert codec.poll(0) is None
    assert not codec.overdue(10**18)
    with pytest.raises(SettingsFault):
        codec.command("beep")


def test_character_whose_bytes_look_like_a_suffix_with_parity_stays_whole() -> None:
    assert texts(reader().receive("\U00037340\r".encode(), 0)) == ["\U00037340"]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n]"), min_size=1, max_size=40))
def test_text_round_trip(text: str) -> None:
    found = reader(no_read="", aim_prefix=False).receive(text.encode() + b"\r", 0)
    assert texts(found) == [text]
