"""Parcel scales' answers to shipping software: UPS WorldShip (also Fairbanks with EOT) and FedEx (FED12, FED96).

Sources: Pennsylvania Sterling 7600 technical manual 7600TM2021REV7, emulation modes; Fairbanks parcel scale manuals.
"""

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Kind, Malformed, Mode, Settings, Tier
from drivers.framing import FrameBuffer
from drivers.scales.pos.frames import MarkedFrames, between, stray
from drivers.scales.pos.nci import StatusBytes, weighed
from drivers.scales.pos.talking import talking
from drivers.scales.pos.weights import Unusable, at_rest, guarded, mass, number, unit_code
from drivers.talk import Talk
from sync_protocol.wiretext import clean

UPS_MAX_FRAME = 64
"""Bytes. The string takes 18, with high capacities 20."""

FEDEX_MAX_FRAME = 32
"""Bytes. The answer takes 14."""

UPS_ENDS = {"etx": b"\x03", "eot": b"\x04"}

_UPS = re.compile(rb"(?=[-+ 0-9.]{6,8} [A-Za-z]) *([-+]?[0-9]+(?:\.[0-9]+)?) ([A-Za-z]{1,3}\.?) +(GR|gr|NT|nt) {2}", re.ASCII)
"""The weight fills six places and more: a line whose head is missing is not a smaller weight."""


class UpsSettings(Settings):
    """How a scale in UPS WorldShip mode is asked."""

    interval_ms: int = Field(default=500, ge=50, le=60_000, description="Milliseconds between two questions for the weight.")
    end: Literal["etx", "eot"] = Field(
        default="etx", description="Last character of an answer: ETX, or EOT on Fairbanks scales of high capacity."
    )


class FedexSettings(Settings):
    """How a scale in FedEx mode is asked."""

    interval_ms: int = Field(default=500, ge=50, le=60_000, description="Milliseconds between two questions for the weight.")


def _read_ups(raw: bytes, asked: str | None) -> Sequence[Decoded]:  # noqa: ARG001 - there is one question only
    """An answer has no mark in front: what stands before its line is given apart."""
    if any(byte & 0x80 for byte in raw):
        return [stray(raw)]
    over = raw[-3:-1] != b"\r\n"
    line_at = raw.rfind(b"\n", 0, -2 if over else -3) + 1
    before, line = raw[:line_at], raw[line_at:]
    found: list[Decoded] = [stray(before)] if before else []
    try:
        found.append(_ups_line(line, over=over))
    except Unusable as exc:
        found.append(Malformed(str(exc), line))
    return found


def _ups_line(raw: bytes, *, over: bool) -> Decoded:
    if over and raw[:-1] == b"\r":
        return mass(None, None, {Flag.GROSS, Flag.OVERLOAD}, raw)
    fields = _UPS.fullmatch(raw[:-3])
    if fields is None or over:
        raise Unusable(f"not a whole UPS line: {clean(raw[:-1].decode('latin-1'), 32)!r}")
    kind = Flag.GROSS if fields[3].lower() == b"gr" else Flag.NET
    # Lower case is the only sign of motion.
    flags = {kind, at_rest(moving=fields[3].islower())}
    return mass(number(fields[1].decode("ascii")), unit_code(fields[2].decode("ascii")), flags, raw)


def _read_fedex(raw: bytes, asked: str | None) -> Decoded:  # noqa: ARG001 - there is one question only
    if raw[0] != 0x0A or raw[-1] != 0x03:
        return stray(raw)
    weight, separator, status = raw[1:-1].partition(b"\r")
    if not separator:
        raise Unusable("no status behind the weight")
    return weighed(weight, StatusBytes.from_bytes(status), raw)


def _ups_talk(settings: UpsSettings) -> Talk:
    end = UPS_ENDS[settings.end]
    return Talk(
        # With bit 7 as well: 7O2 read with 8 data bits must show as what it is.
        framer=lambda: FrameBuffer((end, bytes([end[0] | 0x80])), UPS_MAX_FRAME),
        read=_read_ups,
        ask=b"\r",
        interval_ns=settings.interval_ms * 1_000_000,
    )


def _fedex_talk(settings: FedexSettings) -> Talk:
    return Talk(
        framer=lambda: MarkedFrames(between(b"\n\x8a", b"\x03\x83", FEDEX_MAX_FRAME)),
        read=guarded(_read_fedex),
        ask=b"W\r",
        interval_ns=settings.interval_ms * 1_000_000,
    )


UPS_WORLDSHIP = talking(
    DriverInfo(
        name="ups-worldship",
        title="Parcel scale, UPS WorldShip mode",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=(
            "Pennsylvania Sterling 7600 in UPS mode",
            "Fairbanks parcel scales with the UPS string (end EOT on high capacities)",
        ),
        sources=("Pennsylvania Sterling 7600 technical manual 7600TM2021REV7, UPS emulation", "Fairbanks parcel scale manuals"),
        serial_defaults={"baudrate": 9600, "bytesize": 7, "parity": "O", "stopbits": 2},
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        notes=("An overload is told by an empty line; there is no sign of a load below zero.",),
    ),
    UpsSettings,
    _ups_talk,
)

FEDEX = talking(
    DriverInfo(
        name="fedex",
        title="Parcel scale, FedEx mode",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Pennsylvania Sterling 7600 in FED96 or FED12 mode", "Parcel scales with the FedEx answer"),
        sources=("Pennsylvania Sterling 7600 technical manual 7600TM2021REV7, FedEx emulation",),
        serial_defaults={"baudrate": 9600, "bytesize": 7, "parity": "E", "stopbits": 1},
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        notes=("FED96 is 9600 7E1 as preset here; FED12 is 1200 8N1: set the line so.",),
    ),
    FedexSettings,
    _fedex_talk,
)
