"""From registers to readings: what a map's points mean in what was read together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from drivers.api import Decoded, Flag, Kind, Malformed, Reading, Refused
from drivers.modbus.mapping import Coded, Codes, Number, Point, Status
from drivers.modbus.registers import WORDS, NumberFault, Order, number, whole_number
from sync_protocol.quantity import UNITS, plain

KINDS_BY_DIMENSION = {"mass": Kind.MASS, "count": Kind.COUNT, "force": Kind.FORCE, "pressure": Kind.PRESSURE}
"""A weight transmitter that is set to newtons or pieces does not give a mass."""

TENS = tuple(Decimal(1).scaleb(-digits) for digits in range(19))
"""Digits behind the point -> the factor."""


_OUT_OF_RANGE = frozenset({Flag.OVERLOAD, Flag.UNDERLOAD})
_OF_A_VALUE = frozenset({Flag.STABLE, Flag.MOTION, Flag.ZERO})


class PointFault(ValueError):
    """Registers that give no reading; never leaves this package."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever installed the device said of it, over what its map says."""

    word_order: Order = "big"
    byte_order: Order = "big"
    unit: str | None = None
    scale: Decimal | None = None
    round_: int | None = None
    stuck: bool = False
    """The device's own counter stands still: what it shows is old."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one transaction brought: words of registers, or bits, from a number of the paper on."""

    start: int
    words: Sequence[int]
    bits: bool = False

    def take(self, register: int, count: int) -> Sequence[int] | None:
        at = register - self.start
        return self.words[at : at + count] if at >= 0 and at + count <= len(self.words) else None


@dataclass(slots=True)
class Said:
    """What the status registers of one point say, together."""

    first: int | None = None
    flags: frozenset[Flag] = frozenset()
    fault: str | None = None
    missing: str | None = None
    decimals: int | None = None
    preset_tare: bool | None = None


Memo = dict[tuple[int | None, ...], Said]
"""What status values meant before: a device shows the same few over and over."""

MAX_MEMO = 256
"""States that are remembered of one point; a status that counts would fill the memory otherwise."""


def is_there(point: Point, chunks: Iterable[Chunk]) -> bool:
    """Whether everything that the point needs was read."""
    held = tuple(chunks)
    return all(
        any(chunk.bits is (words == 0) and chunk.take(register, max(words, 1)) is not None for chunk in held)
        for register, words, needed in point.spans()
        if needed
    )


def read_point(point: Point, terms: Terms, chunks: Sequence[Chunk], raw: bytes, memo: Memo) -> Decoded:
    """The reading of one point. States of the device are flags without a value, its faults are its refusals.

    `memo` belongs to the point: it is filled here.
    """
    try:
        return _read(point, terms, chunks, raw, memo)
    except (PointFault, NumberFault) as exc:
        return Malformed(str(exc), raw)


def _read(point: Point, terms: Terms, chunks: Sequence[Chunk], raw: bytes, memo: Memo) -> Decoded:
    said = _said(point, terms, chunks, memo)
    if said.fault is not None:
        return Refused(said.fault, f"the device reports a fault of its own: {said.fault}", raw)
    details = {} if point.name is None else {"variable": point.name}
    missing = said.missing or ("stands still" if terms.stuck else None)
    if missing is None and not said.flags & _OUT_OF_RANGE:
        found = _values(point, terms, chunks, said)
        if found is not None:
            value, unit, amounts = found
            kind = KINDS_BY_DIMENSION.get(UNITS[unit][0], Kind.QUANTITY) if point.kind is Kind.MASS else point.kind
            return Reading(kind, value, unit, said.flags, raw, details=details | amounts)
        missing = "no value"
    # A value that is not there is neither at rest nor at zero.
    flags = said.flags - _OF_A_VALUE
    if missing is not None:
        flags |= {Flag.UNAVAILABLE}
        details["fault"] = missing
    return Reading(point.kind, None, None, flags, raw, details=details)


def _values(point: Point, terms: Terms, chunks: Sequence[Chunk], said: Said) -> tuple[Decimal, str, dict[str, str]] | None:
    """The value, its unit, and what stands beside it; None where the device says that there is none."""
    digits = _digits(point, chunks, said)
    net = Flag.NET in said.flags
    shown = point.value if point.value is not None else point.net if net else point.gross
    value = None if shown is None else _number(shown, point, terms, chunks, said, digits)
    if value is None:
        return None
    amounts: dict[str, str] = {}
    for name, one in (("gross", point.gross if net else None), ("tare", point.tare)):
        amount = None if one is None else _number(one, point, terms, chunks, said, digits, optional=True)
        if amount is not None:
            amounts[name] = plain(amount)
    if said.preset_tare is not None:
        amounts["preset_tare"] = "true" if said.preset_tare else "false"
    return value, _unit(point, terms, chunks), amounts


def _number(
    one: Number,
    point: Point,
    terms: Terms,
    chunks: Sequence[Chunk],
    said: Said,
    digits: int | None,
    *,
    optional: bool = False,
) -> Decimal | None:
    words = _take(chunks, one.register_, WORDS[one.type_])
    if words is None:
        if optional:
            return None
        raise PointFault(f"register {one.register_} was not read")
    value = number(words, one.type_, word_order=one.word_order or terms.word_order, byte_order=terms.byte_order)
    if value is None or value in one.unavailable:
        return None
    value = _scaled(value, one, point, terms, digits)
    if one.negative is not None and said.first is not None and said.first >> one.negative & 1:
        value = -value
    places = terms.round_ if terms.round_ is not None else one.round_
    if places is not None:
        value = _rounded(value, places)
    return value or abs(value)


