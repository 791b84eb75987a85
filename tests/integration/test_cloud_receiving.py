"""Steps in journals become goods receipts: clean ones are posted, all others wait for a person."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions, open_sessions
from cloud.errors import Conflict, Forbidden, GuardFailed, NotFound, ReasonMissing, WrongState
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import history
from cloud.kernel.transition import transition
from cloud.masters.machine import PURCHASE_ORDER
from cloud.masters.models import OrderLine, Product, PurchaseOrder
from cloud.people.accounts import NewUser, create_user
from cloud.people.models import Role, User
from cloud.receiving import machine
from cloud.receiving.decisions import abandon, decide_exception, mark_reviewed, post, receipt_by_ref
from cloud.receiving.models import ProjectionFault, Receipt, ReceiptException
from cloud.receiving.projection import project_all
from cloud.receiving.rebuild import rebuild
from cloud.receiving.verify import verify_receipt
from sync_protocol.steps import Abandon, Amount, Confirm, Discard, FieldValue, Finish, Item, Open

NOA = Actor.user("noa", "supervisor")
DANA = Actor.user("dana", "operator")


async def _receipts(sessions: Sessions) -> list[Receipt]:
    async with sessions.read() as session:
        return list(await session.scalars(select(Receipt).order_by(Receipt.ref)))


async def _receipt(sessions: Sessions) -> Receipt:
    (receipt,) = await _receipts(sessions)
    return receipt


async def _received(sessions: Sessions, order: str = "PO-2026-0041", line: str = "1") -> Decimal:
    async with sessions.read() as session:
        query = select(OrderLine.received).join(PurchaseOrder).where(PurchaseOrder.ref == order, OrderLine.line == line)
        return (await session.scalars(query)).one()


async def _faults(sessions: Sessions) -> list[str]:
    async with sessions.read() as session:
        return list(await session.scalars(select(ProjectionFault.code).order_by(ProjectionFault.run, ProjectionFault.seq)))


async def _run(sessions: Sessions, box) -> None:
    await box.deliver(sessions)
    await project_all(sessions)


def _taken(clock, actor: Actor = NOA, reason: str | None = "looked at it") -> Taken:
    return Taken(actor, clock.now, reason)


QUIET = {"temperature_missing", "under_tolerance"}
"""What every part of an order of goods from the cold store says for information."""


def _told(receipt: Receipt) -> list[ReceiptException]:
    return [row for row in receipt.exceptions if row.check not in QUIET]


def _checks(receipt: Receipt) -> list[tuple[str, int | None]]:
    return [(row.check, row.line_number) for row in _told(receipt)]


async def test_clean_receipt_is_posted_for_the_operator(sessions, box, demo, story) -> None:
    box.device("scale-1", "mt-sics", "XS6002S SN 1234567890")
    story.whole("12.340")
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert await _faults(sessions) == []
    assert (receipt.state, receipt.needs_review, _checks(receipt)) == ("posted", False, [])
    assert (receipt.ref, receipt.posted_by, receipt.document_no) == ("GR-2026-000001", "dana", "DN-1")
    assert await _received(sessions) == Decimal("12.34")
    async with sessions.read() as session:
        events = [(event.action, event.actor, event.via) for event in await history(session, "receipt", receipt.ref)]
    assert events == [(action, "dana", box.id) for action in ("open", "count", "finish", "post")]


async def test_every_field_leads_back_to_the_bytes(sessions, box, demo, story) -> None:
    box.device("scale-1", "mt-sics", "XS6002S SN 1234567890")
    story.whole("12.340")
    await _run(sessions, box)
    async with sessions.read() as session:
        report = await verify_receipt(session, "GR-2026-000001")
    assert (report.ok, report.problems) == (True, [])
    places = [(field.line, field.field, field.mode) for field in report.fields]
    assert sorted(places, key=str) == sorted(
        [(None, "order", "device"), (None, "document", "device")]
        + [(1, name, "device") for name in ("identity", "lot", "expiry", "quantity")],
        key=str,
    )
    weight = next(field for field in report.fields if field.field == "quantity")
    assert (weight.value, weight.unit, weight.read_value, weight.box) == ("12.340", "kg", "12.340", box.id)
    assert (weight.device, weight.driver, weight.identity) == ("scale-1", "mt-sics", "XS6002S SN 1234567890")
    assert (weight.clock, weight.clock_err_ms, weight.flags) == ("ntp", 20, ["net", "stable"])
    assert bytes.fromhex(weight.raw_hex or "") == b"S S     12.340 kg\r\n"
    assert {(field.signature, field.chain, field.step_good) for field in report.fields} == {("good", "good", True)}


async def test_report_is_json(sessions, box, demo, story) -> None:
    story.whole()
    await _run(sessions, box)
    async with sessions.read() as session:
        report = await verify_receipt(session, "GR-2026-000001")
    assert type(report).model_validate_json(report.model_dump_json()) == report


async def test_verifying_what_is_not_there_says_so(sessions) -> None:
    async with sessions.read() as session:
        with pytest.raises(NotFound):
            await verify_receipt(session, "GR-2026-999999")


async def test_typed_values_are_kept_with_reason_and_person(sessions, box, demo, story) -> None:
    job = box.new_job()
    story.job = job
    box.step(job, Open(order="PO-2026-0042", supplier="SUP-027", no_document_reason="comes_later"))
    gtin = "07290001234594"
    scan = box.scan(gtin, gtin=gtin)
    item = {"identity": FieldValue(value=gtin, mode="device", reading=scan)}
    typed = {
        name: FieldValue(value=value, mode="manual", reason="unreadable")
        for name, value in (("lot", "T-5"), ("expiry", "2027-01-31"))
    }
    box.step(job, Item(line=1, product="TAH-RAW", product_rev=3, order_line="2", **item, **typed))
    story.line = 1
    story.count("24")
    story.confirm()
    story.finish()
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, _checks(receipt)) == ("posted", [])
    async with sessions.read() as session:
        report = await verify_receipt(session, receipt.ref)
    assert report.ok
    manual = {field.field: (field.value, field.reason, field.by) for field in report.fields if field.mode == "manual"}
    assert manual == {
        "order": ("PO-2026-0042", "chosen_in_list", "dana"),
        "lot": ("T-5", "unreadable", "dana"),
        "expiry": ("2027-01-31", "unreadable", "dana"),
        "quantity": ("24", "counted", "dana"),
    }
    assert await _received(sessions, "PO-2026-0042", "2") == 24


async def test_discarded_line_does_not_count_and_its_readings_are_free(sessions, box, demo, story) -> None:
    story.open()
    scan, reading = story.chicken("10.000")
    box.step(story.job, Discard(line=1, reason="wrong_item"))
    _item_again(story, scan)
    box.step(story.job, Amount(line=2, quantity=FieldValue(value="10.000", unit="kg", mode="device", reading=reading)))
    story.confirm()
    story.finish(2)
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, [line.standing for line in receipt.lines]) == ("posted", ["discarded", "confirmed"])
    assert await _received(sessions) == 10


async def test_weight_taken_again_before_confirming_replaces_the_first(sessions, box, demo, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    story.weigh("11.000")
    story.weigh("12.000")
    story.confirm()
    story.finish()
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, receipt.lines[0].quantity, len(receipt.evidence)) == ("posted", Decimal("12.000"), 6)


async def test_abandoned_receipt_is_cancelled(sessions, box, demo, story) -> None:
    story.open()
    story.chicken()
    box.step(story.job, Abandon(reason="delivery_refused"))
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, await _received(sessions)) == ("cancelled", 0)


def _item_again(story, scan: str) -> None:
    """A line that rests on a scan made before."""
    story.line += 1
    fields = {"identity": "07290001234563", "lot": "L-77", "expiry": "2027-03-01"}
    given = {name: FieldValue(value=value, mode="device", reading=scan) for name, value in fields.items()}
    story.box.step(story.job, Item(line=story.line, product="CHK-CUB", product_rev=1, **given))


# What the story does -> the exceptions that come of it.
def _over(box, story) -> None:
    story.open()
    story.chicken("60.000")
    story.chicken("66.001")
    story.finish()


def _at_the_limit(box, story) -> None:
    story.open()
    story.chicken("60.000")
    story.chicken("66.000")
    story.finish()


def _grams(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    story.weigh("126000.1", "g")
    story.confirm()
    story.finish()


def _pounds(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    story.weigh("10", "[lb_av]")
    story.confirm()
    story.finish()


def _pieces_of_mass(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    story.count("3")
    story.confirm()
    story.finish()


def _not_on_order(box, story) -> None:
    story.open()
    story.item("ALM-WHL", "07290001234587")
    story.weigh("2.000")
    story.confirm(kept_because="supplier_agreed")
    story.finish()


def _no_lot(box, story) -> None:
    story.open()
    story.chicken(lot=None, expiry=None)
    story.finish()


def _expired(box, story) -> None:
    story.open()
    story.chicken(expiry="2026-11-21")
    story.finish()


def _expires_today(box, story) -> None:
    story.open()
    story.chicken(expiry="2026-11-22")
    story.finish()


def _unstable(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    story.weigh("5.000", flags=("motion",))
    story.confirm()
    story.finish()


def _typed_weight(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    story.count("5", "kg")
    story.confirm()
    story.finish()


def _typed_identity(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563", identity=FieldValue(value="CHK-CUB", mode="manual", reason="no_barcode"))
    story.weigh("5.000")
    story.confirm()
    story.finish()


def _other_code(box, story) -> None:
    story.open()
    story.item("SLM-FIL", "07290001234563")
    story.weigh("5.000")
    story.confirm()
    story.finish()


def _unknown_code(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290009999992")
    story.weigh("5.000")
    story.confirm()
    story.finish()


def _unknown_product(box, story) -> None:
    story.open()
    story.item("GHOST", "07290001234563")
    story.weigh("5.000")
    story.confirm()
    story.finish()


def _unknown_order(box, story) -> None:
    story.open(order="PO-1999-0001")
    story.chicken()
    story.finish()


def _no_order_no_document(box, story) -> None:
    story.job = box.new_job()
    box.step(story.job, Open(supplier="SUP-014"))
    story.chicken()
    story.finish()


def _other_supplier(box, story) -> None:
    story.open(supplier="SUP-027")
    story.chicken()
    story.finish()


def _reading_twice(box, story) -> None:
    story.open()
    _, reading = story.chicken("5.000")
    story.item("CHK-CUB", "07290001234563")
    box.step(story.job, Amount(line=2, quantity=FieldValue(value="5.000", unit="kg", mode="device", reading=reading)))
    story.confirm()
    story.finish()


def _scan_twice(box, story) -> None:
    story.open()
    scan, _ = story.chicken("5.000")
    _item_again(story, scan)
    story.weigh("5.000")
    story.confirm()
    story.finish()


def _value_not_read(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    reading = box.weight("5.000")
    box.step(story.job, Amount(line=1, quantity=FieldValue(value="50.00", unit="kg", mode="device", reading=reading)))
    story.confirm()
    story.finish()


def _reading_is_a_note(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    box.step(story.job, Amount(line=1, quantity=FieldValue(value="5", unit="kg", mode="device", reading=box.note())))
    story.confirm()
    story.finish()


def _reading_not_there(box, story) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    nowhere = f"{'ab' * 16}:7"
    box.step(story.job, Amount(line=1, quantity=FieldValue(value="5", unit="kg", mode="device", reading=nowhere)))
    story.confirm()
    story.finish()


def _line_left(box, story) -> None:
    story.open()
    story.chicken("5.000")
    story.item("CHK-CUB", "07290001234563")
    story.finish(1)


def _nothing(box, story) -> None:
    story.open()
    box.step(story.job, Finish(lines=[]))


def _stranger(box, story) -> None:
    story.open(by="ghost")
    story.chicken("5.000")
    story.finish()


CASES = {
    _over: [("over_tolerance", 2)],
    _at_the_limit: [],
    _grams: [("over_tolerance", 1)],
    _pounds: [],
    _pieces_of_mass: [("unit_differs", 1), ("weight_not_measured", 1)],
    _not_on_order: [("product_not_on_order", 1), ("kept_by_operator", 1)],
    _no_lot: [("lot_missing", 1), ("expiry_missing", 1)],
    _expired: [("expired", 1)],
    _expires_today: [("life_too_short", 1)],
    _unstable: [("weight_not_stable", 1)],
    _typed_weight: [("weight_not_measured", 1)],
    _typed_identity: [("identity_not_measured", 1)],
    _other_code: [("code_of_other_product", 1)],
    _unknown_code: [("code_unknown", 1)],
    _unknown_product: [("product_unknown", 1)],
    _unknown_order: [("order_unknown", None)],
    _no_order_no_document: [("order_missing", None), ("document_missing", None)],
    _other_supplier: [("supplier_differs", None)],
    _reading_twice: [("reading_used_twice", 1), ("reading_used_twice", 2), ("not_verified", None)],
    _scan_twice: [("not_verified", None)],
    _value_not_read: [("not_verified", None)],
    _reading_is_a_note: [("not_verified", None)],
    _reading_not_there: [("not_verified", None)],
    _line_left: [("line_left_open", 2)],
    _nothing: [("no_lines", None)],
    _stranger: [("operator_unknown", None)],
}


@pytest.mark.parametrize("tell", CASES, ids=lambda tell: tell.__name__.strip("_"))
async def test_checks(sessions, box, demo, story, tell) -> None:
    tell(box, story)
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert await _faults(sessions) == []
    assert _checks(receipt) == CASES[tell]
    serious = [row for row in _told(receipt) if row.severity != "info"]
    assert (receipt.state, receipt.needs_review) == (("check", True) if serious else ("posted", False))
    assert bool(await _received(sessions)) == (not serious)


async def test_over_receipt_counts_all_deliveries_together(sessions, box, demo, story) -> None:
    for document, value in (("DN-1", "100.000"), ("DN-2", "20.000"), ("DN-3", "6.000"), ("DN-4", "0.001")):
        story.whole(value, document)
    await _run(sessions, box)
    receipts = await _receipts(sessions)
    assert [receipt.state for receipt in receipts] == ["posted", "posted", "posted", "check"]
    (found,) = _told(receipts[3])
    assert (found.check, found.expected, found.found) == ("over_tolerance", "126 kg", "126.001 kg")
    assert await _received(sessions) == 126


async def test_same_delivery_note_again_is_asked_about(sessions, box, demo, story) -> None:
    story.whole("1.000", "DN-9")
    story.whole("2.000", "DN-9")
    await _run(sessions, box)
    first, second = await _receipts(sessions)
    assert (first.state, second.state) == ("posted", "check")
    assert [(row.check, row.found) for row in _told(second)] == [("document_again", first.ref)]


async def test_order_that_is_held_is_not_received_without_a_decision(sessions, box, demo, story, clock) -> None:
    async with sessions.write() as session:
        order = (await session.scalars(select(PurchaseOrder).where(PurchaseOrder.ref == "PO-2026-0041"))).one()
        await transition(session, PURCHASE_ORDER, order, "hold", _taken(clock))
    story.whole()
    await _run(sessions, box)
    assert _checks(await _receipt(sessions)) == [("order_not_confirmed", None)]


async def test_supervisor_decides_with_a_reason_and_posts(sessions, box, demo, story, clock) -> None:
    _over(box, story)
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    (row,) = _told(receipt)
    given = {"ref": receipt.ref, "exception": row.id, "version": receipt.version}
    with pytest.raises(Forbidden):
        await decide_exception(sessions, decision="accept", taken=_taken(clock, DANA), **given)
    with pytest.raises(ReasonMissing):
        await decide_exception(sessions, decision="accept", taken=_taken(clock, NOA, " "), **given)
    with pytest.raises(GuardFailed, match="no_such_decision"):
        await decide_exception(sessions, decision="perhaps", taken=_taken(clock), **given)
    with pytest.raises(GuardFailed, match="exceptions_open"):
        await post(sessions, ref=receipt.ref, taken=_taken(clock), version=receipt.version)
    await decide_exception(sessions, decision="accept", taken=_taken(clock), **given)
    with pytest.raises(Conflict):
        await post(sessions, ref=receipt.ref, taken=_taken(clock), version=receipt.version)
    with pytest.raises(GuardFailed, match="supervisor_needed"):
        await post(sessions, ref=receipt.ref, taken=_taken(clock, DANA), version=receipt.version + 1)
    await post(sessions, ref=receipt.ref, taken=_taken(clock), version=receipt.version + 1)
    posted = await _receipt(sessions)
    assert (posted.state, posted.needs_review, posted.posted_by) == ("posted", False, "noa")
    assert await _received(sessions) == Decimal("126.001")
    with pytest.raises(WrongState):
        await post(sessions, ref=receipt.ref, taken=_taken(clock), version=None)
    assert await _received(sessions) == Decimal("126.001")


async def test_refused_exception_keeps_the_receipt_from_being_posted_until_decided_anew(
    sessions, box, demo, story, clock
) -> None:
    _over(box, story)
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    given = {"ref": receipt.ref, "exception": _told(receipt)[0].id, "taken": _taken(clock), "version": None}
    await decide_exception(sessions, decision="refuse", **given)
    with pytest.raises(GuardFailed, match="exceptions_open"):
        await post(sessions, ref=receipt.ref, taken=_taken(clock), version=None)
    await decide_exception(sessions, decision="accept", **given)
    await post(sessions, ref=receipt.ref, taken=_taken(clock), version=None)


async def test_receipt_that_does_not_verify_cannot_be_posted_but_given_up(sessions, box, demo, story, clock) -> None:
    _value_not_read(box, story)
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    given = {"ref": receipt.ref, "taken": _taken(clock), "version": None}
    with pytest.raises(GuardFailed, match="not_to_be_decided"):
        await decide_exception(sessions, exception=_told(receipt)[0].id, decision="accept", **given)
    with pytest.raises(GuardFailed, match="exceptions_open"):
        await post(sessions, **given)
    with pytest.raises(Forbidden):
        await abandon(sessions, ref=receipt.ref, taken=_taken(clock, DANA), version=None)
    await abandon(sessions, **given)
    assert ((await _receipt(sessions)).state, await _received(sessions)) == ("cancelled", 0)


async def test_what_other_receipts_used_up_meanwhile_is_asked_about_before_posting(sessions, box, demo, story, clock) -> None:
    story.open(document="DN-1")
    story.chicken("100.000", lot=None)
    story.finish()
    story.whole("100.000", "DN-2")
    await _run(sessions, box)
    waiting, posted = await _receipts(sessions)
    assert (waiting.state, posted.state) == ("check", "posted")
    await decide_exception(
        sessions, ref=waiting.ref, exception=_told(waiting)[0].id, decision="accept", taken=_taken(clock), version=None
    )
    with pytest.raises(GuardFailed, match="new_findings"):
        await post(sessions, ref=waiting.ref, taken=_taken(clock), version=None)
    waiting = (await _receipts(sessions))[0]
    assert _checks(waiting) == [("lot_missing", 1), ("over_tolerance", 1)]
    await decide_exception(
        sessions, ref=waiting.ref, exception=_told(waiting)[1].id, decision="accept", taken=_taken(clock), version=None
    )
    await post(sessions, ref=waiting.ref, taken=_taken(clock), version=None)
    assert await _received(sessions) == 200


async def test_an_excess_that_grew_since_it_was_accepted_is_asked_about_again(sessions, box, demo, story, clock) -> None:
    story.whole("130.000", "DN-1")
    story.whole("100.000", "DN-2")
    await _run(sessions, box)
    waiting, posted = await _receipts(sessions)
    assert (waiting.state, posted.state) == ("check", "posted")
    before = next(row for row in _told(waiting) if row.check == "over_tolerance")
    given = {"ref": waiting.ref, "taken": _taken(clock), "version": None}
    await decide_exception(sessions, exception=before.id, decision="accept", **given)
    with pytest.raises(GuardFailed, match="new_findings"):
        await post(sessions, **given)
    waiting = (await _receipts(sessions))[0]
    again = next(row for row in _told(waiting) if row.check == "over_tolerance")
    assert (again.id, again.decision, before.found, again.found) == (before.id, None, "130 kg", "230 kg")
    async with sessions.read() as session:
        assert (await verify_receipt(session, waiting.ref)).ok
    with pytest.raises(GuardFailed, match="exceptions_open"):
        await post(sessions, **given)
    await decide_exception(sessions, exception=again.id, decision="accept", **given)
    await post(sessions, **given)
    assert await _received(sessions) == 230
    async with sessions.read() as session:
        assert (await verify_receipt(session, waiting.ref)).ok
    await rebuild(sessions, _taken(clock))
    waiting = (await _receipts(sessions))[0]
    assert (waiting.state, [row.found for row in _told(waiting) if row.check == "over_tolerance"]) == ("posted", ["230 kg"])


async def test_two_supervisors_post_at_once_and_it_counts_once(database_url: str, sessions, box, demo, story, clock) -> None:
    _over(box, story)
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    await decide_exception(
        sessions, ref=receipt.ref, exception=_told(receipt)[0].id, decision="accept", taken=_taken(clock), version=None
    )
    version = receipt.version + 1
    other = open_sessions(database_url)
    try:
        posts = [post(each, ref=receipt.ref, taken=_taken(clock), version=version) for each in (sessions, other)]
        results = await asyncio.gather(*posts, return_exceptions=True)
    finally:
        await other.engine.dispose()
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]
    assert await _received(sessions) == Decimal("126.001")


async def test_disabled_operator_no_longer_posts_by_finishing(sessions, box, demo, story) -> None:
    async with sessions.write() as session:
        user = (await session.scalars(select(User).where(User.login == "dana"))).one()
        user.active = False
    story.whole()
    await _run(sessions, box)
    assert _checks(await _receipt(sessions)) == [("operator_unknown", None)]


# Steps that contradict -> the fault's code. The receipt before them is open with one confirmed line.
def _bad(step, **more):
    return lambda box, job: box.step(job, step, **more)


def _raw(box, job: str) -> None:
    box.write_bytes(b'{"t":"step","job":1}')


def _unknown_step(box, job: str) -> None:
    content = box.run.entries[-1].replace(b'"step":"confirm"', b'"step":"levitate"')
    box.write_bytes(content.replace(b'"n":3', b'"n":4'))


LOT = FieldValue(value="x", mode="manual", reason="r")
FAULTS = {
    "unreadable": _raw,
    "unreadable_step": _unknown_step,
    "no_such_line": _bad(Confirm(line=7)),
    "line_again": _bad(Item(line=1, product="CHK-CUB", product_rev=1, identity=LOT)),
    "lines_differ": _bad(Finish(lines=[1, 2])),
    "step_does_not_fit": _bad(Open(order="PO-2026-0041")),
    "too_many_lines": _bad(Item(line=1001, product="A", product_rev=1, identity=LOT)),
    "bad_date": _bad(
        Item(line=2, product="A", product_rev=1, identity=LOT, expiry=FieldValue(value="soon", mode="manual", reason="r"))
    ),
    "bad_reading_id": _bad(
        Item(line=2, product="A", product_rev=1, identity=FieldValue(value="x", mode="device", reading="elsewhere"))
    ),
    "text_unfit": _bad(Item(line=2, product="A\x00B", product_rev=1, identity=LOT)),
    "number_too_large": _bad(Item(line=2, product="A", product_rev=1 << 40, identity=LOT)),
    "step_again": _bad(Discard(line=1, reason="r"), n=1),
}


@pytest.mark.parametrize("code", FAULTS)
async def test_contradictory_step_is_a_fault_and_holds_up_nothing(sessions, box, demo, story, code: str) -> None:
    story.open(document="DN-1")
    story.chicken("1.000")
    FAULTS[code](box, story.job)
    story.whole("2.000", "DN-2")
    await _run(sessions, box)
    first, second = await _receipts(sessions)
    assert await _faults(sessions) == [code]
    assert second.state == "posted"
    assert (first.state, first.needs_review, len(first.lines)) == ("counting", code != "unreadable", 1)


@pytest.mark.parametrize("value", ["0", "-1", "1e5", "12,5", "x", "9" * 19])
async def test_amount_that_is_none_is_a_fault(sessions, box, demo, story, value: str) -> None:
    story.open()
    story.item("CHK-CUB", "07290001234563")
    story.count(value, "kg")
    await _run(sessions, box)
    assert await _faults(sessions) == ["bad_amount"]


async def test_receipt_with_a_fault_is_finished_but_waits_and_can_be_decided(sessions, box, demo, story, clock) -> None:
    story.open()
    story.chicken("1.000")
    box.step(story.job, Confirm(line=7))
    story.finish()
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, _checks(receipt)) == ("check", [("steps_contradict", None)])
    await decide_exception(
        sessions, ref=receipt.ref, exception=_told(receipt)[0].id, decision="accept", taken=_taken(clock), version=None
    )
    await post(sessions, ref=receipt.ref, taken=_taken(clock), version=None)


async def test_missing_step_is_never_posted(sessions, box, demo, story) -> None:
    story.open()
    story.chicken("1.000")
    box.step(story.job, Finish(lines=[1]), n=6)
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, _checks(receipt)) == ("check", [("not_verified", None)])
    async with sessions.read() as session:
        assert (await verify_receipt(session, receipt.ref)).problems == ["step_missing:4", "step_missing:5"]


async def test_step_written_twice_is_taken_once(sessions, box, demo, story) -> None:
    story.open()
    story.chicken("1.000")
    box.write_bytes(box.run.entries[-1])
    story.finish()
    await _run(sessions, box)
    assert (await _faults(sessions), (await _receipt(sessions)).state) == ([], "posted")


async def test_late_step_of_a_posted_receipt_asks_for_a_look_and_can_be_put_away(sessions, box, demo, story, clock) -> None:
    story.whole("1.000")
    box.step(story.job, Discard(line=1, reason="late"))
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, receipt.needs_review, await _received(sessions)) == ("posted", True, 1)
    await mark_reviewed(sessions, ref=receipt.ref, taken=_taken(clock), version=receipt.version)
    assert not (await _receipt(sessions)).needs_review


async def test_job_of_another_box_is_not_touched(sessions, box, make_box, demo, story) -> None:
    story.open()
    story.chicken("1.000")
    thief = make_box(2)
    await thief.register(sessions)
    thief.start()
    thief.step(story.job, Discard(line=1, reason="mine"), n=4)
    await _run(sessions, box)
    await _run(sessions, thief)
    story.finish()
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, receipt.needs_review, await _faults(sessions)) == ("posted", False, ["job_of_another_box"])


async def test_markup_and_direction_marks_in_texts_are_stored_as_they_are_and_harm_nothing(sessions, box, demo, story) -> None:
    lot = "<b>\u202eL</b>"
    story.open()
    story.chicken("1.000", lot=lot)
    story.finish()
    await _run(sessions, box)
    assert (await _receipt(sessions)).lines[0].lot == lot


async def test_new_user_may_finish_and_post(sessions, box, demo, story, clock) -> None:
    async with sessions.write() as session:
        await create_user(session, NewUser("yael", "Yael", Role.OPERATOR, pin="5555"), _taken(clock))
    story.open(by="yael")
    story.chicken("1.000")
    story.finish()
    await _run(sessions, box)
    receipt = await _receipt(sessions)
    assert (receipt.state, receipt.operator) == ("posted", "yael")


async def test_numbers_run_without_holes_per_year(sessions, box, demo, story, clock) -> None:
    story.whole("1.000", "DN-1")
    await _run(sessions, box)
    clock.go(days=60)
    story.whole("1.000", "DN-2")
    story.whole("1.000", "DN-3")
    await _run(sessions, box)
    assert [receipt.ref for receipt in await _receipts(sessions)] == ["GR-2026-000001", "GR-2027-000001", "GR-2027-000002"]


async def test_supplier_code_names_the_product(sessions, box, demo, story) -> None:
    story.open("PO-2026-0043", "SUP-033")
    scan = box.scan("KRT-450")
    story.item(
        "BOX-450", "07290001234617", lot=None, expiry=None, identity=FieldValue(value="KRT-450", mode="device", reading=scan)
    )
    story.count("100")
    story.confirm()
    story.finish()
    await _run(sessions, box)
    assert (await _receipt(sessions)).state == "posted"


async def test_inactive_tolerance_column_of_another_product_is_not_used(sessions, box, demo, story) -> None:
    async with sessions.write() as session:
        other = (await session.scalars(select(Product).where(Product.sku == "SLM-FIL"))).one()
        other.over_tolerance = Decimal(9)
    _over(box, story)
    await _run(sessions, box)
    assert _checks(await _receipt(sessions)) == [("over_tolerance", 2)]


async def test_receipt_is_found_by_number_only(sessions, box, demo, story) -> None:
    story.whole()
    await _run(sessions, box)
    async with sessions.read() as session:
        assert (await receipt_by_ref(session, "GR-2026-000001")).uid == story.job
        with pytest.raises(NotFound):
            await receipt_by_ref(session, story.job)


async def test_two_receipts_that_are_too_much_together_are_not_both_posted_at_once(
    database_url: str, sessions, box, demo, story, clock, monkeypatch
) -> None:
    for document, value in (("DN-1", "100.000"), ("DN-2", "100.000")):
        story.open(document=document)
        story.chicken(value, lot=None)
        story.finish()
    await _run(sessions, box)
    for receipt in await _receipts(sessions):
        accepted = {"exception": _told(receipt)[0].id, "decision": "accept", "taken": _taken(clock), "version": None}
        await decide_exception(sessions, ref=receipt.ref, **accepted)
    verify = machine.verify

    async def slowly(*args, **named):
        await asyncio.sleep(0.3)  # long enough for the other one to read what was received, if nothing keeps it from that
        return await verify(*args, **named)

    monkeypatch.setattr(machine, "verify", slowly)
    other = open_sessions(database_url)
    try:
        refs = [receipt.ref for receipt in await _receipts(sessions)]
        posts = [
            post(each, ref=ref, taken=_taken(clock), version=None) for each, ref in zip((sessions, other), refs, strict=True)
        ]
        results = await asyncio.gather(*posts, return_exceptions=True)
    finally:
        await other.engine.dispose()
    assert sorted(type(result).__name__ for result in results) == ["GuardFailed", "NoneType"]
    assert await _received(sessions) == 100
