"""Mettler-Toledo continuous output (Toledo data format), long with a tare group, and short; many makers' terminals send it.

Frames are found by their length: in clones a status byte may be a CR. Sources: Wildcat technical manual, ch. 6;
Triner TS-700 p. 13; Cardinal 225 p. 118; Fairbanks FB3000 and FB2550 manuals; Kern FTC; Mettler-Toledo ICS manuals.
"""

import re
from decimal import Decimal

from pydantic import Field

from drivers.api import Decoded, Driver, DriverInfo, Flag, Kind, Mode, Reading, Tier
from drivers.scales.streams.building import LINE_9600_7E1, driver, listening
from drivers.scales.streams.fields import CR, STX, StreamSettings, Unusable, placed, reader
from drivers.scales.streams.shapes import ShapeFramer, columns
from drivers.talk import Command, Talk

LONG = 17
SHORT = 11
"""Bytes without the check byte: STX, three status bytes, 6 digits, 6 digits of tare in the long form, CR."""

POINT_NONE = 2
"""Status A, bits 0 to 2: 0 times 100, 1 times 10, 2 no point, 3 to 7 one to five decimals."""

B_NET, B_NEGATIVE, B_OUT, B_MOTION, B_KG, B_NOT_ZEROED = 0x01, 0x02, 0x04, 0x08, 0x10, 0x40
"""Status B. Bit 5 is 1, except at Fairbanks and in clones: it is not looked at."""

C_PRINT, C_EXPANDED, C_KEYBOARD_TARE = 0x08, 0x10, 0x40

C_UNITS = {1: "g", 2: "t", 3: "[oz_av]", 4: "[oz_tr]", 5: "[pwt_tr]", 6: "[ston_av]"}
"""Status C, bits 0 to 2; 0 leaves it to status B, 7 is a unit that the operator named."""

COMMANDS = {
    "zero": Command(b"Z", answered=False),
    "tare": Command(b"T", answered=False),
    "clear_tare": Command(b"C", answered=False),
    "print": Command(b"P", answered=False),
}
"""Single characters that the terminal takes; it does not answer, its next weights show whether it did."""

_SHORT_FRAME = re.compile(rb"\x02.{9}\r", re.DOTALL)


class MtContinuousSettings(StreamSettings):
    """How a terminal with continuous output is set."""

    checksum: bool = Field(default=False, description="Whether each frame ends in a check byte (a setting of the terminal).")


def _parse(raw: bytes, length: int, checksum: bool) -> Decoded:
    if len(raw) != length + checksum or raw[0] != STX or raw[length - 1] != CR:
        raise Unusable(_strange(raw, length))
    if checksum and sum(byte & 0x7F for byte in raw) & 0x7F:
        raise Unusable("the check byte does not fit: damaged, or the terminal sends none")
    if any(byte & 0x80 for byte in raw[:length]):
        raise Unusable("bit 7 is set")
    status_a, status_b, status_c = raw[1], raw[2], raw[3]
    flags = {Flag.NET if status_b & B_NET else Flag.GROSS, Flag.MOTION if status_b & B_MOTION else Flag.STABLE}
    if status_b & B_NOT_ZEROED:
        flags.add(Flag.NOT_ZEROED)
    details = {name: "true" for name, bit in (("print_request", C_PRINT), ("keyboard_tare", C_KEYBOARD_TARE)) if status_c & bit}
    if status_b & B_OUT:
        # The digits mean nothing then; over and under are told apart by the sign alone.
        flags.add(Flag.UNDERLOAD if status_b & B_NEGATIVE else Flag.OVERLOAD)
        return Reading(Kind.MASS, None, None, frozenset(flags), raw, details=details)
    if status_c & C_EXPANDED:
        flags.add(Flag.UNAVAILABLE)
        details["fault"] = "the terminal shows ten times finer than it weighs"
        return Reading(Kind.MASS, None, None, frozenset(flags), raw, details=details)
    value = _amount(raw[4:10], status_a, negative=bool(status_b & B_NEGATIVE))
    if length == LONG:
        details["tare"] = format(_amount(raw[10:16], status_a), "f")
    return Reading(Kind.MASS, value, _unit(status_b, status_c), frozenset(flags), raw, details=details)


