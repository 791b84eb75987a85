"""The labels that there are."""

from cloud.papers.barcodes import Symbology
from cloud.papers.labels.template import Code, Line, Template, Words

LOT = Template(
    "lot",
    100,
    60,
    (
        Words(3, 3, 94, 11, "name", size=5, bold=True),
        Words(3, 14.5, 62, 5, "sku"),
        Line(3, 20.5, 94),
        Words(3, 22, 20, 5, "lot_word"),
        Words(23, 21.5, 42, 7, "lot", size=5.5, bold=True),
        Words(3, 29.5, 20, 5, "expiry_word"),
        Words(23, 29, 42, 7, "expiry", size=5.5, bold=True),
        Words(3, 38, 20, 5, "receipt_word"),
        Words(23, 38, 42, 5, "receipt"),
        Words(3, 50, 62, 7, "printed", size=2.4),
        Code(66, 22, 31, 31, Symbology.GS1_DATAMATRIX, "gs1", finest=0.375, coarsest=1.0),
        Code(66, 22, 31, 31, Symbology.QR, "plain", finest=0.375, coarsest=1.0),
    ),
)
"""A lot or a single piece: goods that carry no GTIN bear our own code in its place."""

# Three bars over each other as the logistic label has them (GS1 Logistic Label Guideline, 3.3): text on top, what is on the
# pallet, the pallet's own number lowest. A6 at 203 dpi.
SSCC = Template(
    "sscc",
    105,
    148,
    (
        Words(3, 3, 60, 6, "house", size=3.6, bold=True),
        Words(63, 3, 39, 6, "receipt", size=3.2, align="end"),
        Line(3, 10, 99),
        Words(3, 11.5, 99, 10, "name", size=4.6, bold=True),
        Words(3, 22, 25, 4.5, "sku_word", size=2.8),
        Words(3, 26, 35, 5.5, "sku", size=4),
        Words(40, 22, 30, 4.5, "lot_word", size=2.8),
        Words(40, 26, 35, 5.5, "lot", size=4, bold=True),
        Words(76, 22, 26, 4.5, "expiry_word", size=2.8),
        Words(76, 26, 26, 5.5, "expiry", size=4, bold=True),
        Words(3, 32.5, 35, 4.5, "quantity_word", size=2.8),
        Words(3, 36.5, 35, 5.5, "quantity", size=4),
        Words(40, 32.5, 35, 4.5, "weight_word", size=2.8),
        Words(40, 36.5, 35, 5.5, "weight", size=4),
        Words(76, 32.5, 26, 4.5, "owner_word", size=2.8),
        Words(76, 36.5, 26, 5.5, "owner", size=3.4),
        Words(3, 43, 25, 4.5, "sscc_word", size=2.8),
        Words(28, 42.5, 74, 6, "sscc", size=4.6, bold=True),
        Line(2, 50, 101),
        Code(1, 51.5, 103, 28, Symbology.GS1_128, "content", told=True),
        Code(1, 81, 103, 26, Symbology.GS1_128, "batch", told=True),
        Code(1, 108.5, 103, 38, Symbology.GS1_128, "sscc", finest=0.5, told=True),
    ),
)
"""A pallet. Its own number is never finer than half a millimetre (GS1 General Specifications, table 5: 0.495)."""

LOCATION = Template(
    "location",
    100,
    50,
    (
        Words(3, 3, 94, 15, "code", size=12, bold=True, align="center"),
        Words(3, 18.5, 94, 5.5, "name", size=4, align="center"),
        Code(3, 25, 70, 22, Symbology.CODE_128, "place", coarsest=0.75),
        Code(74, 25, 23, 22, Symbology.QR, "place", finest=0.375, coarsest=1.0),
    ),
)
"""A place: read from the aisle by its bars, from the truck by its square."""

PRODUCT = Template(
    "product",
    70,
    40,
    (
        Words(3, 2.5, 64, 10, "name", size=4.4, bold=True),
        Words(3, 13, 42, 5, "sku", size=3.6),
        Words(3, 18.5, 42, 5, "pack", size=3),
        Words(3, 32.5, 42, 5, "printed", size=2.6),
        Code(46, 14, 22, 22, Symbology.GS1_DATAMATRIX, "gs1", finest=0.375, coarsest=1.0),
        Code(46, 14, 22, 22, Symbology.QR, "plain", finest=0.375, coarsest=1.0),
    ),
)

SHAPES = {one.key: one for one in (LOT, SSCC, LOCATION, PRODUCT)}
