"""Streams of North American indicators: Condec, Weigh-Tronix, Cardinal and Western. One fixed frame each.

Sources: Rice Lake IQ Plus and Counterpart manuals (Condec); Fairbanks 2800 manual p. 67 and FB6002 manual p. 78 (Weigh-Tronix,
Cardinal); Cardinal 225 manual; Western M2000 manual p. 102.
"""

import re
from collections.abc import Callable, Mapping

from drivers.api import Decoded, Driver, DriverInfo, Flag, Kind, Mode, Reading, Tier
from drivers.scales.streams.building import LINE_9600_8N1, driver, listening
from drivers.scales.streams.fields import CR, ETX, STX, UNIT_TEXTS, StreamSettings, Unusable, number, reader, unit
from drivers.scales.streams.shapes import Shape, ShapeFramer, delimited, line
from drivers.talk import Talk

MAX_FRAME = 32
"""Bytes; the longest frame here has 20."""

BASES = {"GR": Flag.GROSS, "NT": Flag.NET, "G": Flag.GROSS, "N": Flag.NET, "T": Flag.TARE}

CONDEC_UNITS: Mapping[str, str] = {"l": "[lb_av]", "k": "kg"}

CONDEC = re.compile(rb"\x02(?P<sign>[ +-])(?P<weight>.{6})(?P<unit>[LK])(?P<base>GR|NT)(?P<state>[MO ])\r\n?", re.DOTALL)
WESTERN = re.compile(
    rb"\x02(?P<sign>[ +-])(?P<weight>.{7}) (?P<unit>[A-Za-z ]{2}) (?P<base>GR|NT) (?P<state>[MO ])\r\n?", re.DOTALL
)
CARDINAL = re.compile(
    rb"\r(?P<sign>[ +-])(?P<weight>.{6,7})(?P<state>[mo ]) (?P<unit>[A-Za-z ]{2}) (?P<base>[gnGN])  \x03", re.DOTALL
)
WEIGHTRONIX = re.compile(
    rb" (?P<state>[gnGNTmo])(?P<sign>[ +-]?)(?P<weight>.{6}) (?P<unit>[A-Za-z]{1,2}) {0,2}\r\n?", re.DOTALL
)
"""The place of the mode says motion (m) or overload (o) instead, where that is so."""


def _parser(pattern: re.Pattern[bytes], units: Mapping[str, str] = UNIT_TEXTS, rest: str = "") -> Callable[[bytes], Decoded]:
    """One frame to its reading. `rest` is what the state's place says of a load at rest; empty where it says nothing."""

    def parse(raw: bytes) -> Decoded:
        match = pattern.fullmatch(raw)
        if match is None:
            raise Unusable("no frame of this format (its start may be missing)")
        field = {name: value.decode("latin-1") for name, value in match.groupdict().items()}
        base = BASES.get(field.get("base", field["state"]).upper())
        flags = set() if base is None else {base}
        state = field["state"].lower()
        if state == "o":
            # Condec's manual: over or under range; a negative weight can only be under.
            flags.add(Flag.UNDERLOAD if field["sign"] == "-" else Flag.OVERLOAD)
            return Reading(Kind.MASS, None, None, frozenset(flags), raw)
        if state == "m":
            flags.add(Flag.MOTION)
        elif state == rest:
            flags.add(Flag.STABLE)
        return Reading(Kind.MASS, number(field["weight"], field["sign"]), unit(field["unit"], units), frozenset(flags), raw)

    return parse


def _talk(shape: Shape, parse: Callable[[bytes], Decoded], *, line_feed: bool) -> Callable[[StreamSettings], Talk]:
    def talk(settings: StreamSettings) -> Talk:
        return Talk(framer=lambda: ShapeFramer(shape, line_feed=line_feed), read=reader(parse), silence_ns=settings.silence_ns)

    return talk


CONDEC_TALK = _talk(delimited(STX, CR, MAX_FRAME), _parser(CONDEC, CONDEC_UNITS, rest=" "), line_feed=True)
WESTERN_TALK = _talk(delimited(STX, CR, MAX_FRAME), _parser(WESTERN, rest=" "), line_feed=True)
CARDINAL_TALK = _talk(delimited(CR, ETX, MAX_FRAME), _parser(CARDINAL, rest=" "), line_feed=False)
WEIGHTRONIX_TALK = _talk(line(CR, MAX_FRAME), _parser(WEIGHTRONIX), line_feed=True)


def _indicator(
    name: str,
    title: str,
    talk: Callable[[StreamSettings], Talk],
    *,
    models: tuple[str, ...],
    sources: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> Driver:
    info = DriverInfo(
        name=name,
        title=title,
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=models,
        sources=sources,
        serial_defaults=LINE_9600_8N1,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        probe=listening(lambda: talk(StreamSettings())),
        notes=notes,
    )
    return driver(info, StreamSettings, talk)


DRIVERS: tuple[Driver, ...] = (
    _indicator(
        "condec",
        "Condec stream",
        CONDEC_TALK,
        models=("Condec UMC indicators", "Rice Lake IQ Plus and other indicators set to the Condec format"),
        sources=("Rice Lake IQ Plus 700 manual, 8.1.2", "Rice Lake Counterpart manual, fig. 9-1"),
        notes=("Over and under range are one sign; a negative weight is taken for under.",),
    ),
    _indicator(
        "weightronix-stream",
        "Weigh-Tronix stream",
        WEIGHTRONIX_TALK,
        models=("Weigh-Tronix WI indicators", "Fairbanks 2800, FB6000 and others set to the Weigh-Tronix format"),
        sources=("Fairbanks 2800 manual, p. 67", "Fairbanks FB6002 manual, p. 78"),
        notes=("A load at rest is not marked: only motion is, and by some models only.",),
    ),
    _indicator(
        "cardinal-stream",
        "Cardinal stream",
        CARDINAL_TALK,
        models=("Cardinal 225, 738 and other indicators in scoreboard (SB-400) output", "Fairbanks FB6000 set to Cardinal 738"),
        sources=("Cardinal 225 manual, p. 118", "Fairbanks FB6002 manual, p. 78"),
    ),
    _indicator(
        "western-df1500",
        "Western DF1500 stream",
        WESTERN_TALK,
        models=("Western DF1500 and M2000 indicators",),
        sources=("Western M2000 manual, p. 102",),
    ),
)
