"""xBPI: frames by length and sum, found again in any dirt; measurements, status, errors; which side of the range."""

import itertools
import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Flag, Identity, Malformed, Reading, Refused, SettingsFault, Status
from drivers.scales.lab.sartorius_xbpi import ANSWER_TIMEOUT_NS, DRIVER, PAUSE_NS, SartoriusXbpiSettings, XbpiCodec
from drivers.scales.lab.xbpi_frames import LONGEST, MAX_NOISE, XbpiFramer, is_whole, request

WEIGHT = bytes.fromhex("0b4148bba3d70a3d30824507")
DONE = bytes.fromhex("03410044")
OFF_SCALE = bytes.fromhex("0b41487fffffffff30020546")
SECOND = 1_000_000_000


def frame(body: str | bytes) -> bytes:
    data = b"\x41" + (bytes.fromhex(body) if isinstance(body, str) else body)
    head = bytes([len(data) + 1]) + data
    return head + bytes([sum(head) & 0xFF])


def state(byte: int) -> bytes:
    return frame(bytes([0x48, 0x00, 0x00, 0x81, byte, 0x18, 0x10, 0x00, 0x01]))


def one(data: bytes) -> Decoded:
    (item,) = DRIVER.decode(data, {})
    assert item.raw == data
    return item


def new(**settings: object) -> XbpiCodec:
    return XbpiCodec(SartoriusXbpiSettings.model_validate(settings))


def test_questions_are_those_of_the_protocol_description() -> None:
    # Read the address: 04 01 09 71 7f; read the net weight: 04 01 09 1e 2c (sartoriuslib docs/protocol.md section 3.3).
    assert request(0x71, source=1, target=9).hex() == "040109717f"
    assert new().poll(0) == bytes.fromhex("0401091e2c")
    assert new(host_number=2, bus_number=5).poll(0) == bytes.fromhex("0402051e29")


@pytest.mark.parametrize(
    ("value", "decimals", "unit", "flags", "expected"),
    [
        (1234.5, 0x10, 0x02, 0x40, ("1234.5", "g", True)),
        (0.0, 0x30, 0x02, 0x00, ("0.000", "g", False)),
        (199.99, 0x20, 0x03, 0x45, ("199.99", "kg", True)),
        (-12.0, 0x03, 0x8D, 0x41, ("-12", "mg", True)),
        (9.807, 0x30, 0x57, 0x40, ("9.807", "N", True)),
    ],
)
def test_measurement(value: float, decimals: int, unit: int, flags: int, expected: tuple[str, str, bool]) -> None:
    body = struct.pack(">f", value)
    item = one(frame(b"\x48" + body + body[-1:] + bytes([decimals, unit, flags])))
    assert isinstance(item, Reading)
    assert (str(item.value), item.unit, item.stable) == expected
    assert Flag.NET in item.flags


@given(st.integers(-(2**24) + 1, 2**24 - 1), st.integers(0, 5))
def test_digits_of_the_display_are_restored_from_the_float(digits: int, decimals: int) -> None:
    shown = Decimal(digits).scaleb(-decimals)
    body = struct.pack(">f", float(shown))
    item = one(frame(b"\x48" + body + b"\x00" + bytes([decimals << 4, 0x02, 0x40])))
    # Seven digits can be too many for a float; then there is no value rather than a wrong one.
    assert isinstance(item, Reading) or abs(digits) > 10**6
    assert isinstance(item, Malformed) or item.value == shown  # type: ignore[union-attr]  # a Reading


@pytest.mark.parametrize(
    "body",
    [
        "48 7f800000 00 30 02 40",
        "48 7fc00001 00 30 02 40",
        "48 4c000000 00 00 02 40",
        "48 47c35000 00 30 02 40",
        "48 3f800000 00 30 3f 40",
    ],
    ids=["infinite", "not-a-number", "2-to-the-25", "more-digits-than-a-float", "unknown-unit"],
)
def test_value_that_cannot_be_trusted_is_none(body: str) -> None:
    assert isinstance(one(frame(body)), Malformed)


def test_errors_acknowledgements_and_identities() -> None:
    refused = one(frame("0106"))
    assert isinstance(refused, Refused)
    assert refused.code == "06"
    assert isinstance(one(frame("0199")), Refused)
    assert isinstance(one(DONE), Acknowledged)
    serial, model = one(frame("450031801165")), one(frame(b"\x54MSE1203S-100-DR\x00\x00\x00\x00\x00"))
    assert isinstance(serial, Identity)
    assert isinstance(model, Identity)
    assert (serial.text, serial.what, model.text, model.what) == ("0031801165", "serial", "MSE1203S-100-DR", "model")
    assert isinstance(one(frame("2100")), Status)


