"""NCI (SCP-01, the "ECR" protocol of tills): a letter and CR; a weight line with a status line, or the status alone.

Sources: Mettler-Toledo DIVA service manual, 6.1.2; SCP-01 text in Fairbanks PC2250 manual, p. 61, Brecknell MS140 manual,
p. 31, Adam MDW manual, p. 13, Ohaus Aviator 7000 service manual, p. 47-49.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from drivers.api import Acknowledged, Decoded, DriverInfo, Flag, Kind, Mode, Probe, Refused, Settings, Status, Tier
from drivers.scales.pos.frames import NO_FRAME, MarkedFrames, stray
from drivers.scales.pos.talking import talking
from drivers.scales.pos.weights import UNITS, Unusable, at_rest, guarded, mass, number, ounces, unit_code
from drivers.talk import Command, Talk
from sync_protocol.wiretext import clean

LF, CR, ETX = 0x0A, 0x0D, 0x03

MAX_FRAME = 48
"""Bytes. A compound weight in high resolution with four status bytes takes 26."""

COMMAND_TIMEOUT_NS = 2_000_000_000

FAULTS = (
    (0, 0x04, "ram", "the scale's memory is faulty"),
    (0, 0x08, "eeprom", "the scale's stored parameters are faulty"),
    (1, 0x04, "rom", "the scale's program memory is faulty"),
    (1, 0x08, "calibration", "the scale's calibration is faulty"),
)
"""Status byte, bit, code, meaning (SCP-01, table of status bits)."""

MARKS = {"^": Flag.OVERLOAD, "_": Flag.UNDERLOAD, "-": Flag.NOT_ZEROED}
"""Some models fill the weight with these instead of leaving the line out."""

_WEIGHT = re.compile(r"([-+ ]?[0-9 ]*[0-9.]*[0-9]) *([A-Za-z]{1,3})", re.ASCII)
WIDTHS = range(6, 9)
"""Characters of a weight with its point: six, in high resolution seven (SCP-01), and one more where a model sends a sign. A
weight that has lost its point or one of its digits is narrower."""

_COMPOUND = re.compile(r"([-+ ]?[0-9 ]*[0-9]) *[Ll][Bb] +([0-9]+(?:\.[0-9]+)?) *[Oo][Zz]", re.ASCII)
_MARKED = re.compile(r"([\^_-])\1{3,7} *[A-Za-z ]{0,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StatusBytes:
    """Two to four bytes; bits 4 and 5 are set in each, bit 7 is parity."""

    codes: tuple[int, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> "StatusBytes":
        """With or without the letter S in front. Raises Unusable."""
        codes = tuple(byte & 0x7F for byte in data.removeprefix(b"S"))
        if not 2 <= len(codes) <= 4 or any(code & 0x30 != 0x30 for code in codes):
            raise Unusable(f"not a status: {clean(data.decode('latin-1'), 16)!r}")
        return cls(codes)

    def has(self, byte: int, bit: int) -> bool:
        return len(self.codes) > byte and bool(self.codes[byte] & bit)

    def fault(self) -> tuple[str, str] | None:
        """Code and meaning of the first fault that it tells."""
        return next(((code, text) for byte, bit, code, text in FAULTS if self.has(byte, bit)), None)

    def flags(self) -> frozenset[Flag]:
        told = {
            Flag.ZERO: self.has(0, 0x02),
            Flag.UNDERLOAD: self.has(1, 0x01),
            Flag.OVERLOAD: self.has(1, 0x02),
            Flag.NET: self.has(2, 0x04),
            Flag.NOT_ZEROED: self.has(2, 0x08),
        }
        return frozenset({flag for flag, true in told.items() if true} | {at_rest(moving=self.has(0, 0x01))})


class NciSettings(Settings):
    """How an NCI scale is asked."""

    interval_ms: int = Field(default=200, ge=50, le=60_000, description="Milliseconds between two questions for the weight.")
    high_resolution: bool = Field(
        default=False,
        description="Ask with H, which gives one more digit, instead of W; B-TEK scales then answer 100 times it.",
    )


def measure(data: bytearray, at: int) -> int | None:
    """LF to ETX; a line feed inside comes behind a CR, any other is the start of the next answer."""
    if data[at] & 0x7F != LF:
        return NO_FRAME
    for offset in range(at + 1, min(len(data), at + MAX_FRAME)):
        code = data[offset] & 0x7F
        if code == ETX:
            return offset + 1 - at
        if code == LF and data[offset - 1] & 0x7F != CR:
            return NO_FRAME
    return None if len(data) < at + MAX_FRAME else NO_FRAME


def _read(raw: bytes, asked: str | None) -> Decoded:
    if raw[0] != LF or raw[-2:] != b"\r\x03":
        return stray(raw)
    body = raw[1:-2]
    if body == b"?":
        return Refused("?", "the scale does not know the command", raw)
    weight, separator, rest = body.rpartition(b"\r\n")
    status = StatusBytes.from_bytes(rest)
    if (fault := status.fault()) is not None:
        return Refused(*fault, raw)
    if separator:
        return weighed(weight, status, raw)
    if asked in COMMANDS:
        return _commanded(asked, status, raw)
    return mass(None, None, status.flags() | {Flag.STATUS}, raw)


def weighed(line: bytes, status: StatusBytes, raw: bytes) -> Decoded:
    """A weight line under its status. Raises Unusable."""
    text = line.decode("latin-1")
    if text.strip().lower() in UNITS:
        return Status(f"unit {text.strip().lower()}", raw)
    flags = set(status.flags())
    flags.add(Flag.NET if Flag.NET in flags else Flag.GROSS)
    if (marked := _MARKED.fullmatch(text.strip(" "))) is not None:
        flags.add(MARKS[marked[1]])
    elif not flags & {Flag.OVERLOAD, Flag.UNDERLOAD, Flag.NOT_ZEROED}:
        return mass(*_amount(text), flags, raw)
    return mass(None, None, flags - {Flag.STABLE, Flag.MOTION}, raw)


def _amount(text: str) -> tuple[Decimal, str]:
    if (compound := _COMPOUND.fullmatch(text.strip(" "))) is not None:
        return ounces(compound[1], compound[2]), UNITS["oz"]
    if (fields := _WEIGHT.fullmatch(text.strip(" "))) is None:
        raise Unusable(f"not a weight with its unit: {clean(text, 24)!r}")
    unit = unit_code(fields[2])
    # Blanks may fill the field, and then count; where zeros do, a blank in front is none of it.
    places = fields[1] if fields[1].lstrip("+-").startswith("0") else text.removesuffix(fields[2]).rstrip(" ")
    if len(places) not in WIDTHS and not (unit == "g" and len(places) == WIDTHS[0] - 1 and "." not in places):
        raise Unusable(f"a weight has {WIDTHS[0]} places or one more: a digit or the point is missing in {clean(text, 24)!r}")
    return number(fields[1]), unit


def _commanded(asked: str, status: StatusBytes, raw: bytes) -> Decoded:
    flags = status.flags()
    for flag, code in ((Flag.MOTION, "motion"), (Flag.OVERLOAD, "over"), (Flag.UNDERLOAD, "under")):
        if flag in flags:
            return Refused(code, f"{asked} was not taken: {code}", raw)
    if asked == "zero" and Flag.ZERO not in flags:
        return Refused("zero-range", "zero was not taken: the load is outside the zero range", raw)
    return Acknowledged(asked, raw)


COMMANDS = {
    "zero": Command(b"Z\r", COMMAND_TIMEOUT_NS),
    "tare": Command(b"T\r", COMMAND_TIMEOUT_NS),
}


def _talk(settings: NciSettings) -> Talk:
    return Talk(
        framer=lambda: MarkedFrames(measure),
        read=guarded(_read),
        ask=b"H\r" if settings.high_resolution else b"W\r",
        interval_ns=settings.interval_ms * 1_000_000,
        commands=COMMANDS,
    )


def _recognises(answer: bytes) -> bool:
    """One weight with its unit and status, or a status with its letter."""
    return (
        re.fullmatch(rb"\n(?:[-0-9. ]{5,8}[A-Za-z]{1,2}\r\n)?S[\x30-\x7f]{2,4}\r\x03", answer) is not None
        or re.fullmatch(rb"\n[-0-9. ]{5,8}[A-Za-z]{1,2}\r\n[\x30-\x7f]{2,4}\r\x03", answer) is not None
    )


NCI = talking(
    DriverInfo(
        name="nci-scp01",
        title="NCI (SCP-01, ECR)",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=(
            "Weigh-Tronix and Avery Weigh-Tronix bench and parcel scales with NCI",
            "Brecknell MS140, Fairbanks PC2250, Adam MDW, Ohaus Aviator 7000",
            "Mettler-Toledo DIVA in ECR mode with NCI answers",
        ),
        sources=(
            "Mettler-Toledo DIVA service manual, 6.1.2",
            "Fairbanks PC2250 manual, p. 61 (SCP-01)",
            "Brecknell MS140 manual, p. 31",
            "Ohaus Aviator 7000 service manual, p. 47-49",
        ),
        serial_defaults={"baudrate": 9600, "bytesize": 7, "parity": "E", "stopbits": 1},
        commands=tuple(COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        probe=Probe(b"W\r", _recognises, order=20, lines=("9600-7E1", "9600-8N1")),
        notes=(
            "In motion, below zero or above the capacity most models send their status and no weight.",
            "Pounds with ounces are given in ounces. On USB such scales talk 8N1.",
        ),
    ),
    NciSettings,
    _talk,
)
