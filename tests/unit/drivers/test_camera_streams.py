"""The first picture of a multipart stream: boundaries as cameras write them, any split, caps, streams without a picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import WireFault
from drivers.cameras.multipart import MAX_HEAD, MAX_PARTS, PartReader, boundary_of
from drivers.cameras.pictures import MAX_PICTURE

# A JPEG's bytes hold line ends and dashes; only its length or the whole boundary ends it.
PICTURE = b"\xff\xd8\r\n--fra\r\n--\r\nme\x00\xff\xd9"
LENGTH = b"Content-Length: %d\r\n" % len(PICTURE)


def part(head: bytes, body: bytes = PICTURE, *, line: bytes = b"--frame\r\n", end: bytes = b"\r\n") -> bytes:
    return line + b"Content-Type: image/jpeg\r\n" + head + b"\r\n" + body + end


STREAMS = {
    "length said": ("multipart/x-mixed-replace; boundary=frame", part(LENGTH)),
    "length not said": ("multipart/x-mixed-replace; boundary=frame", part(b"") + b"--frame\r\n"),
    "dashes declared": ("multipart/x-mixed-replace;boundary=--frame", part(LENGTH)),
    "dashes declared and doubled": ("multipart/x-mixed-replace;boundary=--frame", part(LENGTH, line=b"----frame\r\n")),
    "quoted": ('multipart/x-mixed-replace; boundary="frame"', part(LENGTH)),
    "not declared": ("multipart/x-mixed-replace", part(b"") + b"--frame\r\n"),
    "lower-case header": ("multipart/x-mixed-replace; boundary=frame", part(LENGTH.lower())),
    "line feeds alone": (
        "multipart/x-mixed-replace; boundary=frame",
        b"--frame\nContent-Type: image/jpeg\n\n" + PICTURE + b"\n--frame\n",
    ),
    "no headers": ("multipart/x-mixed-replace; boundary=frame", b"--frame\r\n\r\n" + PICTURE + b"\r\n--frame\r\n"),
    "words before": ("multipart/x-mixed-replace; boundary=frame", b"hello\r\n\r\n" + part(LENGTH)),
    "empty part before": (
        "multipart/x-mixed-replace; boundary=frame",
        part(b"Content-Length: 0\r\n", b"") + part(LENGTH),
    ),
    "no line end before the boundary": (
        "multipart/x-mixed-replace; boundary=frame",
        part(b"Content-Length: 0\r\n", b"", end=b"") + part(LENGTH, end=b"") + part(LENGTH),
    ),
}


def read(content_type: str, pieces: list[bytes]) -> bytes | None:
    reader = PartReader(boundary_of(content_type))
    for piece in pieces:
        if (found := reader.feed(piece)) is not None:
            return found
    return None


@pytest.mark.parametrize("name", STREAMS)
def test_picture_comes_out_whole_however_the_stream_is_written_and_split(name: str) -> None:
    content_type, stream = STREAMS[name]
    assert read(content_type, [stream]) == PICTURE
    assert read(content_type, [stream[at : at + 1] for at in range(len(stream))]) == PICTURE


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(1, 40), max_size=30))
def test_result_does_not_depend_on_the_split(name: str, sizes: list[int]) -> None:
    content_type, stream = STREAMS[name]
    pieces, rest = [], stream
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert read(content_type, [*pieces, rest]) == PICTURE


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_give_a_picture_or_the_declared_error(junk: bytes, size: int) -> None:
    def outcome(pieces: list[bytes]) -> bytes | str | None:
        try:
            return read("multipart/x-mixed-replace; boundary=b", pieces)
        except WireFault as exc:
            return str(exc)

    stream = b"--b\r\n" + junk + b"\r\n--b\r\n"
    whole, split = outcome([stream]), outcome([stream[at : at + size] for at in range(0, len(stream), size)])
    assert whole == split


def test_half_a_picture_waits_for_more() -> None:
    reader = PartReader(b"frame")
    assert reader.feed(part(LENGTH)[:-8]) is None
    assert reader.feed(part(LENGTH)[-8:]) == PICTURE


def test_second_picture_follows_the_first() -> None:
    reader = PartReader(b"frame")
    assert reader.feed(part(LENGTH) + part(LENGTH)) == PICTURE
    assert reader.feed(b"") == PICTURE
    assert reader.feed(b"") is None


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"x" * (MAX_HEAD + 1), "no boundary"),
        (b"--frame\r\n" + b"a: b\r\n" * MAX_HEAD, "headers without an end"),
        (b"--frame\r\nContent-Length: %d\r\n\r\n" % (MAX_PICTURE + 1), "more than"),
        (b"--frame\r\nContent-Length: many\r\n\r\n", "no number"),
        (b"--frame\r\nContent-Length: 99999999999999999999\r\n\r\n", "no number"),
        (b"--frame\r\n\r\n" + b"x" * (MAX_PICTURE + 1), "a picture without an end"),
        (b"--frame\r\nContent-Length: 0\r\n\r\n" * MAX_PARTS, "no picture"),
        (b"--frame--\r\n", "ended"),
    ],
)
def test_stream_without_a_picture_is_a_fault_and_not_an_endless_wait(stream: bytes, said: str) -> None:
    with pytest.raises(WireFault, match=said):
        PartReader(b"frame").feed(stream)


@pytest.mark.parametrize("content_type", ["", "image/jpeg", "text/html; boundary=frame"])
def test_answer_that_is_no_stream_is_said_so(content_type: str) -> None:
    with pytest.raises(WireFault, match="stream of pictures expected"):
        boundary_of(content_type)
