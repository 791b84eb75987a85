"""What CAS indicators send by themselves or when asked: 22 and 10 bytes, A&D's 18 bytes, and the ASCII line of PD-II and AP.

Sources: CAS CI-150A and CI-400 manuals, data formats; CAS CI-600D manual, 10-3; CAS PD-II manual, ASCII protocol.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Kind, Malformed, Mode, Settings, Tier
from drivers.framing import FrameBuffer, parity_of
from drivers.scales.pos.frames import MarkedFrames, between, stray
from drivers.scales.pos.talking import talking
from drivers.scales.pos.weights import UNITS, UnitName, Unusable, guarded, mass, number, unit_code
from drivers.talk import Talk
from sync_protocol.wiretext import clean

MAX_LINE = 64
"""Bytes. The longest format has 22."""

STREAM_SILENCE_NS = 2_000_000_000
"""A stream sends several lines a second."""

STABLE, HOLD, PRINT, GROSS, TARE, ZERO = 0x40, 0x10, 0x08, 0x04, 0x02, 0x01
"""Bits of the lamp byte (CI-600D, 10-3). Bit 5 is 0 or 1 by model."""

LAMPS = 0x80
"""Always set in the lamp byte: a line of 7 data bits destroys it."""

HEADS = {"ST": {Flag.STABLE}, "US": {Flag.MOTION}, "OL": {Flag.OVERLOAD}}
KINDS = {"GS": Flag.GROSS, "NT": Flag.NET}

_CAS_22 = re.compile(rb"(ST|US|OL),(GS|NT),(.)(.),(.{8}) (.{2})\r\n", re.DOTALL)
_AND_18 = re.compile(rb"(ST|US|OL),(GS|NT),(.{8})(.{2})\r\n")
_CAS_10 = re.compile(rb"[-+ 0-9.]{8}\r\n")
_PD2 = re.compile(rb"\x02(ST|US|OL),(GS|NT),([-+ ])(.{6}) (.{2})\r")


class _CasLineSettings(Settings):
    """What the formats share."""

    mode: Literal["stream", "print", "poll"] = Field(
        default="stream", description="The indicator sends all the time, for each print key, or when asked."
    )
    device_id: str = Field(
        default="1",
        min_length=1,
        max_length=1,
        pattern=r"[\x21-\x7e]",
        description="Character that asks this indicator (poll).",
    )
    interval_ms: int = Field(default=200, ge=50, le=60_000, description="Milliseconds between two questions in poll mode.")


class Cas22Settings(_CasLineSettings):
    """How an indicator with the 22-byte format speaks."""


class And18Settings(_CasLineSettings):
    """How an indicator with the 18-byte format speaks."""


class Cas10Settings(_CasLineSettings):
    """How an indicator with the 10-byte format speaks."""

    unit: UnitName = Field(default="kg", description="Unit that the indicator shows; this format does not send it.")


class CasPd2Settings(Settings):
    """How a PD-II or AP scale with the ASCII line speaks."""

    mode: Literal["stream", "print"] = Field(
        default="stream", description="The scale sends all the time, or once for each load."
    )


def _read_22(raw: bytes, asked: str | None) -> Decoded:  # noqa: ARG001 - one question only
    if (fields := _CAS_22.fullmatch(raw)) is None:
        return _other(raw, "22-byte")
    lamps = fields[4][0]
    if not lamps & LAMPS:
        raise Unusable("line setting: the lamp byte has lost its bit 7; the port must have 8 data bits and no parity")
    flags = {*HEADS[fields[1].decode()], KINDS[fields[2].decode()]}
    details = {"device_id": clean(fields[3].decode("latin-1"), 4)}
    if lamps & TARE:
        details["tare_active"] = "true"
    if lamps & PRINT:
        details["print_request"] = "true"
    if Flag.OVERLOAD in flags:
        return mass(None, None, flags, raw, **details)
    if lamps & ZERO:
        flags.add(Flag.ZERO)
    return mass(_digits(fields[5]), _unit(fields[6]), flags, raw, **details)


def _read_18(raw: bytes, asked: str | None) -> Decoded:  # noqa: ARG001 - one question only
    if (fields := _AND_18.fullmatch(raw)) is None:
        return _other(raw, "18-byte")
    flags = {*HEADS[fields[1].decode()], KINDS[fields[2].decode()]}
    if Flag.OVERLOAD in flags:
        return mass(None, None, flags, raw)
    return mass(_digits(fields[3]), _unit(fields[4]), flags, raw)


def _read_10(unit: UnitName, raw: bytes, asked: str | None) -> Decoded:  # noqa: ARG001 - one question only
    if _CAS_10.fullmatch(raw) is None:
        return _other(raw, "10-byte")
    return mass(_digits(raw[:8]), UNITS[unit], (), raw)


def _read_pd2(raw: bytes, asked: str | None) -> Decoded:  # noqa: ARG001 - one question only
    if raw[0] != 0x02 or raw[-1] != 0x0D:
        return stray(raw)
    if (fields := _PD2.fullmatch(raw)) is None:
        raise Unusable(f"not a line of 18 bytes: {clean(raw[1:-1].decode('latin-1'), 32)!r}")
    kind, sign, digits = KINDS[fields[2].decode()], fields[3], fields[4]
    if fields[1] == b"OL" or not digits.strip(b"- "):
        # Dashes in place of the digits; the sign alone tells over from under.
        return mass(None, None, {kind, Flag.UNDERLOAD if sign == b"-" else Flag.OVERLOAD}, raw)
    return mass(_digits(sign + digits), _unit(fields[5]), {*HEADS[fields[1].decode()], kind}, raw)


def _digits(field: bytes) -> Decimal:
    return number(field.decode("latin-1"))


def _unit(field: bytes) -> str:
    return unit_code(field.decode("latin-1"))


def _other(raw: bytes, what: str) -> Malformed:
    if parity_of(raw) is not None:
        return stray(raw)
    return Malformed(f"not a line of the {what} format: {clean(raw.decode('latin-1').strip(), 40)!r}", raw)


def _lines(settings: _CasLineSettings, read: Callable[[bytes, str | None], Decoded]) -> Talk:
    return Talk(
        # LF alone ends a line: the lamp byte may be LF with bit 7 set.
        framer=lambda: FrameBuffer((b"\n",), MAX_LINE),
        read=guarded(read),
        ask=settings.device_id.encode("ascii") if settings.mode == "poll" else None,
        interval_ns=settings.interval_ms * 1_000_000,
        silence_ns=STREAM_SILENCE_NS if settings.mode == "stream" else None,
    )


def _talk_pd2(settings: CasPd2Settings) -> Talk:
    return Talk(
        framer=lambda: MarkedFrames(between(b"\x02\x82", b"\r\x8d", MAX_LINE)),
        read=guarded(_read_pd2),
        silence_ns=STREAM_SILENCE_NS if settings.mode == "stream" else None,
    )


LINE = {"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1}


def _info(
    name: str, title: str, models: tuple[str, ...], sources: tuple[str, ...], *notes: str, polled: bool = True
) -> DriverInfo:
    return DriverInfo(
        name=name,
        title=title,
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=models,
        sources=sources,
        serial_defaults=LINE,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT, Mode.POLL) if polled else (Mode.STREAM, Mode.AUTOPRINT),
        notes=notes,
    )


CAS_22 = talking(
    _info(
        "cas-22",
        "CAS indicator, 22 bytes",
        ("CAS CI-150A, CI-400, CI-600D and other CI indicators", "CAS NT-200 series with the 22-byte format"),
        ("CAS CI-600D manual, 10-3", "CAS CI-150A and CI-400 manuals, data formats"),
        "The lamp byte needs 8 data bits and no parity; on a 7-bit line every reading is refused with that reason.",
    ),
    Cas22Settings,
    lambda settings: _lines(settings, _read_22),
)

AND_18 = talking(
    _info(
        "and-18",
        "CAS indicator, A&D 18 bytes",
        ("CAS CI-600D and other CI indicators set to AND 18 bytes",),
        ("CAS CI-600D manual, 10-3",),
    ),
    And18Settings,
    lambda settings: _lines(settings, _read_18),
)

CAS_10 = talking(
    _info(
        "cas-10",
        "CAS indicator, 10 bytes",
        ("CAS CI indicators set to 10 bytes",),
        ("CAS CI-150A, CI-400 and CI-600D manuals, data formats",),
        "This format says neither unit nor rest nor overload: choose 22 bytes where the indicator has it.",
    ),
    Cas10Settings,
    lambda settings: _lines(settings, partial(_read_10, settings.unit)),
)

CAS_PD2_ASCII = talking(
    _info(
        "cas-pd2-ascii",
        "CAS PD-II or AP, ASCII line",
        ("CAS PD-II and AP with the ASCII protocol",),
        ("CAS PD-II manual, ASCII protocol",),
        "Overload and load below zero come as dashes; the sign alone tells one from the other.",
        polled=False,
    ),
    CasPd2Settings,
    _talk_pd2,
)
