"""Whether a code that means nothing was damaged by a keyboard layout on its way: a suspicion is told, nothing is repaired."""

import itertools

from drivers.scanners.aim import CONTENTS, Content, split
from drivers.scanners.layouts import NAMES, LayoutName, repair
from drivers.scanners.meaning import interpret

FINAL_LETTERS = frozenset("ךםןףץ")
"""Hebrew letters that end words: in front of another Hebrew letter they were meant as something else."""

_PROMISING = frozenset(CONTENTS.values()) - {Content.ANYTHING, Content.FNC1}
_LINKS = ("https://", "http://")

MAX_JUDGED = 512
"""Characters: what is longer is text of a 2D symbol, which is not tried on every layout."""


def typed_through(text: str, reader: LayoutName = "us") -> str | None:
    """A warning when `text` looks as if a computer of another layout had made it of the keys of a reader set to `reader`."""
    if not _may_be_damaged(text):
        return None
    for name in NAMES:
        if name != reader and _is_recognised(repair(text, typed_through=name, reader=reader).text):
            return f"looks typed through the keyboard layout {name}: nothing was repaired"
    if _has_misplaced_finals(text):
        return "Hebrew letters in an order that no word has: typed through a Hebrew keyboard layout?"
    return None


def typed_by(text: str, read_as: LayoutName = "us") -> str | None:
    """A warning when `text`, made of keys by the layout `read_as`, looks as if the reader had been set to another layout."""
    if not _may_be_damaged(text):
        return None
    for name in NAMES:
        if name != read_as and _is_recognised(repair(text, typed_through=read_as, reader=name).text):
            return f"the reader seems to be set to the keyboard layout {name}: nothing was repaired"
    return None


def _may_be_damaged(text: str) -> bool:
    # Letters and digits of ASCII come from keys that give such on every layout here, and none of them what we recognise.
    return len(text) <= MAX_JUDGED and not (text.isascii() and text.isalnum()) and not _is_recognised(text)


def _is_recognised(text: str) -> bool:
    """Whether the text is more than text: a checked number, element strings, a web address, an identifier."""
    tagged = split(text)
    found = interpret(tagged)
    if tagged.symbology_id is not None:
        # Where the identifier promises nothing, a letter and a digit behind a bracket may be chance.
        return found.fault is None and (tagged.content in _PROMISING or tagged.symbology_id in {"]C0", "]d1", "]Q1", "]A0"})
    return bool(found.gtin or found.sscc or found.ais) or text.startswith(_LINKS)


def _has_misplaced_finals(text: str) -> bool:
    return any(char in FINAL_LETTERS and "א" <= following <= "ת" for char, following in itertools.pairwise(text))