def _rounded(value: Decimal, places: int) -> Decimal:
    try:
        return value.quantize(TENS[places], rounding=ROUND_HALF_EVEN)
    # More digits than numbers are worked with: the device's own place of the point is wrong, or the order of words.
    except InvalidOperation as exc:
        raise PointFault(f"{value:.3e} has no {places} decimals") from exc


def _scaled(value: Decimal, one: Number, point: Point, terms: Terms, digits: int | None) -> Decimal:
    if digits is not None:
        return _rounded(value, digits) if one.type_ == "f32" else value * TENS[digits]
    scale = terms.scale or one.scale or point.scale
    if scale is None:
        if one.type_ == "f32":
            return value
        raise PointFault(f"set `scale`: the device sends {value} and does not say where the point is")
    return value if scale == 1 else value * scale


def _unit(point: Point, terms: Terms, chunks: Sequence[Chunk]) -> str:
    code = None if point.units is None else _code(point.units, chunks)
    if code is not None and point.units is not None:
        unit = point.units.codes.get(code)
        if unit is None:
            raise PointFault(f"unknown unit: the device sends the number {code} for it")
        return unit
    unit = terms.unit or point.unit
    if unit is None:
        raise PointFault("set `unit`: the device does not send it")
    return unit


def _digits(point: Point, chunks: Sequence[Chunk], said: Said) -> int | None:
    if said.decimals is not None or point.decimals is None:
        return said.decimals
    code = _code(point.decimals, chunks)
    if code is None:
        return None
    digits = point.decimals.codes.get(code) if point.decimals.codes else code
    if digits is None or not 0 <= digits < len(TENS):
        raise PointFault(f"the device sends the number {code} for the place of the point")
    return digits


def _said(point: Point, terms: Terms, chunks: Sequence[Chunk], memo: Memo) -> Said:
    values = tuple(_status_value(status, terms, chunks) for status in point.status)
    found = memo.get(values)
    if found is None:
        if len(memo) >= MAX_MEMO:
            memo.clear()
        found = memo[values] = _together(point, values)
    return found


def _together(point: Point, values: Sequence[int | None]) -> Said:
    said = Said(first=values[0] if values else None)
    for status, value in zip(point.status, values, strict=True):
        if value is not None:
            _add(said, status, value)
    if point.shows is not None and not said.flags & {Flag.NET, Flag.GROSS}:
        said.flags |= {Flag(point.shows)}
    return said


def _add(said: Said, status: Status, value: int) -> None:
    said.fault = said.fault or _first_set(status.faults, value)
    said.missing = said.missing or _first_set(status.no_value, value)
    if status.mask is not None and value & status.mask:
        said.missing = said.missing or f"{status.faulty or 'fault'} {value & status.mask}"
    said.flags |= _flags(status, value)
    if status.codes is not None:
        _add_code(said, status.codes, value >> status.codes.shift & status.codes.mask)
    elsewhere = said.missing or said.fault or said.flags & _OUT_OF_RANGE
    if not elsewhere and not all(value >> bit & 1 for bit in status.wanted):
        said.missing = "not valid"
    if status.preset_tare:
        said.preset_tare = _any_set(status.preset_tare, value)
    said.decimals = next((digits for bit, digits in status.decimals.items() if value >> bit & 1), said.decimals)


def _add_code(said: Said, codes: Codes, code: int) -> None:
    said.fault = said.fault or codes.faults.get(code)
    said.missing = said.missing or codes.no_value.get(code)
    for flag, numbers in ((Flag.OVERLOAD, codes.over), (Flag.UNDERLOAD, codes.under)):
        if code in numbers:
            said.flags |= {flag}


def _flags(status: Status, value: int) -> set[Flag]:
    flags: set[Flag] = set()
    if status.motion or status.stable:
        moving = _any_set(status.motion, value) if status.motion else not _any_set(status.stable, value)
        flags.add(Flag.MOTION if moving else Flag.STABLE)
    if status.net:
        flags.add(Flag.NET if _any_set(status.net, value) else Flag.GROSS)
    for flag, bits in ((Flag.ZERO, status.zero), (Flag.OVERLOAD, status.over), (Flag.UNDERLOAD, status.under)):
        if _any_set(bits, value):
            flags.add(flag)
    return flags


def _any_set(bits: Sequence[int], value: int) -> bool:
    return any(value >> bit & 1 for bit in bits)


def _first_set(words: Mapping[int, str], value: int) -> str | None:
    return next((text for bit, text in words.items() if value >> bit & 1), None)


def _status_value(status: Status, terms: Terms, chunks: Sequence[Chunk]) -> int | None:
    if status.type_ == "bits":
        return next((_bits(chunk, status.register_) for chunk in chunks if chunk.bits), None)
    words = _take(chunks, status.register_, WORDS[status.type_])
    if words is None:
        return None
    return whole_number(words, status.type_, word_order=status.word_order or terms.word_order, byte_order=terms.byte_order)


def _bits(chunk: Chunk, register: int) -> int | None:
    taken = chunk.words[max(register - chunk.start, 0) :][:32] if register >= chunk.start else None
    return None if not taken else sum(bit << place for place, bit in enumerate(taken))


def _code(coded: Coded, chunks: Sequence[Chunk]) -> int | None:
    words = _take(chunks, coded.register_, 1)
    return None if words is None else words[0] >> coded.shift & coded.mask


def _take(chunks: Sequence[Chunk], register: int, count: int) -> Sequence[int] | None:
    for chunk in chunks:
        if not chunk.bits and (words := chunk.take(register, count)) is not None:
            return words
    return None
