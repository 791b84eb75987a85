"""Sparkplug B payloads: the message form of the specification, built from its field numbers, and metrics as values.

Source: Eclipse Sparkplug specification 3.0, section 6.4 (payload, metric, property set, data types) and 6.5 (topics).
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from math import isfinite
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

MAX_METRICS = 4096
"""Metrics of one message; a birth of a whole plant's gateway has some thousands."""


class DataType(IntEnum):
    """Data types of metrics (6.4.16) that hold one value."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15


_BITS = {
    DataType.INT8: 8,
    DataType.INT16: 16,
    DataType.INT32: 32,
    DataType.INT64: 64,
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
}
_SIGNED = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})

GOOD = 192
"""Quality of a value that can be used (6.4.15); 0 is bad, 500 stale."""

_KINDS = descriptor_pb2.FieldDescriptorProto
_U32, _U64, _BOOL = _KINDS.TYPE_UINT32, _KINDS.TYPE_UINT64, _KINDS.TYPE_BOOL
_TEXT, _BYTES, _FLOAT, _DOUBLE = _KINDS.TYPE_STRING, _KINDS.TYPE_BYTES, _KINDS.TYPE_FLOAT, _KINDS.TYPE_DOUBLE

_Fields = tuple[tuple[int, str, int], ...]

# Number, name and type of each field; those that hold no single value (body, metadata, data sets, templates, extensions) are
# left out: protobuf keeps what it does not know apart.
_PAYLOAD: _Fields = ((1, "timestamp", _U64), (3, "seq", _U64), (4, "uuid", _TEXT))
_METRIC: _Fields = (
    (1, "name", _TEXT),
    (2, "alias", _U64),
    (3, "timestamp", _U64),
    (4, "datatype", _U32),
    (5, "is_historical", _BOOL),
    (6, "is_transient", _BOOL),
    (7, "is_null", _BOOL),
)
_METRIC_VALUE: _Fields = (
    (10, "int_value", _U32),
    (11, "long_value", _U64),
    (12, "float_value", _FLOAT),
    (13, "double_value", _DOUBLE),
    (14, "boolean_value", _BOOL),
    (15, "string_value", _TEXT),
    (16, "bytes_value", _BYTES),
)
_PROPERTY: _Fields = ((1, "type", _U32), (2, "is_null", _BOOL))
_PROPERTY_VALUE: _Fields = (
    (3, "int_value", _U32),
    (4, "long_value", _U64),
    (5, "float_value", _FLOAT),
    (6, "double_value", _DOUBLE),
    (7, "boolean_value", _BOOL),
    (8, "string_value", _TEXT),
)


class PayloadFault(ValueError):
    """Bytes that are no Sparkplug B payload, or a value that its type does not allow."""


def _message(file: Any, name: str, fields: _Fields, value: _Fields = ()) -> Any:
    made = file.message_type.add(name=name)
    for number, field, kind in fields:
        made.field.add(name=field, number=number, type=kind, label=_KINDS.LABEL_OPTIONAL)
    if value:
        made.oneof_decl.add(name="value")
        for number, field, kind in value:
            made.field.add(name=field, number=number, type=kind, label=_KINDS.LABEL_OPTIONAL, oneof_index=0)
    return made


def _within(made: Any, number: int, name: str, kind: str, *, many: bool) -> None:
    label = _KINDS.LABEL_REPEATED if many else _KINDS.LABEL_OPTIONAL
    made.field.add(name=name, number=number, type=_KINDS.TYPE_MESSAGE, label=label, type_name=f".tallybox.sparkplug.{kind}")


def _payload_class() -> Any:
    # The second edition of the language: it tells a field that is absent from one that is zero.
    file = descriptor_pb2.FileDescriptorProto(name="tallybox_sparkplug.proto", package="tallybox.sparkplug", syntax="proto2")
    _message(file, "PropertyValue", _PROPERTY, _PROPERTY_VALUE)
    properties = _message(file, "PropertySet", ())
    properties.field.add(name="keys", number=1, type=_TEXT, label=_KINDS.LABEL_REPEATED)
    _within(properties, 2, "values", "PropertyValue", many=True)
    metric = _message(file, "Metric", _METRIC, _METRIC_VALUE)
    _within(metric, 9, "properties", "PropertySet", many=False)
    payload = _message(file, "Payload", _PAYLOAD)
    _within(payload, 2, "metrics", "Metric", many=True)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tallybox.sparkplug.Payload"))


PayloadMessage = _payload_class()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as it came. `name` is None where only the alias was sent; `value` is None for null. `complete` says that it
    came with its name and data type, and means the same without any birth."""

    name: str | None
    alias: int | None
    datatype: int
    value: Decimal | str | bool | None
    timestamp_ms: int | None
    historical: bool
    quality: int | None
    complete: bool


