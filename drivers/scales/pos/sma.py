"""SMA SCP-0499, the protocol of the Scale Manufacturers Association: LF, command, CR; answers with all states in one line.

Sources: Sartorius PR 5220 and PR 5211 manuals (SMA chapters, EN-51); Fairbanks PR 5410 manual (SMA chapter).
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import (
    Acknowledged,
    Decoded,
    DriverInfo,
    Flag,
    Identity,
    Kind,
    Mode,
    Probe,
    Reading,
    Refused,
    Settings,
    Status,
    Tier,
)
from drivers.scales.pos.frames import MarkedFrames, between, stray
from drivers.scales.pos.talking import talking
from drivers.scales.pos.weights import Unusable, at_rest, guarded, mass, number, unit_code
from drivers.talk import STABLE_TIMEOUT_NS, Command, Talk
from sync_protocol.wiretext import clean

MAX_FRAME = 64
"""Bytes. A weight takes 20; the lines that answer A and B stay under 40."""

STREAM_SILENCE_NS = 1_500_000_000
"""R repeats at the display's rate, several times a second."""

MEASURE = between(b"\n\x8a", b"\r\x8d", MAX_FRAME)

KINDS = {"G": Flag.GROSS, "N": Flag.NET, "T": Flag.TARE}

FAULTS = {
    "E": ("zero-error", "zero was refused: outside the zero range or in motion"),
    "T": ("tare-error", "tare was refused: outside the tare range or in motion"),
}

REFUSALS = {
    "?": "the scale does not know the command",
    "!": "the scale saw a communication fault",
}

IDENTITIES = {
    "SMA": "level",
    "MFG": "manufacturer",
    "MOD": "model",
    "REV": "software",
    "SN": "serial",
    "OP": "option",
    "END": "end",
}
"""Labels of the answers to A (first line) and B (one line for each B)."""

_WEIGHT = re.compile(r"([ ZOUEIT])(.)([GNTgnt])([ M])(.)(.{10})(.{1,3})")
_LABEL = re.compile(r"([A-Z]{2,3})[0-9 ]?:(.*)", re.ASCII)


class SmaSettings(Settings):
    """How an SMA scale is asked."""

    mode: Literal["poll", "stream"] = Field(default="poll", description="Ask for each weight, or let the scale repeat it (R).")
    interval_ms: int = Field(default=200, ge=50, le=60_000, description="Milliseconds between two questions in poll mode.")
    high_resolution: bool = Field(default=False, description="Ask with H, which gives one more digit, instead of W.")


def _read(raw: bytes, asked: str | None) -> Decoded:
    if raw[0] != 0x0A or raw[-1] != 0x0D:
        return stray(raw)
    text = raw[1:-1].decode("latin-1")
    if text in REFUSALS:
        return Refused(text, REFUSALS[text], raw)
    if (fields := _WEIGHT.fullmatch(text)) is not None:
        return _weighed(fields, raw, asked)
    if (label := _LABEL.fullmatch(text)) is not None and label[1] in IDENTITIES:
        return Identity(clean(label[2].strip() or label[1], 40), raw, what=IDENTITIES[label[1]])
    if re.fullmatch(r"[A-Z ]{4}", text):
        return _diagnosed(text, raw, asked)
    raise Unusable(f"not an SMA answer: {clean(text, 40)!r}")


def _diagnosed(text: str, raw: bytes, asked: str | None) -> Decoded:
    """The answer to D: a letter for each fault, in fixed places."""
    if text.strip():
        return Refused(f"diagnostics-{text.replace(' ', '').lower()}", f"diagnostics report a fault: {text!r}", raw)
    return Acknowledged(asked, raw) if asked == "diagnostics" else Status("diagnostics ok", raw)


def _weighed(fields: re.Match[str], raw: bytes, asked: str | None) -> Decoded:
    status = fields[1]
    if status in FAULTS:
        return Refused(*FAULTS[status], raw)
    reading = _weight(fields, raw)
    if asked == "zero":
        return _zeroed(reading)
    if asked == "tare":
        return _tared(reading)
    return Acknowledged(asked, raw) if asked == "clear_tare" and Flag.NET not in reading.flags else reading


