"""A station that does every kind of work: places, stock, a container on hold, planned counts, a range of numbers."""

from edge.mirror.view import MasterView
from sync_protocol.masters import TABLES
from tests.unit.edge_jobs.station import BOLT, CRATE, OIL, PIN_HASH, RICE, Station, masters

DOCK, SHELF, COLD, OTHERS, SUPPLIERS = "H-DOCK", "H-A-01", "H-COLD", "H-X-01", "SUPPLIERS"
SSCC, OTHER_SSCC = "072900012345675111", "072900012345675128"
HELD, FREE = "CSQU3054383", "MSKU9070323"
RECEIPT = "0196d3f0-0000-7000-8000-000000000001"
FLOWS = ["receive", "put_away", "move", "count", "gate"]


def _stock(
    location: str, product: str, quantity: str, lot: str = "", sscc: str = "", **more: object
) -> tuple[str, str, dict[str, object]]:
    owner = str(more.pop("owner", "HOUSE"))
    row = {
        "location": location,
        "product": product,
        "lot": lot or None,
        "sscc": sscc or None,
        "owner": owner,
        "quantity": quantity,
    }
    return "stock", f"{location}:{product}:{lot}:{sscc}:{owner}", row | more


def yard_masters(pin_hash: str = PIN_HASH, **changes: object) -> MasterView:
    """The small site's masters, with places and what lies there. `changes` by key of the row."""
    rows: list[tuple[str, str, dict[str, object]]] = [
        (
            "station",
            "receiving-1",
            {
                "code": "receiving-1",
                "name": "Receiving 1",
                "name_he": "קבלה 1",
                "site": "haifa",
                "flows": FLOWS,
                "location": DOCK,
                "house": "HOUSE",
            },
        ),
        ("location", DOCK, {"code": DOCK, "name": "Dock", "usage": "receiving"}),
        ("location", SHELF, {"code": SHELF, "name": "Shelf A 1", "name_he": "מדף א 1", "usage": "stock"}),
        ("location", "H-A-02", {"code": "H-A-02", "name": "Shelf A 2", "usage": "stock"}),
        ("location", COLD, {"code": COLD, "name": "Cold room", "usage": "stock", "temperature_class": "chilled"}),
        ("location", OTHERS, {"code": OTHERS, "name": "Shelf of Galil", "usage": "stock", "owner": "S-1"}),
        ("location", SUPPLIERS, {"code": SUPPLIERS, "name": "At suppliers", "usage": "supplier"}),
        _stock(DOCK, OIL, "24", "L-118/A", receipt=RECEIPT, receipt_line=1),
        _stock(DOCK, BOLT, "200", receipt=RECEIPT, receipt_line=2),
        _stock(DOCK, RICE, "400", sscc=SSCC),
        _stock(SHELF, OIL, "10", "L-100"),
        _stock(SHELF, OIL, "5", "L-118/A"),
        _stock(SHELF, CRATE, "12"),
        _stock(OTHERS, RICE, "50", owner="S-1"),
        ("container", HELD, {"number": HELD, "status": "stored", "holds": ["customs"], "seals": ["SL-77"], "tare": "2200"}),
        ("container", FREE, {"number": FREE, "status": "announced"}),
        ("sheet", "CS-1", {"ref": "CS-1", "location": SHELF}),
        ("sheet", "CS-2", {"ref": "CS-2", "location": COLD, "second": True, "counted_by": "dana"}),
        ("notice", "NT-1", {"ref": "NT-1", "supplier": "S-1", "expected_at": "2026-11-22T10:00:00+00:00", "lines": []}),
        ("notice", "NT-2", {"ref": "NT-2", "supplier": "S-1", "expected_at": "2026-11-25T10:00:00+00:00", "lines": []}),
        ("review", "old", {"job": "old", "kind": "move", "ref": "TR-9", "reason": "not_enough", "detail": "OIL-5L"}),
        ("range", "BOX", {"prefix": "B7"}),
    ]
    others = {key: row for key, row in masters(pin_hash).rows.items() if key[0] != "notice"}
    added = {(table, key): (7, TABLES[table].model_validate({**row, **_of(changes, key)})) for table, key, row in rows}
    return MasterView({**others, **added})


def _of(changes: dict[str, object], key: str) -> dict[str, object]:
    found = changes.get(key, {})
    assert isinstance(found, dict)
    return found


def yard() -> Station:
    """A station with the yard's masters; its desk is not started."""
    made = Station()
    made.masters = yard_masters()
    return made
