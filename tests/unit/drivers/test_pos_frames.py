"""Frames that start with a mark: what lies between them, what is cut off, what never ends."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.framing import Frame, with_parity
from drivers.scales.pos.frames import STRAY, MarkedFrames, between, stray
from drivers.scales.pos.nci import measure as nci
from drivers.scales.pos.toledo import measure as toledo

LINES = between(b"\n", b"\r", 8)
MEASURES = [LINES, toledo, nci]


def raws(frames: list[Frame]) -> list[bytes]:
    return [frame.raw for frame in frames]


def cut(data: bytes, measure=LINES) -> list[bytes]:
    framer = MarkedFrames(measure)
    found = framer.feed(data)
    rest = framer.flush()
    return raws(found if rest is None else [*found, rest])


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"\nab\r", [b"\nab\r"]),
        (b"\nab\r\ncd\r", [b"\nab\r", b"\ncd\r"]),
        (b"xy\nab\rz", [b"xy", b"\nab\r", b"z"]),
        (b"\nab\ncd\r", [b"\nab", b"\ncd\r"]),
        (b"\n1234567\ncd\r", [b"\n1234567", b"\ncd\r"]),
        (b"\n12345678\r\ncd\r", [b"\n12345678\r", b"\ncd\r"]),
        (b"\nab", [b"\nab"]),
        (b"", []),
    ],
)
def test_frames_and_what_lies_between(data: bytes, wanted: list[bytes]) -> None:
    assert cut(data) == wanted


def test_half_frame_waits_for_more() -> None:
    framer = MarkedFrames(LINES)
    assert framer.feed(b"xx\nab") == []
    assert raws(framer.feed(b"\r")) == [b"xx", b"\nab\r"]


def test_noise_comes_out_in_blocks_of_the_cap() -> None:
    framer = MarkedFrames(LINES)
    assert framer.feed(b"x" * (STRAY - 1)) == []
    assert raws(framer.feed(b"x")) == [b"x" * STRAY]
    assert framer.flush() is None


@pytest.mark.parametrize("measure", MEASURES)
@given(data=st.data())
def test_split_never_changes_what_comes_out(measure, data: st.DataObject) -> None:
    parts = st.one_of(
        st.sampled_from(
            [b"\x02?\x0d\r", b"\x0201.25\r", b"\n1.5KG\r\nS00\r\x03", b"\nab\r", b"\n", b"\r", b"\x02", b"x" * 250]
        ),
        st.binary(max_size=20),
    )
    capture = b"".join(data.draw(st.lists(parts, max_size=8)))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(capture)), max_size=8)))
    whole = MarkedFrames(measure)
    pieces = MarkedFrames(measure)
    expected = whole.feed(capture), whole.flush()
    bounds = [0, *cuts, len(capture)]
    found = [frame for start, stop in itertools.pairwise(bounds) for frame in pieces.feed(capture[start:stop])]
    assert (found, pieces.flush()) == expected
    rest = b"" if expected[1] is None else expected[1].raw
    assert b"".join(raws(expected[0])) + rest == capture


@pytest.mark.parametrize("parity", ["even", "odd"])
def test_parity_is_named_with_control_characters_too(parity: str) -> None:
    assert parity in stray(with_parity(b"\x0202\x1b3\x1b01234\x1b000500\x1b000617\x03", parity)).reason
    assert "no frame" in stray(b"\x0202\x1b3").reason
