"""Toledo 8217 and 8213, the letters that most tills know, and Datalogic's variant with letters for the status.

Sources: Mettler-Toledo DIVA service manual, 6.1.3 (8217) and 6.1.4 (8213); Transcell PC-150 manual, B.1.4; Salter Brecknell
3700LP manual, p. 11; Rice Lake BenchPro manual, 8213 protocol; Datalogic KA-01089 (SASI).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pydantic import Field

from drivers.api import (
    Acknowledged,
    Decoded,
    Driver,
    DriverInfo,
    Flag,
    Kind,
    Malformed,
    Mode,
    Probe,
    Reading,
    Refused,
    Settings,
    Tier,
)
from drivers.captures import CaptureFault, Decoder, frames, line_bytes, settings_of
from drivers.scales.pos.frames import NO_FRAME, MarkedFrames, is_whole, stray
from drivers.scales.pos.talking import talking
from drivers.scales.pos.weights import UNITS, UnitName, Unusable, at_rest, digits_of, mass, number
from drivers.settings import own_settings, read_settings
from drivers.talk import Command, Talk
from drivers.vocabulary import Described, describe, fault
from sync_protocol.wiretext import clean

STX, CR = 0x02, 0x0D
STX_EVEN, CR_ODD_CLEAR = 0x82, 0x8D
"""STX and CR of a 7E1 line that is read with 8 data bits."""

MAX_FRAME = 16
"""Bytes. The longest answer is the 8213's high resolution with its mark of net: 10 bytes."""

NET_DIGITS = 5
"""Digits of a known tare (DIVA 6.1.3, command T)."""

DECIMALS: dict[UnitName, int] = {"kg": 3, "lb": 2, "g": 0, "t": 3, "oz": 1}
"""Where the point stands in a known tare: the manuals give kg and lb; others are as the displays of such scales."""

COMMAND_TIMEOUT_NS = 2_000_000_000
"""Tares are answered after 150 ms; one that is switched off in the set-up is never answered."""

MOTION, OVER, UNDER, OUTSIDE, CENTRE_OF_ZERO, NET, BAD_COMMAND = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
"""Bits of the status byte (DIVA 6.1.3). OUTSIDE the zero-capture range says nothing about a weight; it explains a refused Z."""

SELF_TEST_FAULTS = {
    0x01: ("novram", "the self test found the non-volatile memory faulty"),
    0x02: ("ram", "the self test found the memory faulty"),
    0x04: ("processor-ram", "the self test found the processor's memory faulty"),
    0x08: ("rom", "the self test found the program memory faulty"),
}
"""Bits of the answer to B, which has the shape of a status (DIVA 6.1.3)."""

SELF_TEST_PASSED, SELF_TEST_READ = 0x40, 0x00

SASI_STATES = {
    "A": frozenset({Flag.MOTION}),
    "B": frozenset({Flag.OVERLOAD}),
    "C": frozenset({Flag.UNDERLOAD}),
    "D": frozenset({Flag.STABLE}),
}
"""Datalogic KA-01089: A motion, B out of range, C under zero, D outside the zero range."""

LETTERS = frozenset("WHZTCABEF")
"""Commands, as a capture may name the one that it answers."""

CHANGES = frozenset({"zero", "tare", "preset_tare", "clear_tare"})

_WEIGHT = re.compile(rb"\x02( *[0-9]{1,5}\.[0-9]{1,4})(N?)\r")
"""Always with its point: digits that have lost it would be a weight a thousand times as large."""

PLACES = 6
"""Of a weight, point and blanks included, at least: a narrower one has lost a digit. In pounds the 8217 has one less."""

