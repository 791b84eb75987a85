"""The invented house's products with their codes, kits and prices."""

from dataclasses import dataclass

from sync_protocol.identifiers import check_digit

COMPANY = "729000123"
"""GS1 Israel's prefix 729 and a made-up company."""


def gtin(item: int, indicator: int = 0) -> str:
    """A GTIN-14 of the company with its check digit. Indicator 1 to 8: a trade unit that holds several."""
    body = f"{indicator}{COMPANY}{item:03}"
    return body + check_digit(body)


@dataclass(frozen=True, slots=True)
class DemoCode:
    """One more code. `pack`: how much carries it, in the product's unit."""

    scheme: str
    code: str
    party: str | None = None
    pack: str = "1"


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """`item` is its number within the company's GTINs; None: it has none. `price` is the general list's, in shekels."""

    sku: str
    name: str
    name_he: str
    unit: str
    item: int | None
    category: str
    price: str
    tracking: str = "none"
    expiry: str = "none"
    identity: str = "optional"
    weight: str = "optional"
    over: str = "0"
    kind: str = "stocked"
    life: int | None = None
    unit_weight: str | None = None
    temps: tuple[str, str] | None = None
    owner: str | None = None
    carton: int | None = None
    """Units in a carton, which has a GTIN of its own."""
    codes: tuple[DemoCode, ...] = ()


def _fresh(sku: str, name: str, name_he: str, item: int, price: str, supplier_code: str, over: str = "0.03") -> DemoProduct:
    codes = (DemoCode("supplier", supplier_code, "SUP-014"),)
    return DemoProduct(
        sku, name, name_he, "kg", item, "fresh", price, "lot", "required", "required", "required", over,
        life=5, temps=("0", "4"), codes=codes,
    )  # fmt: skip


def _packed(sku: str, name: str, name_he: str, item: int, price: str, kilograms: str, carton: int = 12) -> DemoProduct:
    return DemoProduct(
        sku, name, name_he, "{pcs}", item, "pantry", price, "lot", "required", "required",
        life=60, unit_weight=kilograms, carton=carton,
    )  # fmt: skip


def _bulk(sku: str, name: str, name_he: str, item: int, price: str, over: str, expiry: str = "required") -> DemoProduct:
    return DemoProduct(sku, name, name_he, "kg", item, "dry", price, "lot", expiry, "optional", "required", over)


