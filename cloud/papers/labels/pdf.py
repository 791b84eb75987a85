"""Labels as PDF, one a page, in the size of the label."""

import asyncio
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud.errors import Refused
from cloud.papers.labels.placing import TOLD, PlacedCode, PlacedLine, PlacedWords, place
from cloud.papers.labels.template import Label, Template
from cloud.papers.typesetting import Typesetter

SHEET = "label.typ"

MAX_LABELS = 500
"""In one file: a lorry's pallets and every lot on them."""


async def labels_pdf(
    typesetter: Typesetter, template: Template, labels: Sequence[Label], *, title: str, made_at: datetime
) -> bytes:
    """One page a label. Raises Refused `labels_none`, `labels_many`, and what placing and typesetting raise."""
    data = await asyncio.to_thread(label_data, template, labels)
    return await typesetter.pdf(SHEET, data, title=title, made_at=made_at)


def label_data(template: Template, labels: Sequence[Label]) -> dict[str, Any]:
    """What the template is given."""
    bounded(labels)
    pages = [[one for placed in place(template, label) for one in _parts(placed, label)] for label in labels]
    return {"width": template.width, "height": template.height, "labels": pages}


def bounded(labels: Sequence[Label]) -> None:
    """Raises Refused where there are none, or more than one file takes."""
    if not labels:
        raise Refused("labels_none")
    if len(labels) > MAX_LABELS:
        raise Refused("labels_many", max=str(MAX_LABELS))


def _parts(placed: PlacedWords | PlacedCode | PlacedLine, label: Label) -> list[dict[str, Any]]:
    if isinstance(placed, PlacedWords):
        return [words_data(placed, label)]
    if isinstance(placed, PlacedLine):
        part = placed.part
        return [{"is": "line", "x": placed.x, "y": part.y, "width": part.width, "thickness": part.thickness}]
    code = {
        "is": "code",
        "x": placed.x,
        "y": placed.y,
        "width": placed.width,
        "height": placed.height,
        # A linear code's picture is stretched to its height; its modules keep their width.
        "svg": placed.drawn.svg.replace("<svg ", '<svg preserveAspectRatio="none" ', 1),
    }
    return [code, told_data(placed)] if placed.told else [code]


def words_data(placed: PlacedWords, label: Label) -> dict[str, Any]:
    """A text's box for the template."""
    part = placed.part
    rtl = is_rtl(placed.text, otherwise=label.rtl)
    return {
        "is": "words",
        "x": placed.x,
        "y": part.y,
        "width": part.width,
        "height": part.height,
        "text": placed.text,
        "size": part.size,
        "bold": part.bold,
        "rtl": rtl,
        # Where a line begins is the label's affair, in which direction it runs the text's own.
        "align": part.align if rtl == label.rtl or part.align == "center" else _TURNED[part.align],
    }


def told_data(placed: PlacedCode) -> dict[str, Any]:
    """What a code says, below it."""
    return {
        "is": "words",
        "x": placed.x - 8,
        "y": placed.y + placed.height + 0.5,
        "width": placed.width + 16,
        "height": TOLD - 0.5,
        "text": placed.told,
        "size": 3.2,
        "bold": False,
        "rtl": False,
        "align": "center",
    }


_TURNED = {"start": "end", "end": "start"}


def is_rtl(text: str, *, otherwise: bool) -> bool:
    """Whether a text runs from right to left by its first letter (Unicode UAX 9, P2 and P3); numbers alone run as always."""
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind in {"L", "R", "AL"}:
            return kind != "L"
    return False if any(char.isdigit() for char in text) else otherwise
