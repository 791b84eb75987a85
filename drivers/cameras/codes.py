"""Codes in a picture, with the meaning that a reader's codes have. Decoding is zxing-cpp's."""

from collections.abc import Sequence

import zxingcpp
from PIL import Image

from drivers.api import Kind, Reading
from drivers.scanners.aim import Tagged
from drivers.scanners.codes import details
from drivers.scanners.meaning import interpret

MAX_CODES = 64
"""Of one picture: a pallet label has 3 to 8. More is a sheet of codes, or texture taken for codes."""

LONG_SIDE = 4608
"""Pixels to which larger pictures are brought down for reading: the time grows with the area, and print gets no finer."""

FORMATS = (
    zxingcpp.BarcodeFormat.EANUPC,
    zxingcpp.BarcodeFormat.Code128,
    zxingcpp.BarcodeFormat.Code39,
    zxingcpp.BarcodeFormat.ITF14,
    zxingcpp.BarcodeFormat.DataBar,
    zxingcpp.BarcodeFormat.DataMatrix,
    zxingcpp.BarcodeFormat.QRCode,
    zxingcpp.BarcodeFormat.PDF417,
    zxingcpp.BarcodeFormat.Aztec,
)
"""What goods carry. The others have no check and are found in the weave of a sack: ITF of other lengths, Codabar..."""


def codes_in(image: Image.Image, sha256: str) -> list[Reading]:
    """The codes in an opened picture, from top to bottom, each once. `raw` is what a reader with AIM identifiers would send.

    `details["image"]` is the picture's SHA-256. Takes 60 ms for a page of 5 megapixels on a desk machine,
    and 1.5 s for 12 megapixels full of texture: call it in a thread.
    """
    grey = image.convert("L")
    grey.thumbnail((LONG_SIDE, LONG_SIDE))
    # Plain, because the readable form puts brackets in and takes the separators (GS, U+001D) out.
    found = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(list(FORMATS)), text_mode=zxingcpp.TextMode.Plain)
    return [reading_of(one.text, one.symbology_identifier, sha256) for one in _in_order(found)[:MAX_CODES]]


def reading_of(text: str, symbology_id: str, sha256: str) -> Reading:
    """One code that was seen in a picture."""
    tagged = Tagged(symbology_id or None, text)
    known = details(tagged, interpret(tagged)) | {"image": sha256}
    raw = f"{symbology_id}{text}".encode("utf-8", "replace")
    return Reading(Kind.CODE, text, None, frozenset(), raw, details=known)


def _in_order(found: Sequence[zxingcpp.Barcode]) -> list[zxingcpp.Barcode]:
    """One of each: a label that is seen twice in a picture is one label."""
    seen: dict[tuple[str, str], zxingcpp.Barcode] = {}
    for one in sorted(found, key=lambda one: (one.position.top_left.y, one.position.top_left.x)):
        if one.valid and one.text:
            seen.setdefault((one.symbology_identifier, one.text), one)
    return list(seen.values())
