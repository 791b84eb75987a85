"""Ohaus print lines and commands: value, unit, `?` while it moves, legend; column widths differ by family.

Sources: Ohaus RS232 interface manual (Scout Pro, Navigator) p. 3; Ranger RC manual p. 36; Defender 3000 manual p. 35.
"""

import re
from functools import partial
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Identity, Kind, Mode, Reading, Refused, Tier
from drivers.scales.lab.family import BENCH_LINE, AskedSettings, line_driver
from drivers.scales.lab.lines import NUMBER, UNITS, Unusable, framer, identifies, number, reader, reading, settles, unit
from drivers.talk import STABLE_TIMEOUT_NS, STREAM_SILENCE_NS, Command, Talk
from sync_protocol.wiretext import clean

LEGENDS = {
    "": (),
    "G": (Flag.GROSS,),
    "B/G": (Flag.GROSS,),
    "N": (Flag.NET,),
    "NET": (Flag.NET,),
    "T": (Flag.TARE,),
    "PT": (Flag.TARE,),
    "TOTAL": (Flag.TOTAL,),
}
"""Ranger p. 36 prints brutto as B/G; the interface manual p. 3 marks a sum over several weighings with TOTAL."""

_LINE = re.compile(
    rf"(?P<head>TOTAL:? *+)?(?P<field>(?P<sign>[+-]?) *+(?P<digits>{NUMBER})) ++(?P<unit>[A-Za-z%]{{1,5}}+) *+"
    r"(?P<motion>\??) *+(?P<legend>[A-Z/]{0,5}+) *+(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})? *+",
    re.ASCII,
)
_FIELD = 7
"""Characters. The narrowest value field printed (Defender p. 35) is this wide without its sign; one that is narrower and has
no blank in front has lost its beginning."""

_FAULT = re.compile(r"Err ?[0-9]{1,2}(?:\.[0-9]{1,2})?", re.IGNORECASE)


def _parse(text: str, raw: bytes, asked: str | None, *, columns: int | None) -> Decoded:
    body = text.strip()
    if body == "ES":
        return Refused("ES", "the scale does not know the command, or may not do it now", raw)
    if _FAULT.fullmatch(body):
        raise Unusable(f"the display shows an error in place of a weight: {clean(body, 16)}")
    fields = _LINE.fullmatch(text)
    if fields is not None and fields["legend"] in LEGENDS:
        if columns is not None and len(fields["field"]) != columns and fields["head"] is None:
            raise Unusable(f"a value in {len(fields['field'])} columns, not {columns}: the start of the line is missing")
        return _weight(fields, raw)
    if asked == "identify" and fields is None and len(body) >= 3:
        return Identity(clean(body), raw, what="software")
    raise Unusable("not an Ohaus print line (its start may be missing)")


def _weight(fields: re.Match[str], raw: bytes) -> Reading:
    if fields["field"][0].isdigit() and len(fields["field"]) < _FIELD and fields["head"] is None:
        raise Unusable("a value without the blanks in front of it: the start of the line is missing")
    flags = {*LEGENDS[fields["legend"]], Flag.MOTION if fields["motion"] else Flag.STABLE}
    if fields["head"] is not None:
        flags.add(Flag.TOTAL)
    if Flag.TOTAL in flags:
        flags -= {Flag.STABLE, Flag.MOTION}
    return reading(raw, number(fields["sign"], fields["digits"]), unit(fields["unit"], UNITS), *flags)


class OhausPrintSettings(AskedSettings):
    """How an Ohaus scale is asked."""

    mode: Literal["poll", "stream", "autoprint"] = Field(
        default="poll",
        description="poll asks for the weight, stream has it printed continuously, autoprint waits for what the scale prints.",
    )

    columns: int | None = Field(
        default=None,
        ge=7,
        le=14,
        description="Characters of the printed value with sign and blanks (Defender 9, Ranger 10); others are then refused.",
    )


def _talk(settings: OhausPrintSettings) -> Talk:
    streams = settings.mode == "stream"
    return Talk(
        framer=framer,
        read=reader(partial(_parse, columns=settings.columns)),
        ask=b"IP\r\n" if settings.mode == "poll" else None,
        start=b"CP\r\n" if streams else None,
        silence_ns=STREAM_SILENCE_NS if streams else None,
        interval_ns=settings.interval_ns,
        commands=COMMANDS,
        answers_question=lambda item: isinstance(item, Reading | Refused),
    )


COMMANDS = {
    "stable": Command(b"SP\r\n", STABLE_TIMEOUT_NS, confirms=settles),
    "print": Command(b"P\r\n", STABLE_TIMEOUT_NS, confirms=lambda item: isinstance(item, Reading | Refused)),
    "zero": Command(b"Z\r\n", answered=False),
    "tare": Command(b"T\r\n", answered=False),
    "identify": Command(b"V\r\n", confirms=identifies),
}

DRIVER = line_driver(
    DriverInfo(
        name="ohaus-print",
        title="Ohaus print lines",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("Ohaus Defender 3000, Ranger, Navigator, Scout, Scout Pro, Valor, Adventurer, Pioneer with Ohaus commands",),
        sources=(
            "Ohaus RS232 interface manual (Scout Pro, Navigator) p. 3",
            "Ohaus Ranger RC instruction manual p. 36",
            "Ohaus Defender 3000 instruction manual p. 35",
        ),
        serial_defaults=BENCH_LINE,
        commands=tuple(COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.STREAM, Mode.AUTOPRINT),
        notes=(
            "Old Scout and Navigator models are set to 2400 baud, 7 data bits, no parity.",
            "Scout Pro and Traveler know P, T and V only: set the mode to autoprint and let the scale print.",
            "Models with MT-SICS commands (menu or the command PSI) are better read by the driver mt-sics.",
            "Where negative weights matter set `columns`: without it a line torn right behind its sign is read as positive.",
            "Lines marked TOTAL are sums and are never taken as a weight.",
        ),
    ),
    OhausPrintSettings,
    _talk,
)
