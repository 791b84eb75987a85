"""Yaohua terminals: check digits, decimals, the order of digits, and commands with an address."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Driver, Flag, Malformed, Reading, SettingsFault
from drivers.scales.streams.yaohua import YAOHUA_EQ, YAOHUA_EQ_REVERSED, YAOHUA_WG
from drivers.scales.streams.yaohua_frames import YAOHUA_STX
from drivers.settings import read_settings


def check(body: bytes) -> bytes:
    total = 0
    for byte in body:
        total ^= byte
    return f"{total:02X}".encode("ascii")


def framed(body: bytes) -> bytes:
    return b"\x02" + body + check(body) + b"\x03"


def lined(body: bytes) -> bytes:
    return body + check(body) + b"\r\n"


def one(driver: Driver, data: bytes, **given_settings: object) -> Decoded:
    (item,) = driver.decode(data, given_settings)
    return item


def codec(**given_settings: Any) -> Any:
    return YAOHUA_STX.make_codec(read_settings(YAOHUA_STX.settings, given_settings))


@pytest.mark.parametrize(
    ("body", "value", "flag"),
    [
        (b"WG004.139kg", "4.139", Flag.GROSS),
        (b"WN-04.139kg", "-4.139", Flag.NET),
        (b"WG001250 kg", "1250", Flag.GROSS),
        (b"WG000.000kg", "0.000", Flag.GROSS),
    ],
)
def test_a12e_lines(body: bytes, value: str, flag: Flag) -> None:
    item = one(YAOHUA_WG, lined(body))
    assert isinstance(item, Reading)
    assert (str(item.value), item.unit, item.flags, item.stable) == (value, "kg", {flag}, None)


@pytest.mark.parametrize(
    "line",
    [
        b"WG004.139kg3E\r\n",
        b"WG104.139kg3D\r\n",
        b"         OL24\r\n",
        lined(b"WX004.139kg"),
        lined(b"WG004.139jn"),
        lined(b"WG04.139kg"),
        lined(b"WG0004.139kg"),
        b"G004.139kg3D\r\n",
        b"004.139kg3D\r\n",
    ],
)
def test_a12e_line_that_is_damaged_or_cut_is_no_weight(line: bytes) -> None:
    assert isinstance(one(YAOHUA_WG, line), Malformed)


@given(number=st.integers(0, 999_999), places=st.integers(0, 4), sign=st.sampled_from("+-"))
def test_a9_frames_come_back_with_their_digits(number: int, places: int, sign: str) -> None:
    data = framed(f"{sign}{number:06d}{places}".encode("ascii"))
    item = one(YAOHUA_STX, data, unit="lb")
    assert isinstance(item, Reading)
    wanted = Decimal(number).scaleb(-places)
    assert item.value == (-wanted if sign == "-" else wanted)
    assert (item.unit, item.flags, item.stable) == ("[lb_av]", frozenset(), None)


@pytest.mark.parametrize(
    "data",
    [
        b"\x02+012345318\x03",
        framed(b"*0123453"),
        framed(b"+01234 3"),
        framed(b"+0123455"),
        framed(b"+012345x"),
        framed(b"+01234531"),
        framed(b"A"),
        framed(b"AE+0123453"),
        framed(b"AB"),
        framed(b"AAxxxxxxxx"),
    ],
)
def test_frame_that_is_damaged_is_no_weight(data: bytes) -> None:
    found = YAOHUA_STX.decode(data, {})
    assert found
    assert all(isinstance(item, Malformed) for item in found)


@given(place=st.integers(1, 10), bit=st.integers(0, 7))
def test_one_wrong_bit_is_never_a_weight(place: int, bit: int) -> None:
    data = bytearray(framed(b"+0123453"))
    data[place] ^= 1 << bit
    found = YAOHUA_STX.decode(bytes(data), {})
    # The check digits' own letters may change their case, not their meaning.
    assert not [item for item in found if isinstance(item, Reading)]


@pytest.mark.parametrize(
    ("straight", "value"),
    [("=0003.000", "3.000"), ("=-0001.00", "-1.00"), ("=   12.50", "12.50"), ("=00001250", "1250"), ("=-   12.5", "-12.5")],
)
def test_order_of_the_digits_is_the_drivers_never_guessed(straight: str, value: str) -> None:
    backwards = "=" + straight[:0:-1]
    item = one(YAOHUA_EQ, straight.encode("ascii"))
    assert isinstance(item, Reading)
    assert str(item.value) == value
    item = one(YAOHUA_EQ_REVERSED, backwards.encode("ascii"))
    assert isinstance(item, Reading)
    assert str(item.value) == value


def test_wrong_order_gives_a_plausible_wrong_number_as_the_notes_say() -> None:
    item = one(YAOHUA_EQ, b"=000.3000")
    assert isinstance(item, Reading)
    assert item.value == Decimal("0.3000")
    assert any("known weight" in note for note in YAOHUA_EQ.info.notes)
    assert YAOHUA_EQ.info.probe is None
    assert YAOHUA_EQ_REVERSED.info.probe is None


@pytest.mark.parametrize("data", [b"=0003.0.0", b"=  OL    ", b"=--------", b"=0003,000", b"=        ", b"=000-3.00"])
def test_anything_but_a_number_behind_the_sign_is_no_weight(data: bytes) -> None:
    assert isinstance(one(YAOHUA_EQ, data), Malformed)


def test_frame_that_lost_a_byte_is_no_weight() -> None:
    found = YAOHUA_EQ.decode(b"=0003.00=0003.000", {})
    assert [item.raw for item in found if isinstance(item, Reading)] == [b"=0003.000"]


@pytest.mark.parametrize(("letter", "flag"), [("B", Flag.GROSS), ("C", Flag.TARE), ("D", Flag.NET)])
def test_answer_says_what_was_asked(letter: str, flag: Flag) -> None:
    item = one(YAOHUA_STX, framed(f"F{letter}-0001002".encode("ascii")), address="F")
    assert isinstance(item, Reading)
    assert (str(item.value), item.flags, dict(item.details)) == ("-1.00", {flag}, {"address": "F"})


def test_answer_of_another_address_is_not_ours() -> None:
    item = one(YAOHUA_STX, framed(b"GB+0001002"), address="F")
    assert isinstance(item, Malformed)
    assert "address G" in item.reason


@pytest.mark.parametrize(("ask", "question"), [("net", b"\x02FD02\x03"), ("gross", b"\x02FB04\x03")])
def test_question_has_its_check_digits(ask: str, question: bytes) -> None:
    talking = codec(address="F", ask=ask)
    assert talking.poll(0) == question
    assert question[3:5] == check(question[1:3])


def test_without_an_address_nothing_is_asked() -> None:
    assert codec().poll(0) is None


def test_handshake_is_acknowledged() -> None:
    talking = codec(address="A")
    assert talking.command("handshake") == b"\x02AA00\x03"
    assert talking.receive(b"\x02AA00\x03", 0) == [Acknowledged("handshake", b"\x02AA00\x03")]


@pytest.mark.parametrize("given_settings", [{"address": "a"}, {"address": "AB"}, {"unit": "tl"}, {"interval_ms": 1}])
def test_impossible_settings_are_refused_by_name(given_settings: dict[str, object]) -> None:
    with pytest.raises(SettingsFault) as caught:
        read_settings(YAOHUA_STX.settings, given_settings)
    assert caught.value.setting == next(iter(given_settings))