MODELS_8217 = ("Mettler-Toledo 8217, Ariva, Viva and DIVA in 8217 mode", "Checkout scales with the Toledo 8217 protocol")


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What the settings fix about the answers."""

    unit: UnitName
    letters: bool
    bit5: Literal["net", "fixed"]
    bit6: Literal["bad-command", "fixed"]
    places: int = PLACES


class _ToledoSettings(Settings):
    """What both models share."""

    unit: UnitName = Field(default="kg", description="Unit that the scale weighs in; the protocol does not send it.")
    interval_ms: int = Field(default=200, ge=50, le=60_000, description="Milliseconds between two questions for the weight.")
    high_resolution: bool = Field(default=False, description="Ask with H, which gives one more digit, instead of W.")
    status_bit5: Literal["net", "fixed"]
    status_bit6: Literal["bad-command", "fixed"]


class Toledo8217Settings(_ToledoSettings):
    """How a Toledo 8217 scale is asked."""

    status_bit5: Literal["net", "fixed"] = Field(
        default="net", description="Whether bit 5 of the status byte means net, or is always 1 as on clones."
    )
    status_bit6: Literal["bad-command", "fixed"] = Field(
        default="bad-command", description="Whether bit 6 of the status byte means an unknown command, or is always 1."
    )


class Toledo8213Settings(_ToledoSettings):
    """How a Toledo 8213 scale is asked."""

    status_bit5: Literal["net", "fixed"] = Field(
        default="fixed", description="Whether bit 5 of the status byte means net (Mettler-Toledo), or is always 1 (clones)."
    )
    status_bit6: Literal["bad-command", "fixed"] = Field(
        default="fixed", description="Whether bit 6 of the status byte means an unknown command, or is always 1."
    )


class SasiSettings(Settings):
    """How a Datalogic scale with the SASI protocol is asked."""

    unit: UnitName = Field(default="kg", description="Unit that the scale weighs in; the protocol does not send it.")
    interval_ms: int = Field(default=200, ge=50, le=60_000, description="Milliseconds between two questions for the weight.")


def measure(data: bytearray, at: int) -> int | None:
    """STX to CR; behind `STX ?` exactly two bytes, because the status byte may be 0x0D itself."""
    if data[at] not in (STX, STX_EVEN):
        return NO_FRAME
    if len(data) - at > 1 and data[at + 1] in (0x3F, 0xBF):
        if len(data) - at < 4:
            return None
        return 4 if data[at + 3] & 0x7F == CR else NO_FRAME
    for offset in range(at + 1, min(len(data), at + MAX_FRAME)):
        if data[offset] & 0x7F == CR:
            return offset + 1 - at
        if data[offset] & 0x7F < 0x20:
            return NO_FRAME
    return None if len(data) < at + MAX_FRAME else NO_FRAME


def read_frame(dialect: _Dialect, raw: bytes, asked: str | None) -> Sequence[Decoded]:
    """One frame, or what lies between two. The answer to B looks like a status: `asked` tells them apart."""
    if raw[0] != STX or not is_whole(measure, raw):
        return [stray(raw)]
    try:
        return [_answer(dialect, raw, asked)]
    except Unusable as exc:
        return [Malformed(str(exc), raw)]


def _answer(dialect: _Dialect, raw: bytes, asked: str | None) -> Decoded:
    if raw[1:2] == b"?":
        return _state(dialect, raw, asked)
    if raw == b"\x02\r":
        return Acknowledged(asked or "self_test", raw)
    if raw == b"\x02E\r":
        return Acknowledged("echo", raw)
    match = _WEIGHT.fullmatch(raw)
    if match is None:
        raise Unusable(f"not an answer of this protocol: {clean(raw[1:-1].decode('latin-1'), 24)!r}")
    reading = _weight(dialect, match, raw)
    return Acknowledged(asked, raw) if asked is not None and _shows(asked, reading) else reading


def _weight(dialect: _Dialect, match: re.Match[bytes], raw: bytes) -> Reading:
    if len(match[1]) < dialect.places:
        raise Unusable(f"a weight has {dialect.places} places, not {len(match[1])}: a digit is missing")
    # A weight in motion is never sent, so one that is sent was at rest.
    flags = {Flag.STABLE}
    if match[2]:
        flags.add(Flag.NET)
    elif dialect.bit5 == "net" or dialect.letters:
        flags.add(Flag.GROSS)
    return mass(number(match[1].decode("ascii")), UNITS[dialect.unit], flags, raw)


def _shows(asked: str, reading: Reading) -> bool:
    """Whether a weight that came after a command shows that it was done."""
    if asked == "zero":
        return reading.value == 0
    if asked in {"tare", "preset_tare"}:
        return Flag.NET in reading.flags
    return asked == "clear_tare" and Flag.NET not in reading.flags


def _state(dialect: _Dialect, raw: bytes, asked: str | None) -> Decoded:
    if asked == "self_test_result":
        return _self_test(raw)
    if dialect.letters:
        letter = chr(raw[2])
        if letter not in SASI_STATES:
            raise Unusable(f"unknown state {clean(letter, 8)!r}")
        flags, outside = SASI_STATES[letter], letter == "D"
    elif dialect.bit6 == "bad-command" and raw[2] & BAD_COMMAND:
        return Refused("bad-command", "the scale does not know the command", raw)
    else:
        flags, outside = _flags(raw[2], net_told=dialect.bit5 == "net"), bool(raw[2] & OUTSIDE)
    if asked in CHANGES:
        wrong = _not_done(asked, flags, outside=outside, net_told=dialect.bit5 == "net" and not dialect.letters)
        return Refused(*wrong, raw) if wrong is not None else Acknowledged(asked, raw)
    return mass(None, None, flags | {Flag.STATUS}, raw)


def _flags(status: int, *, net_told: bool) -> frozenset[Flag]:
    told = {OVER: Flag.OVERLOAD, UNDER: Flag.UNDERLOAD, CENTRE_OF_ZERO: Flag.ZERO}
    flags = {flag for bit, flag in told.items() if status & bit}
    if net_told and status & NET:
        flags.add(Flag.NET)
    return frozenset(flags | {at_rest(moving=bool(status & MOTION))})


def _not_done(asked: str, flags: frozenset[Flag], *, outside: bool, net_told: bool) -> tuple[str, str] | None:
    """Why a command was not done, from the status that came back; None where nothing speaks against it."""
    if asked == "clear_tare":
        return ("net", "the tare is still there") if net_told and Flag.NET in flags else None
    if Flag.MOTION in flags:
        return "motion", "the load is in motion"
    if Flag.OVERLOAD in flags:
        return "over", "the load is above the capacity"
    if asked == "zero" and outside:
        return "zero-range", "the load is outside the range in which zero is taken"
    if asked == "tare" and net_told and Flag.NET not in flags:
        return "not-net", "the scale has not taken the tare"
    return ("under", "the load is below zero") if Flag.UNDERLOAD in flags and asked != "preset_tare" else None


def _self_test(raw: bytes) -> Decoded:
    found = [fault for bit, fault in SELF_TEST_FAULTS.items() if raw[2] & bit]
    if found:
        return Refused(found[0][0], found[0][1], raw)
    if raw[2] & 0x7F == SELF_TEST_PASSED:
        return Acknowledged("self_test_result", raw)
    return Refused("no-result", "the result of the self test was read before, or no test was made", raw)


def _known_tare(unit: UnitName, argument: str | None) -> bytes:
    return f"T{digits_of(argument, unit, decimals=DECIMALS[unit], width=NET_DIGITS)}\r".encode("ascii")


def _commands(unit: UnitName) -> dict[str, Command]:
    return {
        "zero": Command(b"Z", COMMAND_TIMEOUT_NS),
        "tare": Command(b"T\r", COMMAND_TIMEOUT_NS),
        "preset_tare": Command(partial(_known_tare, unit), COMMAND_TIMEOUT_NS),
        "clear_tare": Command(b"C", COMMAND_TIMEOUT_NS),
        "self_test": Command(b"A", COMMAND_TIMEOUT_NS),
        "self_test_result": Command(b"B", COMMAND_TIMEOUT_NS),
    }


def _talk(settings: _ToledoSettings) -> Talk:
    places = PLACES - 1 if isinstance(settings, Toledo8217Settings) and settings.unit != "kg" else PLACES
    return Talk(
        framer=lambda: MarkedFrames(measure),
        read=partial(read_frame, _Dialect(settings.unit, False, settings.status_bit5, settings.status_bit6, places)),
        ask=b"H" if settings.high_resolution else b"W",
        interval_ns=settings.interval_ms * 1_000_000,
        commands=_commands(settings.unit),
    )


def _sasi_talk(settings: SasiSettings) -> Talk:
    return Talk(
        framer=lambda: MarkedFrames(measure),
        read=partial(
            read_frame, _Dialect(settings.unit, True, "net", "fixed", PLACES if settings.unit == "kg" else PLACES - 1)
        ),
        ask=b"W",
        interval_ns=settings.interval_ms * 1_000_000,
        commands={"zero": Command(b"Z", COMMAND_TIMEOUT_NS)},
    )


def _is_8217(answer: bytes) -> bool:
    """Two digits, a point, two or three more; or a status without the bit that means an unknown command."""
    return re.fullmatch(rb"\x02(?:[0-9 ][0-9]\.[0-9]{2,3}N?|\?[\x00-\x3f])\r", answer) is not None


def _is_8213(answer: bytes) -> bool:
    """A zero, two digits, a point, two or three more. A status alone does not tell it from its relatives."""
    return re.fullmatch(rb"\x020[0-9]{2}\.[0-9]{2,3}N?\r", answer) is not None


COMMON_LINE = {"baudrate": 9600, "bytesize": 7, "parity": "E", "stopbits": 1}

TOLEDO_8217 = talking(
    DriverInfo(
        name="toledo-8217",
        title="Toledo 8217",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=MODELS_8217,
        sources=("Mettler-Toledo DIVA service manual, 6.1.3",),
        serial_defaults=COMMON_LINE,
        commands=tuple(_commands("kg")),
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        probe=Probe(b"W", _is_8217, order=10, lines=("9600-7E1", "9600-8N1")),
        notes=(
            "The unit is not sent: set the one that the display shows.",
            "While the load moves the scale sends no weight at all; a tare that is switched off in the set-up is not answered.",
        ),
    ),
    Toledo8217Settings,
    _talk,
)

TOLEDO_8213 = talking(
    DriverInfo(
        name="toledo-8213",
        title="Toledo 8213",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=(
            "Mettler-Toledo 8213 and DIVA in 8213 mode (set status_bit5 to net)",
            "Transcell PC-150, Rice Lake BenchPro, Salter Brecknell 3700LP",
        ),
        sources=(
            "Mettler-Toledo DIVA service manual, 6.1.4",
            "Transcell PC-150 manual, B.1.4",
            "Salter Brecknell 3700LP manual, p. 11",
        ),
        serial_defaults=COMMON_LINE,
        commands=tuple(_commands("kg")),
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        probe=Probe(b"W", _is_8213, order=10, lines=("9600-7E1", "9600-8N1")),
        notes=("On clones bit 5 of the status is always 1 and says nothing about net; the original needs status_bit5 = net.",),
    ),
    Toledo8213Settings,
    _talk,
)

DATALOGIC_SASI = talking(
    DriverInfo(
        name="datalogic-sasi",
        title="Datalogic scale, SASI protocol",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Datalogic Magellan scanner-scales with a scale port set to SASI",),
        sources=("Datalogic KA-01089, SASI protocol",),
        serial_defaults=COMMON_LINE,
        commands=("zero",),
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        notes=("Its states C and D read as something else on a Toledo 8217: choose the driver by the scale's set-up.",),
    ),
    SasiSettings,
    _sasi_talk,
)


def answers(driver: Driver) -> Decoder:
    """As `frames`; with the parameter `reply_to` (a command's letter) the capture holds answers to that command."""
    whole = frames(driver)

    def run(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
        command = params.get("reply_to", "W")
        if command not in LETTERS:
            raise CaptureFault(f"reply_to is one of {' '.join(sorted(LETTERS))}")
        if command != "B":
            return whole(wire, params)
        talk = _talk(_own(driver, params))
        framer = talk.framer()
        found = [item for frame in framer.feed(line_bytes(wire, params)) for item in talk.read(frame.raw, "self_test_result")]
        rest = framer.flush()
        found += [] if rest is None else [Malformed("frame without its end", rest.raw)]
        return [describe(item) for item in found] or [fault("no frame")]

    return run


def _own(driver: Driver, params: Mapping[str, object]) -> _ToledoSettings:
    settings = read_settings(driver.settings, settings_of(driver, params))
    return own_settings(_ToledoSettings, settings)
