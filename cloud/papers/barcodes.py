"""Barcodes as pictures made of paths, with their size in modules."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import zxingcpp

from cloud.errors import Refused
from cloud.papers.gs1 import Element, checked


class Symbology(StrEnum):
    """Kinds of codes that labels bear. The GS1 ones take elements, the others text."""

    GS1_128 = "gs1_128"
    GS1_DATAMATRIX = "gs1_datamatrix"
    CODE_128 = "code_128"
    QR = "qr"


LINEAR = frozenset({Symbology.GS1_128, Symbology.CODE_128})
GS1 = frozenset({Symbology.GS1_128, Symbology.GS1_DATAMATRIX})

QUIET = {Symbology.GS1_128: 10, Symbology.CODE_128: 10, Symbology.GS1_DATAMATRIX: 1, Symbology.QR: 4}
"""Modules left free around: ISO/IEC 15417, 4.4.1 (before and behind); 16022, 5.6; 18004, 6.3.8."""

MAX_LINEAR = 48
"""Characters that GS1 allows in one linear symbol, without separators (5.4.5.2)."""

_FORMATS = {
    Symbology.GS1_128: zxingcpp.BarcodeFormat.Code128,
    Symbology.CODE_128: zxingcpp.BarcodeFormat.Code128,
    Symbology.GS1_DATAMATRIX: zxingcpp.BarcodeFormat.DataMatrix,
    Symbology.QR: zxingcpp.BarcodeFormat.QRCode,
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A symbol without its free margin: `svg` is as many units wide and high as there are modules (a linear one: 50 high)."""

    svg: str
    width: int
    height: int


def draw_text(symbology: Symbology, text: str) -> Drawn:
    """A code of plain text. Raises Refused `label_code_unfit` for text that it cannot hold."""
    options: dict[str, Any] = {"ec_level": "M"} if symbology is Symbology.QR else {}
    return _drawn(symbology, text, text, options)


def draw_elements(symbology: Symbology, elements: tuple[Element, ...]) -> Drawn:
    """A GS1 code, FNC1 before the first element. Raises Refused `label_code_unfit`."""
    checked(elements)
    if symbology in LINEAR and sum(len(one.ai) + len(one.value) for one in elements) > MAX_LINEAR:
        raise Refused("label_code_unfit", ai=elements[-1].ai, value=elements[-1].value[:40])
    # In square brackets: the round ones may be part of a lot's number, these never are.
    text = "".join(f"[{one.ai}]{one.value}" for one in elements)
    # Printers that draw the symbol themselves know only squares.
    square = {} if symbology in LINEAR else {"force_square": True}
    return _drawn(symbology, text, elements[0].value, {"gs1": True, **square})


def _drawn(symbology: Symbology, text: str, said: str, options: dict[str, Any]) -> Drawn:
    try:
        code = zxingcpp.create_barcode(text, _FORMATS[symbology], **options)
    except ValueError as exc:
        raise Refused("label_code_unfit", ai="", value=said[:40]) from exc
    height, width = code.to_image(scale=1, add_quiet_zones=False).shape[:2]
    return Drawn(code.to_svg(scale=1, add_quiet_zones=False), width, height)
