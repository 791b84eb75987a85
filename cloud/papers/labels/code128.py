"""Code 128 as a ZPL printer is told it: which alphabet when, so that digits go in pairs. ISO/IEC 15417, annex E."""

import re

from cloud.papers.gs1 import FNC1

START_B, START_C, TO_B, TO_C, FUNCTION_1 = ">:", ">;", ">6", ">5", ">8"
"""Zebra, "ZPL II Programming Guide", ^BC, table of invocation codes."""

GREATER = ">0"
"""The character `>` itself."""

_TOKEN = re.compile(r">[:;0568]|.", re.DOTALL)
_MARKS = frozenset({START_B, START_C})


def invocations(text: str, *, gs1: bool) -> str:
    """Field data for the printer's manual mode. In `text` FNC1 is the separator; `gs1` puts one before everything."""
    digits = _digits(text)
    paired = digits >= 4 or (digits == len(text) and digits % 2 == 0 and digits > 0)
    found = [START_C if paired else START_B, *([FUNCTION_1] if gs1 else [])]
    place = 0
    while place < len(text):
        rest = text[place:]
        if rest[0] == FNC1:
            found.append(FUNCTION_1)
            place += 1
        elif paired:
            if _digits(rest) >= 2:
                found.append(rest[:2])
                place += 2
            else:
                found.append(TO_B)
                paired = False
        elif _worth_pairs(rest):
            found.append(TO_C)
            paired = True
        else:
            found.append(GREATER if rest[0] == ">" else rest[0])
            place += 1
    return "".join(found)


def modules(sequence: str) -> int:
    """Width of the symbol: eleven for each character, with the check character, and thirteen for the end."""
    count, paired, half = 0, False, False
    for token in _TOKEN.findall(sequence):
        if token in _MARKS or token in {TO_B, TO_C}:
            paired = token in {START_C, TO_C}
            count += 1
        elif paired and token != FUNCTION_1:
            count += half
            half = not half
        else:
            count += 1
    return (count + 1) * 11 + 13


def _worth_pairs(rest: str) -> bool:
    """Whether going over to pairs saves anything: four digits at the end, six before something else."""
    digits = _digits(rest)
    return digits % 2 == 0 and digits >= (4 if digits == len(rest) else 6)


def _digits(text: str) -> int:
    found = re.match(r"[0-9]*", text, re.ASCII)
    return len(found[0]) if found else 0
