"""Single values on paper: in which direction they run, and what stands beside them."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from cloud.papers.barcodes import Symbology, draw_text
from cloud.papers.views import Amount, Goods, Name, Side
from cloud.papers.words import Words
from sync_protocol.wiretext import clean

Run = dict[str, Any]
"""A piece of text with its direction, or a picture."""

Cell = list[list[Run]]
"""Paragraphs of runs."""

LONGEST = 18
"""Letters of a code without a blank that stand in a column; longer ones may be broken after every so many."""

MODULE = 0.25
"""Millimetres of a module in a table's codes."""

CODED = ("reason", "flag", "order_state", "origin")
"""Kinds of codes that checks tell of."""

_UNBROKEN = re.compile(rf"\S{{{LONGEST},}}")
_NUMBER = re.compile(r"[-0-9.]*[0-9][-0-9.]*")
"""An amount or a range of them, as `0..4`."""


def text(value: str | None, *, bold: bool = False, small: bool = False) -> Run:
    """Words of people, in the direction of their first letter."""
    said = _breakable(clean(value or "", 2000))
    return {"t": said, "d": _direction(said), "b": bold, "s": small}


def code(value: object, *, bold: bool = False, small: bool = False) -> Run:
    """A number, code or date: always from left to right."""
    said = _breakable(clean("" if value is None else str(value)))
    return {"t": said, "d": "ltr", "b": bold, "s": small}


def badge(value: str) -> Run:
    """A word in a frame: what must not be overlooked."""
    return {**text(value, small=True), "f": True}


def amount(value: Amount | None, words: Words, *, bold: bool = False) -> list[Run]:
    """Digits, and behind them in reading order the unit. One in Latin letters belongs to the number and runs with it."""
    if value is None:
        return []
    unit = words.unit(value.unit)
    if _direction(unit) != "rtl":
        return [code(f"{value.value}\u00a0{unit}".rstrip(), bold=bold)]
    return [code(value.value, bold=bold), {**text(unit, bold=bold), "n": True}]


def found(value: str | None, words: Words) -> list[Run]:
    """What a check expected or found: an amount with its unit, a day, a code (in its words where it has some) or words."""
    if not value:
        return []
    for kind in CODED:
        if (said := words.code(kind, value)) != clean(value):
            return [text(said)]
    number, _, unit = value.partition(" ")
    if _NUMBER.fullmatch(number) and (not unit or words.unit(unit) != unit):
        return amount(Amount(number, unit or None), words)
    return [code(value) if value.isascii() else text(value)]


def cell(*paragraphs: list[Run] | Run) -> Cell:
    """Paragraphs, those left out that say nothing."""
    rows = [[one] if isinstance(one, dict) else one for one in paragraphs]
    return [row for row in rows if any(run.get("t") or run.get("svg") for run in row)]


def name(value: Name | None, words: Words, *, bold: bool = False) -> Run:
    """A name in the paper's language."""
    return text(words.name(value), bold=bold)


def goods(value: Goods, words: Words, *more: list[Run] | Run) -> Cell:
    """A product: its name, its number, and what is told apart of it."""
    under: list[Run] = [code(value.sku, small=True)]
    if value.sscc:
        under += [text(" · ", small=True), code(value.sscc, small=True)]
    if value.owner:
        under += [text(" · ", small=True), text(words.name(value.owner), small=True)]
    serials = text(words.say("line.serials", serials=", ".join(value.serials)), small=True) if value.serials else text("")
    return cell(name(value.name, words), under, serials, *more)


def side(value: Side | None, words: Words) -> Cell:
    """A party with its number."""
    if value is None:
        return []
    return cell(name(value.name, words, bold=True), code(value.ref, small=True))


def bars(value: str) -> Run:
    """A text as Code 128, so that lists can be scanned; nothing where the code cannot hold it."""
    if not value or not value.isascii() or not value.isprintable() or len(value) > LONGEST:
        return text("")
    drawn = draw_text(Symbology.CODE_128, value)
    svg = drawn.svg.replace("<svg ", '<svg preserveAspectRatio="none" ', 1)
    return {"svg": svg, "w": drawn.width * MODULE, "h": 7}


def fact(words: Words, key: str, *value: list[Run] | Run) -> list[tuple[str, Cell]]:
    """A line of a document's head; none where it has no value."""
    held = cell(*value)
    return [(words.say(f"fact.{key}"), held)] if held else []


def joined(values: Iterable[str]) -> str:
    return ", ".join(clean(one) for one in values if one)


def _breakable(said: str) -> str:
    return _UNBROKEN.sub(lambda one: "\u200b".join(re.findall(rf".{{1,{LONGEST}}}", one[0])), said)


def _direction(said: str) -> str:
    for char in said:
        kind = unicodedata.bidirectional(char)
        if kind in {"L", "R", "AL"}:
            return "ltr" if kind == "L" else "rtl"
    return "auto"