PRODUCTS = (
    _fresh("CHK-CUB", "Chicken breast, cubed", "חזה עוף קוביות", 456, "39.90", "GP-1102", "0.05"),
    _fresh("SLM-FIL", "Salmon fillet, chilled", "פילה סלמון מצונן", 457, "92.00", "GF-2001"),
    _bulk("ALM-WHL", "Almonds, whole", "שקדים שלמים", 458, "48.00", "0.02"),
    DemoProduct(
        "TAH-RAW",
        "Raw tahini 500 g",
        "טחינה גולמית 500 גרם",
        "{pcs}",
        459,
        "pantry",
        "17.50",
        "lot",
        "required",
        "required",
        unit_weight="0.5",
        carton=12,
    ),
    DemoProduct(
        "OIL-OLV",
        "Olive oil 750 ml",
        "שמן זית 750 מ״ל",
        "{pcs}",
        460,
        "pantry",
        "41.00",
        "lot",
        "required",
        unit_weight="0.69",
        carton=6,
    ),
    DemoProduct(
        "BOX-450",
        "Carton box 450 mm",
        "קרטון 450 מ״מ",
        "{pcs}",
        461,
        "packaging",
        "3.20",
        codes=(DemoCode("supplier", "KRT-450", "SUP-033"),),
    ),
    DemoProduct(
        "FLM-500",
        "Stretch film roll",
        "גליל סטרץ׳",
        "{pcs}",
        None,
        "packaging",
        "28.00",
        codes=(DemoCode("own", "FLM-500"), DemoCode("supplier", "SF-23-500", "SUP-033")),
    ),
    _bulk("SUG-BLK", "Sugar, bulk", "סוכר בתפזורת", 462, "4.10", "0.01", "none"),
    _fresh("TRK-BRS", "Turkey breast", "חזה הודו", 463, "44.50", "GP-1140"),
    _fresh("TRT-WHL", "Trout, whole", "פורל שלם", 464, "58.00", "GF-2014"),
    _fresh("CHK-WNG", "Chicken wings", "כנפי עוף", 465, "19.90", "GP-1107", "0.05"),
    _bulk("WAL-HLF", "Walnut halves", "חצאי אגוזי מלך", 466, "62.00", "0.02"),
    _bulk("RAI-DRK", "Raisins, dark", "צימוקים כהים", 467, "24.00", "0.02"),
    _bulk("LEN-RED", "Red lentils", "עדשים כתומות", 468, "9.80", "0.02"),
    _bulk("RIC-BAS", "Basmati rice", "אורז בסמטי", 469, "11.20", "0.01"),
    _packed("HON-350", "Honey 350 g", "דבש 350 גרם", 470, "29.90", "0.35"),
    _packed("SIL-400", "Silan 400 g", "סילאן 400 גרם", 471, "18.90", "0.4"),
    _packed("ZAT-100", "Zaatar 100 g", "זעתר 100 גרם", 472, "12.00", "0.1", 20),
    _packed("OLV-GRN", "Green olives 560 g", "זיתים ירוקים 560 גרם", 473, "16.40", "0.56"),
    _packed("CHP-400", "Chickpeas 400 g", "גרגירי חומוס 400 גרם", 474, "7.90", "0.4", 24),
    DemoProduct(
        "LAB-250",
        "Labaneh 250 g",
        "לאבנה 250 גרם",
        "{pcs}",
        475,
        "dairy",
        "11.50",
        "lot",
        "required",
        "required",
        life=14,
        unit_weight="0.25",
        temps=("1", "6"),
        carton=8,
        codes=(DemoCode("supplier", "7013", "SUP-041"),),
    ),
    DemoProduct(
        "CHS-SAF",
        "Safed cheese",
        "גבינה צפתית",
        "kg",
        476,
        "dairy",
        "54.00",
        "lot",
        "required",
        "required",
        "required",
        "0.03",
        life=20,
        temps=("1", "6"),
        codes=(DemoCode("supplier", "7020", "SUP-041"),),
    ),
    DemoProduct(
        "WHT-JEZ",
        "Wheat, Jezreel (stored for the growers)",
        "חיטה, עמק יזרעאל (באחסון)",
        "t",
        None,
        "stored",
        "0",
        "lot",
        owner="OWN-01",
        codes=(DemoCode("own", "WHT-JEZ"),),
    ),
    DemoProduct("GFT-GAL", "Galilee gift box", "מארז שי גליל", "{pcs}", 477, "gifts", "119.00", kind="kit", unit_weight="2.3"),
    DemoProduct("GFT-MIX", "Nut mix", "תערובת אגוזים", "kg", 478, "gifts", "55.00", "lot", "required", kind="kit"),
    DemoProduct(
        "SRV-CUT", "Cutting and packing, per hour", "חיתוך ואריזה, לשעה", "h", None, "service", "140.00", kind="service"
    ),
)

KITS: tuple[tuple[str, str, str, str, str], ...] = (
    ("GFT-MIX", "ALM-WHL", "500", "g", "0.02"),
    ("GFT-MIX", "WAL-HLF", "300", "g", "0.02"),
    ("GFT-MIX", "RAI-DRK", "200", "g", "0.01"),
    ("GFT-GAL", "OIL-OLV", "1", "{pcs}", "0"),
    ("GFT-GAL", "HON-350", "1", "{pcs}", "0"),
    ("GFT-GAL", "ZAT-100", "2", "{pcs}", "0"),
    ("GFT-GAL", "GFT-MIX", "250", "g", "0"),
    ("GFT-GAL", "BOX-450", "1", "{pcs}", "0.05"),
)
"""Kit, component, quantity, unit, scrap."""

LISTS = (
    ("PL-001", "General 2026", "מחירון כללי 2026", None),
    ("PL-002", "Hotels 2026", "מלונות 2026", "hotels"),
)
"""Number, names, segment."""

HOTEL_SHARE, HOTEL_FROM, HOTEL_CATEGORIES = "0.9", "10", frozenset({"fresh", "pantry", "dairy"})
"""Hotels pay nine tenths of the general price from ten units on."""
