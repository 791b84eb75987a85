"""GS1 element strings: what stands in the codes of labels. GS1 General Specifications, 3.2 (identifiers), 7.8 (strings)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cloud.errors import Refused
from sync_protocol.identifiers import check_digit

FNC1 = "\x1d"
"""What readers give for the separator."""

# Identifier -> pattern of its value. Figure 3.2-1; alphanumeric values are of set 82 (figure 7.11-1).
_82 = r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]"
PATTERNS = {
    "00": r"[0-9]{18}",
    "01": r"[0-9]{14}",
    "02": r"[0-9]{14}",
    "10": _82 + "{1,20}",
    "11": r"[0-9]{6}",
    "15": r"[0-9]{6}",
    "17": r"[0-9]{6}",
    "21": _82 + "{1,20}",
    "37": r"[0-9]{1,8}",
    "400": _82 + "{1,30}",
} | {f"310{places}": r"[0-9]{6}" for places in range(6)}
CHECKED = frozenset({"00", "01", "02"})
"""Keys that end in a check digit (7.9.1)."""

PREDEFINED = frozenset(
    {
        "00",
        "01",
        "02",
        "03",
        "04",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "17",
        "18",
        "19",
        "20",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "41",
    }
)
"""First two digits of identifiers whose length everybody knows: no separator behind them (figure 7.8.5-2)."""


@dataclass(frozen=True, slots=True)
class Element:
    """One identifier with its value."""

    ai: str
    value: str


def checked(elements: Sequence[Element]) -> tuple[Element, ...]:
    """The elements. Raises Refused `label_code_unfit` for a value that its identifier does not take."""
    for one in elements:
        pattern = PATTERNS.get(one.ai)
        fits = pattern is not None and re.fullmatch(pattern, one.value, re.ASCII) is not None
        if not fits or (one.ai in CHECKED and one.value[-1] != check_digit(one.value[:-1])):
            raise Refused("label_code_unfit", ai=one.ai, value=one.value[:40])
    return tuple(elements)


def fits(ai: str, value: str | None) -> bool:
    """Whether a code can hold the value; papers may say what codes cannot."""
    return value is not None and re.fullmatch(PATTERNS[ai], value, re.ASCII) is not None


def joined(elements: Sequence[Element], separator: str = FNC1) -> str:
    """The element string as readers give it: separators behind values of open length, none at the end."""
    parts = []
    for place, one in enumerate(elements):
        open_end = one.ai[:2] not in PREDEFINED and place < len(elements) - 1
        parts.append(one.ai + one.value + (separator if open_end else ""))
    return "".join(parts)


def printed(elements: Sequence[Element]) -> str:
    """For people, below the bars: identifiers in brackets (4.14)."""
    return "".join(f"({one.ai}){one.value}" for one in elements)


def day(ai: str, value: date) -> Element:
    """A date, two digits each."""
    return Element(ai, value.strftime("%y%m%d"))


def net_kilograms(value: Decimal) -> Element | None:
    """Net weight, 310n: six digits, of which n stand behind the point. None where they cannot say it exactly."""
    if value <= 0:
        return None
    for places in range(6):
        scaled = value.scaleb(places)
        if scaled == scaled.to_integral_value() and scaled < 1_000_000:
            return Element(f"310{places}", f"{int(scaled):06}")
    return None
