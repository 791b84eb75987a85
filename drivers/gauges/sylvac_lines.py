"""The lines of Sylvac instruments, over RS-232, USB and Bluetooth alike: values, tolerance marks, units, errors, names.

Sources: Sylvac Power operating instructions, p. 15 (data, error and identification formats); Sylvac Z_CAL user's manual, p. 10
(commands). Each line ends in CR.
"""

import re
from dataclasses import dataclass

from drivers.api import Acknowledged, Decoded, Identity, Malformed, Refused, Status
from drivers.gauges.values import TOLERANCES, dimension

ERRORS = {
    "ERR0": "sensor error: moved too fast, or no value",
    "ERR1": "command not known",
    "ERR2": "parity error on the line",
    "ERR3": "outside the measuring range",
}

UNITS = {"MM": "mm", "IN": "in"}
"""Answer to UNI? -> configured unit."""

MODES = {"NOR": None, "MIN": "min", "MAX": "max", "DEL": "delta", "TOL": "tolerance", "DIA": "diameter", "AXI": "axis"}
"""Answer to MOD? -> mode."""

ASK = b"?\r"
ASK_UNIT = b"UNI?\r"

COMMANDS = {
    "zero": b"SET\r",
    "minimum": b"MIN\r",
    "maximum": b"MAX\r",
    "delta": b"DEL\r",
    "normal": b"NOR\r",
    "restart_peak": b"CLE\r",
}
"""Commands that change what is shown; instruments say nothing to them. `SET` takes the place as zero."""

ASKING = {"identify": b"ID?\r", "mode": b"MOD?\r", "battery": b"BAT?\r", "settings": b"SET?\r"}
"""Questions for texts."""

_VALUE = re.compile(r"(?P<digits>[+ -][0-9]{1,5}(?:\.[0-9]{1,6})?) ?(?P<mark>[<=>]?)", re.ASCII)
"""The first column is the sign's: digits without it are the tail of a value, or of an error (`ERR0`)."""
_PRINTABLE = re.compile(r"[ -~]{1,60}", re.ASCII)
_IDENTITY = re.compile(r"(?:SY|SYLVAC)[ -~]{0,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LineRules:
    """How lines are taken."""

    unit: str
    decimals: int | None = None


def read_line(raw: bytes, text: str, asked: str | None, rules: LineRules) -> Decoded:
    """One line. `text` is it without its end; `asked` is the question that is still owed, because texts do not say theirs."""
    if value := _VALUE.fullmatch(text):
        mark = value["mark"]
        details = {"tolerance": TOLERANCES[mark]} if mark else {}
        return dimension(value["digits"].strip(), rules.unit, raw, decimals=rules.decimals, details=details)
    if text in ERRORS:
        return Refused(text, ERRORS[text], raw)
    if text in UNITS:
        return _unit(UNITS[text], raw, rules)
    if text in MODES:
        return Status(f"mode {MODES[text] or 'normal'}", raw)
    if _IDENTITY.fullmatch(text) or (asked == "identify" and _PRINTABLE.fullmatch(text)):
        return Identity(text, raw, what="model", power_up=False)
    if asked in ASKING and _PRINTABLE.fullmatch(text):
        return Status(f"{asked} {text}", raw)
    if text == "" and asked in COMMANDS:
        return Acknowledged(asked, raw)
    return Malformed("not a line of a Sylvac instrument", raw)


def _unit(unit: str, raw: bytes, rules: LineRules) -> Decoded:
    if unit != rules.unit:
        return Refused("unit", f"the instrument is set to {unit}, this device to {rules.unit}", raw)
    return Status(f"unit {unit}", raw)
