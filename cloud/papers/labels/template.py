"""How a label looks, said once for every printer: its size, and what stands where.

Millimetres, from the upper corner at which a line of text begins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cloud.papers.barcodes import Symbology
from cloud.papers.gs1 import Element


@dataclass(frozen=True, slots=True)
class Words:
    """Text in a box; smaller where it would not fit, cut where it still does not. `says` names the text."""

    x: float
    y: float
    width: float
    height: float
    says: str
    size: float = 3.2
    """Height of its lines' letters, with room above and below."""
    bold: bool = False
    align: Literal["start", "center", "end"] = "start"


@dataclass(frozen=True, slots=True)
class Code:
    """A barcode in a box that takes in its free margins. `says` names what it holds; `told`: what it says stands below it."""

    x: float
    y: float
    width: float
    height: float
    symbology: Symbology
    says: str
    finest: float = 0.25
    """Of a module. Finer ones are not read from the printers and through the films that there are."""
    coarsest: float = 0.5
    told: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line across, `width` long."""

    x: float
    y: float
    width: float
    thickness: float = 0.25


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of label."""

    key: str
    width: float
    height: float
    parts: tuple[Words | Code | Line, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """What one label says. Parts whose name is not here, or says nothing, are left out."""

    texts: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str | tuple[Element, ...]] = field(default_factory=dict)
    rtl: bool = False
    """Whether it is read from right to left; it is then turned round as a whole."""
