"""HID point-of-sale readers: reports to codes, long codes in several reports, and what is no report of a code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Decoded, Flag, Malformed, Reading
from drivers.envelope import Message
from drivers.scanners.codes import MAX_TEXT
from drivers.scanners.hid_pos import HidPosCodec, HidPosSettings, Report

MS = 1_000_000
EAN = b"7290001234563"


def codec(**settings: object) -> HidPosCodec:
    return HidPosCodec(HidPosSettings.model_validate(settings))


def report(data: bytes, identifier: bytes = b"]E0", *, more: bool = False) -> bytes:
    head = bytes([2, len(data)]) + identifier + data
    return Message("report", head.ljust(63, b"\x00") + bytes([more])).to_bytes()


def plain(data: bytes) -> bytes:
    return Message("report", (bytes([1, len(data)]) + data).ljust(64, b"\x00")).to_bytes()


def rendered(text: bytes, identifier: bytes = b"]Q1") -> bytes:
    """A code of any length as a reader sends it."""
    parts = [text[at : at + 56] for at in range(0, len(text), 56)] or [b""]
    return b"".join(report(part, identifier, more=number < len(parts)) for number, part in enumerate(parts, 1))


def texts(found: list[Decoded]) -> list[object]:
    return [item.value if isinstance(item, Reading) else type(item) for item in found]


def test_code_comes_with_its_identifier_from_beside_the_text() -> None:
    (found,) = codec().receive(report(EAN), 0)
    assert isinstance(found, Reading)
    assert (found.value, found.details["symbology_id"], found.details["gtin"]) == (EAN.decode(), "]E0", "07290001234563")
    assert found.raw == report(EAN)


@pytest.mark.parametrize("identifier", [b"\x00\x00\x00", b"   "])
def test_reader_that_sends_no_identifier_leaves_its_place_empty(identifier: bytes) -> None:
    (found,) = codec().receive(report(b"LOT", identifier), 0)
    assert isinstance(found, Reading)
    assert "symbology_id" not in found.details
    (strict,) = codec(aim_prefix=True).receive(report(b"LOT", identifier), 0)
    assert isinstance(strict, Malformed)


def test_identifier_beside_the_text_is_never_read_as_text() -> None:
    (found,) = codec(aim_prefix=False).receive(report(EAN), 0)
    assert isinstance(found, Reading)
    assert found.value == EAN.decode()


def test_no_read_message_is_one_without_an_identifier_only() -> None:
    (found,) = codec().receive(report(b"NR", b"\x00\x00\x00"), 0)
    assert isinstance(found, Reading)
    assert found.flags == {Flag.NO_READ}
    assert texts(codec().receive(report(b"NR", b"]C0"), 0)) == ["NR"]


def test_long_code_waits_for_its_last_report() -> None:
    reader = codec()
    assert reader.receive(report(b"x" * 56, b"]Q1", more=True), 0) == []
    assert reader.due_ns(0) == 100 * MS
    assert reader.receive(b"", 99 * MS) == []
    assert texts(reader.receive(report(b"y", b"]Q1"), 99 * MS)) == ["x" * 56 + "y"]
    assert reader.due_ns(99 * MS) is None


def test_report_that_does_not_come_costs_its_own_code_only() -> None:
    reader = codec()
    reader.receive(report(b"x" * 56, b"]Q1", more=True), 0)
    (found,) = reader.receive(b"", 100 * MS)
    assert isinstance(found, Malformed)
    assert texts(reader.receive(report(EAN), 101 * MS)) == [EAN.decode()]


def test_code_of_another_symbol_ends_one_whose_last_report_is_missing() -> None:
    reader = codec()
    reader.receive(report(b"x" * 56, b"]Q1", more=True), 0)
    assert texts(reader.receive(report(EAN), MS)) == [Malformed, EAN.decode()]


def test_code_that_came_late_is_not_joined_to_the_one_before() -> None:
    reader = codec()
    reader.receive(report(b"x" * 56, b"]Q1", more=True), 0)
    assert texts(reader.receive(report(b"y", b"]Q1"), 100 * MS)) == [Malformed, "y"]


def test_reports_without_identifier_end_when_they_are_not_full_or_by_silence() -> None:
    assert texts(codec().receive(plain(b"PLAIN"), 0)) == ["PLAIN"]
    assert texts(codec().receive(plain(b"x" * 62) + plain(b"y"), 0)) == ["x" * 62 + "y"]
    reader = codec()
    assert reader.receive(plain(b"x" * 62), 0) == []
    assert texts(reader.receive(b"", 100 * MS)) == ["x" * 62]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"\x02\x0d]E07290001234563\x00\x00", "20 bytes"),
        (b"\x02\x39".ljust(64, b"\x00"), "length 57"),
        (b"\x01\x3f".ljust(64, b"\x00"), "length 63"),
        (b"\x07\x01".ljust(64, b"\x00"), "report 7"),
        (b"\x02\x01XYZ1".ljust(64, b"\x00"), "no AIM identifier"),
        (b"", "0 bytes"),
    ],
)
def test_report_that_is_no_code_is_malformed_with_its_reason(payload: bytes, why: str) -> None:
    (found,) = codec().receive(Message("report", payload).to_bytes(), 0)
    assert isinstance(found, Malformed)
    assert why in found.reason
    assert found.raw == Message("report", payload).to_bytes()


def test_message_of_another_origin_is_malformed() -> None:
    assert texts(codec().receive(Message("keys", b"\x00" * 64).to_bytes(), 0)) == [Malformed]


def test_text_in_hebrew_by_the_encoding_that_is_set() -> None:
    assert texts(codec(encoding="iso-8859-8").receive(report("שלום".encode("iso-8859-8"), b"]Q1"), 0)) == ["שלום"]
    assert texts(codec().receive(report("שלום".encode("iso-8859-8"), b"]Q1"), 0)) == [Malformed]


def test_code_without_end_is_given_up_at_the_cap() -> None:
    reader = codec()
    found: list[Decoded] = []
    sent = 0
    while not found:
        found = reader.receive(report(b"x" * 56, b"]Q1", more=True), 0)
        sent += 56
        assert sent <= MAX_TEXT + 56
    assert texts(found) == [Malformed]
    assert reader.finish() == []


@given(st.binary(min_size=0, max_size=80))
def test_any_report_is_read_or_refused(payload: bytes) -> None:
    assert isinstance(Report.from_bytes(payload), Report | str)
    for item in [*(reader := codec()).receive(Message("report", payload).to_bytes(), 0), *reader.finish()]:
        assert isinstance(item, Reading | Malformed)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=300))
def test_any_text_comes_through_unchanged(text: str) -> None:
    data = rendered(text.encode())
    (found,) = [*(reader := codec(no_read="")).receive(data, 0), *reader.finish()]
    assert isinstance(found, Reading)
    assert found.value == text
    assert found.raw == data
