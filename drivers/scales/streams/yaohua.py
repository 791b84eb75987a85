"""Yaohua XK3190 terminals and their clones: the lines of the A12E, the continuous frames of the A9, and the `=` formats.

Sources: XK3190-A12(E) manual p. 12; XK3190-A23p manual p. 26 (commands); XK3190-A26 manual p. 10 (continuous formats 0 and 1);
XK3190-DS3 manual p. 6 (commands with an address).
"""

import re

from drivers.api import Decoded, Driver, DriverInfo, Flag, Kind, Mode, Reading, Tier
from drivers.framing import FrameBuffer
from drivers.scales.streams.building import LINE_9600_8N1, driver, listening
from drivers.scales.streams.fields import LINE_FEEDS, StreamSettings, UnitlessSettings, Unusable, number, reader, unit, xor_hex
from drivers.scales.streams.shapes import ShapeFramer, columns
from drivers.talk import Talk

MAX_LINE = 32
"""Bytes; every line of the A12E has 15."""

RANGES = {"OL": Flag.OVERLOAD, "LO": Flag.UNDERLOAD}
"""A12E: more than Max + 9 e, less than -20 d. The rest of the line is blank."""

EQUALS = 0x3D

EQUALS_LENGTH = 9
"""Bytes of a frame, the sign = included; shorter ones were cut off and would be wrong by powers of ten."""

_LINE = re.compile(r"W(?P<base>[GN])(?P<sign>-?)(?P<digits>[0-9. ]{6,7})(?P<unit>[A-Za-z]{2})(?P<check>[0-9A-F]{2})", re.ASCII)
_RANGE = re.compile(r" {9}(?P<range>OL|LO)(?P<check>[0-9A-F]{2})", re.ASCII)
_STRAIGHT = re.compile(r"=(?P<sign>-?) *(?P<digits>[0-9.]+)", re.ASCII)

_ANY_BUT_EQUALS = frozenset(range(256)) - {EQUALS}

_UNITLESS = "The unit is not on the wire: set what the display shows. Neither is the state of rest."
_MODELS = ("Yaohua XK3190 terminals", "Nikcell, Pro, Zhizheng and other makers' XK3190 clones")


def _parse_line(raw: bytes) -> Decoded:
    text = raw.rstrip(b"\r\n").decode("latin-1")
    match = _LINE.fullmatch(text) or _RANGE.fullmatch(text)
    if match is None or len(text) != 13:
        raise Unusable("no line of the A12E (its start may be missing)")
    if xor_hex(raw[:11]) != match["check"]:
        raise Unusable("the check digits do not fit: damaged")
    if match.re is _RANGE:
        return Reading(Kind.MASS, None, None, frozenset({RANGES[match["range"]]}), raw)
    flags = frozenset({Flag.GROSS if match["base"] == "G" else Flag.NET})
    return Reading(Kind.MASS, number(match["digits"], match["sign"]), unit(match["unit"]), flags, raw)


def lines_talk(settings: StreamSettings) -> Talk:
    """The conversation of the A12E."""
    return Talk(framer=lambda: FrameBuffer(LINE_FEEDS, MAX_LINE), read=reader(_parse_line), silence_ns=settings.silence_ns)


def equals_talk(settings: UnitlessSettings, *, backwards: bool) -> Talk:
    """The conversation of the `=` formats: nine bytes, least significant digit first where `backwards`."""

    def parse(raw: bytes) -> Decoded:
        text = raw.decode("latin-1")
        match = _STRAIGHT.fullmatch("=" + text[:0:-1] if backwards else text)
        if match is None or len(raw) != EQUALS_LENGTH:
            raise Unusable("no number of eight characters behind =")
        return Reading(Kind.MASS, number(match["digits"], match["sign"]), settings.code, frozenset(), raw)

    shape = columns(frozenset({EQUALS}), *[_ANY_BUT_EQUALS] * (EQUALS_LENGTH - 1))
    return Talk(framer=lambda: ShapeFramer(shape), read=reader(parse), silence_ns=settings.silence_ns)


YAOHUA_WG = driver(
    DriverInfo(
        name="yaohua-wg",
        title="Yaohua A12E lines",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Yaohua XK3190-A12, A12E and clones",),
        sources=("Yaohua XK3190-A12(E) manual, p. 12",),
        serial_defaults=LINE_9600_8N1,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        probe=listening(lambda: lines_talk(StreamSettings())),
        notes=("The state of rest is not on the wire; the box waits for equal readings instead.",),
    ),
    StreamSettings,
    lines_talk,
)

_WRONG_ORDER = (
    "Terminals whose menu says otherwise send the digits in the other order on the same cable, and a wrong choice shows a"
    " plausible, wrong number: put a known weight on before use."
)

YAOHUA_EQ = driver(
    DriverInfo(
        name="yaohua-eq",
        title="Yaohua = format, highest digit first",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=_MODELS,
        sources=("Yaohua XK3190-A12(E) manual, p. 12",),
        serial_defaults=LINE_9600_8N1,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        notes=(_WRONG_ORDER, _UNITLESS),
    ),
    UnitlessSettings,
    lambda settings: equals_talk(settings, backwards=False),
)

YAOHUA_EQ_REVERSED = driver(
    DriverInfo(
        name="yaohua-eq-reversed",
        title="Yaohua = format, lowest digit first",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=_MODELS,
        sources=("Yaohua XK3190-A26 manual, p. 10, continuous format 1",),
        serial_defaults=LINE_9600_8N1,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        notes=(_WRONG_ORDER, _UNITLESS),
    ),
    UnitlessSettings,
    lambda settings: equals_talk(settings, backwards=True),
)

DRIVERS: tuple[Driver, ...] = (YAOHUA_WG, YAOHUA_EQ, YAOHUA_EQ_REVERSED)
