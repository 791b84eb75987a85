"""AIM symbology identifiers: the three characters that a reader can put in front of a code to say which symbol it saw.

Sources: ISO/IEC 15424:2008 table 1 and annexes; GS1 General Specifications, figure 5.1.2-2.
"""

from dataclasses import dataclass
from enum import StrEnum


class Content(StrEnum):
    """What a symbol promises about its data."""

    ELEMENT_STRINGS = "element_strings"
    EAN_UPC = "ean_upc"
    EAN_8 = "ean_8"
    EAN_WITH_ADD_ON = "ean_with_add_on"
    ITF = "itf"
    ITF_STRIPPED = "itf_stripped"
    FNC1 = "fnc1"
    """The mark of element strings in a symbol in which GS1 does not use it, or a reader's own number for one that it does."""
    ANYTHING = "anything"
    """The reader puts the same identifier in front of everything."""
    ISBT_128 = "isbt_128"
    TEXT = "text"


SYMBOLS = {
    "A": "Code 39",
    "B": "Telepen",
    "C": "Code 128",
    "D": "Code One",
    "E": "EAN/UPC",
    "F": "Codabar",
    "G": "Code 93",
    "H": "Code 11",
    "I": "Interleaved 2 of 5",
    "J": "DotCode",
    "K": "Code 16K",
    "L": "PDF417",
    "M": "MSI",
    "N": "Anker",
    "O": "Codablock",
    "P": "Plessey",
    "Q": "QR",
    "R": "2 of 5, two-bar start",
    "S": "2 of 5, three-bar start",
    "T": "Code 49",
    "U": "MaxiCode",
    "X": "other",
    "Y": "system expansion",
    "Z": "not a barcode",
    "c": "Channel Code",
    "d": "Data Matrix",
    "e": "GS1 DataBar or composite",
    "g": "Grid Matrix",
    "h": "Han Xin",
    "j": "JAB Code",
    "o": "OCR",
    "p": "PosiCode",
    "s": "SuperCode",
    "z": "Aztec",
}

CONTENTS = {
    "]C1": Content.ELEMENT_STRINGS,
    "]d2": Content.ELEMENT_STRINGS,
    "]Q3": Content.ELEMENT_STRINGS,
    "]J1": Content.ELEMENT_STRINGS,
    "]e0": Content.ELEMENT_STRINGS,
    "]E0": Content.EAN_UPC,
    "]E3": Content.EAN_WITH_ADD_ON,
    "]E4": Content.EAN_8,
    "]I0": Content.ITF,
    "]I1": Content.ITF,
    "]I3": Content.ITF_STRIPPED,
    "]C4": Content.ISBT_128,
    "]d5": Content.FNC1,
    "]Q4": Content.FNC1,
    "]J4": Content.FNC1,
    "]z1": Content.FNC1,
    "]K1": Content.FNC1,
    "]O1": Content.FNC1,
    "]L3": Content.FNC1,
    "]X0": Content.ANYTHING,
    "]Z0": Content.ANYTHING,
}
"""Everything else is text: also ]E1 and ]E2 (an add-on alone), ]C2 and plain 2D symbols, whatever stands in them.

]d5 ]Q4 ]J4 are ]d2 ]Q3 ]J1 with a declared character set. ]X0 is what several vendors send for every symbol that they gave
no letter of its own, and some for all of them.
"""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A code's text and the identifier that came in front of it, where there was one."""

    symbology_id: str | None
    text: str

    @property
    def content(self) -> Content | None:
        """What the symbol promises; None without an identifier."""
        return None if self.symbology_id is None else CONTENTS.get(self.symbology_id, Content.TEXT)


def split(text: str) -> Tagged:
    """Take the identifier off the front of a reader's message. Text that does not start with one stays whole."""
    if len(text) >= 3 and text[0] == "]" and text[1] in SYMBOLS and text[2].isascii() and text[2].isalnum():
        return Tagged(text[:3], text[3:])
    return Tagged(None, text)


def is_identifier(text: str) -> bool:
    """Whether `text` is one identifier and nothing else."""
    return split(text).symbology_id is not None and len(text) == 3
