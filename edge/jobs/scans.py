"""What a scan is, told from its content alone, and what it does while something is awaited. Pure.

`EFFECTS` is complete over (kind of scan, awaited input): a scan is never understood by where a cursor stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from drivers.api import Flag, Reading
from edge.jobs.engine import Awaits
from edge.mirror.view import MasterView

COMMAND_PREFIX: Final = "TB-CMD:"
"""Command codes of the station's sheet: `TB-CMD:CONFIRM`, `FINISH`, `TAKE`, `UNDO`, `ABANDON`, `NODOC`, `AGAIN`, `DROP`."""
REASON_PREFIX: Final = "TB-REASON:"
"""A reason code of the sheet, for whatever asks for one."""
COUNT_PREFIX: Final = "TB-QTY:"
"""A counted amount of the sheet: `TB-QTY:12`."""
ORDER_PREFIXES: Final = ("TB-ORDER:", "PO:")
"""May stand before an order's ref on its paper."""


class ScanKind(StrEnum):
    """What was scanned."""

    COMMAND = "command"
    REASON = "reason"
    COUNT = "count"
    ORDER = "order"
    PRODUCT = "product"
    UNKNOWN_PRODUCT = "unknown_product"
    TEXT = "text"
    NO_READ = "no_read"


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan. `key` is the order's ref, the product's sku, the command's name, the reason or the count by kind."""

    kind: ScanKind
    text: str
    key: str = ""
    lot: str | None = None
    expiry: str | None = None


class Effect(StrEnum):
    """What a scan does."""

    BEGIN = "begin"
    ITEM = "item"
    DOCUMENT = "document"
    LOT = "lot"
    AGAIN = "again"
    COMMAND = "command"
    REASON = "reason"
    COUNT = "count"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    READ_FAILED = "read_failed"


def classify(reading: Reading, masters: MasterView) -> Scan:
    """What the scan is. Sheet codes first (their prefixes are ours), then orders, then products, then plain text."""
    text = reading.value if isinstance(reading.value, str) else ""
    if not text or Flag.NO_READ in reading.flags:
        return Scan(ScanKind.NO_READ, text)
    for prefix, kind in _SHEET.items():
        if text.startswith(prefix):
            return Scan(kind, text, text.removeprefix(prefix))
    return _order(text, reading.details, masters) or _product(text, reading.details, masters) or Scan(ScanKind.TEXT, text)


_SHEET: Final = {COMMAND_PREFIX: ScanKind.COMMAND, REASON_PREFIX: ScanKind.REASON, COUNT_PREFIX: ScanKind.COUNT}


def _order(text: str, details: Mapping[str, str], masters: MasterView) -> Scan | None:
    # AI 400 is the customer's purchase order number (GS1 General Specifications, 3.6).
    refs = [text, *(text.removeprefix(prefix) for prefix in ORDER_PREFIXES if text.startswith(prefix))]
    if "gtin" not in details and "ai.400" in details:
        refs.append(details["ai.400"])
    found = next((ref for ref in refs if masters.order(ref) is not None), None)
    if found is not None:
        return Scan(ScanKind.ORDER, text, found)
    # A paper that calls itself an order is one, even when the box does not know it.
    return Scan(ScanKind.ORDER, text, refs[1]) if len(refs) > 1 else None


def _product(text: str, details: Mapping[str, str], masters: MasterView) -> Scan | None:
    gtin = details.get("gtin")
    if gtin is None:
        for scheme in ("supplier", "own"):
            if product := masters.product_of_code(scheme, text):
                return Scan(ScanKind.PRODUCT, text, product.sku)
        return None
    product = masters.product_of_code("gtin", gtin)
    if product is None:
        return Scan(ScanKind.UNKNOWN_PRODUCT, text, gtin)
    return Scan(ScanKind.PRODUCT, text, product.sku, details.get("ai.10"), details.get("expiry"))


_TAKEN: Final[dict[tuple[ScanKind, Awaits], Effect]] = {
    (ScanKind.ORDER, Awaits.ORDER): Effect.BEGIN,
    (ScanKind.TEXT, Awaits.DOCUMENT): Effect.DOCUMENT,
    (ScanKind.REASON, Awaits.DOCUMENT): Effect.REASON,
    (ScanKind.PRODUCT, Awaits.ITEM): Effect.ITEM,
    (ScanKind.PRODUCT, Awaits.AGAIN): Effect.AGAIN,
    (ScanKind.TEXT, Awaits.LOT): Effect.LOT,
    (ScanKind.COUNT, Awaits.COUNT): Effect.COUNT,
    (ScanKind.REASON, Awaits.CONFIRM): Effect.REASON,
}


def _effect(kind: ScanKind, awaited: Awaits) -> Effect:
    if kind is ScanKind.COMMAND:
        return Effect.COMMAND
    if kind is ScanKind.NO_READ:
        return Effect.READ_FAILED
    if (kind, awaited) in _TAKEN:
        return _TAKEN[kind, awaited]
    unknown = kind is ScanKind.UNKNOWN_PRODUCT or (kind is ScanKind.TEXT and awaited in {Awaits.ITEM, Awaits.ORDER})
    return Effect.UNKNOWN if unknown else Effect.WRONG


EFFECTS: Final[dict[tuple[ScanKind, Awaits], Effect]] = {
    (kind, awaited): _effect(kind, awaited) for kind in ScanKind for awaited in Awaits
}
