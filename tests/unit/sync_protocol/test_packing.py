"""Frames on the wire: packed and unpacked, and nothing that grows beyond a frame."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.errors import FrameFault
from sync_protocol.frame import MAX_FRAME
from sync_protocol.packing import pack, unpack


@given(st.binary(max_size=4000))
def test_a_frame_comes_back_as_it_was(frame: bytes) -> None:
    assert unpack(pack(frame)) == frame


@given(st.binary(max_size=200))
def test_what_is_no_packed_frame_is_a_fault(data: bytes) -> None:
    with pytest.raises(FrameFault):
        unpack(b"\x00" + data)


@given(st.binary(max_size=2000), st.data())
def test_a_changed_or_cut_packed_frame_is_a_fault_or_another_frame_but_never_more(frame: bytes, data: st.DataObject) -> None:
    packed = bytearray(pack(frame))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        assert len(unpack(bytes(packed))) <= MAX_FRAME
    except FrameFault:
        return


@pytest.mark.parametrize("size", [MAX_FRAME + 1, 1 << 30])
def test_a_bomb_is_refused_before_it_grows(size: int) -> None:
    bomb = zstandard.ZstdCompressor(level=1, write_content_size=True).compress(bytes(min(size, 1 << 24)))
    with pytest.raises(FrameFault, match="limit"):
        unpack(bomb)


def test_a_packed_frame_that_hides_its_size_is_refused() -> None:
    hidden = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(100))
    with pytest.raises(FrameFault):
        unpack(hidden)
