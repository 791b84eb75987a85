"""The invented house's locations and devices, and how its suppliers' labels are read."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DemoLocation:
    """One place; those without parent lie in the site itself."""

    code: str
    name: str
    name_he: str
    usage: str = "stock"
    parent: str | None = "GAL"
    cold: str | None = None
    temps: tuple[str, str] | None = None
    hold: bool = False
    owner: str | None = None


LOCATIONS = (
    DemoLocation("GAL", "Galil warehouse", "מחסן גליל", "view", None),
    DemoLocation("GAL-RCV", "Receiving area", "אזור קבלה", "receiving"),
    DemoLocation("GAL-QRT", "Quarantine", "הסגר", "quarantine", hold=True),
    DemoLocation("GAL-REJ", "Rejected goods", "סחורה פסולה", "rejected", hold=True),
    DemoLocation("GAL-CLD", "Cold store", "חדר קירור", "view", cold="chilled", temps=("0", "4")),
    DemoLocation("GAL-CLD-1", "Cold store, shelf 1", "חדר קירור, מדף 1", parent="GAL-CLD", cold="chilled", temps=("0", "4")),
    DemoLocation("GAL-CLD-2", "Cold store, shelf 2", "חדר קירור, מדף 2", parent="GAL-CLD", cold="chilled", temps=("0", "4")),
    DemoLocation("GAL-FRZ", "Freezer", "מקפיא", cold="frozen", temps=("-25", "-18")),
    DemoLocation("GAL-DRY", "Dry store", "מחסן יבש", "view", cold="ambient"),
    *(
        DemoLocation(f"GAL-DRY-{row}{bay}", f"Dry store, {row}{bay}", f"מחסן יבש, {row}{bay}", parent="GAL-DRY", cold="ambient")
        for row in "AB"
        for bay in (1, 2, 3)
    ),
    DemoLocation("GAL-SIL", "Silo", "סילו", cold="ambient", owner="OWN-01"),
    DemoLocation("GAL-PCK", "Packing", "אריזה", "production"),
    DemoLocation("GAL-YRD", "Container yard", "חצר מכולות", "view"),
    DemoLocation("SUPPLIERS", "At suppliers", "אצל ספקים", "supplier", None),
    DemoLocation("CUSTOMERS", "At customers", "אצל לקוחות", "customer", None),
    DemoLocation("ADJUST", "Adjustments", "התאמות מלאי", "adjustment", None),
    DemoLocation("TRANSIT", "On the road", "בדרך", "transit", None),
)


@dataclass(frozen=True, slots=True)
class DemoDevice:
    """`calibrated`: days ago, and days for which it holds; None: it needs none."""

    code: str
    box_device: str
    name: str
    name_he: str
    kind: str
    driver: str
    maker: str
    model: str
    serial: str
    calibrated: tuple[int, int] | None


DEVICES = (
    DemoDevice(
        "DEV-001",
        "scale-1",
        "Floor scale",
        "מאזני רצפה",
        "scale",
        "mt-sics",
        "Mettler-Toledo",
        "ICS425",
        "B327-9911",
        (120, 365),
    ),
    DemoDevice(
        "DEV-002",
        "scanner-1",
        "Hand reader",
        "קורא ברקוד ידני",
        "scanner",
        "serial-scanner",
        "Zebra",
        "DS2208",
        "S2208-40117",
        None,
    ),
    DemoDevice(
        "DEV-003",
        "scale-2",
        "Bench scale",
        "מאזני שולחן",
        "scale",
        "mt-sics",
        "Mettler-Toledo",
        "ICS241",
        "B110-2038",
        (400, 365),
    ),
)

WEIGHTS: list[dict[str, Any]] = [
    {"nominal": nominal, "unit": "kg", "shown": shown, "allowed": "0.005", "serial": f"M1-{number}"}
    for number, (nominal, shown) in enumerate((("5", "5.000"), ("20", "20.002"), ("60", "60.003")), 1)
]

LAYOUTS: tuple[tuple[str, str, str, str, list[dict[str, Any]]], ...] = (
    (
        "LL-001",
        "SUP-014",
        "Crate label",
        "GP-1102|L2611A|051226|012340",
        [
            {"field": "code", "way": "part", "mark": "|", "first": 1},
            {"field": "lot", "way": "part", "mark": "|", "first": 2},
            {"field": "expiry", "way": "part", "mark": "|", "first": 3, "form": "DDMMYY"},
            {"field": "weight", "way": "part", "mark": "|", "first": 4, "decimals": 3},
        ],
    ),
    (
        "LL-002",
        "SUP-033",
        "Pallet sticker",
        "ITEM:KRT-450 QTY:500 LOT K-7781 DN:88120",
        [
            {"field": "code", "way": "prefix", "mark": "ITEM:", "until": "{space}"},
            {"field": "quantity", "way": "prefix", "mark": "QTY:", "until": "{space}"},
            {"field": "lot", "way": "regex", "mark": "LOT ([A-Z0-9-]{1,20})", "required": False},
            {"field": "document", "way": "prefix", "mark": "DN:", "until": "{space}", "required": False},
        ],
    ),
)
"""Number, supplier, name, example, rules."""
