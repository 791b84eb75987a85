"""Events come whole out of any split of the stream, and none is longer than a command may be."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.uplink.sse import MAX_EVENT, EventReader
from sync_protocol.errors import TextFault

STREAM = (
    b": open\n\ndata: one\n\ndata:two\r\ndata: 2\r\n\r\n: here\r\rid: 7\revent: x\rdata: three\r\rnonsense\n\ndata\n\ndata: cut"
)
EVENTS = [b"one", b"two\n2", b"three", b""]


def read(pieces: list[bytes]) -> list[bytes]:
    reader = EventReader()
    return [data for piece in pieces for data in reader.receive(piece)]


def test_a_stream_gives_the_data_of_its_whole_events() -> None:
    assert read([STREAM]) == EVENTS
    assert read([STREAM[place : place + 1] for place in range(len(STREAM))]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_split_gives_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[a:b] for a, b in pairwise(places)]) == EVENTS


@given(st.binary(max_size=400))
def test_any_bytes_are_legal(data: bytes) -> None:
    assert read([data]) == read([data[place : place + 1] for place in range(len(data))])


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: " + b"x" * 990 + b"\n", b"x: " + b"y" * 5000])
def test_an_endless_event_is_no_event(piece: bytes) -> None:
    with pytest.raises(TextFault):
        read([piece] * (2 * MAX_EVENT // 900))


def test_an_endless_stream_of_short_events_goes_on() -> None:
    reader = EventReader()
    for _ in range(MAX_EVENT // 100):
        assert reader.receive(b": here\n\ndata: " + b"x" * 200 + b"\n\n") == [b"x" * 200]
