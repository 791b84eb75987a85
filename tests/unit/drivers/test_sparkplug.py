"""Sparkplug B: payloads written by hand in protobuf's wire form, births and aliases, sequence, quality, history, deaths."""

import math
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Flag, Malformed, Reading, SettingsFault, Status
from drivers.envelope import Message
from drivers.mqtt.sparkplug_payload import PayloadFault, read_payload, shortest
from drivers.mqtt.topics import origin_of
from drivers.settings import read_settings

DRIVER = registry.get("sparkplug-b")
WEIGHT = {"metrics": [{"name": "Weight", "unit": "kg", "stable": "Stable"}]}

INT8, INT16, INT32, INT64, UINT8, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING = 1, 2, 3, 4, 5, 8, 9, 10, 11, 12


def varint(number: int) -> bytes:
    """Protobuf's variable-length number (encoding guide, base 128)."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | bytes | float, *, single: bool = False) -> bytes:
    """One field: a number, text or bytes, or a floating-point number."""
    if isinstance(value, float):
        return varint(number << 3 | (5 if single else 1)) + struct.pack("<f" if single else "<d", value)
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def metric(name: str | None = None, *, alias: int | None = None, kind: int | None = None, **more: Any) -> bytes:
    """Fields by their numbers in the specification: name 1, alias 2, timestamp 3, datatype 4, historical 5, null 7,
    properties 9, values 10 to 15."""
    out = b""
    if name is not None:
        out += field(1, name.encode())
    if alias is not None:
        out += field(2, alias)
    if "at" in more:
        out += field(3, more["at"])
    if kind is not None:
        out += field(4, kind)
    if more.get("historical"):
        out += field(5, 1)
    if more.get("null"):
        out += field(7, 1)
    if "quality" in more:
        out += field(9, field(1, b"Quality") + field(2, field(1, INT32) + field(3, more["quality"])))
    for key, number in (("int32", 10), ("int64", 11), ("double", 13), ("truth", 14), ("text", 15)):
        if key in more:
            out += field(number, more[key])
    if "single" in more:
        out += field(12, more["single"], single=True)
    return out


def payload(*metrics: bytes, seq: int | None = 0, at: int | None = 1_486_144_502_122) -> bytes:
    head = b"" if at is None else field(1, at)
    return head + b"".join(field(2, one) for one in metrics) + (b"" if seq is None else field(3, seq))


def message(what: str, data: bytes, *, node: str = "n1", device: str | None = None, retained: bool = False) -> bytes:
    topic = f"spBv1.0/plant/{what}/{node}" + (f"/{device}" if device else "")
    return Message(origin_of(topic, retained=retained), data).to_bytes()


def codec(**settings: Any) -> Any:
    return DRIVER.make_codec(read_settings(DRIVER.settings, WEIGHT | settings))


def shown(found: list[Any]) -> list[Any]:
    return [
        (format(item.value, "f") if item.value is not None else None, item.stable) if isinstance(item, Reading) else type(item)
        for item in found
    ]


def test_names_of_a_birth_give_data_by_alias_a_meaning() -> None:
    box = codec()
    assert shown(box.receive(message("NBIRTH", payload(metric("bdSeq", kind=INT64, int64=0), seq=0)), 0)) == [Status]
    birth = payload(metric("Weight", alias=7, kind=DOUBLE, double=0.5), metric("Stable", alias=8, kind=BOOLEAN, truth=1), seq=1)
    assert shown(box.receive(message("DBIRTH", birth, device="d"), 0)) == [("0.5", True)]
    assert shown(box.receive(message("DDATA", payload(metric(alias=7, double=12.34), seq=2), device="d"), 0)) == [
        ("12.34", True)
    ]
    moving = payload(metric(alias=7, double=12.35), metric(alias=8, truth=0), seq=3)
    assert shown(box.receive(message("DDATA", moving, device="d"), 0)) == [("12.35", False)]


def test_a_reading_by_alias_can_be_read_again_from_its_own_raw() -> None:
    box = codec()
    birth = payload(metric("Weight", alias=7, kind=FLOAT, single=0.5), metric("Stable", alias=8, kind=BOOLEAN, truth=1), seq=1)
    box.receive(message("DBIRTH", birth, device="d"), 0)
    data = message("DDATA", payload(metric(alias=7, single=12.34), seq=2), device="d")
    (found,) = box.receive(data, 0)
    assert found.raw.endswith(data)
    assert list(DRIVER.decode(found.raw, WEIGHT)) == [found]
    assert len(found.raw) < len(data) + 150, "what is kept of a birth is what this one metric needs"


def test_an_alias_before_any_birth_is_told_and_no_value() -> None:
    (told,) = codec().receive(message("DDATA", payload(metric(alias=7, double=1.5)), device="d"), 0)
    assert isinstance(told, Status)
    assert "rebirth" in told.text


def test_aliases_belong_to_the_latest_birth_of_their_own_device() -> None:
    box = codec()
    box.receive(message("DBIRTH", payload(metric("Weight", alias=1, kind=DOUBLE, double=1.0), seq=0), device="a"), 0)
    box.receive(message("DBIRTH", payload(metric("Other", alias=1, kind=DOUBLE, double=2.0), seq=1), device="b"), 0)
    assert shown(box.receive(message("DDATA", payload(metric(alias=1, double=3.0), seq=2), device="b"), 0)) == [Status]
    box.receive(message("DBIRTH", payload(metric("Other", alias=1, kind=DOUBLE, double=2.0), seq=3), device="a"), 0)
    assert shown(box.receive(message("DDATA", payload(metric(alias=1, double=3.0), seq=4), device="a"), 0)) == [Status]


def test_missing_and_repeated_messages_are_told_and_the_value_is_used() -> None:
    box = codec()
    one = metric("Weight", kind=DOUBLE, double=1.5)
    box.receive(message("NBIRTH", payload(one, seq=0)), 0)
    told, value = box.receive(message("NDATA", payload(one, seq=4)), 0)
    assert told == Status("3 messages are missing before number 4", told.raw)
    assert isinstance(value, Reading)
    (again, _) = box.receive(message("NDATA", payload(one, seq=4)), 0)
    assert again.text == "number 4 came twice"
    for seq in (5, 6):
        assert shown(box.receive(message("NDATA", payload(one, seq=seq)), 0)) == [("1.5", None)]
    assert shown(box.receive(message("NBIRTH", payload(one, seq=0)), 0)) == [("1.5", None)]
    box.receive(message("NBIRTH", payload(one, seq=255)), 0)
    assert shown(box.receive(message("DDATA", payload(one, seq=0), device="d"), 0)) == [("1.5", None)]
    assert shown(box.receive(message("NDATA", payload(one, seq=None)), 0)) == [Status, ("1.5", None)]


def test_one_device_alone_is_not_asked_for_the_numbers_of_its_neighbours() -> None:
    box = codec()
    one = metric("Weight", kind=DOUBLE, double=1.5)
    for seq in (1, 7, 30, 30):
        assert shown(box.receive(message("DDATA", payload(one, seq=seq), device="d"), 0)) == [("1.5", None)]


@pytest.mark.parametrize(
    ("given", "fault"),
    [({"null": True}, "null"), ({"quality": 0}, "bad"), ({"quality": 500}, "stale"), ({"quality": 7}, "quality 7"), ({}, None)],
)
def test_null_and_bad_quality_are_no_value(given: dict[str, Any], fault: str | None) -> None:
    (found,) = codec().receive(message("NDATA", payload(metric("Weight", kind=DOUBLE, double=1.5, **given))), 0)
    assert (found.value is None) is (fault is not None)
    assert found.details.get("fault") == fault
    assert (Flag.UNAVAILABLE in found.flags) is (fault is not None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_no_value(value: float) -> None:
    for more in ({"double": value}, {"single": value}):
        (found,) = codec().receive(message("NDATA", payload(metric("Weight", kind=DOUBLE, **more))), 0)
        assert (found.value, found.details["fault"]) == (None, "null")


def test_stored_values_are_no_new_ones_unless_wanted() -> None:
    data = message("NDATA", payload(metric("Weight", kind=DOUBLE, double=1.5, historical=True, at=1_486_144_502_122)))
    (told,) = codec().receive(data, 0)
    assert isinstance(told, Status)
    assert "2017-02-03T17:55:02.122Z" in told.text
    (found,) = codec(take_historical=True).receive(data, 0)
    assert (found.value, found.instrument_time, found.details["historical"]) == (
        Decimal("1.5"),
        "2017-02-03T17:55:02.122Z",
        "true",
    )


def test_deaths_take_the_value_and_the_names_away() -> None:
    box = codec()
    box.receive(message("DBIRTH", payload(metric("Weight", alias=1, kind=DOUBLE, double=1.0), seq=1), device="d"), 0)
    (gone,) = box.receive(message("DDEATH", payload(seq=2), device="d"), 0)
    assert (gone.value, gone.flags, gone.details["fault"]) == (None, {Flag.UNAVAILABLE}, "offline")
    (gone,) = box.receive(message("NDEATH", payload(metric("bdSeq", kind=INT64, int64=0), seq=None)), 0)
    assert gone.flags == {Flag.UNAVAILABLE}
    (after,) = box.receive(message("NBIRTH", payload(metric("Weight", kind=DOUBLE, double=2.0), seq=0)), 0)
    assert after.value == Decimal("2.0")


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (INT8, {"int32": 0xFFFFFFFF}, "-1"),
        (INT8, {"int32": 0xFF}, "-1"),
        (INT8, {"int32": 127}, "127"),
        (INT16, {"int32": 0xFFFF8000}, "-32768"),
        (INT32, {"int32": 0x80000000}, "-2147483648"),
        (INT64, {"int64": 2**64 - 5}, "-5"),
        (UINT8, {"int32": 200}, "200"),
        (UINT64, {"int64": 10**17}, str(10**17)),
        (FLOAT, {"single": 0.1}, "0.1"),
        (FLOAT, {"single": 12.345}, "12.345"),
        (FLOAT, {"single": 16777217.0}, "16777216"),
        (DOUBLE, {"double": 0.1}, "0.1"),
        (DOUBLE, {"double": -12.5}, "-12.5"),
        (DOUBLE, {"single": 2.5}, "2.5"),
    ],
)
def test_numbers_of_each_type(kind: int, given: dict[str, Any], value: str) -> None:
    (found,) = codec().receive(message("NDATA", payload(metric("Weight", kind=kind, **given))), 0)
    assert isinstance(found, Reading)
    assert found.value == Decimal(value)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (INT8, {"int32": 300}),
        (UINT8, {"int32": 256}),
        (INT16, {"int32": 0x7FFFFFFF}),
        (UINT64, {"int64": 2**64 - 1}),
        (STRING, {"text": b"1.5"}),
        (BOOLEAN, {"truth": 1}),
        (DOUBLE, {"double": 1e300}),
        (DOUBLE, {"double": 1e-300}),
        (FLOAT, {"single": 3.4028234663852886e38}),
    ],
)
def test_what_does_not_fit_is_refused(kind: int, given: dict[str, Any]) -> None:
    (found,) = codec().receive(message("NDATA", payload(metric("Weight", kind=kind, **given))), 0)
    assert isinstance(found, Malformed)


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("spBv1.0/plant/NCMD/n1", Status),
        ("spBv1.0/STATE/host", Status),
        ("spBv1.0/plant/DDATA/n1", Status),
        ("spBv1.0/plant/NDATA/n1/d", Status),
        ("other/plant/NDATA/n1", Status),
        ("spBv1.0/plant/NDATA/n1\0birth", None),
        ("x\0birth", Malformed),
        ("spBv1.0/" + "p" * 1000 + "/NDATA/n1", Status),
    ],
)
def test_other_topics_give_no_value(topic: str, kind: type | None) -> None:
    data = Message(topic, payload(metric("Weight", kind=DOUBLE, double=1.5))).to_bytes()
    assert [type(item) for item in codec().receive(data, 0)] == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    "one",
    [
        field(1, b"\xff\xfe") + field(4, DOUBLE) + field(13, 1.5),
        metric("Weight", kind=STRING, text=b"\xff"),
        metric("Weight", kind=DOUBLE, double=1.5) + field(9, field(1, b"\xff") + field(2, field(3, 1))),
    ],
)
def test_texts_that_are_none_are_told(one: bytes) -> None:
    (found,) = codec().receive(message("NDATA", payload(one)), 0)
    assert found == Malformed("a text that is not UTF-8", found.raw)


def test_broken_payloads_and_kept_ones_are_told() -> None:
    (found,) = codec().receive(message("NDATA", b"\x12\xff\xff"), 0)
    assert isinstance(found, Malformed)
    (found,) = codec().receive(message("NDATA", payload(metric("Weight", kind=DOUBLE, double=1.5)), retained=True), 0)
    assert isinstance(found, Status)


def test_nodes_that_are_heard_are_limited() -> None:
    box = codec()
    one = payload(metric("Weight", kind=DOUBLE, double=1.5))
    found = [box.receive(message("NDATA", one, node=f"n{number}"), 0)[0] for number in range(257)]
    assert [type(item) for item in found] == [Reading] * 256 + [Malformed]


def test_metrics_that_do_not_fit_are_refused() -> None:
    for metrics, told in [([{"name": "W", "unit": "kilo"}], "no unit here"), ([], "metrics"), ([{"name": "W"}], "unit")]:
        with pytest.raises(SettingsFault, match=told):
            codec(metrics=metrics)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
@example(3.4028234663852886e38)
@example(1.401298464324817e-45)
def test_single_precision_reads_back_as_the_same_number(value: float) -> None:
    text = shortest(value, single=True)
    assert text is not None
    assert struct.pack(">f", float(text)) == struct.pack(">f", value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_double_precision_reads_back_as_the_same_number(value: float) -> None:
    assert float(shortest(value, single=False) or 0) == value


ANYTHING = st.one_of(st.integers(0, 2**64 - 1), st.binary(max_size=12), st.floats())
FIELDS = st.lists(st.tuples(st.integers(1, 20), ANYTHING, st.booleans()), max_size=5)


def wire(fields: list[tuple[int, Any, bool]]) -> bytes:
    out = b""
    for number, value, single in fields:
        try:
            out += field(number, value, single=single)
        except OverflowError:
            continue
    return out


@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=3), FIELDS)
def test_any_fields_give_declared_results(metrics: list[Any], rest: list[Any]) -> None:
    box = codec()
    data = b"".join(
        field(2, metric("Weight") + wire(one) + field(9, field(1, b"Quality") + field(2, wire(properties))))
        for one, properties in metrics
    ) + wire([one for one in rest if one[0] != 2])
    for what in ("NBIRTH", "NDATA", "NDEATH"):
        for item in box.receive(message(what, data), 0):
            assert isinstance(item, Reading | Malformed | Status)
            list(DRIVER.decode(item.raw, WEIGHT))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_payload_or_a_fault(data: bytes) -> None:
    try:
        read_payload(data, {})
    except PayloadFault:
        return
