"""Modbus: numbers in registers, frames, maps, and the conversation with one device."""

import math
import os
import struct
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Acknowledged, Codec, Decoded, Flag, Kind, Malformed, Reading, Refused, SettingsFault, Status
from drivers.decoding import decode
from drivers.envelope import EnvelopeBuffer, Message
from drivers.modbus.adu import AduFault, Query, answer, crc, rtu_answers
from drivers.modbus.driver import GENERIC, MAPS, shipped
from drivers.modbus.mapping import read_map
from drivers.modbus.registers import NumberFault, number
from drivers.settings import read_settings
from drivers.vocabulary import describe

MS = 1_000_000
POLL_MS = 200


def codec_of(name: str, settings: Mapping[str, object] | None = None) -> Codec:
    driver = registry.get(name)
    return driver.make_codec(read_settings(driver.settings, settings or {}))


def rtu(pdu: bytes, unit: int = 1) -> bytes:
    return bytes([unit]) + pdu + crc(bytes([unit]) + pdu)


def registers(words: list[int], function: int = 3) -> bytes:
    data = b"".join(word.to_bytes(2) for word in words)
    return rtu(bytes([function, len(data)]) + data)


def said(origin: str, adu: bytes) -> bytes:
    return Message(origin, adu).to_bytes()


def asked(data: bytes | None) -> list[str]:
    return [message.origin for message in EnvelopeBuffer().feed(data or b"") if isinstance(message, Message)]


def laumas(status: int, gross: int = 12345, net: int = 12345, shown: int = 0x000F) -> bytes:
    return said("read:1:3:6:8", registers([status, 0, gross, 0, net, 0, gross, shown]))


STABLE, NET, ZERO = 0x0800, 0x0400, 0x1000


# -- numbers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "kind", "order", "expected"),
    [
        ([0xFFF6], "s16", "big", "-10"),
        ([0xFFF6], "u16", "big", "65526"),
        ([0x0000, 0x3039], "u32", "big", "12345"),
        ([0x3039, 0x0000], "u32", "little", "12345"),
        ([0xFFFF, 0xFF06], "s32", "big", "-250"),
        ([0x42C9, 0x1999], "f32", "big", "100.549995"),  # Hardy HI 6300 manual p.35
        ([0xC2F6, 0xE666], "f32", "big", "-123.45"),  # Vaisala HMD60 user guide p.53
        ([0x2900, 0x41C2], "f32", "little", "24.27002"),  # E+E EE210 manual p.6
        ([0, 0], "f32", "big", "0"),
        ([0x8000, 0], "f32", "big", "0"),
        ([0x41A0, 0], "f32", "big", "20"),
    ],
)
def test_registers_are_read_exactly(words: list[int], kind: Any, order: Any, expected: str) -> None:
    value = number(words, kind, word_order=order)
    assert value is not None
    assert format(value, "f") == expected


@given(value=st.floats(width=32, min_value=-1e6, max_value=1e6).filter(lambda value: value == 0 or abs(value) > 1e-6))
def test_a_float_is_the_shortest_decimal_that_reads_back(value: float) -> None:
    words = struct.unpack(">HH", struct.pack(">f", value))
    found = number(words, "f32")
    assert found is not None
    assert struct.pack(">f", float(found)) == struct.pack(">f", value + 0.0) or value == 0
    digits = len(found.as_tuple().digits)
    shorter = f"{value:.{max(digits - 1, 1)}g}"
    assert (
        digits == 1
        or value == 0
        or found == found.to_integral()
        or struct.pack(">f", float(shorter)) != struct.pack(">f", value)
    )


@given(value=st.integers(-(2**31), 2**31 - 1), word_order=st.sampled_from(["big", "little"]), swapped=st.booleans())
def test_every_order_of_words_and_bytes_is_read_back(value: int, word_order: Any, swapped: bool) -> None:
    words = list(struct.unpack(">HH", struct.pack(">i", value)))
    if word_order == "little":
        words.reverse()
    if swapped:
        words = [word >> 8 | (word & 0xFF) << 8 for word in words]
    assert number(words, "s32", word_order=word_order, byte_order="little" if swapped else "big") == value


