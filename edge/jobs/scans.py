"""What a scan is, told from its content alone, and what it does to a receipt while something is awaited. Pure.

`EFFECTS` is complete over (kind of scan, awaited input): a scan is never understood by where a cursor stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from drivers.api import Flag, Reading
from edge.jobs.awaiting import Awaits
from edge.mirror.view import MasterView
from sync_protocol.identifiers import container_fault, normal_container
from sync_protocol.masters import Code

COMMAND_PREFIX: Final = "TB-CMD:"
"""Command codes of the station's sheet: `TB-CMD:CONFIRM`, `FINISH`, `TAKE`, `UNDO`, `ABANDON`, `NODOC`, `AGAIN`, `DROP`..."""
REASON_PREFIX: Final = "TB-REASON:"
"""A reason code of the sheet, for whatever asks for one."""
COUNT_PREFIX: Final = "TB-QTY:"
"""A counted amount of the sheet: `TB-QTY:12`."""
ORDER_PREFIXES: Final = ("TB-ORDER:", "PO:")
"""May stand before an order's ref on its paper."""
NOTICE_PREFIXES: Final = ("TB-NOTICE:", "ASN:")
"""May stand before a notice's ref on its paper."""


class ScanKind(StrEnum):
    """What was scanned."""

    COMMAND = "command"
    REASON = "reason"
    COUNT = "count"
    ORDER = "order"
    NOTICE = "notice"
    UNIT = "unit"
    CONTAINER = "container"
    PRODUCT = "product"
    UNKNOWN_PRODUCT = "unknown_product"
    TEXT = "text"
    NO_READ = "no_read"


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan. `key` is the order's or notice's ref, the product's sku, the SSCC, the command's name, the reason, the count...

    `scheme` and `code` are those of a product's code, known or not; `others` what else a known one may mean.
    """

    kind: ScanKind
    text: str
    key: str = ""
    lot: str | None = None
    expiry: str | None = None
    serial: str | None = None
    scheme: str = ""
    code: str = ""
    pack: str | None = None
    others: tuple[str, ...] = ()


class Effect(StrEnum):
    """What a scan does."""

    BEGIN = "begin"
    BEGIN_NOTICE = "begin_notice"
    ITEM = "item"
    LEARN = "learn"
    UNIT = "unit"
    DOCUMENT = "document"
    ARRIVAL = "arrival"
    CONTAINER = "container"
    LOT = "lot"
    SERIAL = "serial"
    BADGE = "badge"
    AGAIN = "again"
    COMMAND = "command"
    REASON = "reason"
    COUNT = "count"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    READ_FAILED = "read_failed"


def classify(reading: Reading, masters: MasterView, supplier: str | None = None) -> Scan:
    """What the scan is. Sheet codes first (their prefixes are ours), then orders, units, products, containers, plain text.

    `supplier` is who sent the goods in hand: codes of their own are looked up as theirs first.
    """
    text = reading.value if isinstance(reading.value, str) else ""
    if not text or Flag.NO_READ in reading.flags:
        return Scan(ScanKind.NO_READ, text)
    for prefix, kind in _SHEET.items():
        if text.startswith(prefix):
            return Scan(kind, text, text.removeprefix(prefix))
    paper = _order(text, reading.details, masters) or _notice(text, masters)
    goods = _unit(text, reading.details) or _product(text, reading.details, masters, supplier)
    return paper or goods or _container(text) or Scan(ScanKind.TEXT, text)


_SHEET: Final = {COMMAND_PREFIX: ScanKind.COMMAND, REASON_PREFIX: ScanKind.REASON, COUNT_PREFIX: ScanKind.COUNT}


def _order(text: str, details: Mapping[str, str], masters: MasterView) -> Scan | None:
    # AI 400 is the customer's purchase order number (GS1 General Specifications, 3.6).
    refs = [text, *(text.removeprefix(prefix) for prefix in ORDER_PREFIXES if text.startswith(prefix))]
    if "gtin" not in details and "ai.400" in details:
        refs.append(details["ai.400"])
    found = next((ref for ref in refs if masters.order(ref) is not None), None)
    if found is not None:
        return Scan(ScanKind.ORDER, text, found)
    # A paper that calls itself an order is one, even when the box does not know it. A unit's label may name one as well.
    return Scan(ScanKind.ORDER, text, refs[1]) if len(refs) > 1 and "sscc" not in details else None


def _notice(text: str, masters: MasterView) -> Scan | None:
    refs = [text, *(text.removeprefix(prefix) for prefix in NOTICE_PREFIXES if text.startswith(prefix))]
    found = next((ref for ref in refs if masters.notice(ref) is not None), None)
    if found is not None:
        return Scan(ScanKind.NOTICE, text, found)
    return Scan(ScanKind.NOTICE, text, refs[1]) if len(refs) > 1 else None


def _unit(text: str, details: Mapping[str, str]) -> Scan | None:
    # AI 00, alone or beside others of the unit's contents (GS1 General Specifications, 3.3.1).
    sscc = details.get("sscc") or details.get("ai.00")
    return Scan(ScanKind.UNIT, text, sscc) if sscc is not None else None


def _product(text: str, details: Mapping[str, str], masters: MasterView, supplier: str | None) -> Scan | None:
    gtin = details.get("gtin")
    if gtin is None:
        for scheme, key in (("supplier", f"{text}:{supplier}"), ("supplier", text), ("own", text)):
            if (found := _code(masters, scheme, key)) is not None:
                return _known(found, text, details, masters)
        return None
    found = _code(masters, "gtin", gtin)
    if found is not None:
        return _known(found, text, details, masters)
    return _with_carried(Scan(ScanKind.UNKNOWN_PRODUCT, text, gtin, scheme="gtin", code=gtin), details)


def _code(masters: MasterView, scheme: str, code: str) -> Code | None:
    found = masters.rows.get(("code", f"{scheme}:{code}"))
    return found[1] if found is not None and isinstance(found[1], Code) else None


def _known(code: Code, text: str, details: Mapping[str, str], masters: MasterView) -> Scan | None:
    named = tuple(sku for sku in (code.product, *code.others) if masters.product(sku) is not None)
    if not named:
        return None
    pack = code.pack if code.pack != "1" else None
    scan = Scan(ScanKind.PRODUCT, text, named[0], scheme=code.scheme, code=code.code, pack=pack, others=named[1:])
    return _with_carried(scan, details)


def _with_carried(scan: Scan, details: Mapping[str, str]) -> Scan:
    return replace(scan, lot=details.get("ai.10"), expiry=details.get("expiry"), serial=details.get("ai.21"))


def _container(text: str) -> Scan | None:
    # A wrong check digit makes it plain text: something else may look alike, and a container's field takes any text.
    return Scan(ScanKind.CONTAINER, text, normal_container(text)) if container_fault(text) is None else None


_PLAIN: Final = (ScanKind.TEXT, ScanKind.PRODUCT, ScanKind.UNKNOWN_PRODUCT, ScanKind.CONTAINER)
"""What may be a serial number, a badge or the number on a seal: a code that happens to mean something else as well."""

_TAKEN: Final[dict[tuple[ScanKind, Awaits], Effect]] = {
    (ScanKind.ORDER, Awaits.ORDER): Effect.BEGIN,
    (ScanKind.NOTICE, Awaits.ORDER): Effect.BEGIN_NOTICE,
    (ScanKind.TEXT, Awaits.DOCUMENT): Effect.DOCUMENT,
    (ScanKind.REASON, Awaits.DOCUMENT): Effect.REASON,
    (ScanKind.PRODUCT, Awaits.ITEM): Effect.ITEM,
    (ScanKind.UNKNOWN_PRODUCT, Awaits.ITEM): Effect.LEARN,
    (ScanKind.TEXT, Awaits.ITEM): Effect.LEARN,
    (ScanKind.UNIT, Awaits.ITEM): Effect.UNIT,
    (ScanKind.UNIT, Awaits.PALLET): Effect.UNIT,
    (ScanKind.CONTAINER, Awaits.ITEM): Effect.CONTAINER,
    (ScanKind.PRODUCT, Awaits.AGAIN): Effect.AGAIN,
    (ScanKind.TEXT, Awaits.LOT): Effect.LOT,
    (ScanKind.COUNT, Awaits.COUNT): Effect.COUNT,
    (ScanKind.REASON, Awaits.CONFIRM): Effect.REASON,
    **{(kind, Awaits.SERIAL): Effect.SERIAL for kind in _PLAIN},
    **{(kind, Awaits.ARRIVAL): Effect.ARRIVAL for kind in _PLAIN},
    **{(kind, Awaits.SUPERVISOR): Effect.BADGE for kind in _PLAIN},
}


def _effect(kind: ScanKind, awaited: Awaits) -> Effect:
    if kind is ScanKind.COMMAND:
        return Effect.COMMAND
    if kind is ScanKind.NO_READ:
        return Effect.READ_FAILED
    if (kind, awaited) in _TAKEN:
        return _TAKEN[kind, awaited]
    unknown = kind is ScanKind.UNKNOWN_PRODUCT or (kind is ScanKind.TEXT and awaited is Awaits.ORDER)
    return Effect.UNKNOWN if unknown else Effect.WRONG


EFFECTS: Final[dict[tuple[ScanKind, Awaits], Effect]] = {
    (kind, awaited): _effect(kind, awaited) for kind in ScanKind for awaited in Awaits
}
