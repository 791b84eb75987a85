"""Rice Lake continuous output, and the keys that can be pressed over the same port (EDP commands).

Sources: Rice Lake Tracer AV installation manual, fig. 6-1 and ch. 5; IQ Plus 210 manual, 6.3; 320IS Plus manual, 8.3;
880 technical manual, ch. 6 and 10.7.
"""

import re
from collections.abc import Mapping

from drivers.api import Acknowledged, Decoded, DriverInfo, Flag, Kind, Mode, Reading, Refused, Tier
from drivers.scales.streams.building import LINE_9600_8N1, driver, listening
from drivers.scales.streams.fields import CR, STX, UNIT_TEXTS, StreamSettings, Unusable, number, reader, unit
from drivers.scales.streams.shapes import ShapeFramer, delimited, either, word
from drivers.talk import Command, Talk

MAX_FRAME = 20
"""Bytes; the longest frame has 15."""

UNITS: Mapping[str, str] = {name: code for name, code in UNIT_TEXTS.items() if name != "t"} | {
    "l": "[lb_av]",
    "k": "kg",
    "o": "[oz_av]",
}
"""One letter or two. T means short tons in some models and metric ones in others: not usable."""

DONE = b"OK\r"
UNKNOWN = b"??\r"
"""Answers to a command: done; not known or not possible now."""

BASES = {"G": Flag.GROSS, "N": Flag.NET}

_FRAME = re.compile(
    r"\x02(?P<polarity>[ \-^\]])(?P<weight>.{7})(?P<unit>LB|KG|OZ|TN|lb|kg|oz|tn|[LKGOTlkgot ])(?P<base>[GN])"
    r"(?P<state>[ IMOZ])\r\n?",
    re.DOTALL,
)

_COMMANDS = {
    "zero": Command(b"KZERO\r"),
    "tare": Command(b"KTARE\r"),
    "clear_tare": Command(b"KCLRTAR\r"),
    "print": Command(b"KPRINT\r"),
}


def _parse(raw: bytes) -> Decoded:
    if raw.rstrip(b"\n") == DONE:
        return Acknowledged("command", raw)
    if raw.rstrip(b"\n") == UNKNOWN:
        return Refused("??", "the indicator does not know the command, or cannot do it now", raw)
    match = _FRAME.fullmatch(raw.decode("latin-1"))
    if match is None:
        raise Unusable("no frame of this format (its start may be missing)")
    base, state, polarity = BASES[match["base"]], match["state"], match["polarity"]
    if polarity in "^]" or state == "O":
        over = polarity == "^" or (state == "O" and polarity == " ")
        return Reading(Kind.MASS, None, None, frozenset({base, Flag.OVERLOAD if over else Flag.UNDERLOAD}), raw)
    if state == "I":
        return Refused("invalid", "the indicator marks its weight as invalid", raw)
    flags = {base, Flag.MOTION if state == "M" else Flag.STABLE} | ({Flag.ZERO} if state == "Z" else set())
    return Reading(Kind.MASS, number(match["weight"], polarity), unit(match["unit"], UNITS), frozenset(flags), raw)


def talk(settings: StreamSettings) -> Talk:
    """The conversation, as the settings shape it."""
    shape = either(delimited(STX, CR, MAX_FRAME), word(DONE), word(UNKNOWN))
    return Talk(
        framer=lambda: ShapeFramer(shape, line_feed=True),
        read=reader(_parse),
        silence_ns=settings.silence_ns,
        commands=_COMMANDS,
        torn_first=False,
    )


RICE_LAKE = driver(
    DriverInfo(
        name="ricelake-stream",
        title="Rice Lake stream",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Rice Lake Tracer AV, Counterpart, IQ Plus, 120, 320IS, 420, 480, 520, 720i, 820i, 880, 920i",),
        sources=(
            "Rice Lake Tracer AV installation manual, fig. 6-1 and ch. 5",
            "Rice Lake IQ Plus 210 installation manual, 6.3",
            "Rice Lake 880 technical manual, ch. 6 and 10.7",
            "Rice Lake 480 Legend manual, p. 64",
        ),
        serial_defaults=LINE_9600_8N1,
        commands=tuple(_COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        probe=listening(lambda: talk(StreamSettings())),
        notes=(
            "A weight in tons (T) is not taken: the letter means short tons in some models and metric ones in others.",
            "Zero and tare press the indicator's keys; OK says that the key was taken.",
        ),
    ),
    StreamSettings,
    talk,
)
