"""Master data of an invented food wholesaler, to try the product with."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.actor import Taken
from cloud.kernel.transition import transition
from cloud.masters.machine import PURCHASE_ORDER
from cloud.masters.models import OrderLine, Party, Product, ProductCode, PurchaseOrder, Site, Station
from cloud.people.accounts import NewUser, create_user, user_by_login
from cloud.people.models import Role

STATION = "receiving-1"
ORGANISATION = "Galil Fine Foods"


@dataclass(frozen=True, slots=True)
class _Product:
    sku: str
    name: str
    name_he: str
    unit: str
    gtin: str | None
    """GS1 Israel's prefix 729, a made-up company, the check digit as GS1 General Specifications 7.9.1 computes it."""
    tracking: str = "none"
    expiry: str = "none"
    identity: str = "optional"
    weight: str = "optional"
    over: str = "0"
    codes: tuple[tuple[str, str], ...] = ()


PRODUCTS = (
    _Product(
        "CHK-CUB",
        "Chicken breast, cubed",
        "חזה עוף קוביות",
        "kg",
        "07290001234563",
        "lot",
        "required",
        "required",
        "required",
        "0.05",
    ),
    _Product(
        "SLM-FIL",
        "Salmon fillet, chilled",
        "פילה סלמון מצונן",
        "kg",
        "07290001234570",
        "lot",
        "required",
        "required",
        "required",
        "0.03",
    ),
    _Product(
        "ALM-WHL", "Almonds, whole", "שקדים שלמים", "kg", "07290001234587", "lot", "required", "optional", "required", "0.02"
    ),
    _Product("TAH-RAW", "Raw tahini 500 g", "טחינה גולמית 500 גרם", "{pcs}", "07290001234594", "lot", "required", "required"),
    _Product("OIL-OLV", "Olive oil 750 ml", "שמן זית 750 מ״ל", "{pcs}", "07290001234600", "lot", "required"),
    _Product("BOX-450", "Carton box 450 mm", "קרטון 450 מ״מ", "{pcs}", "07290001234617", codes=(("supplier", "KRT-450"),)),
    _Product(
        "FLM-500", "Stretch film roll", "גליל סטרץ׳", "{pcs}", None, codes=(("own", "FLM-500"), ("supplier", "SF-23-500"))
    ),
    _Product("SUG-BLK", "Sugar, bulk", "סוכר בתפזורת", "kg", "07290001234624", "lot", "none", "optional", "optional", "0.01"),
)

SUPPLIERS = (
    ("SUP-014", "Golan Poultry and Fish", "עופות ודגי הגולן"),
    ("SUP-027", "Carmel Pantry", "מזווה הכרמל"),
    ("SUP-033", "Kinneret Packaging", "אריזות כנרת"),
)

ORDERS: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("PO-2026-0041", "SUP-014", (("CHK-CUB", "120.000", "kg"), ("SLM-FIL", "40.000", "kg"))),
    ("PO-2026-0042", "SUP-027", (("ALM-WHL", "25.000", "kg"), ("TAH-RAW", "240", "{pcs}"), ("OIL-OLV", "96", "{pcs}"))),
    ("PO-2026-0043", "SUP-033", (("BOX-450", "500", "{pcs}"), ("FLM-500", "24", "{pcs}"))),
)

PEOPLE = (
    ("dana", "Dana Levi · דנה לוי", Role.OPERATOR, "he"),
    ("omar", "Omar Haddad · עומר חדאד", Role.OPERATOR, "en"),
    ("noa", "Noa Barak · נועה ברק", Role.SUPERVISOR, "he"),
)


async def load_demo(
    session: AsyncSession, taken: Taken, *, pins: Mapping[str, str], passwords: Mapping[str, str] | None = None
) -> bool:
    """Fill an empty database: one site with station `receiving-1`, 3 suppliers, 8 products, 3 confirmed orders, 3 people.

    `pins` and `passwords` are by login (`dana`, `omar`, `noa`); who has none gets none. False when the station is there
    already, and nothing is changed then.
    """
    if await session.scalar(select(Station.id).where(Station.code == STATION)) is not None:
        return False
    site = Site(code="galil", name="Galil warehouse", name_he="מחסן גליל")
    session.add_all([site, Station(code=STATION, name="Receiving 1", name_he="קבלה 1", site=site)])
    suppliers = {ref: Party(ref=ref, name=name, name_he=name_he, roles=["supplier"]) for ref, name, name_he in SUPPLIERS}
    products = {spec.sku: _product(spec) for spec in PRODUCTS}
    session.add_all([*suppliers.values(), *products.values()])
    for spec in PRODUCTS:
        gtin = (("gtin", spec.gtin),) if spec.gtin else ()
        session.add_all(ProductCode(scheme=s, code=c, product=products[spec.sku]) for s, c in (*gtin, *spec.codes))
    for ref, supplier, lines in ORDERS:
        order = PurchaseOrder(ref=ref, supplier=suppliers[supplier], site=site, created_at=taken.at)
        order.lines = [
            OrderLine(line=str(number), product=products[sku], quantity=Decimal(quantity), unit=unit)
            for number, (sku, quantity, unit) in enumerate(lines, 1)
        ]
        session.add(order)
        await session.flush()
        await transition(session, PURCHASE_ORDER, order, "confirm", taken)
    await _people(session, taken, pins, passwords or {})
    return True


async def _people(session: AsyncSession, taken: Taken, pins: Mapping[str, str], passwords: Mapping[str, str]) -> None:
    for login, name, role, locale in PEOPLE:
        if await user_by_login(session, login) is None:
            new = NewUser(login, name, role, password=passwords.get(login), pin=pins.get(login), locale=locale)
            await create_user(session, new, taken)


def _product(spec: _Product) -> Product:
    return Product(
        sku=spec.sku,
        name=spec.name,
        name_he=spec.name_he,
        unit=spec.unit,
        tracking=spec.tracking,
        expiry=spec.expiry,
        identity_policy=spec.identity,
        weight_policy=spec.weight,
        over_tolerance=Decimal(spec.over),
    )
