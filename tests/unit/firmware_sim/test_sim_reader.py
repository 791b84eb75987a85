"""The barcode reader: what goes out for a label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.errors import ActionRefused
from firmware_sim.serial_reader import MAX_LABELS, TRIGGER_OFF, TRIGGER_ON, Label, ReaderSpec, SerialReader

GTIN_LOT = "010729001234567810AB\x1d17270630"


@pytest.mark.parametrize(
    ("spec", "content", "symbology_id", "sent"),
    [
        (ReaderSpec(), "7290001234563", "]E0", b"7290001234563\r"),
        (ReaderSpec(aim_prefix=True), "7290001234563", "]E0", b"]E07290001234563\r"),
        (ReaderSpec(aim_prefix=True), "7290001234563", None, b"7290001234563\r"),
        (ReaderSpec(aim_prefix=True, suffix=b"\r\n"), GTIN_LOT, "]d2", b"]d2010729001234567810AB\x1d17270630\r\n"),
        (ReaderSpec(prefix=b"\x02", suffix=b"\x03", aim_prefix=True), "123", "]C0", b"\x02]C0123\x03"),
        (ReaderSpec(suffix=b""), "123", None, b"123"),
        (ReaderSpec(encoding="iso-8859-8"), "שלום", None, bytes.fromhex("f9ece5ed0d")),
        (ReaderSpec(), "שלום", None, "שלום".encode() + b"\r"),
        (ReaderSpec(encoding="ascii"), b"\xf9\xec", "]Q1", b"\xf9\xec\r"),
    ],
)
def test_a_label_goes_out_as_the_reader_is_programmed(
    spec: ReaderSpec, content: str | bytes, symbology_id: str | None, sent: bytes
) -> None:
    assert SerialReader(spec).scan(content, symbology_id) == sent


def test_a_text_that_the_encoding_lacks_is_refused() -> None:
    with pytest.raises(ActionRefused, match="ascii"):
        SerialReader(ReaderSpec(encoding="ascii")).scan("שלום")


def test_each_trigger_reads_the_next_label_and_then_none() -> None:
    reader = SerialReader(ReaderSpec(no_read=b"NR"))
    reader.lay_out([Label("A"), Label("B")])
    assert reader.receive(TRIGGER_ON, 0) == b"A\r"
    assert reader.receive(TRIGGER_OFF + TRIGGER_ON + TRIGGER_ON, 0) == b"B\rNR\r"
    assert SerialReader(ReaderSpec()).trigger() == b"", "a reader without a no-read message stays silent"


def test_no_more_labels_lie_ready_than_the_cap() -> None:
    reader = SerialReader(ReaderSpec())
    reader.lay_out([Label("A")] * MAX_LABELS)
    with pytest.raises(ActionRefused):
        reader.lay_out([Label("A")])


@given(data=st.lists(st.one_of(st.binary(max_size=20), st.just(TRIGGER_ON), st.just(b"\x16"), st.just(b"T\r")), max_size=20))
def test_triggers_are_found_in_any_bytes_and_any_cuts(data: list[bytes]) -> None:
    whole = b"".join(data)
    reader = SerialReader(ReaderSpec(no_read=b"NR"))
    answers = b"".join(reader.receive(piece, 0) for piece in data)
    assert answers == b"NR\r" * whole.count(TRIGGER_ON)
    assert reader.tick(0) == b""
    assert reader.due_ns(0) is None
