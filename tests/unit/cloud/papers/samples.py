"""Views and labels with everything in them that is hard to set: two directions, long codes, negative amounts, nothing."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from cloud.papers.gs1 import Element, day, net_kilograms
from cloud.papers.labels.template import Label
from cloud.papers.layout.sheet import Stamp
from cloud.papers.snapshot import Head
from cloud.papers.views import (
    Amount,
    Differing,
    Discrepancy,
    Exceptional,
    GatePass,
    Goods,
    GoodsReceived,
    MovedLine,
    Name,
    Photo,
    Proof,
    PutAwayLine,
    PutAwayList,
    ReceivedLine,
    ReturnNote,
    Side,
    View,
)
from cloud.papers.words import Language, Words

LIBRARIES = Path(__file__).resolve().parents[4] / "node_modules"
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
UID = "3f2c1a9be0d44c0e8f3a5b6c7d8e9f00"
SHA256 = "ab" * 32
ADDRESS = "https://stock.example"
GTIN = "07290001234570"
SSCC = "106141411234567897"

HOUSE = Side(Name("Galil Foods Ltd", "גליל מזון בע״מ"), "P-1", "514123456", "האורן 12, צומת גולני", "04-6789012")
SUPPLIER = Side(Name("Carmel Poultry", "עופות הכרמל"), "SUP-014")
CHICKEN = Goods("CHK-CUB", Name("Chicken, cubed", "חזה עוף, קוביות 2.5 ק״ג"), "L-2611-A", date(2026, 12, 1), sscc=SSCC)
SALMON = Goods("SLM-FIL", Name("Salmon fillet", "פילה סלמון"), "S-2611/04-VERYLONGLOTNUMBER-000001", serials=("SN-1", "SN-2"))
PROOF = Proof(ok=True, device=12, manual=2, other=1, problems=0)
EXCEPTIONS = (
    Exceptional("over_tolerance", "decision", 2, "30 kg", "34.200 kg", "accept", "נועה", NOW, "agreed by phone"),
    Exceptional("document_again", "decision", None, None, "DN-88213"),
    Exceptional("kept_by_operator", "info", 1, None, "checked_again"),
)


def received(lines: int = 2) -> GoodsReceived:
    """A note of so many lines."""
    first = ReceivedLine(
        1, CHICKEN, Amount("12.340", "kg"), "device", gross=Amount("13.100", "kg"), tare=Amount("0.760", "kg"),
        buckets=(("put_away", Amount("10", "kg")), ("rejected", Amount("2.34", "kg"))),
    )  # fmt: skip
    second = ReceivedLine(
        2, SALMON, Amount("34.2", "kg"), "manual", "damaged", "damaged", pieces=Amount("12", "{pcs}"), typed=("lot", "serial:1")
    )
    more = (ReceivedLine(n, CHICKEN, Amount("120", "{pcs}"), "device") for n in range(3, lines + 1))
    return GoodsReceived(
        HOUSE, "GR-0041", "B1-0007", "posted", SUPPLIER, Name("Golani", "צומת גולני"), "receiving-1", "PO-2026-0041", "SN-12",
        "DN-88213", None, "דנה כהן", NOW, NOW, NOW, "נועה לוי", "CSQU3054383", "S-991", "12-345-67", Amount("-18.5", "Cel"),
        (first, second, *more), EXCEPTIONS, PROOF,
    )  # fmt: skip


DIFFERING = Discrepancy(
    HOUSE, "GR-0041", "posted", SUPPLIER, "PO-2026-0041", "SN-12", "DN-88213", NOW,
    (
        Differing(
            CHICKEN, Amount("30", "kg"), None, Amount("34.2", "kg"), Amount("2.34", "kg"), Amount("4.2", "kg"), ("expired",)
        ),
        Differing(SALMON, Amount("10", "kg"), Amount("9", "kg"), Amount("7", "kg"), None, Amount("-2", "kg")),
    ),
    EXCEPTIONS, (Photo(SHA256, "damage", 2), Photo("cd" * 32, "delivery_note")), PROOF,
)  # fmt: skip
RETURN = ReturnNote(
    HOUSE, "RT-0003", "approved", SUPPLIER, Name("Golani"), "GR-0041", "RMA-7", "damaged", "noa", NOW, None,
    (
        MovedLine(1, CHICKEN, Amount("2.34", "kg"), "REJ-1", None, "damaged"),
        MovedLine(2, None, None, "REJ-1", None, whole=True),
    ),
)  # fmt: skip
PUT_AWAY = PutAwayList(
    HOUSE, "GR-0041", "posted", SUPPLIER, None,
    (
        PutAwayLine(1, CHICKEN, Amount("10", "kg"), "RCV-1", "A-01-02", Name("Shelf 2", "מדף 2")),
        PutAwayLine(2, SALMON, Amount("34.2", "kg"), "RCV-1", None),
    ),
)  # fmt: skip
GATE = GatePass(
    HOUSE, "CSQU3054384", False, "stored", "import", 1, "22G1", "ZIM", SUPPLIER, "BK-1", "BL-2", Name("Golani", "צומת גולני"),
    "YARD-1", ("S-1", "S-2"), ("customs",), True, "good", Amount("18400", "kg"), None, "12-345-67", "אבי", "gate_in", NOW,
    (MovedLine(1, CHICKEN, Amount("5", "kg"), "YARD-1", None),),
)  # fmt: skip

VIEWS: dict[str, View] = {
    "goods_received": received(),
    "discrepancy": DIFFERING,
    "return_note": RETURN,
    "put_away": PUT_AWAY,
    "gate_pass": GATE,
}


def words(language: Language) -> Words:
    return Words(language, ZoneInfo("Asia/Jerusalem"))


def head(kind: str, language: Language) -> Head:
    return Head(UID, kind, "receipt", "01930000-0000-7000-8000-000000000001", "GR-0041", 3, language, NOW, "noa")


def stamp(kind: str, language: Language, address: str = ADDRESS) -> Stamp:
    return Stamp(head(kind, language), SHA256, address)


_ITEM = {"sku": "SLM-FIL", "lot": "S-2611/04", "receipt": "GR-0041", "printed": "22.11.2026", "sscc": "1061 4141 1234 5678 97"}
_HE = {
    "name": "פילה סלמון נורווגי טרי, ללא עצמות 1 ק״ג Premium",
    "lot_word": "אצווה",
    "owner": "גליל מזון",
    "quantity": "48 יח׳",
}
_EN = {"name": "Norwegian salmon fillet, fresh, skin on", "lot_word": "Lot", "owner": "Galil Foods", "quantity": "48 pcs"}
_LOT = (Element("01", GTIN), day("17", date(2026, 12, 2)), Element("10", "S-2611/04"))
_WEIGHT = net_kilograms(Decimal("342.5")) or Element("37", "1")
_PALLET = {
    "content": (Element("02", GTIN), day("17", date(2026, 12, 2)), _WEIGHT, Element("37", "48")),
    "batch": (Element("10", "S-2611/04"),),
    "sscc": (Element("00", SSCC),),
}

LABELS: dict[str, tuple[Label, ...]] = {
    "lot": (
        Label({**_ITEM, **_HE}, {"gs1": _LOT}, rtl=True),
        Label({**_ITEM, **_EN}, {"gs1": (Element("01", GTIN), Element("10", "A(1)_b"), Element("21", "9"))}),
        Label({**_ITEM, **_EN}, {"plain": "ABC^~\\>é"}),
    ),
    "sscc": (Label({**_ITEM, **_HE}, _PALLET, rtl=True), Label({**_ITEM, **_EN}, _PALLET)),
    "location": (Label({"code": "A-01-02", "name": "מדף 2, מעבר 1"}, {"place": "A-01-02"}, rtl=True),),
    "product": (
        Label({**_ITEM, **_HE}, {"gs1": (Element("01", GTIN),)}, rtl=True),
        Label({**_ITEM, **_EN}, {"plain": "SLM-FIL"}),
    ),
}
"""By the template's key; every label has the texts of both."""
