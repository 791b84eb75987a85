"""Where each part of a label comes to lie in a printer's dots, and how coarse its codes are."""

from collections.abc import Iterator
from dataclasses import dataclass

from cloud.errors import Refused
from cloud.papers.barcodes import LINEAR, QUIET, Drawn, Symbology, draw_elements, draw_text
from cloud.papers.gs1 import Element, printed
from cloud.papers.labels.template import Code, Label, Line, Template, Words

DOTS = 8
"""A millimetre, of the usual printer (203 dpi). PDF keeps to the same raster, so that both look alike."""

TOLD = 4.0
"""Millimetres kept below a code for what it says."""


@dataclass(frozen=True, slots=True)
class PlacedWords:
    """Text and its box."""

    part: Words
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class PlacedCode:
    """A code without its margins: its corner and size in millimetres, `module` in dots."""

    part: Code
    x: float
    y: float
    width: float
    height: float
    module: int
    holds: str | tuple[Element, ...]
    drawn: Drawn
    told: str


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line across."""

    part: Line
    x: float


Placed = PlacedWords | PlacedCode | PlacedLine


def place(template: Template, label: Label, dots: int = DOTS) -> Iterator[Placed]:
    """Everything that this label has. Raises Refused `label_code_unfit`, `label_code_wide`."""
    for part in template.parts:
        x = template.width - part.x - part.width if label.rtl else part.x
        if isinstance(part, Line):
            yield PlacedLine(part, x)
        elif isinstance(part, Words):
            if text := label.texts.get(part.says, ""):
                yield PlacedWords(part, x, text)
        elif holds := label.codes.get(part.says):
            yield _code(part, x, holds, dots)


def _code(part: Code, x: float, holds: str | tuple[Element, ...], dots: int) -> PlacedCode:
    text = isinstance(holds, str)
    drawn = draw_text(part.symbology, holds) if isinstance(holds, str) else draw_elements(part.symbology, holds)
    room = part.height - (TOLD if part.told else 0)
    module = _module(part, drawn, room, dots)
    width = drawn.width * module / dots
    height = room if part.symbology in LINEAR else drawn.height * module / dots
    return PlacedCode(
        part,
        x=x + _on_raster((part.width - width) / 2, dots),
        y=part.y + (0 if part.symbology in LINEAR else _on_raster((room - height) / 2, dots)),
        width=width,
        height=height,
        module=module,
        holds=holds,
        drawn=drawn,
        told=(str(holds) if text else printed(holds)) if part.told else "",  # type: ignore[arg-type]
    )


def _module(part: Code, drawn: Drawn, room: float, dots: int) -> int:
    """As coarse as the box allows."""
    quiet = 2 * QUIET[part.symbology]
    most = int(part.width * dots) // (drawn.width + quiet)
    if part.symbology not in LINEAR:
        most = min(most, int(room * dots) // (drawn.height + quiet))
    most = min(most, int(part.coarsest * dots))
    if most < part.finest * dots:
        raise Refused("label_code_wide", name=part.says)
    return most


def _on_raster(value: float, dots: int) -> float:
    return int(value * dots) / dots


def is_matrix(symbology: Symbology) -> bool:
    """Whether the code is a square."""
    return symbology not in LINEAR
