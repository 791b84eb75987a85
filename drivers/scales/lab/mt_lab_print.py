"""Print-outs of Mettler-Toledo laboratory balances: 26-byte lines, one for each press of the print key.

Source: Mettler-Toledo AL/AT operating instructions, chapter on printing; captures of an MS204TS. Stability is not sent: these
balances print only at rest.
"""

import re

from drivers.api import Decoded, DriverInfo, Flag, Kind, Mode, Settings, Tier
from drivers.scales.lab.family import BENCH_LINE, line_driver
from drivers.scales.lab.lines import NUMBER, Unusable, framer, number, reader, reading, unit
from drivers.talk import Talk

WIDTH = 24
"""Characters before CR LF: five blanks, the letter, blanks, the value, a blank, the unit filled up with blanks."""

FLAGS = {"N": Flag.NET, "G": Flag.GROSS, "T": Flag.TARE}

_LINE = re.compile(rf" {{5}}(?P<letter>[NGT]) +(?P<sign>[+-]?) *(?P<digits>{NUMBER}) (?P<unit>\S{{1,5}}) *", re.ASCII)


def _parse(text: str, raw: bytes, _asked: str | None) -> Decoded:
    fields = _LINE.fullmatch(text)
    if fields is None or len(text) != WIDTH:
        raise Unusable(f"not a print-out line of {WIDTH} characters (its start may be missing)")
    value = number(fields["sign"], fields["digits"])
    return reading(raw, value, unit(fields["unit"]), FLAGS[fields["letter"]], Flag.STABLE)


class MtLabPrintSettings(Settings):
    """A balance that prints by itself has nothing to set."""


def _talk(_settings: MtLabPrintSettings) -> Talk:
    return Talk(framer=framer, read=reader(_parse))


DRIVER = line_driver(
    DriverInfo(
        name="mt-lab-print",
        title="Mettler-Toledo laboratory print-out",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("Mettler-Toledo MS-TS, ML-T, ME-T, AL and AT balances whose interface is set to a printer",),
        sources=(
            "Mettler-Toledo AL/AT operating instructions, chapter on printing",
            "Captures of a Mettler-Toledo MS204TS/00 (NLib.Serial.Devices documentation)",
        ),
        serial_defaults=BENCH_LINE,
        tier=Tier.BRONZE,
        modes=(Mode.AUTOPRINT,),
        notes=("Set the interface to the host (MT-SICS) and use the driver mt-sics where zero, tare or motion matter.",),
    ),
    MtLabPrintSettings,
    _talk,
)
