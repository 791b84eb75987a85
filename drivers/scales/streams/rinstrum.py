"""Rinstrum automatic output (format A), also sent by its relabelled and cloned indicators.

Sources: Rinstrum R320 reference manual p. 46; R420 series reference manual p. 99.
"""

import re

from drivers.api import Decoded, DriverInfo, Flag, Kind, Mode, Reading, Tier
from drivers.scales.streams.building import LINE_9600_8N1, driver, listening
from drivers.scales.streams.fields import ETX, STX, UnitlessSettings, Unusable, number, reader
from drivers.scales.streams.shapes import ShapeFramer, delimited
from drivers.talk import Talk

LENGTH = 11

STATES = {
    "G": frozenset({Flag.GROSS, Flag.STABLE}),
    "N": frozenset({Flag.NET, Flag.STABLE}),
    "M": frozenset({Flag.MOTION}),
}
"""The one letter says gross or net only of a load at rest."""

RANGES = {
    "U": (Flag.UNDERLOAD, {}),
    "O": (Flag.OVERLOAD, {}),
    "E": (Flag.UNAVAILABLE, {"fault": "the indicator shows an error"}),
}

_FRAME = re.compile(r"\x02(?P<sign>[ \-])(?P<weight>.{7})(?P<state>[GNUOME])\x03", re.DOTALL)


def talk(settings: UnitlessSettings) -> Talk:
    """The conversation, as the settings shape it."""

    def parse(raw: bytes) -> Decoded:
        match = _FRAME.fullmatch(raw.decode("latin-1"))
        if match is None:
            raise Unusable("no frame of this format (its start may be missing)")
        if match["state"] in RANGES:
            flag, details = RANGES[match["state"]]
            return Reading(Kind.MASS, None, None, frozenset({flag}), raw, details=details)
        return Reading(Kind.MASS, number(match["weight"], match["sign"]), settings.code, STATES[match["state"]], raw)

    return Talk(
        framer=lambda: ShapeFramer(delimited(STX, ETX, LENGTH)),
        read=reader(parse),
        silence_ns=settings.silence_ns,
        torn_first=False,
    )


RINSTRUM = driver(
    DriverInfo(
        name="rinstrum-auto",
        title="Rinstrum automatic output",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Rinstrum R300, R320, R400 series set to AUTO, format A", "relabelled and cloned indicators of that format"),
        sources=("Rinstrum R320 reference manual, p. 46", "Rinstrum R420 series reference manual, p. 99"),
        serial_defaults=LINE_9600_8N1,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        probe=listening(lambda: talk(UnitlessSettings())),
        notes=(
            "The unit is not on the wire: set what the display shows.",
            "While the load moves, the frame does not say whether the weight is gross or net.",
        ),
    ),
    UnitlessSettings,
    talk,
)
