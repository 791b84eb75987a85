"""The kinds of master data with their tables, definitions and rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.actor import Taken
from cloud.masters import models, order_rules, party_rules, place_rules, pricing, product_rules
from cloud.masters.machine import PURCHASE_ORDER
from cloud.objects.registry import Shipped
from cloud.objects.typed import BeforeSave, TypedKind


def _asked(rule: BeforeSave) -> BeforeSave:
    """A rule that looks around before the row is written: its questions must not write it, or a constraint answers first."""

    async def ask(session: AsyncSession, row: Any, changes: Mapping[str, Any], taken: Taken) -> None:
        with session.no_autoflush:
            await rule(session, row, changes, taken)

    return ask


FOLDER = Path(__file__).parent / "definitions"

KINDS = (
    TypedKind(
        "party",
        models.Party,
        FOLDER / "party.yaml",
        before_save=_asked(party_rules.before_party),
        after_save=party_rules.after_party,
    ),
    TypedKind(
        "party_contact", models.PartyContact, FOLDER / "party_contact.yaml", before_save=_asked(party_rules.before_contact)
    ),
    TypedKind("unit", models.Unit, FOLDER / "unit.yaml", before_save=_asked(product_rules.before_unit)),
    TypedKind("product", models.Product, FOLDER / "product.yaml", before_save=_asked(product_rules.before_product)),
    TypedKind("product_code", models.ProductCode, FOLDER / "product_code.yaml", before_save=_asked(product_rules.before_code)),
    TypedKind("bom_line", models.BomLine, FOLDER / "bom_line.yaml", before_save=_asked(product_rules.before_bom_line)),
    TypedKind("price_list", models.PriceList, FOLDER / "price_list.yaml", before_save=_asked(pricing.before_price_list)),
    TypedKind("price", models.Price, FOLDER / "price.yaml", before_save=_asked(pricing.before_price)),
    TypedKind("site", models.Site, FOLDER / "site.yaml", before_save=_asked(place_rules.before_site)),
    TypedKind("station", models.Station, FOLDER / "station.yaml", before_save=_asked(place_rules.before_station)),
    TypedKind("location", models.Location, FOLDER / "location.yaml", before_save=_asked(place_rules.before_location)),
    TypedKind("device", models.Device, FOLDER / "device.yaml", before_save=_asked(place_rules.before_device)),
    TypedKind(
        "calibration",
        models.Calibration,
        FOLDER / "calibration.yaml",
        before_save=_asked(place_rules.before_calibration),
        after_save=place_rules.after_calibration,
    ),
    TypedKind(
        "label_layout",
        models.LabelLayout,
        FOLDER / "label_layout.yaml",
        before_save=_asked(place_rules.before_layout),
        after_save=place_rules.after_layout,
    ),
    TypedKind(
        "purchase_order",
        models.PurchaseOrder,
        FOLDER / "purchase_order.yaml",
        machine=PURCHASE_ORDER,
        before_save=_asked(order_rules.before_order),
    ),
    TypedKind(
        "order_line",
        models.OrderLine,
        FOLDER / "order_line.yaml",
        before_save=_asked(order_rules.before_order_line),
        after_save=order_rules.after_order_line,
    ),
)

MASTERS = Shipped(typed=KINDS)
