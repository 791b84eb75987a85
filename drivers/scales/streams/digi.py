"""DIGI DI-600 and its relatives: net and tare in two lines, with a header and a sign for rest where its menu says so.

Source: DIGI DI-600 service manual, 4.2.2 (p. 24).
"""

import re
from decimal import Decimal

from drivers.api import Decoded, DriverInfo, Flag, Kind, Mode, Reading, Tier
from drivers.framing import FrameBuffer
from drivers.scales.streams.building import LINE_9600_8N1, driver
from drivers.scales.streams.fields import LINE_FEEDS, UnitlessSettings, Unusable, number, reader
from drivers.talk import Talk
from sync_protocol.quantity import plain

MAX_LINE = 48
"""Bytes; the whole answer has 23."""

STATES = {"\x00": Flag.STABLE, "\x01": Flag.MOTION}

_FRAME = re.compile(
    r"(?:(?P<state>[\x00\x01])\r)?0(?P<net>[-0 ][0-9 ]{6}|(?=.{8}\r)[-0 ][0-9 ]*[,.][0-9]+|OV0{5,6})\r"
    r"4(?P<tare>[-0 ][0-9 ]{6}|(?=.{8}\r)[-0 ][0-9 ]*[,.][0-9]+|\?{7,8})\r\n",
    re.ASCII,
)
"""A field is a sign (- or 0), six digits and the point where there is one: a narrower one has lost a digit. The header stands
in front of each: without it a tail would look like a weight."""


def talk(settings: UnitlessSettings) -> Talk:
    """The conversation, as the settings shape it."""

    def parse(raw: bytes) -> Decoded:
        match = _FRAME.fullmatch(raw.decode("latin-1"))
        if match is None:
            raise Unusable("no DI-600 text with header codes (its start may be missing)")
        state = STATES.get(match["state"] or "")
        if match["net"].startswith("OV"):
            return Reading(Kind.MASS, None, None, frozenset({Flag.NET, Flag.OVERLOAD}), raw)
        flags = frozenset({Flag.NET} if state is None else {Flag.NET, state})
        net, tare = _field(match["net"]), _field(match["tare"])
        if net.as_tuple().exponent != tare.as_tuple().exponent:
            raise Unusable("net and tare have their points in different places: one has lost its own")
        details = {"tare": plain(tare)}
        return Reading(Kind.MASS, net, settings.code, flags, raw, details=details)

    return Talk(framer=lambda: FrameBuffer(LINE_FEEDS, MAX_LINE), read=reader(parse), silence_ns=settings.silence_ns)


def _field(text: str) -> Decimal:
    return number(text[1:].replace(",", "."), text[0])


DIGI_DI600 = driver(
    DriverInfo(
        name="digi-di600",
        title="DIGI DI-600",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("DIGI DI-600, DI-620 and terminals with its text format",),
        sources=("DIGI DI-600 service manual, 4.2.2, p. 24",),
        serial_defaults=LINE_9600_8N1,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        notes=(
            "Header codes must be on (SPEC03, bit 0); the sign for rest (bit 1) should be.",
            "The unit is not on the wire: set what the display shows.",
        ),
    ),
    UnitlessSettings,
    talk,
)