def _amount(digits: bytes, status_a: int, *, negative: bool = False) -> Decimal:
    point = status_a & 0x07
    text = digits.decode("latin-1")
    if point < POINT_NONE:
        return placed(text + "0" * (POINT_NONE - point), 0, negative=negative)
    return placed(text, point - POINT_NONE, negative=negative)


def _unit(status_b: int, status_c: int) -> str:
    code = status_c & 0x07
    if code == 0:
        return "kg" if status_b & B_KG else "[lb_av]"
    if code not in C_UNITS:
        raise Unusable("a unit that the operator named: the value cannot be used")
    return C_UNITS[code]


def _strange(raw: bytes, length: int) -> str:
    if length == LONG and _SHORT_FRAME.search(raw):
        return "frames of 11 bytes: the terminal sends the short format (mt-continuous-short)"
    if len(raw) == 1:
        return "a byte between two frames: where it comes each time, the terminal sends a check byte (setting checksum)"
    return "no frame of the continuous format"


def _talk(settings: MtContinuousSettings, length: int) -> Talk:
    stx, cr, anything = frozenset({STX}), frozenset({CR}), None
    shape = columns(stx, *[anything] * (length - 2), cr, *[anything] * settings.checksum)
    return Talk(
        framer=lambda: ShapeFramer(shape),
        read=reader(lambda raw: _parse(raw, length, settings.checksum)),
        silence_ns=settings.silence_ns,
        commands=COMMANDS,
        torn_first=False,
    )


def long_talk(settings: MtContinuousSettings) -> Talk:
    """The conversation in the long format."""
    return _talk(settings, LONG)


def short_talk(settings: MtContinuousSettings) -> Talk:
    """The conversation in the short format."""
    return _talk(settings, SHORT)


_NOTES = (
    "The terminal does not answer zero, tare and clear: the weights that follow show whether it did.",
    "The flag not_zeroed says that the terminal was switched on and took no zero yet; such weights cannot be booked.",
    "The expanded display (ten times finer) is a state without a value.",
)
_SOURCES = (
    "Mettler-Toledo Wildcat technical manual, ch. 6",
    "Triner TS-700 manual, p. 13",
    "Fairbanks FB3000 and FB2550 manuals, continuous output",
    "Kern FTC and Mettler-Toledo ICS manuals, continuous output and input characters",
)

MT_CONTINUOUS = driver(
    DriverInfo(
        name="mt-continuous",
        title="Mettler-Toledo continuous output",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=(
            "Mettler-Toledo IND, ICS, Wildcat, Panther, Jaguar and other terminals set to continuous output",
            "Kern FTC, Fairbanks FB, Triner, Liden, Excell and others with Toledo-compatible output",
        ),
        sources=_SOURCES,
        serial_defaults=LINE_9600_7E1,
        commands=tuple(COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        probe=listening(lambda: long_talk(MtContinuousSettings(checksum=True))),
        notes=(*_NOTES, "Where the port is probed, only terminals that send the check byte are recognised."),
    ),
    MtContinuousSettings,
    long_talk,
)

MT_CONTINUOUS_SHORT = driver(
    DriverInfo(
        name="mt-continuous-short",
        title="Mettler-Toledo short continuous output",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Mettler-Toledo IND terminals set to short continuous output", "Cardinal 225 in formats 1 and 3"),
        sources=(*_SOURCES[:1], "Cardinal 225 manual, p. 118"),
        serial_defaults=LINE_9600_7E1,
        commands=tuple(COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        notes=_NOTES,
    ),
    MtContinuousSettings,
    short_talk,
)

DRIVERS: tuple[Driver, ...] = (MT_CONTINUOUS, MT_CONTINUOUS_SHORT)