def test_a_float_of_the_wrong_word_order_is_no_value() -> None:
    with pytest.raises(NumberFault, match="order of words"):
        number(struct.unpack(">HH", struct.pack(">f", 20.0))[::-1], "f32")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_none(value: float) -> None:
    assert number(struct.unpack(">HH", struct.pack(">f", value)), "f32") is None


# -- frames ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "query", "words"),
    [
        # Flintec FT-112 technical manual, p.126: the tare. (The check printed for the weight on that page is wrong.)
        ("010304000027 10e00f", Query(1, 3, 2, 2), (0, 10000)),
        # E+E EE210 manual, p.6.
        ("f2030429 0041c280a1", Query(0xF2, 3, 0x19, 2), (0x2900, 0x41C2)),
        ("000100000005 01 03 02 00ff", Query(1, 3, 0, 1), (0xFF,)),
    ],
)
def test_frames_of_manuals_are_understood(frame: str, query: Query, words: tuple[int, ...]) -> None:
    assert answer(bytes.fromhex(frame), query).words() == words


def test_the_check_is_that_of_the_manuals() -> None:
    for request in ("010300000002c40b", "01100018000204000000 0272c4", "0110001800020400000001 32c5"):
        data = bytes.fromhex(request)
        assert crc(data[:-2]) == data[-2:]


@pytest.mark.parametrize(
    ("adu", "reason"),
    [
        (b"", "neither"),
        (b"\x01\x03\x02\x00\xff\x00\x00", "neither"),
        (rtu(b"\x03\x04\0\0\0\0"), "asked for"),
        (rtu(b"\x04\x02\0\0"), "function 4"),
        (rtu(b"\x83\x02\x00"), "length"),
        (rtu(b"\x03\x02\0\0", unit=2), "neither"),
        (bytes.fromhex("000100000005020302 00ff"), "unit 2"),
    ],
)
def test_the_answer_to_something_else_is_no_answer(adu: bytes, reason: str) -> None:
    with pytest.raises(AduFault, match=reason):
        answer(adu, Query(1, 3, 0, 1))


def test_an_answer_is_found_between_an_echo_and_noise() -> None:
    echo = rtu(b"\x03\x00\x00\x00\x01")
    assert answer(echo + registers([7]) + b"\x00\xff", Query(1, 3, 0, 1)).words() == (7,)


@given(parts=st.lists(st.one_of(st.binary(max_size=12), st.just(registers([1, 2])), st.just(rtu(b"\x83\x06"))), max_size=6))
def test_a_recorded_line_comes_out_again_in_full(parts: list[bytes]) -> None:
    line = b"".join(parts)
    assert b"".join(piece for piece, _ in rtu_answers(line)) == line


