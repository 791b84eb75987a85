"""What labels say, read from lots, handling units, places, products and receipts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from cloud.masters.models import Location, Product, ProductCode
from cloud.papers import gs1
from cloud.papers.gs1 import Element
from cloud.papers.labels.shapes import LOCATION, LOT, PRODUCT, SSCC
from cloud.papers.labels.template import Label, Template
from cloud.papers.reads.common import Reading, amount, house, in_unit, named
from cloud.papers.reads.received import confirmed
from cloud.papers.views import Name
from cloud.papers.words import Words
from cloud.receiving.models import Receipt, ReceiptNumber
from cloud.stock.models import HandlingUnit, Lot, Quant
from sync_protocol.quantity import plain


async def lot_labels(reading: Reading, words: Words, row: Lot, today: date) -> Sequence[Label]:
    """The label of a lot or a single piece. Goods without GTIN bear the lot's own code, which the box takes as text."""
    product = row.product
    gtin = await _gtin(reading, product, Decimal(1))
    ai = "21" if row.is_serial else "10"
    texts = {
        "name": words.name(named(product)),
        "sku": product.sku,
        "lot_word": words.say("label.serial" if row.is_serial else "label.lot"),
        "lot": row.code,
        "expiry_word": words.say("label.expiry") if row.expires_on else "",
        "expiry": words.day(row.expires_on),
        "printed": words.say("label.made", day=words.day(today)),
    }
    receipt = await reading.session.scalar(select(ReceiptNumber.ref).where(ReceiptNumber.uid == (row.first_receipt or "")))
    if receipt is not None:
        texts |= {"receipt_word": words.say("label.receipt"), "receipt": receipt}
    if gtin is None or not gs1.fits(ai, row.code):
        return [Label(texts, {"plain": row.code}, words.rtl)]
    dated = [gs1.day("17", row.expires_on)] if row.expires_on else []
    return [Label(texts, {"gs1": (Element("01", gtin), *dated, Element(ai, row.code))}, words.rtl)]


async def unit_labels(reading: Reading, words: Words, row: HandlingUnit, _today: date) -> Sequence[Label]:
    """The logistic label of a pallet. What is on it stands there where it is one product of one lot and one owner."""
    rows = await reading.session.scalars(
        select(Quant)
        .where(Quant.unit_id == row.id, Quant.internal.is_(True), Quant.quantity > Decimal(0))
        .options(*(selectinload(one) for one in (Quant.product, Quant.lot, Quant.owner)))
        .order_by(Quant.id)
    )
    held = rows.all()
    ours = await house(reading)
    texts = {"house": words.name(ours.name), "sscc_word": words.say("label.sscc"), "sscc": spaced(row.sscc)}
    codes: dict[str, str | tuple[Element, ...]] = {"sscc": (Element("00", row.sscc),)}
    if len({(one.product_id, one.lot_id, one.owner_id) for one in held}) == 1:
        more, bars = await _content(reading, words, held)
        texts |= more
        codes |= bars
    else:
        texts["name"] = words.say("label.mixed" if held else "label.empty")
    return [Label(texts, codes, words.rtl)]


async def _content(
    reading: Reading, words: Words, held: Sequence[Quant]
) -> tuple[dict[str, str], dict[str, tuple[Element, ...]]]:
    product, lot = held[0].product, held[0].lot
    quantity = sum((one.quantity for one in held), Decimal(0))
    weight = _net(product, quantity)
    texts = {
        "name": words.name(named(product)),
        "sku_word": words.say("label.item"),
        "sku": product.sku,
        "lot_word": words.say("label.lot") if lot else "",
        "lot": lot.code if lot else "",
        "expiry_word": words.say("label.expiry") if lot and lot.expires_on else "",
        "expiry": words.day(lot.expires_on) if lot else "",
        "quantity_word": words.say("label.quantity"),
        "quantity": f"{plain(quantity)} {words.unit(product.unit)}".strip(),
        "weight_word": words.say("label.weight") if weight and product.unit != "kg" else "",
        "weight": f"{plain(weight)} {words.unit('kg')}" if weight and product.unit != "kg" else "",
        "owner_word": words.say("label.owner"),
        "owner": words.name(named(held[0].owner)),
    }
    found = await _pack(reading, product, quantity)
    if found is None:
        return texts, {}
    gtin, count = found
    expiry = [gs1.day("17", lot.expires_on)] if lot and lot.expires_on else []
    net = gs1.net_kilograms(weight) if weight else None
    content = (Element("02", gtin), *expiry, *([net] if net else []), Element("37", str(count)))
    batch = {"batch": (Element("10", lot.code),)} if lot and not lot.is_serial and gs1.fits("10", lot.code) else {}
    return texts, {"content": content, **batch}


