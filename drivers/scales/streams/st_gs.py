"""`ST,GS` and what follows: the line that a dozen makers of terminals send, each with its own blanks and commas.

One tokenizer with strict fields: the words for rest and for gross or net, a number, a unit; separators and widths are free.
Sources: Excell H3 manual p. 65; Kern KFN-TM and SFB manuals, data output; Tiger TI-02 p. 21; Dini Argeo DGT4X manual, strings.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from drivers.api import Decoded, Driver, DriverInfo, Flag, Kind, Mode, Probe, Reading, Tier
from drivers.framing import FrameBuffer
from drivers.scales.streams.building import LINE_9600_8N1, LISTEN_MS, SURE, driver
from drivers.scales.streams.fields import LINE_FEEDS, StreamSettings, Unusable, number, reader, unit
from drivers.talk import Talk
from sync_protocol.wiretext import clean

MAX_LINE = 128
"""Bytes. The longest of these lines, the extended string of Dini Argeo, has 60."""

HEADS = {"ST": Flag.STABLE, "US": Flag.MOTION, "OL": Flag.OVERLOAD, "UL": Flag.UNDERLOAD, "TL": Flag.UNAVAILABLE}
"""First word: at rest, in motion, over, under, tilted."""

BASES = {"GS": Flag.GROSS, "G": Flag.GROSS, "NT": Flag.NET, "N": Flag.NET, "TR": Flag.TARE}
"""Second word."""

COMPARED = frozenset({"OK", "HI", "LO", "--"})
"""What some makers put in a third place: the comparator's word."""

_LINE = re.compile(r"(?P<head>ST|US|OL|UL|TL)(?:, ?| )(?P<base>GS|NT|TR|[GN](?![A-Za-z]))(?P<rest>[, +\-].*)?", re.ASCII)
_NUMBER_UNIT = re.compile(r"(?P<sign>[+\-]?) *(?P<digits>[0-9.]+) *(?P<unit>[A-Za-z]+)", re.ASCII)
_NUMBER = re.compile(r"(?P<sign>[+\-]?) *(?P<digits>[0-9.]+)", re.ASCII)
_LETTERS = re.compile(r"[A-Za-z]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Weight:
    """What such a line says; `value` and `unit` are None where its first word forbids them."""

    flags: frozenset[Flag]
    value: Decimal | None = None
    unit: str | None = None
    details: dict[str, str] = field(default_factory=dict)

    def reading(self, raw: bytes, **details: str) -> Reading:
        kind = Kind.COUNT if self.unit == "{pcs}" else Kind.MASS
        return Reading(kind, self.value, self.unit, self.flags, raw, details=self.details | details)


def tokenize(text: str) -> Weight:
    """One line without its end. Raises Unusable."""
    match = _LINE.fullmatch(text.rstrip())
    if match is None:
        raise Unusable(f"not an ST,GS line (its start may be missing): {clean(text, 40)!r}")
    head, base = HEADS[match["head"]], BASES[match["base"]]
    rest = match["rest"] or ""
    if head not in {Flag.STABLE, Flag.MOTION}:
        return out_of_range(head, base, rest)
    fields = [part.strip(" ") for part in rest.removeprefix(",").split(",")]
    amount, shown, more = _amount(fields)
    return Weight(frozenset({head, base}), amount, unit(shown), _third(more))


def out_of_range(head: Flag, base: Flag, rest: str) -> Weight:
    """A first word that forbids the value. With OL the sign may say that it is too little, not too much."""
    if head is Flag.UNAVAILABLE:
        return Weight(frozenset({head, base}), details={"fault": "tilted"})
    if head is Flag.OVERLOAD and rest.lstrip(", ").startswith("-") and "--" not in rest:
        head = Flag.UNDERLOAD
    return Weight(frozenset({head, base}))


def signed(text: str) -> Decimal:
    """A number with its sign in front, blanks between allowed. Raises Unusable."""
    match = _NUMBER.fullmatch(text.strip(" "))
    if match is None:
        raise Unusable(f"not a number: {clean(text, 24)!r}")
    return number(match["digits"], match["sign"])


def _amount(fields: list[str]) -> tuple[Decimal, str, list[str]]:
    """Number and unit from the end of the fields, glued or apart; and what stands before them."""
    if len(fields) > 1 and _LETTERS.fullmatch(fields[-1]):
        return signed(fields[-2]), fields[-1], fields[:-2]
    match = _NUMBER_UNIT.fullmatch(fields[-1])
    if match is None:
        raise Unusable(f"no number with a unit: {clean(fields[-1], 24)!r}")
    return number(match["digits"], match["sign"]), match["unit"], fields[:-1]


def _third(more: list[str]) -> dict[str, str]:
    if not more:
        return {}
    if len(more) == 1 and more[0] in COMPARED:
        return {"comparator": more[0]}
    if len(more) == 1 and len(more[0]) == 1 and more[0].isascii() and more[0].isdigit():
        return {"mode": more[0]}
    raise Unusable(f"unknown word before the number: {clean(','.join(more), 24)!r}")


def _parse(raw: bytes) -> Decoded:
    return tokenize(raw.rstrip(b"\r\n").decode("latin-1")).reading(raw)


def _talk(settings: StreamSettings) -> Talk:
    return Talk(
        framer=lambda: FrameBuffer(LINE_FEEDS, MAX_LINE), read=reader(_parse), silence_ns=settings.silence_ns, commands={}
    )


def _probe(pattern: str) -> Probe:
    line = re.compile(pattern.encode("ascii"))
    return Probe(b"", lambda heard: len(line.findall(heard)) >= SURE, order=0, wait_ms=LISTEN_MS)


_NOTES = (
    "Blanks, commas and upper or lower case are free; the words, the number and the unit are not.",
    "Terminals that send the weight only when told to print are set to mode autoprint.",
)
_SOURCES = (
    "Excell H3 manual, p. 65",
    "Kern KFN-TM, SFB and KFB-TM manuals, data output",
    "Tiger TI-02 manual, p. 21",
    "General Measure M02 manual, p. 56",
)

ST_GS_COMMA = driver(
    DriverInfo(
        name="st-gs-comma",
        title="Terminals with ST,GS, lines",
        kinds=frozenset({Kind.MASS, Kind.COUNT}),
        transports=("serial", "tcp"),
        models=("T-Scale NHB, QHW and relatives", "Excell H3", "AWH, Zemic, Tiger and General Measure terminals"),
        sources=_SOURCES,
        serial_defaults=LINE_9600_8N1,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        probe=_probe(r"(?:ST|US),(?:GS|NT),[+\- ][0-9. ]+ ?[A-Za-z]{1,3}\r\n"),
        notes=_NOTES,
    ),
    StreamSettings,
    _talk,
)

ST_GS_SPACE = driver(
    DriverInfo(
        name="st-gs-space",
        title="Terminals with ST,GS lines and one comma",
        kinds=frozenset({Kind.MASS, Kind.COUNT}),
        transports=("serial", "tcp"),
        models=("Kern KFN-TM, SFB, KFB-TM in continuous output", "T-Scale and relatives whose lines have one comma"),
        sources=_SOURCES,
        serial_defaults=LINE_9600_8N1,
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        probe=_probe(r"(?:ST|US),(?:GS|NT) [+\- ][0-9. ]+ ?[A-Za-z]{1,3}\r\n"),
        notes=_NOTES,
    ),
    StreamSettings,
    _talk,
)

DRIVERS: tuple[Driver, ...] = (ST_GS_COMMA, ST_GS_SPACE)