@dataclass(frozen=True, slots=True)
class Payload:
    """One message."""

    seq: int | None
    timestamp_ms: int | None
    metrics: tuple[Metric, ...]


def read_payload(data: bytes, types: Mapping[int | str, int]) -> Payload:
    """A payload; `types` are the data types of a birth, by alias and by name, for metrics that do not say theirs again.

    Raises PayloadFault.
    """
    found = PayloadMessage()
    try:
        found.ParseFromString(data)
    except DecodeError as exc:
        raise PayloadFault("not a Sparkplug B payload") from exc
    if len(found.metrics) > MAX_METRICS:
        raise PayloadFault(f"more than {MAX_METRICS} metrics in one message")
    return Payload(
        seq=found.seq if found.HasField("seq") else None,
        timestamp_ms=found.timestamp if found.HasField("timestamp") else None,
        metrics=tuple(_metric(one, types) for one in found.metrics),
    )


def reduced_birth(metrics: Iterable[tuple[str, int | None, int, bool | None]]) -> bytes:
    """A payload that tells what is needed of a birth: name, alias, data type, and the value of a Boolean metric."""
    made = PayloadMessage()
    for name, alias, datatype, truth in metrics:
        one = made.metrics.add(name=name, datatype=datatype)
        if alias is not None:
            one.alias = alias
        if truth is not None:
            one.boolean_value = truth
    return bytes(made.SerializeToString(deterministic=True))


def _metric(one: Any, types: Mapping[int | str, int]) -> Metric:
    name = _text(one.name) or None
    alias = one.alias if one.HasField("alias") else None
    kind = one.datatype if one.HasField("datatype") else None
    for key in (name, alias):
        if kind is None and key is not None:
            kind = types.get(key)
    return Metric(
        name=name,
        alias=alias,
        datatype=kind or 0,
        value=None if one.is_null else _value(one, kind or 0),
        timestamp_ms=one.timestamp if one.HasField("timestamp") else None,
        historical=one.is_historical,
        quality=_quality(one),
        complete=name is not None and one.HasField("datatype"),
    )


def _value(one: Any, kind: int) -> Decimal | str | bool | None:
    field = one.WhichOneof("value")
    if field is None:
        return None
    given = getattr(one, field)
    match field:
        case "int_value" | "long_value":
            return _whole(given, kind, 32 if field == "int_value" else 64)
        case "float_value":
            return shortest(given, single=True)
        case "double_value":
            return shortest(given, single=False)
        case "boolean_value":
            return bool(given)
        case "string_value":
            return _text(given)
        case _:
            raise PayloadFault("bytes are no measurement")


def _whole(given: int, kind: int, width: int) -> Decimal:
    """Negative numbers come as two's complement, in the width of their type or sign-extended to that of the field."""
    if kind not in _BITS:
        return Decimal(given)
    bits = _BITS[DataType(kind)]
    value = given
    if DataType(kind) in _SIGNED:
        if given >> bits and given >= 1 << (width - 1):
            value = given - (1 << width)
        elif not given >> bits and given >= 1 << (bits - 1):
            value = given - (1 << bits)
        fits = -(1 << (bits - 1)) <= value < 1 << (bits - 1)
    else:
        fits = given < 1 << bits
    if not fits:
        raise PayloadFault(f"{given} does not fit its type {DataType(kind).name}")
    return Decimal(value)


def shortest(value: float, *, single: bool) -> Decimal | None:
    """The shortest decimal that reads back as the same number; None for what is none (NaN, infinities)."""
    if not isfinite(value):
        return None
    if not single:
        return Decimal(repr(value))
    # Nine digits always tell two single-precision numbers apart; fewer often do.
    texts = (f"{value:.{digits}g}" for digits in range(1, 9))
    return Decimal(next((text for text in texts if _as_single(text) == value), f"{value:.9g}"))


def _as_single(text: str) -> float | None:
    """What a decimal is in single precision; None where it is rounded past the largest."""
    try:
        (found,) = struct.unpack(">f", struct.pack(">f", float(text)))
    except OverflowError:
        return None
    return float(found)


def _text(given: str | bytes) -> str:
    """Protobuf's texts; it hands out as bytes what is not UTF-8."""
    if isinstance(given, bytes):
        raise PayloadFault("a text that is not UTF-8")
    return given


def _quality(one: Any) -> int | None:
    if not one.HasField("properties"):
        return None
    for key, value in zip(one.properties.keys, one.properties.values, strict=False):
        if _text(key).casefold() == "quality" and value.WhichOneof("value") in {"int_value", "long_value"}:
            return int(getattr(value, value.WhichOneof("value")))
    return None
