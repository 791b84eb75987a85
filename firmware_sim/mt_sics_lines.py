"""MT-SICS as lines of text: the command tables, how a command is read, how an answer is written.

Sources: MT-SICS Reference Manual 11780711 (levels 0 and 1, chapters 2 to 4), AL/AT balances operating instructions (chapter
MT-SICS, examples), XPR reference manual 30324923 (SNR, SIX1 in the industrial terminals' manual).
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from firmware_sim.balance import Balance, Reach, Weight

LEVELS: dict[str, int] = {
    **dict.fromkeys(("I0", "I1", "I2", "I3", "I4", "I5", "S", "SI", "SIR", "Z", "ZI", "@"), 0),
    **dict.fromkeys(("D", "DW", "K", "SR", "T", "TA", "TAC", "TI"), 1),
    **dict.fromkeys(("SNR", "SIX1"), 2),
}
"""Command -> MT-SICS level, in the order in which I0 lists them (11780711, command I0)."""

LEVEL_VERSIONS = ("2.30", "2.22", "1.00", "")
"""Versions of levels 0 to 3 for the answer to I1."""

VALUE_WIDTH = 10
"""A weight value is right-aligned in ten characters (11780711, 2.1.3.1)."""

MAX_LINE = 80
"""Characters. The longest command is D with a display's text; the manuals give input buffers of this order."""

REACH_LETTER = {Reach.OVER: "+", Reach.UNDER: "-", Reach.NOT_ZEROED: "I"}

_COMMAND = re.compile(r"(@|[A-Z]+[0-9]?)(?: (.*))?", re.ASCII | re.DOTALL)
_AMOUNT = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s+(\S{1,5})\s*", re.ASCII)
_TEXT = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Command:
    """One command line, taken apart. `argument` is None when nothing follows the name."""

    name: str
    argument: str | None


def read_command(line: bytes) -> Command | str:
    """A command, or the error word to answer: ET for a byte with its eighth bit set, ES for what is no command."""
    if any(byte > 0x7F for byte in line):
        return "ET"
    match = _COMMAND.fullmatch(line.decode("ascii"))
    return Command(match[1], match[2]) if match else "ES"


def read_amount(text: str, unit: str) -> Decimal | None:
    """`<number> <unit>` in the balance's own unit; None for anything else."""
    match = _AMOUNT.fullmatch(text)
    return Decimal(match[1]) if match and match[2] == unit else None


def read_text(argument: str | None) -> str | None:
    """The text between quotes, or None."""
    match = _TEXT.fullmatch(argument or "")
    return match[1] if match else None


def amount(value: Decimal, unit: str) -> str:
    return f"{value:>{VALUE_WIDTH}f} {unit}"


def weight_line(weight: Weight, unit: str) -> str:
    """The answer to every command that asks for the net weight as it is now."""
    if weight.reach is not Reach.IN:
        return f"S {REACH_LETTER[weight.reach]}"
    return f"S {'S' if weight.stable else 'D'} {amount(weight.net, unit)}"


def command_list(*, with_six1: bool) -> list[str]:
    """The answer to I0: every command with its level, B while more follow."""
    names = [name for name in LEVELS if with_six1 or name != "SIX1"]
    return [f'I0 {"A" if name == names[-1] else "B"} {LEVELS[name]} "{name}"' for name in names]


def six1_line(balance: Balance, weight: Weight) -> str:
    """Gross, net and tare in one line, as industrial terminals give them."""
    unit = balance.spec.unit
    if weight.reach is not Reach.IN:
        return f"SIX1 {REACH_LETTER[weight.reach]}"
    stable = "S" if weight.stable else "D"
    zero = "Z" if weight.gross == 0 else "N"
    tared = "N" if weight.tare == 0 else "P" if balance.tare_preset else "M"
    numbers = " ".join(f"{value:>9f}" for value in (weight.gross, weight.net, weight.tare))
    return f"SIX1 {stable} 0 {zero} R R 0 0 0 1 {tared} {numbers} {unit}"