def _weight(fields: re.Match[str], raw: bytes) -> Reading:
    status, letter = fields[1], fields[3]
    flags = {KINDS[letter.upper()]}
    details = {"high_resolution": "true"} if letter.islower() else {}
    if status == "O":
        return mass(None, None, flags | {Flag.OVERLOAD}, raw, **details)
    if status == "I":
        return mass(None, None, flags | {Flag.NOT_ZEROED}, raw, **details)
    if status in "UZ":
        flags.add(Flag.UNDERLOAD if status == "U" else Flag.ZERO)
    if status == "U" and set(fields[6].strip()) <= {"-"}:
        return mass(None, None, flags, raw, **details)
    flags.add(at_rest(moving=fields[4] == "M"))
    return mass(number(fields[6]), unit_code(fields[7]), flags, raw, **details)


def _zeroed(reading: Reading) -> Decoded:
    """Z is answered by a weight: zero was taken when it shows nothing, at rest."""
    if reading.value == 0 and Flag.MOTION not in reading.flags:
        return Acknowledged("zero", reading.raw)
    return _not_done("zero", reading)


def _tared(reading: Reading) -> Decoded:
    """T is answered by a weight: tare was taken when it is net and shows nothing."""
    if reading.value == 0 and Flag.NET in reading.flags and Flag.MOTION not in reading.flags:
        return Acknowledged("tare", reading.raw)
    return _not_done("tare", reading)


def _not_done(what: str, reading: Reading) -> Decoded:
    for flag, code in ((Flag.MOTION, "motion"), (Flag.OVERLOAD, "over"), (Flag.UNDERLOAD, "under")):
        if flag in reading.flags:
            return Refused(code, f"{what} was not taken: {code}", reading.raw)
    # A weight that was asked for before may come first; it says nothing about the command.
    return reading


COMMANDS = {
    "zero": Command(b"\nZ\r", STABLE_TIMEOUT_NS),
    "tare": Command(b"\nT\r", STABLE_TIMEOUT_NS),
    "clear_tare": Command(b"\nC\r"),
    "stable": Command(b"\nP\r", STABLE_TIMEOUT_NS, confirms=lambda item: isinstance(item, Reading) and item.stable is True),
    "read_tare": Command(b"\nM\r", confirms=lambda item: isinstance(item, Reading) and Flag.TARE in item.flags),
    "diagnostics": Command(b"\nD\r"),
    "about": Command(b"\nA\r", confirms=lambda item: isinstance(item, Identity | Refused)),
    "info": Command(b"\nB\r", confirms=lambda item: isinstance(item, Identity | Refused)),
}


def _talk(settings: SmaSettings) -> Talk:
    poll = settings.mode == "poll"
    return Talk(
        framer=lambda: MarkedFrames(MEASURE),
        read=guarded(_read),
        ask=(b"\nH\r" if settings.high_resolution else b"\nW\r") if poll else None,
        interval_ns=settings.interval_ms * 1_000_000,
        start=None if poll else b"\nR\r",
        silence_ns=None if poll else STREAM_SILENCE_NS,
        commands=COMMANDS,
    )


def _recognises(answer: bytes) -> bool:
    """One whole weight line: no other protocol has its columns."""
    return re.fullmatch(rb"\n[ ZOUEIT].[GNTgnt][ M].[-+0-9. ]{10}[A-Za-z/_ ]{3}\r", answer) is not None


SMA = talking(
    DriverInfo(
        name="sma",
        title="SMA SCP-0499",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=(
            "Sartorius PR 5211, PR 5220 with SMA protocol",
            "Fairbanks PR 5410 and other Fairbanks indicators with SMA",
            "Scales that follow SMA SCP-0499 level 1 or 2",
        ),
        sources=(
            "Sartorius PR 5211 manual, EN-51",
            "Sartorius PR 5220 manual, SMA chapter",
            "Fairbanks PR 5410 manual, SMA chapter",
        ),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=tuple(COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.STREAM),
        probe=Probe(b"\nW\r", _recognises, order=30),
        notes=("Level 1 devices know neither tare nor the stream; they answer ? to them.",),
    ),
    SmaSettings,
    _talk,
)
