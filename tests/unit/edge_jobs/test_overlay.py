"""The overlay: what this box did is added to the mirror's stock until the core's stock takes account of it."""

from decimal import Decimal
from typing import Any

from edge.jobs.overlay import MAX_DEEDS, Overlay
from sync_protocol.entries import Clk, StepEntry
from sync_protocol.ids import EntryId, RunId
from sync_protocol.masters import Range
from tests.unit.edge_jobs.station import BOLT, OIL, RICE
from tests.unit.edge_jobs.yard import DOCK, SHELF, SSCC, yard_masters

RUN = RunId("0" * 32)


def step(kind: str, name: str, job: str = "job-1", **data: Any) -> StepEntry:
    return StepEntry(
        boot_id="b", mono_ns=1, wall_ns=1, clk=Clk(s="rtc", err_ms=1), job=job, job_kind=kind, n=0, step=name,
        station="receiving-1", by="dana", data=data, readings=[],
    )  # fmt: skip


def manual(value: str, unit: str | None = None) -> dict[str, object]:
    return {"value": value, "mode": "manual", "reason": "counted"} | ({"unit": unit} if unit else {})


def moved(product: str | None, quantity: str | None, measure: str = "{pcs}", **more: Any) -> StepEntry:
    data: dict[str, Any] = {"n": 1, "source": manual(DOCK), "target": manual(SHELF)} | more
    if product is not None:
        data |= {"product": product, "quantity": manual(quantity or "0", measure)}
    return step("move", "moved", **data)


def folded(*entries: StepEntry) -> Overlay:
    overlay = Overlay()
    for number, entry in enumerate(entries):
        overlay = overlay.after(EntryId(RUN, number), entry)
    return overlay


def amounts(overlay: Overlay, product: str, **range_fields: Any) -> dict[str, Decimal]:
    view = yard_masters()
    if range_fields:
        view.rows["range", "BOX"] = (8, Range.model_validate({"prefix": "B7"} | range_fields))
    return {row.location: row.quantity for row in overlay.stock(view).places(product)}


def test_an_act_takes_from_one_place_and_adds_to_another() -> None:
    assert amounts(folded(moved(BOLT, "50")), BOLT) == {DOCK: Decimal(150), SHELF: Decimal(50)}
    assert amounts(folded(moved(BOLT, "200")), BOLT) == {SHELF: Decimal(200)}


def test_more_than_is_known_leaves_nothing_below_zero() -> None:
    assert amounts(folded(moved(BOLT, "250")), BOLT) == {SHELF: Decimal(250)}


def test_grams_are_taken_from_kilograms_exactly() -> None:
    overlay = folded(moved(OIL, "2500", "g", lot="L-118/A"))
    assert amounts(overlay, OIL)[DOCK] == Decimal("21.5")


def test_a_whole_pallet_goes_with_everything_on_it() -> None:
    overlay = folded(moved(None, None, unit=manual(SSCC)))
    assert [row.location for row in overlay.stock(yard_masters()).unit(SSCC)] == [SHELF]
    assert amounts(overlay, RICE)[SHELF] == Decimal(400)


def test_what_is_taken_off_a_pallet_stands_by_itself() -> None:
    stock = folded(moved(RICE, "150", "kg", unit=manual(SSCC))).stock(yard_masters())
    assert [(row.location, row.quantity) for row in stock.unit(SSCC)] == [(DOCK, Decimal(250))]
    assert [(row.sscc, row.quantity) for row in stock.of(SHELF, RICE)] == [(None, Decimal(150))]


def test_what_the_core_took_account_of_is_not_counted_twice() -> None:
    overlay = folded(moved(BOLT, "50"), moved(BOLT, "30"))
    assert amounts(overlay, BOLT, taken={RUN: 1}) == {DOCK: Decimal(170), SHELF: Decimal(30)}
    assert amounts(overlay, BOLT, taken={RUN: 2}) == {DOCK: Decimal(200)}
    assert amounts(overlay, BOLT, taken={"f" * 32: 9}) == {DOCK: Decimal(120), SHELF: Decimal(80)}


def test_a_finished_receipt_waits_at_the_station_to_be_put_away() -> None:
    receipt = "0196d3f0-0000-7000-8000-00000000000a"
    device = {"value": "x", "mode": "device", "reading": f"{RUN}:1"}
    item = {"product": RICE, "product_rev": 1, "identity": device}
    overlay = folded(
        step("receive", "open", receipt, supplier="S-1"),
        step("receive", "item", receipt, line=1, **item),
        step("receive", "amount", receipt, line=1, quantity={**device, "value": "2500", "unit": "g"}),
        step("receive", "item", receipt, line=2, **item),
        step("receive", "amount", receipt, line=2, quantity={**device, "value": "9", "unit": "kg"}),
        step("receive", "condition", receipt, line=2, condition="damaged", reason="wet"),
        step("receive", "item", receipt, line=3, **item),
        step("receive", "amount", receipt, line=3, quantity={**device, "value": "7", "unit": "kg"}),
        step("receive", "discard", receipt, line=3, reason="wrong_item"),
    )
    assert overlay.stock(yard_masters()).waiting(receipt) == []
    done = overlay.after(EntryId(RUN, 99), step("receive", "finish", receipt, lines=[1, 2]))
    (row,) = done.stock(yard_masters()).waiting(receipt)
    assert (row.location, row.product, row.quantity, row.owner, row.receipt_line) == (DOCK, RICE, Decimal("2.5"), "HOUSE", 1)


def test_steps_that_cannot_be_read_change_nothing() -> None:
    overlay = folded(moved(BOLT, "50"))
    assert overlay.after(EntryId(RUN, 5), step("move", "moved", n=0)) == overlay
    assert overlay.after(EntryId(RUN, 5), step("dance", "moved")) == overlay


def test_own_acts_have_a_cap() -> None:
    overlay = Overlay()
    entry = moved(BOLT, "0")
    for number in range(MAX_DEEDS + 3):
        overlay = overlay.after(EntryId(RUN, number), entry)
    assert [deed.entry.seq for deed in (overlay.deeds[0], overlay.deeds[-1])] == [3, MAX_DEEDS + 2]
