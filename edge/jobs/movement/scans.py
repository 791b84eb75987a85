"""What a scan is for the smaller jobs, told from its content alone, and the command it means by what is awaited. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from drivers.api import Flag, Reading
from edge.jobs.movement import commands as m
from edge.jobs.movement.words import COUNTED, CountAwaits, GateAwaits, MoveAwaits
from edge.jobs.overlay import Stock
from edge.mirror.view import MasterView
from sync_protocol.identifiers import container_fault, normal_container
from sync_protocol.movements import COUNT, GATE, MOVE, PUT_AWAY
from sync_protocol.steps import FieldValue

PLACE_PREFIX: Final = "TB-LOC:"
"""May stand before a place's code on its label."""
SHEET_PREFIX: Final = "TB-SHEET:"
"""May stand before the ref of a planned count on its paper."""


class Seen(StrEnum):
    """What was scanned."""

    COMMAND = "command"
    REASON = "reason"
    AMOUNT = "count"
    PLACE = "place"
    UNIT = "unit"
    PRODUCT = "product"
    UNKNOWN_PRODUCT = "unknown_product"
    CONTAINER = "container"
    SHEET = "sheet"
    TEXT = "text"
    NO_READ = "no_read"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One scan. `key` is the command's name, the reason, the amount, the place's code, the SSCC, the sku, the number or ref."""

    seen: Seen
    text: str
    entry: str
    key: str = ""
    lot: str | None = None

    @property
    def value(self) -> FieldValue:
        """As it goes into a step."""
        return FieldValue(value=(self.key or self.text)[:256], mode="device", reading=self.entry)


_SHEET_CODES: Final = {
    "TB-CMD:": Seen.COMMAND,
    "TB-REASON:": Seen.REASON,
    "TB-QTY:": Seen.AMOUNT,
    PLACE_PREFIX: Seen.PLACE,
    SHEET_PREFIX: Seen.SHEET,
}


def sighted(reading: Reading, entry: str, masters: MasterView) -> Sighting:
    """What the scan is. Codes with our own prefix first, then GS1 keys, then what the mirror knows, then plain text."""
    text = reading.value if isinstance(reading.value, str) else ""
    if not text or Flag.NO_READ in reading.flags:
        return Sighting(Seen.NO_READ, text, entry)
    for prefix, seen in _SHEET_CODES.items():
        if text.startswith(prefix):
            return Sighting(seen, text, entry, text.removeprefix(prefix))
    details = reading.details
    if sscc := details.get("sscc"):
        return Sighting(Seen.UNIT, text, entry, sscc)
    if gtin := details.get("gtin"):
        product = masters.product_of_code("gtin", gtin)
        if product is None:
            return Sighting(Seen.UNKNOWN_PRODUCT, text, entry, gtin)
        return Sighting(Seen.PRODUCT, text, entry, product.sku, details.get("ai.10"))
    return _known(text, entry, masters)


def _known(text: str, entry: str, masters: MasterView) -> Sighting:
    if masters.location(text) is not None:
        return Sighting(Seen.PLACE, text, entry, text)
    if masters.sheet(text) is not None:
        return Sighting(Seen.SHEET, text, entry, text)
    if container_fault(text) is None:
        return Sighting(Seen.CONTAINER, text, entry, normal_container(text))
    for scheme in ("supplier", "own"):
        if product := masters.product_of_code(scheme, text):
            return Sighting(Seen.PRODUCT, text, entry, product.sku)
    return Sighting(Seen.TEXT, text, entry)


def goods_of(scan: Sighting) -> m.GiveGoods:
    """The product that was scanned; its identity is the whole text of the code."""
    identity = FieldValue(value=scan.text[:256], mode="device", reading=scan.entry)
    return m.GiveGoods(scan.key, identity, scan.lot)


def _amount(scan: Sighting) -> m.GiveMuch:
    return m.GiveMuch(FieldValue(value=scan.key[:32], mode="manual", reason=COUNTED))


def _place(scan: Sighting) -> m.GivePlace:
    return m.GivePlace(scan.value)


_Maker = Callable[[Sighting], object]
_MV, _CT, _GT = MoveAwaits, CountAwaits, GateAwaits

MEANT: Final[dict[tuple[Seen, str], _Maker]] = {
    (Seen.PLACE, _MV.SOURCE): _place,
    (Seen.PLACE, _MV.GOODS): _place,
    (Seen.PLACE, _MV.TARGET): _place,
    (Seen.UNIT, _MV.SOURCE): lambda scan: m.GiveUnit(scan.value),
    (Seen.UNIT, _MV.GOODS): lambda scan: m.GiveUnit(scan.value),
    (Seen.PRODUCT, _MV.GOODS): goods_of,
    (Seen.TEXT, _MV.LOT): lambda scan: m.GiveLot(scan.value),
    (Seen.TEXT, _MV.WHICH): lambda scan: m.GiveLot(scan.value),
    (Seen.AMOUNT, _MV.MUCH): _amount,
    (Seen.REASON, _MV.WHY): lambda scan: m.GiveWhy(scan.key),
    (Seen.PLACE, _CT.PLACE): _place,
    (Seen.PRODUCT, _CT.GOODS): goods_of,
    (Seen.TEXT, _CT.LOT): lambda scan: m.GiveLot(scan.value),
    (Seen.AMOUNT, _CT.MUCH): _amount,
    (Seen.CONTAINER, _GT.CONTAINER): _place,
    (Seen.TEXT, _GT.CONTAINER): _place,
    (Seen.TEXT, _GT.DETAILS): lambda scan: m.GiveSeal(scan.value),
}
"""What a scan means while something is awaited. Whatever is not named here is refused and changes nothing."""

COMMANDS: Final[dict[tuple[str, str], Callable[[], object]]] = {
    **{
        (name, awaited): m.Back
        for name in ("DROP", "UNDO")
        for awaited in (*_MV, *_CT, *_GT)
        if awaited not in {_MV.NOTHING, _CT.NOTHING, _GT.NOTHING}
    },
    ("FINISH", _MV.SOURCE): m.Finish,
    ("FINISH", _MV.GOODS): m.Finish,
    ("FINISH", _CT.GOODS): m.Finish,
    ("ALL", _MV.MUCH): m.TakeAll,
    ("NOLOT", _MV.LOT): m.NoLot,
    ("NOLOT", _CT.LOT): m.NoLot,
    ("CONFIRM", _GT.DETAILS): m.Pass,
}
"""Command codes of the station's sheet. `TAKE` is the desk's own, because it asks the scale."""


def beginning(scan: Sighting, flows: list[str], stock: Stock) -> tuple[str, object] | None:
    """The job that a scan starts where none is in hand, and its first command; None: it is for a receipt, or for nothing."""
    match scan.seen:
        case Seen.PLACE if MOVE in flows:
            return MOVE, m.BeginMove(place=scan.value)
        case Seen.PLACE if COUNT in flows:
            return COUNT, m.BeginCount(place=scan.value)
        case Seen.SHEET if COUNT in flows:
            return COUNT, m.BeginCount(sheet=scan.key)
        case Seen.CONTAINER if GATE in flows:
            return GATE, m.BeginGate(container=scan.value)
        case Seen.UNIT:
            return _unit(scan, flows, stock)
    return None


def _unit(scan: Sighting, flows: list[str], stock: Stock) -> tuple[str, object] | None:
    """A pallet that stands here already is put away or moved; any other one is for a receipt, which may expect it."""
    rows = stock.unit(scan.key)
    if not rows:
        return None
    waits = any(row.receipt is not None for row in rows)
    kinds = [kind for kind in ((PUT_AWAY, MOVE) if waits else (MOVE,)) if kind in flows]
    return (kinds[0], m.BeginMove(unit=scan.value)) if kinds else None
