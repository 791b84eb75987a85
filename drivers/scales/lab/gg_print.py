"""G&G balances: one line for each print, a minus in the first column, unit in capitals, nothing about rest.

Sources: G&G JJ-BC operating instructions p. 15, TJ series instructions p. 6 (commands, lines of counting balances).
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Kind, Mode, Reading, Status, Tier
from drivers.scales.lab.family import BENCH_LINE, AskedSettings, line_driver
from drivers.scales.lab.lines import NUMBER, Unusable, framer, number, reader, reading, unit
from drivers.talk import Command, Talk
from sync_protocol.wiretext import clean

_LINE = re.compile(rf"(?P<sign>[+\- ]) *(?P<digits>{NUMBER}) ?(?P<unit>[A-Za-z%]{{1,3}}) *", re.ASCII)
"""The first column is the sign's and never a digit's: a line that starts with a digit has lost its beginning."""

LABELS: dict[str, tuple[Flag, ...] | None] = {
    "WT": (),
    "QT": (),
    "UW": None,
    "MW": (Flag.TOTAL,),
    "MQ": (Flag.TOTAL,),
}
"""TJ p. 6: weight, pieces, unit weight (no weight on the pan), and the sums in memory."""

_COUNTING = re.compile(
    rf"(?P<label>WT|QT|UW|MW|MQ)(?P<sign>[+-]?) *(?P<digits>{NUMBER}) ?(?P<unit>[A-Za-z]{{1,3}}) *", re.ASCII
)
_NUMBER_OF_SUMS = re.compile(r"MN *[0-9]+ *", re.ASCII)


def _parse(text: str, raw: bytes, _asked: str | None) -> Decoded:
    if _NUMBER_OF_SUMS.fullmatch(text):
        return Status(clean(text.strip()), raw)
    counting = _COUNTING.fullmatch(text)
    if counting is not None and (flags := LABELS[counting["label"]]) is None:
        return Status(clean(text.strip()), raw)
    fields = counting or _LINE.fullmatch(text)
    if fields is None:
        raise Unusable("not a G&G line (its start may be missing)")
    flags = (LABELS[counting["label"]] or ()) if counting is not None else ()
    return reading(raw, number(fields["sign"], fields["digits"]), unit(fields["unit"]), *flags)


class GgPrintSettings(AskedSettings):
    """How a G&G balance is asked."""

    mode: Literal["poll", "autoprint"] = Field(
        default="poll", description="poll presses the print key over the line, autoprint waits for what the balance sends."
    )


_COMMANDS = {"tare": Command(b"\x1bt", answered=False)}


def _talk(settings: GgPrintSettings) -> Talk:
    return Talk(
        framer=framer,
        read=reader(_parse),
        ask=b"\x1bp" if settings.mode == "poll" else None,
        interval_ns=settings.interval_ns,
        commands=_COMMANDS,
        answers_question=lambda item: isinstance(item, Reading),
    )


DRIVER = line_driver(
    DriverInfo(
        name="gg-print",
        title="G&G print lines",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("G&G JJ, JJ-BC, PLC and TJ balances",),
        sources=("G&G JJ-BC operating instructions p. 15", "G&G TJ series operating instructions p. 6"),
        serial_defaults=BENCH_LINE,
        commands=tuple(_COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=(
            "The menu must be left at C4-27, which makes ESC the start of a command; the rate may be set from 600 baud.",
            "The balance does not say whether it is at rest: set it to send on stability, or give the device a settling rule.",
        ),
    ),
    GgPrintSettings,
    _talk,
)