def _net(product: Product, quantity: Decimal) -> Decimal | None:
    """Kilograms, where they are known."""
    weighed = in_unit(quantity, product.unit, "kg")
    if weighed is not None:
        return weighed
    return None if product.unit_weight is None else (quantity * product.unit_weight).normalize() + 0


async def _pack(reading: Reading, product: Product, quantity: Decimal) -> tuple[str, int] | None:
    """A GTIN of which the goods are a whole number, the largest pack first, and that number (AI 02 goes with AI 37)."""
    rows = await _gtins(reading, product)
    for row in sorted(rows, key=lambda one: one.pack_qty, reverse=True):
        pack = in_unit(row.pack_qty, row.unit or product.unit, product.unit)
        if pack and quantity % pack == 0 and quantity / pack < 10**8:
            return row.code, int(quantity / pack)
    return None


async def _gtin(reading: Reading, product: Product, pack: Decimal) -> str | None:
    """The GTIN of one of the product, else of its smallest pack: a lot is named by either."""
    rows = sorted(await _gtins(reading, product), key=lambda one: (one.pack_qty != pack, one.pack_qty, one.id))
    return rows[0].code if rows else None


async def _gtins(reading: Reading, product: Product) -> Sequence[ProductCode]:
    rows = await reading.session.scalars(
        select(ProductCode).where(
            ProductCode.product_id == product.id, ProductCode.scheme == "gtin", ProductCode.archived.is_(False)
        )
    )
    return [row for row in rows if len(row.code) == 14]


async def location_labels(_reading: Reading, words: Words, row: Location, _today: date) -> Sequence[Label]:
    """A place: its code, as bars and as a square."""
    return [Label({"code": row.code, "name": words.name(Name(row.name, row.name_he))}, {"place": row.code}, words.rtl)]


async def product_labels(reading: Reading, words: Words, row: Product, today: date) -> Sequence[Label]:
    """A product, one label a code: by its GTINs with what is in each pack, else by our own code."""
    base = {"name": words.name(named(row)), "sku": row.sku, "printed": words.say("label.made", day=words.day(today))}
    labels = []
    for code in sorted(await _gtins(reading, row), key=lambda one: (one.pack_qty, one.id)):
        held = amount(code.pack_qty, code.unit or row.unit)
        pack = f"{held.value} {words.unit(held.unit)}".strip() if held and code.pack_qty != 1 else ""
        labels.append(Label({**base, "pack": pack}, {"gs1": (Element("01", code.code),)}, words.rtl))
    return labels or [Label(base, {"plain": await _own(reading, row)}, words.rtl)]


async def _own(reading: Reading, product: Product) -> str:
    found = await reading.session.scalar(
        select(ProductCode.code)
        .where(ProductCode.product_id == product.id, ProductCode.scheme == "own", ProductCode.archived.is_(False))
        .order_by(ProductCode.id)
        .limit(1)
    )
    return found or product.sku


async def receipt_lot_labels(reading: Reading, words: Words, row: Receipt, today: date) -> Sequence[Label]:
    """One label for every lot and every single piece of a receipt, in the order of its lines."""
    lines = confirmed(row)
    wanted = list(
        dict.fromkeys(one for line in lines for one in (line.lot_id, *(serial.lot_id for serial in line.serials)) if one)
    )
    rows = await reading.session.scalars(select(Lot).where(Lot.id.in_(wanted)))
    lots = {lot.id: lot for lot in rows}
    return [label for one in wanted for label in await lot_labels(reading, words, lots[one], today)]


async def receipt_unit_labels(reading: Reading, words: Words, row: Receipt, today: date) -> Sequence[Label]:
    """One label for every pallet of a receipt."""
    wanted = list(dict.fromkeys(line.handling_unit_id for line in confirmed(row) if line.handling_unit_id))
    rows = await reading.session.scalars(select(HandlingUnit).where(HandlingUnit.id.in_(wanted)))
    units = {unit.id: unit for unit in rows}
    return [label for one in wanted for label in await unit_labels(reading, words, units[one], today)]


def spaced(sscc: str) -> str:
    """An SSCC in groups that can be read out."""
    return " ".join(sscc[start : start + 4] for start in range(0, len(sscc), 4))


SOURCES: Mapping[str, tuple[Template, Callable[..., Awaitable[Sequence[Label]]]]] = {
    "lot": (LOT, lot_labels),
    "sscc": (SSCC, unit_labels),
    "location": (LOCATION, location_labels),
    "product": (PRODUCT, product_labels),
    "receipt_lots": (LOT, receipt_lot_labels),
    "receipt_units": (SSCC, receipt_unit_labels),
}
"""By the keys of `cloud.papers.kinds.LABELS`: how a label looks, and what it says of a row of the record's table."""
