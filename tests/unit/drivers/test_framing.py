"""Frames depend on the bytes alone."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from drivers.framing import Frame, FrameBuffer, parity_of, without_parity

CAP = 8


def cut(pieces: list[bytes]) -> tuple[list[Frame], Frame | None]:
    buffer = FrameBuffer((b"\r\n", b"\n"), CAP)
    frames = [frame for piece in pieces for frame in buffer.feed(piece)]
    return frames, buffer.flush()


def test_half_frame_waits_for_more() -> None:
    buffer = FrameBuffer((b"\r\n",), CAP)
    assert buffer.feed(b"ab\r") == []
    assert buffer.feed(b"\nc") == [Frame(b"ab\r\n", ended=True)]
    assert buffer.flush() == Frame(b"c", ended=False)
    assert buffer.flush() is None


def test_frame_of_the_cap_is_a_frame_and_one_byte_more_is_not() -> None:
    assert cut([b"1234567\n"]) == ([Frame(b"1234567\n", ended=True)], None)
    assert cut([b"12345678\n"]) == ([Frame(b"12345678", ended=False), Frame(b"\n", ended=False)], None)


def test_frame_after_an_overlong_one_is_whole() -> None:
    frames, rest = cut([b"x" * 20 + b"\nab\n"])
    assert [frame.ended for frame in frames] == [False, False, False, True]
    assert frames[-1].raw == b"ab\n"
    assert rest is None


@given(st.binary(max_size=60), st.sets(st.integers(0, 60), max_size=10))
def test_no_byte_is_lost_and_no_split_matters(data: bytes, cuts: set[int]) -> None:
    data = data.replace(b"\x07", b"\n").replace(b"\x08", b"\r\n")
    bounds = [0, *sorted(at for at in cuts if at <= len(data)), len(data)]
    pieces = [data[start:stop] for start, stop in itertools.pairwise(bounds)]
    frames, rest = cut(pieces)
    assert (frames, rest) == cut([data])
    assert b"".join(frame.raw for frame in frames) + (rest.raw if rest else b"") == data
    assert all(len(frame.raw) <= CAP for frame in frames)


def test_parity_is_seen_on_every_byte_or_not_at_all() -> None:
    plain = b"S S 100.00 g\r\n"
    even = bytes(byte | 0x80 if byte.bit_count() % 2 else byte for byte in plain)
    odd = bytes(byte if byte.bit_count() % 2 else byte | 0x80 for byte in plain)
    assert parity_of(plain) is None
    assert parity_of(even) == "even"
    assert parity_of(odd) == "odd"
    assert parity_of(bytes(byte | 0x80 for byte in plain)) == "mark"
    assert parity_of(even + b"A\x00") is None
    assert parity_of(plain + b"\xe9") is None
    assert without_parity(even, "even") == plain
    assert without_parity(odd, "odd") == plain
    assert without_parity(odd, "even") is None
