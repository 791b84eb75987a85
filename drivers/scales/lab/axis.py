"""Axis balances, long protocol: two-letter commands and frames of 16 bytes without a sign for rest.

Sources: Axis B series user manual p. 12, AKA series user manual p. 16 and 55.
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import Acknowledged, Decoded, DriverInfo, Kind, Mode, Reading, Tier
from drivers.scales.lab.family import BENCH_LINE, AskedSettings, line_driver
from drivers.scales.lab.lines import NUMBER, Unusable, framer, number, reader, reading, unit
from drivers.talk import Command, Talk

WIDTH = 14
"""Characters before CR LF: sign, blank, eight of value, blank, two of unit (one-letter units in the second), blank."""

_VALUE = re.compile(rf" *(?P<digits>{NUMBER})", re.ASCII)

_ANSWERS = {"MJ": "present", "MN": "show"}
"""AKA p. 55: what the commands SJ and SN are answered with."""


def _parse(text: str, raw: bytes, _asked: str | None) -> Decoded:
    if (name := _ANSWERS.get(text.strip())) is not None:
        return Acknowledged(name, raw)
    value = _VALUE.fullmatch(text[2:10])
    if len(text) != WIDTH or text[0] not in "+- " or text[1] != " " or text[10] != " " or value is None:
        raise Unusable("not an Axis frame (its start may be missing)")
    return reading(raw, number(text[0], value["digits"]), unit(text[11:14]))


class AxisSettings(AskedSettings):
    """How an Axis balance is asked."""

    mode: Literal["poll", "autoprint"] = Field(
        default="poll", description="poll asks for the weight, autoprint waits for the print key or continuous sending."
    )


_COMMANDS = {
    "zero": Command(b"SZ\r\n", answered=False),
    "tare": Command(b"ST\r\n", answered=False),
    "present": Command(b"SJ\r\n"),
}


def _talk(settings: AxisSettings) -> Talk:
    return Talk(
        framer=framer,
        read=reader(_parse),
        ask=b"SI\r\n" if settings.mode == "poll" else None,
        interval_ns=settings.interval_ns,
        commands=_COMMANDS,
        answers_question=lambda item: isinstance(item, Reading),
    )


DRIVER = line_driver(
    DriverInfo(
        name="axis",
        title="Axis long protocol",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("Axis B, AKA, ATA, ACN and ME series balances and scales set to the protocol LonG",),
        sources=("Axis B series user manual p. 12", "Axis AKA series user manual p. 16 and 55"),
        serial_defaults=BENCH_LINE,
        commands=tuple(_COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=(
            "Older models are set to 4800 baud.",
            "Leave the network number (SErIAL, nr) at 0; with another number the scale answers only after a login.",
            "The balance does not say whether it is at rest: give the device a settling rule.",
        ),
    ),
    AxisSettings,
    _talk,
)