# -- maps --------------------------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "zero": 1,
    "blocks": [{"start": 1, "count": 4}],
    "readings": [{"kind": "temperature", "unit": "Cel", "value": {"register": 1, "type": "int16", "scale": 0.1}}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good map with one thing in it changed."""

    def copy(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: copy(one) for key, one in node.items()}
        return [copy(one) for one in node] if isinstance(node, list) else node

    changed_map = copy(GOOD)
    *way, last = path.split(".")
    node: Any = changed_map
    for step in way:
        node = node[int(step) if step.isdigit() else step]
    node[int(last) if last.isdigit() else last] = value
    return changed_map  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("readings.0.value.register", 5, "readings.0: register 5 is in no block"),
        ("readings.0.value.type", "int17", "readings.0.value.type"),
        ("readings.0.unit", "stone", "no unit 'stone'"),
        ("readings.0.value.scale", 0, "greater than 0"),
        ("readings.0.value.negative", 3, "`negative` is a bit of a status"),
        ("readings.0.value", None, "needs `value`"),
        ("blocks.0.count", 126, "at most 125"),
        ("blocks.0.start", 0, "not one of 1 to"),
        ("blocks.0.function", 5, "blocks.0.function"),
        ("blocks", [], "blocks"),
        ("speed", 9600, "speed: Extra inputs"),
        ("alive", {"register": 4, "type": "u32"}, "alive: register 4 is in no block"),
        ("commands", {"zero": {"function": 6, "register": 1, "words": [1, 2]}}, "function 6 writes one word"),
        ("commands", {"zero": {"function": 5, "register": 1, "words": [1]}}, "a coil takes"),
        ("commands", {"zero": {"function": 6, "register": 0, "words": [1]}}, "commands.zero: register 0"),
    ],
)
def test_a_broken_map_is_refused_by_its_place(path: str, value: Any, message: str) -> None:
    with pytest.raises(SettingsFault) as caught:
        read_map(changed(path, value))
    assert message in str(caught.value)
    assert caught.value.setting == "map"


def test_a_map_of_ones_own_is_used_from_a_table_and_from_a_file(tmp_path: Path) -> None:
    frame = said("read:1:3:0:4", registers([215, 0, 0, 0]))
    driver = registry.get("modbus")
    assert [item.value for item in driver.decode(frame, {"map": GOOD}) if isinstance(item, Reading)] == [Decimal("21.5")]
    file = tmp_path / "own.toml"
    file.write_text(
        '[about]\nname = "own"\ntitle = "Own"\nmodels = ["one"]\nsources = ["its paper"]\n[map]\nzero = 1\n'
        '[[map.blocks]]\nstart = 1\ncount = 4\n[[map.readings]]\nkind = "temperature"\nunit = "Cel"\n'
        'value = { register = 1, type = "s16", scale = 0.1 }\n'
    )
    assert [item.value for item in driver.decode(frame, {"map_file": str(file)}) if isinstance(item, Reading)] == [
        Decimal("21.5")
    ]
    deep, pipe = tmp_path / "deep.toml", tmp_path / "pipe.toml"
    deep.write_text(f"a = {'[' * 50_000}")
    os.mkfifo(pipe)
    bad = [{"map_file": str(path)} for path in (tmp_path / "none.toml", tmp_path, deep, pipe, "a\0b")]
    for values in (*bad, {"map": GOOD, "map_file": str(file)}):
        with pytest.raises(SettingsFault):
            driver.decode(frame, values)


def test_every_shipped_map_reads_zeroes_and_ones_without_a_fault() -> None:
    for name, one in shipped().items():
        for fill in (0, 0xFF):
            line = b""
            for block in one.map_.blocks:
                data = bytes([fill]) * (block.count // 8 if block.function < 3 else block.count * 2)
                origin = f"read:1:{block.function}:{block.start - one.map_.zero}:{block.count}"
                line += said(origin, rtu(bytes([block.function, len(data)]) + data))
            found = registry.get(f"modbus-{name}").decode(line, {"unit": "kg", "scale": "0.001"})
            assert len(found) == len(one.map_.readings)
            for item in found:
                assert not isinstance(item, Malformed) or "unknown unit" in item.reason or "place of the point" in item.reason


@st.composite
def maps(draw: st.DrawFn) -> tuple[dict[str, Any], list[int], list[Decimal | None]]:
    """A map of numbers in one block with random words behind it, and the values it must give."""
    kinds = draw(st.lists(st.sampled_from(["u16", "s16", "u32", "s32"]), min_size=1, max_size=8))
    zero = draw(st.sampled_from([0, 1, 30001, 40001]))
    order = draw(st.sampled_from(["big", "little"]))
    start = zero + draw(st.integers(0, 1000))
    words: list[int] = []
    readings: list[dict[str, Any]] = []
    values: list[Decimal | None] = []
    for kind in kinds:
        size = 2 if kind.endswith("32") else 1
        low, high = (0, 2 ** (16 * size) - 1) if kind[0] == "u" else (-(2 ** (16 * size - 1)), 2 ** (16 * size - 1) - 1)
        value = draw(st.integers(low, high))
        places = draw(st.integers(0, 4))
        missing = draw(st.booleans())
        readings.append(
            {
                "kind": "quantity",
                "unit": "V",
                "value": {
                    "register": start + len(words),
                    "type": kind,
                    "scale": Decimal(1).scaleb(-places),
                    "unavailable": [value] if missing else [],
                },
            }
        )
        values.append(None if missing else Decimal(value).scaleb(-places))
        parts = [value >> 16 & 0xFFFF, value & 0xFFFF] if size == 2 else [value & 0xFFFF]
        words += parts if order == "big" else parts[::-1]
    block = {"function": draw(st.sampled_from([3, 4])), "start": start, "count": len(words)}
    return {"zero": zero, "word_order": order, "blocks": [block], "readings": readings}, words, values


@given(drawn=maps())
def test_any_map_gives_what_lies_in_its_registers(drawn: tuple[dict[str, Any], list[int], list[Decimal | None]]) -> None:
    register_map, words, values = drawn
    (block,) = register_map["blocks"]
    codec = codec_of("modbus", {"map": register_map})
    (origin,) = asked(codec.poll(0))
    assert origin == f"read:1:{block['function']}:{block['start'] - register_map['zero']}:{len(words)}"
    found = codec.receive(said(origin, registers(words, block["function"])), 0)
    assert [item.value for item in found if isinstance(item, Reading)] == values
    for item, value in zip(found, values, strict=True):
        assert isinstance(item, Reading)
        assert (Flag.UNAVAILABLE in item.flags) is (value is None)


# -- devices -----------------------------------------------------------------------------------------------------------------


def only(found: list[Decoded]) -> dict[str, Any]:
    (item,) = found
    return describe(item)


@pytest.mark.parametrize(
    ("shown", "value", "unit"),
    [
        (0x000F, "12.345", "kg"),
        (0x000D, "12.345", "kg"),
        (0x010A, "123.45", "g"),
        (0x0206, "12345", "t"),
        (0x080F, "12.345", "pcs"),
    ],
)
def test_laumas_tells_its_point_and_unit(shown: int, value: str, unit: str) -> None:
    found = only(codec_of("modbus-laumas").receive(laumas(STABLE, shown=shown), 0))
    assert (found["value"], found["unit"], found["stable"]) == (value, unit, True)


def test_a_unit_without_an_agreed_code_is_no_value() -> None:
    (item,) = codec_of("modbus-laumas").receive(laumas(STABLE, shown=0x050F), 0)
    assert isinstance(item, Malformed)
    assert "unknown unit" in item.reason


def test_a_device_that_does_not_send_its_unit_or_point_is_never_guessed() -> None:
    frame = said("read:1:3:6:5", registers([STABLE, 0, 12345, 0, 12345]))
    for settings, reason in (({}, "set `scale`"), ({"scale": "0.001"}, "set `unit`")):
        (item,) = codec_of("modbus-cas-ci-600d", settings).receive(frame, 0)
        assert isinstance(item, Malformed)
        assert reason in item.reason
    assert only(codec_of("modbus-cas-ci-600d", {"scale": "0.001", "unit": "kg"}).receive(frame, 0))["value"] == "12.345"


@pytest.mark.parametrize("name", ["modbus-vaisala"])
def test_one_transaction_gives_several_readings_with_one_raw(name: str) -> None:
    words = [*struct.unpack(">HH", struct.pack(">f", 45.5))[::-1], *struct.unpack(">HH", struct.pack(">f", 22.25))[::-1]]
    frame = said("read:1:3:0:10", registers([*words, 0, 0, 0, 0, 0x0000, 0x7FC0]))
    found = codec_of(name).receive(frame, 0)
    assert [(item.kind, item.value, item.details) for item in found if isinstance(item, Reading)] == [
        (Kind.HUMIDITY, Decimal("45.50"), {}),
        (Kind.TEMPERATURE, Decimal("22.25"), {}),
        (Kind.TEMPERATURE, None, {"variable": "dew point", "fault": "no value"}),
    ]
    assert {item.raw for item in found} == {frame}


def test_a_broken_sensor_gives_no_value_though_its_last_one_is_still_there() -> None:
    found = codec_of("modbus-simex-trs").receive(said("read:1:3:1:4", registers([215, 0x40, 455, 0])), 0)
    assert [(item.value, item.details.get("fault")) for item in found if isinstance(item, Reading)] == [
        (None, "sensor 64"),
        (Decimal("45.5"), None),
    ]


def test_state_and_weight_of_two_transactions_are_one_reading() -> None:
    codec = codec_of("modbus-pr5410", {"unit": "kg", "scale": "0.01"})
    bits, weight = asked(codec.poll(0))
    assert codec.receive(said(bits, rtu(b"\x01\x01\x40")), 0) == []
    (item,) = codec.receive(said(weight, registers([0, 1234])), 0)
    assert isinstance(item, Reading)
    assert (item.value, item.flags) == (Decimal("12.34"), {Flag.STABLE, Flag.GROSS})
    # The state is used once: a weight without one is none.
    (alone,) = codec.receive(said(weight, registers([0, 1234])), 0)
    assert isinstance(alone, Malformed)


def test_a_list_that_lies_elsewhere_is_moved_as_a_whole() -> None:
    codec = codec_of("modbus-rinstrum-300", {"first_register": 66, "unit": "kg", "scale": "0.5"})
    assert asked(codec.poll(0)) == ["read:1:3:66:4"]
    found = only(codec.receive(said("read:1:3:66:4", registers([0, 0x0800, 0, 7])), 0))
    assert (found["value"], found["zero"], found["stable"]) == ("3.5", True, True)
    with pytest.raises(SettingsFault, match="would not exist"):
        codec_of("modbus-rinstrum-300", {"first_register": 65_533})


def test_a_counter_that_stands_still_makes_the_weight_old() -> None:
    codec = codec_of("modbus-ft-112", {"unit": "kg"})

    def beat(count: int, at_ms: int) -> Decimal | str | None:
        words = [0, 12345, 0, 0, 0, 12345, 0x1000, 0, 0, 0, 0, count]
        (item,) = codec.receive(said("read:1:3:0:12", registers(words)), at_ms * MS)
        assert isinstance(item, Reading)
        assert (item.value is None) is (item.details.get("fault") == "stands still")
        return item.value

    assert beat(1, 0) == beat(2, 3000) == beat(2, 4900) == Decimal("12.345")
    assert beat(2, 5100) is None
    assert beat(3, 5200) == Decimal("12.345")


# -- the conversation --------------------------------------------------------------------------------------------------------


def test_blocks_are_asked_at_the_interval_and_one_round_at_a_time() -> None:
    codec = codec_of("modbus-laumas", {"unit_id": 7, "interval_ms": POLL_MS})
    assert asked(codec.poll(0)) == ["read:7:3:6:8"]
    assert codec.poll(POLL_MS * MS) is None, "nothing new while the answer is owed"
    codec.receive(said("read:7:3:6:8", rtu(registers([STABLE, 0, 1, 0, 1, 0, 1, 15])[1:-2], unit=7)), 50 * MS)
    assert codec.due_ns(50 * MS) == POLL_MS * MS
    assert codec.poll(100 * MS) is None
    assert asked(codec.poll(POLL_MS * MS)) == ["read:7:3:6:8"]


def test_no_answer_shows_at_once_and_is_asked_more_seldom() -> None:
    codec = codec_of("modbus-laumas")
    origin = "read:1:3:6:8"
    gaps: list[int] = []
    now_ns = 0
    for _ in range(6):
        assert asked(codec.poll(now_ns)) == [origin]
        assert codec.receive(said(origin, b""), now_ns) == []
        assert codec.overdue(now_ns)
        due_ns = codec.due_ns(now_ns)
        assert due_ns is not None
        gaps.append((due_ns - now_ns) // MS)
        now_ns = due_ns
    assert gaps == sorted(gaps)
    assert POLL_MS <= gaps[0] < gaps[-1] <= 1500
    codec.poll(now_ns)
    codec.receive(laumas(STABLE), now_ns)
    assert not codec.overdue(now_ns)
    codec.poll(now_ns)
    codec.receive(laumas(STABLE), now_ns)
    assert codec.due_ns(now_ns) == now_ns + POLL_MS * MS, "back at its pace"


def test_a_line_that_says_nothing_at_all_is_noticed_too() -> None:
    codec = codec_of("modbus-laumas")
    codec.poll(0)
    assert not codec.overdue(9_000 * MS)
    assert codec.overdue(10_001 * MS)
    assert asked(codec.poll(10_001 * MS)) == ["read:1:3:6:8"]


def test_busy_is_asked_again_and_reported_when_it_stays() -> None:
    codec = codec_of("modbus-laumas")
    busy = said("read:1:3:6:8", rtu(b"\x83\x06"))
    found: list[Decoded] = []
    now_ns = 0
    for _ in range(6):
        codec.poll(now_ns)
        found += codec.receive(busy, now_ns)
        due_ns = codec.due_ns(now_ns)
        assert due_ns is not None
        now_ns = due_ns
    assert [type(item) for item in found] == [Status] * 5 + [Refused]
    assert isinstance(found[-1], Refused)
    assert found[-1].code == "6"


@pytest.mark.parametrize(("code", "kind"), [(1, Refused), (2, Refused), (4, Refused), (0x0B, Malformed), (0x63, Refused)])
def test_exceptions_are_refusals_with_their_number(code: int, kind: type[Decoded]) -> None:
    codec = codec_of("modbus-laumas")
    codec.poll(0)
    (item,) = codec.receive(said("read:1:3:6:8", rtu(bytes([0x83, code]))), 0)
    assert isinstance(item, kind)
    assert not isinstance(item, Refused) or item.code == str(code)
    assert codec.overdue(0) is (code == 0x0B), "the gateway speaks for a device that does not"


def test_a_message_of_another_unit_is_not_taken() -> None:
    codec = codec_of("modbus-laumas", {"unit_id": 2})
    (item,) = codec.receive(laumas(STABLE), 0)
    assert isinstance(item, Malformed)


def test_a_command_is_done_when_the_device_shows_it() -> None:
    codec = codec_of("modbus-laumas")
    written = codec.command("tare")
    assert asked(written) == ["write:1:6:5:1"]
    echo = said("write:1:6:5:1", rtu(b"\x06\x00\x05\x00\x07"))
    assert codec.receive(echo, 0) == []
    assert [type(item) for item in codec.receive(laumas(STABLE), 100 * MS)] == [Reading]
    reading, done = codec.receive(laumas(STABLE | NET, net=0), 200 * MS)
    assert isinstance(reading, Reading)
    assert done == Acknowledged("tare", echo)
    assert codec.receive(b"", 60_000 * MS) == []


def test_a_command_without_effect_counts_as_refused() -> None:
    codec = codec_of("modbus-laumas")
    codec.command("zero")
    codec.receive(said("write:1:6:5:1", rtu(b"\x06\x00\x05\x00\x08")), 0)
    assert codec.due_ns(0) is not None
    codec.poll(0)
    due_ns = codec.due_ns(0)
    assert due_ns is not None
    assert due_ns <= 2_000 * MS
    codec.receive(laumas(STABLE), 1_000 * MS)
    (item,) = codec.receive(b"", 2_001 * MS)
    assert isinstance(item, Refused)
    assert item.code == "no-effect"


def test_a_second_tare_is_seen_by_the_net_weight_that_it_leaves() -> None:
    codec = codec_of("modbus-laumas")
    codec.receive(laumas(STABLE | NET, net=2500), 0)
    codec.command("tare")
    codec.receive(said("write:1:6:5:1", rtu(b"\x06\x00\x05\x00\x07")), 0)
    assert len(codec.receive(laumas(STABLE | NET, net=2500), 0)) == 1
    assert len(codec.receive(laumas(STABLE | NET, net=3), 0)) == 2


@pytest.mark.parametrize(("result", "expected"), [(0, Acknowledged), (1, Refused), (3, Refused), (77, Refused)])
def test_a_result_register_tells_how_a_command_went(result: int, expected: type[Decoded]) -> None:
    codec = codec_of("modbus-hardy", {"unit": "kg"})
    codec.command("zero")
    assert codec.receive(said("write:1:6:0:1", rtu(b"\x06\x00\x00\x00\x01")), 0) == []
    weight = struct.unpack(">HHHH", struct.pack(">ff", 1.5, 2.5))
    reading, told = codec.receive(said("read:1:3:0:12", registers([1, result, 0, 0, 0, 0, *weight, 0, 0])), 0)
    assert isinstance(reading, Reading)
    assert isinstance(told, expected)
    assert not isinstance(told, Refused) or told.code == str(result)


def test_a_refused_command_names_the_exception_and_busy_repeats_it() -> None:
    codec = codec_of("modbus-laumas")
    sent = codec.command("zero")
    (item,) = codec.receive(said("write:1:6:5:1", rtu(b"\x86\x06")), 0)
    assert isinstance(item, Status)
    due_ns = codec.due_ns(0)
    assert due_ns is not None
    assert codec.poll(100 * MS) == sent, "it was not done, so it may be said again"
    (refused,) = codec.receive(said("write:1:6:5:1", rtu(b"\x86\x04")), 200 * MS)
    assert isinstance(refused, Refused)
    assert refused.code == "4"
    assert asked(codec.poll(300 * MS)) == ["read:1:3:6:8"]


def test_a_command_without_an_answer_is_never_repeated() -> None:
    codec = codec_of("modbus-laumas")
    codec.command("zero")
    (item,) = codec.receive(said("write:1:6:5:1", b""), 0)
    assert isinstance(item, Refused)
    assert item.code == "no-answer"
    for at in range(50):
        assert not any(origin.startswith("write") for origin in asked(codec.poll(at * 300 * MS)))
        codec.receive(laumas(STABLE), at * 300 * MS)


def test_what_lies_open_at_the_end_comes_out_again() -> None:
    codec = codec_of("modbus-pr5410", {"unit": "kg", "scale": "0.01"})
    bits = said("read:1:1:32:8", rtu(b"\x01\x01\x40"))
    half = laumas(STABLE)[:20]
    assert codec.receive(bits + half, 0) == []
    assert [item.raw for item in codec.finish()] == [bits, half]
    assert codec.finish() == []


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"map": "toledo"}, "no map 'toledo'"),
        ({"type": "int17"}, "no map"),
        ({"type": "laumas", "first_register": 5}, "begin at 40001"),
        ({"type": "laumas", "first_register": "5"}, "is a number"),
        ({"map": {"blocks": []}}, "map: blocks"),
    ],
)
def test_a_capture_that_cannot_be_read_says_why(params: dict[str, object], reason: str) -> None:
    (found,) = decode("modbus-rtu", {"hex": registers([STABLE, 0, 1, 0, 1]).hex()}, params)
    assert reason in str(found["reason"])


@pytest.mark.parametrize("places", [14, 18])
def test_a_point_in_an_impossible_place_costs_the_value_only(places: int) -> None:
    point = {"kind": "mass", "value": {"register": 0, "type": "f32"}, "unit": "kg", "decimals": {"register": 2}}
    codec = codec_of("modbus", {"map": {"blocks": [{"function": 3, "start": 0, "count": 3}], "readings": [point]}})
    words = [*struct.unpack(">HH", struct.pack(">f", 9.9e14)), places]
    (found,) = codec.receive(said("read:1:3:0:3", registers(words)), 0)
    assert isinstance(found, Malformed)
    assert "decimals" in found.reason


def test_a_reading_is_decoded_by_the_map_of_its_day_whatever_became_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((MAPS / "comet.toml").read_text(encoding="utf-8"), encoding="utf-8")
    settings = read_settings(GENERIC.settings, {"map_file": str(path)})
    kept = settings.model_dump(mode="json")
    path.unlink()
    again = read_settings(GENERIC.settings, kept)
    assert GENERIC.make_codec(again).poll(0) == GENERIC.make_codec(settings).poll(0)
    with pytest.raises(SettingsFault):
        read_settings(GENERIC.settings, {"map_file": str(path)})
