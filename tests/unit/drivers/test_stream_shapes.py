"""Frames known by start, length and columns: found whole, however the bytes are split, and no byte is lost between them."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.scales.streams.shapes import MORE, NO, STRAY, Shape, ShapeFramer, columns, delimited, either, line, word

STX, ETX, CR = 0x02, 0x03, 0x0D
FIXED = columns(frozenset({STX}), None, None, frozenset({CR}))

SHAPES: dict[str, tuple[Shape, bool]] = {
    "columns": (FIXED, False),
    "delimited": (delimited(STX, ETX, 8), False),
    "line": (line(CR, 8), True),
    "either": (either(delimited(STX, CR, 8), word(b"OK\r")), True),
}


def pieces(framer: ShapeFramer, parts: list[bytes]) -> list[bytes]:
    found = [frame.raw for part in parts for frame in framer.feed(part)]
    rest = framer.flush()
    return found if rest is None else [*found, rest.raw]


@pytest.mark.parametrize(
    ("shape", "data", "size"),
    [
        (FIXED, b"\x02ab\r", 4),
        (FIXED, b"\x02\r\r\r", 4),
        (FIXED, b"\x02ab", MORE),
        (FIXED, b"\x02abc", NO),
        (FIXED, b"x", NO),
        (delimited(STX, ETX, 8), b"\x02abc\x03", 5),
        (delimited(STX, ETX, 8), b"\x02ab", MORE),
        (delimited(STX, ETX, 8), b"\x02ab\x02", NO),
        (delimited(STX, ETX, 8), b"\x02abcdefg", NO),
        (delimited(STX, ETX, 8), b"\x02abcdef\x03", 8),
        (line(CR, 8), b"abc\r", 4),
        (line(CR, 8), b"abcdefgh", NO),
        (word(b"OK\r"), b"O", MORE),
        (word(b"OK\r"), b"ON", NO),
    ],
)
def test_shape_says_how_long_the_frame_is(shape: Shape, data: bytes, size: int) -> None:
    assert shape(bytearray(data), 0) == size


def test_length_counts_not_the_first_byte_that_looks_like_an_end() -> None:
    assert pieces(ShapeFramer(FIXED), [b"\x02\r\r\r\x02ab\r"]) == [b"\x02\r\r\r", b"\x02ab\r"]


def test_noise_is_held_until_it_is_sure_where_it_ends() -> None:
    framer = ShapeFramer(FIXED)
    assert framer.feed(b"xy\x02a") == []
    assert [frame.raw for frame in framer.feed(b"b\r")] == [b"xy", b"\x02ab\r"]


def test_endless_noise_comes_out_in_blocks() -> None:
    framer = ShapeFramer(FIXED)
    found = framer.feed(b"x" * (3 * STRAY + 5))
    assert [len(frame.raw) for frame in found] == [STRAY] * 3
    assert len(framer) == 5


def test_frame_cut_off_by_the_next_costs_itself_only() -> None:
    assert pieces(ShapeFramer(delimited(STX, ETX, 8)), [b"\x02ab\x02cd\x03"]) == [b"\x02ab", b"\x02cd\x03"]


def test_first_frame_waits_for_the_byte_behind_it_later_ones_do_not() -> None:
    framer = ShapeFramer(line(CR, 8), line_feed=True)
    assert framer.feed(b"ab\r") == []
    assert [frame.raw for frame in framer.feed(b"c")] == [b"ab\r"]
    assert [frame.raw for frame in framer.feed(b"d\r")] == [b"cd\r"]


def test_line_feed_belongs_to_its_frame() -> None:
    framer = ShapeFramer(line(CR, 8), line_feed=True)
    assert [frame.raw for frame in framer.feed(b"ab\r\ncd\r")] == [b"ab\r\n"]
    assert [frame.raw for frame in framer.feed(b"\nef\r\n")] == [b"cd\r\n", b"ef\r\n"]


def test_device_that_begins_to_send_line_feeds_is_followed() -> None:
    framer = ShapeFramer(delimited(STX, CR, 8), line_feed=True)
    found = framer.feed(b"\x02a\r\x02b\r\n\x02c\r\n\x02d\r\n")
    assert [frame.raw for frame in found] == [b"\x02a\r", b"\x02b\r", b"\n", b"\x02c\r\n", b"\x02d\r\n"]


def test_whole_frame_that_waits_is_whole_at_the_end_of_input() -> None:
    framer = ShapeFramer(line(CR, 8), line_feed=True)
    framer.feed(b"ab\r")
    rest = framer.flush()
    assert rest is not None
    assert (rest.raw, rest.ended) == (b"ab\r", True)
    framer.feed(b"ab")
    rest = framer.flush()
    assert rest is not None
    assert not rest.ended
    assert framer.flush() is None


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=150, deadline=None)
@given(
    data=st.lists(
        st.sampled_from([b"\x02", b"\x03", b"\r", b"\n", b"a", b"OK\r", b"\x02ab\r", b"\x02ab\x03", b"x" * 300]), max_size=20
    ).map(b"".join),
    cuts=st.sets(st.integers(0, 400), max_size=10),
)
def test_bytes_alone_decide_and_none_is_lost(name: str, data: bytes, cuts: set[int]) -> None:
    shape, line_feed = SHAPES[name]
    bounds = [0, *sorted(at for at in cuts if at < len(data)), len(data)]
    parts = [data[start:stop] for start, stop in itertools.pairwise(bounds)]
    whole = pieces(ShapeFramer(shape, line_feed=line_feed), [data])
    assert pieces(ShapeFramer(shape, line_feed=line_feed), parts) == whole
    assert b"".join(whole) == data
    assert all(len(piece) <= STRAY for piece in whole[:-1])