def test_wrong_sum_is_one_fault_and_no_weight() -> None:
    assert isinstance(one(WEIGHT[:-1] + b"\x55"), Malformed)


def test_frame_behind_a_false_start_is_found() -> None:
    false = bytes([LONGEST, 0x41]) + b"\x00" * 8
    found = DRIVER.decode(false + WEIGHT + b"\x00" * LONGEST, {})
    assert [item.raw for item in found if isinstance(item, Reading)] == [WEIGHT]
    assert b"".join(item.raw for item in found) == false + WEIGHT + b"\x00" * LONGEST


@given(
    st.lists(st.one_of(st.binary(max_size=90), st.sampled_from([WEIGHT, DONE, OFF_SCALE, WEIGHT[:5]])), max_size=6),
    st.sets(st.integers(0, 300), max_size=8),
)
def test_framing_depends_on_the_bytes_alone_and_loses_none(parts: list[bytes], cuts: set[int]) -> None:
    stream = b"".join(parts)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    framer = XbpiFramer()
    split = [piece for start, end in itertools.pairwise(bounds) for piece in framer.feed(stream[start:end])]
    rest = framer.flush()
    whole = XbpiFramer().feed(stream)
    assert split == whole
    assert b"".join(piece.raw for piece in split) + (rest.raw if rest else b"") == stream
    assert all(is_whole(piece.raw) is piece.ended for piece in split if piece.ended)
    assert all(len(piece.raw) <= max(MAX_NOISE, LONGEST + 1) for piece in split)


def test_half_frame_ends_after_a_pause_and_does_not_swallow_the_next() -> None:
    codec = new()
    assert codec.poll(0) is not None
    assert codec.receive(WEIGHT[:7], 0) == []
    (lost,) = codec.receive(b"", PAUSE_NS)
    assert isinstance(lost, Malformed)
    (read,) = codec.receive(WEIGHT, PAUSE_NS + 1)
    assert isinstance(read, Reading)


def test_off_scale_is_followed_by_the_question_for_the_side() -> None:
    codec = new()
    codec.poll(0)
    (off,) = codec.receive(OFF_SCALE, 1)
    assert isinstance(off, Reading)
    assert (off.value, off.flags & {Flag.OVERLOAD, Flag.UNDERLOAD}) == (None, frozenset())
    assert off.details == {"off_scale": "true"}
    assert codec.poll(SECOND) == request(0x30, source=1, target=9)
    (side,) = codec.receive(state(0x82), SECOND)
    assert isinstance(side, Reading)
    assert side.flags == {Flag.OVERLOAD, Flag.STATUS}
    assert codec.poll(2 * SECOND) == request(0x1E, source=1, target=9)
    (still,) = codec.receive(OFF_SCALE, 2 * SECOND)
    assert isinstance(still, Reading)
    assert Flag.OVERLOAD in still.flags
    codec.poll(3 * SECOND)
    codec.receive(state(0x88), 3 * SECOND)
    codec.poll(4 * SECOND)
    (back,) = codec.receive(WEIGHT, 4 * SECOND)
    assert isinstance(back, Reading)
    assert str(back.value) == "-0.005"


def test_below_the_range_is_told_as_such() -> None:
    side = one(state(0x04))
    assert isinstance(side, Reading)
    assert side.flags == {Flag.UNDERLOAD, Flag.STATUS}


def test_answer_means_what_was_asked() -> None:
    codec = new()
    assert codec.command("gross") == request(0x20, source=1, target=9)
    (gross,) = codec.receive(WEIGHT, 0)
    codec.command("tare_value")
    (tare,) = codec.receive(WEIGHT, 1)
    codec.command("zero")
    (done,) = codec.receive(DONE, 2)
    assert isinstance(gross, Reading)
    assert isinstance(tare, Reading)
    assert (Flag.GROSS in gross.flags, Flag.TARE in tare.flags) == (True, True)
    assert done == Acknowledged("zero", DONE)


def test_silence_is_overdue_and_the_next_answer_ends_it() -> None:
    codec = new()
    codec.poll(0)
    assert not codec.overdue(ANSWER_TIMEOUT_NS)
    assert codec.overdue(ANSWER_TIMEOUT_NS + 1)
    assert codec.poll(ANSWER_TIMEOUT_NS + 1) is not None
    codec.receive(WEIGHT, ANSWER_TIMEOUT_NS + 2)
    assert not codec.overdue(ANSWER_TIMEOUT_NS + 3)


@pytest.mark.parametrize("settings", [{"bus_number": 256}, {"host_number": -1}, {"interval_ms": 1}])
def test_impossible_settings_are_refused_by_name(settings: dict[str, int]) -> None:
    with pytest.raises(SettingsFault) as caught:
        DRIVER.decode(b"", settings)
    assert caught.value.setting == next(iter(settings))
