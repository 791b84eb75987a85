"""A whole receipt in the ledger: where its goods go, judging by quantity, completing, taking back, making records again."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from cloud.db.engine import Sessions
from cloud.errors import GuardFailed, Refused, WrongState
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.masters.models import OrderLine, Party, Product, ProductCode, Site
from cloud.receiving.completing import complete_ready
from cloud.receiving.decisions import Judgement, act, decide_exception, judge, post, receipt_by_ref, reverse
from cloud.receiving.models import Receipt
from cloud.receiving.projection import project_all
from cloud.receiving.rebuild import rebuild
from cloud.stock import buckets, verdicts
from cloud.stock.ledger import BucketMove, Document, Wanted
from cloud.stock.ledger import post as post_moves
from cloud.stock.models import Lot, Move, Quant
from cloud.stock.places import place_of
from cloud.trade.models import CheckSetting, Notice, NoticeLine
from sync_protocol.steps import Amount, Approve, Condition, FieldValue, Finish, Learn, Open, Photo, Remainder, Serial

NOA = Actor.user("noa", "supervisor")
REF = "GR-2026-000001"
CHICKEN = "CHK-CUB"


def typed(value: str, unit: str | None = None, reason: str = "counted") -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason)


async def run(sessions: Sessions, box) -> None:
    await box.deliver(sessions)
    await project_all(sessions)


async def change(sessions: Sessions, **values: object) -> None:
    async with sessions.write() as session:
        await session.execute(update(Product).where(Product.sku == CHICKEN).values(**values))


async def receipt_of(sessions: Sessions, ref: str = REF) -> Receipt:
    async with sessions.read() as session:
        return await receipt_by_ref(session, ref)


async def lying(sessions: Sessions) -> dict[str, Decimal]:
    """By usage of the place what lies somewhere."""
    async with sessions.read() as session:
        found: dict[str, Decimal] = {}
        for quant in (await session.scalars(select(Quant).where(Quant.internal.is_(True)))).all():
            await session.refresh(quant, ["location"])
            found[quant.location.usage] = found.get(quant.location.usage, Decimal(0)) + quant.quantity
        return found


async def filled(sessions: Sessions, line: int = 1) -> dict[str, Decimal]:
    receipt = await receipt_of(sessions)
    async with sessions.read() as session:
        return (await buckets.of_receipt(session, receipt.uid)).get(line, {})


async def ledger(sessions: Sessions) -> list[tuple[object, ...]]:
    async with sessions.read() as session:
        rows = await session.scalars(select(Move).order_by(Move.id))
        return [(row.id, row.key, row.quantity, row.source_id, row.target_id, row.by, row.at) for row in rows]


async def lot_states(sessions: Sessions) -> dict[str, str]:
    async with sessions.read() as session:
        return {row.code: row.state for row in await session.scalars(select(Lot))}


async def put_away(sessions: Sessions, clock, line: int = 1) -> None:
    """All that was released goes to a shelf, as a transfer does it."""
    receipt = await receipt_of(sessions)
    row = receipt.lines[line - 1]
    async with sessions.write() as session:
        shelf = await place_of(session, "stock", receipt.site_id)
        there = (await buckets.of_receipt(session, receipt.uid))[line]["released"]
        wanted = Wanted(
            key=f"put away {line}",
            product_id=row.product_id,
            owner_id=row.owner_id,
            quantity=there,
            source_id=row.location_id,
            target_id=shelf.id,
            document=Document("transfer", "t-1", "TR-1"),
            effective_at=clock.now,
            lot_id=row.lot_id,
            bucket=BucketMove(receipt.uid, line, "released", "put_away"),
        )
        await post_moves(session, [wanted], Taken(NOA, clock.now))


async def test_goods_come_from_the_supplier_to_the_stations_place_with_their_lot(sessions, box, demo, story) -> None:
    story.whole("12.340")
    await run(sessions, box)
    receipt = await receipt_of(sessions)
    line = receipt.lines[0]
    assert (receipt.state, line.stock_quantity, line.stock_rounded) == ("posted", Decimal("12.34"), False)
    assert (line.stock_lot.code, line.stock_lot.state, line.location.usage) == ("L-77", "released", "receiving")
    assert await lying(sessions) == {"receiving": Decimal("12.34")}
    assert await filled(sessions) == {"released": Decimal("12.34")}


async def test_a_unit_without_end_is_rounded_to_a_millionth_and_says_so(sessions, box, demo, story) -> None:
    async with sessions.write() as session:
        await session.execute(update(Product).where(Product.sku == CHICKEN).values(unit="[lb_av]"))
    story.whole("1.000")
    await run(sessions, box)
    line = (await receipt_of(sessions)).lines[0]
    assert (line.quantity, line.stock_quantity, line.stock_rounded) == (Decimal("1.000"), Decimal("2.204623"), True)


async def test_quarantined_goods_are_released_and_rejected_by_quantity(sessions, box, demo, story, clock) -> None:
    await change(sessions, quarantine=True)
    story.whole("100.000")
    await run(sessions, box)
    assert await filled(sessions) == {"pending_qc": Decimal(100)}
    assert await lot_states(sessions) == {"L-77": "pending"}
    given = {"ref": REF, "version": None}
    await judge(sessions, Judgement("release", 1, Decimal(80)), taken=Taken(NOA, clock.now), **given)
    assert await lot_states(sessions) == {"L-77": "pending"}
    await judge(sessions, Judgement("reject", 1), taken=Taken(NOA, clock.now, "torn bags"), **given)
    assert await filled(sessions) == {"released": Decimal(80), "rejected": Decimal(20)}
    assert await lying(sessions) == {"receiving": Decimal(80), "rejected": Decimal(20)}
    assert await lot_states(sessions) == {"L-77": "released"}
    with pytest.raises(GuardFailed, match="bucket_not_enough"):
        await judge(
            sessions, Judgement("reject", 1, Decimal("80.000001"), "released"), taken=Taken(NOA, clock.now, "x"), **given
        )


async def test_a_lot_of_which_all_was_rejected_is_rejected(sessions, box, demo, story, clock) -> None:
    await change(sessions, quarantine=True)
    story.whole("5.000")
    await run(sessions, box)
    await judge(sessions, Judgement("reject", 1), ref=REF, taken=Taken(NOA, clock.now, "smells"), version=None)
    assert await lot_states(sessions) == {"L-77": "rejected"}


async def test_damaged_goods_need_a_decision_and_go_to_the_rejected_place(sessions, box, demo, story, clock) -> None:
    story.open()
    story.chicken("3.000")
    box.step(story.job, Condition(line=1, condition="damaged", reason="crushed"))
    box.step(story.job, Photo(line=1, subject="damage", sha256="a" * 64))
    box.step(story.job, Approve(check="damaged", line=1, decision="accept", reason="keep apart"), by="noa")
    story.finish()
    await run(sessions, box)
    receipt = await receipt_of(sessions)
    (row,) = [each for each in receipt.exceptions if each.check == "damaged"]
    assert (row.decision, row.by, row.via, row.method, row.role) == ("accept", "noa", box.id, "pin", "supervisor")
    assert (receipt.state, receipt.posted_by) == ("posted", "noa")
    assert await filled(sessions) == {"rejected": Decimal(3)}
    assert await lying(sessions) == {"rejected": Decimal(3)}


async def test_an_operator_approves_nothing_at_the_box(sessions, box, demo, story) -> None:
    story.open()
    story.chicken("3.000", lot=None)
    box.step(story.job, Approve(check="lot_missing", line=1, decision="accept", reason="seen it"), by="dana")
    story.finish()
    await run(sessions, box)
    receipt = await receipt_of(sessions)
    assert (receipt.state, receipt.needs_review, receipt.review_reason) == ("check", True, "lot_missing")
    assert [each.decision for each in receipt.exceptions if each.check == "lot_missing"] == [None]


async def test_who_counted_does_not_decide_where_the_house_asks_for_another(sessions, box, demo, story) -> None:
    async with sessions.write() as session:
        session.add(CheckSetting(check="lot_missing", severity="decision", needs_other_person=True))
    story.open(by="noa")
    story.chicken("3.000", lot=None)
    box.step(story.job, Approve(check="lot_missing", line=1, decision="accept", reason="seen it"), by="noa")
    story.finish()
    await run(sessions, box)
    assert (await receipt_of(sessions)).state == "check"


async def test_a_setting_of_the_house_softens_a_check(sessions, box, demo, story) -> None:
    async with sessions.write() as session:
        session.add(CheckSetting(check="lot_missing", severity="info"))
    story.open()
    story.chicken("3.000", lot=None)
    story.finish()
    await run(sessions, box)
    assert (await receipt_of(sessions)).state == "posted"


async def test_each_serial_number_becomes_a_lot_of_one(sessions, box, demo, story) -> None:
    await change(sessions, tracking="serial", unit="{pcs}", expiry="none", identity_policy="none", weight_policy="none")
    async with sessions.write() as session:
        await session.execute(update(OrderLine).values(unit="{pcs}"))
    story.open()
    story.item(CHICKEN, "07290001234563", lot=None, expiry=None)
    for serial in ("S1", "S2", "S3", "S4"):
        box.step(story.job, Serial(line=1, serial=typed(serial, reason="typed")))
    box.step(story.job, Serial(line=1, serial=typed("S2", reason="typed"), gone=True))
    quantity = FieldValue(value="3", unit="{pcs}", mode="derived", formula="serials")
    box.step(story.job, Amount(line=1, quantity=quantity))
    story.confirm()
    story.finish()
    await run(sessions, box)
    receipt = await receipt_of(sessions)
    assert (receipt.state, [each.check for each in receipt.exceptions if each.severity != "info"]) == ("posted", [])
    async with sessions.read() as session:
        rows = await session.execute(select(Lot.code, Lot.is_serial, Quant.quantity).join(Quant, Quant.lot_id == Lot.id))
        here = {(code, serial) for code, serial, quantity in rows if quantity == 1}
    assert here == {("S1", True), ("S3", True), ("S4", True)}


async def test_a_lot_with_another_date_is_never_overwritten(sessions, box, demo, story) -> None:
    story.whole("3.000", "DN-1")
    story.open(document="DN-2")
    story.chicken("4.000", expiry="2027-03-02")
    story.finish()
    await run(sessions, box)
    second = await receipt_of(sessions, "GR-2026-000002")
    (row,) = [each for each in second.exceptions if each.check == "lot_expiry_differs"]
    assert (second.state, row.severity, row.expected, row.found) == ("check", "stop", "2027-03-01", "2027-03-02")


async def test_a_receipt_is_done_when_all_is_put_away_and_closes_what_stays_open(sessions, box, demo, story, clock) -> None:
    story.open()
    story.chicken("3.000")
    rest = Remainder(order_line="1", policy="close_short", reason="out of season")
    box.step(story.job, Finish(lines=[1], remainders=[rest]))
    await run(sessions, box)
    assert await complete_ready(sessions, clock.now) == 0
    await put_away(sessions, clock)
    assert await complete_ready(sessions, clock.now) == 1
    assert (await receipt_of(sessions)).state == "done"
    async with sessions.read() as session:
        line = await session.get_one(OrderLine, 1)
    assert (line.closed, line.closed_reason) == (True, "out of season")


async def test_what_a_receipt_itself_closed_does_not_stand_against_it_when_it_is_made_again(
    sessions, box, demo, story, clock
) -> None:
    story.open()
    story.chicken("3.000")
    rest = Remainder(order_line="1", policy="close_short", reason="out of season")
    box.step(story.job, Finish(lines=[1], remainders=[rest]))
    await run(sessions, box)
    await put_away(sessions, clock)
    assert await complete_ready(sessions, clock.go(minutes=1)) == 1
    done_at = (await receipt_of(sessions)).done_at
    await rebuild(sessions, Taken(Actor.system("test"), clock.go(hours=1)))
    receipt = await receipt_of(sessions)
    assert (receipt.state, receipt.review_reason, receipt.done_at) == ("done", None, done_at)
    async with sessions.read() as session:
        line = await session.get_one(OrderLine, 1)
    assert (line.received, line.closed, line.closed_reason) == (3, True, "out of season")


async def test_a_notice_that_a_receipt_completed_is_complete_again(sessions, box, demo, story, clock) -> None:
    async with sessions.write() as session:
        supplier = (await session.scalars(select(Party).where(Party.ref == "SUP-014"))).one()
        product = (await session.scalars(select(Product).where(Product.sku == CHICKEN))).one()
        site_id = await session.scalar(select(Site.id).limit(1))
        notice = Notice(ref="SN-1", supplier_id=supplier.id, site_id=site_id, state="announced")
        session.add(notice)
        await session.flush()
        session.add(NoticeLine(notice_id=notice.id, line="1", product_id=product.id, quantity=Decimal(3), unit="kg"))
    job = story.job = box.new_job()
    note = box.scan("DN-1")
    document = FieldValue(value="DN-1", mode="device", reading=note)
    box.step(job, Open(notice="SN-1", supplier="SUP-014", document=document, scan=box.scan("SN-1")))
    story.chicken("3.000", notice_line="1")
    story.finish()
    await run(sessions, box)

    async def there() -> tuple[object, ...]:
        async with sessions.read() as session:
            notice = (await session.scalars(select(Notice))).one()
            receipt = await receipt_by_ref(session, REF)
            return receipt.state, receipt.review_reason, notice.state, notice.lines[0].received

    assert await there() == ("posted", None, "received", 3)
    await rebuild(sessions, Taken(Actor.system("test"), clock.go(hours=1)))
    assert await there() == ("posted", None, "received", 3)


async def test_an_excess_over_an_order_that_shrank_since_is_asked_about_again(sessions, box, demo, story, clock) -> None:
    async with sessions.write() as session:
        await session.execute(update(OrderLine).values(quantity=Decimal(100), unit="kg"))
    story.whole("150.000")
    await run(sessions, box)
    given = {"ref": REF, "version": None}
    (row,) = [each for each in (await receipt_of(sessions)).exceptions if each.check == "over_tolerance"]
    await decide_exception(sessions, exception=row.id, decision="accept", taken=Taken(NOA, clock.now, "agreed"), **given)
    async with sessions.write() as session:
        await session.execute(update(OrderLine).values(quantity=Decimal(10)))
    with pytest.raises(GuardFailed, match="new_findings"):
        await post(sessions, taken=Taken(NOA, clock.now), **given)
    (row,) = [each for each in (await receipt_of(sessions)).exceptions if each.check == "over_tolerance"]
    assert row.decision is None


async def test_two_boxes_receive_one_order_away_from_each_other_and_nothing_is_lost(
    sessions, make_box, make_story, box, demo, story, clock
) -> None:
    other = make_box(2)
    await other.register(sessions)
    async with sessions.write() as session:
        await session.execute(update(OrderLine).values(quantity=Decimal(100), unit="kg"))
    story.whole("60.000", "DN-1")
    make_story(other).whole("50.000", "DN-2")
    await other.deliver(sessions)
    await box.deliver(sessions)
    await asyncio.gather(project_all(sessions), project_all(sessions))
    await project_all(sessions)
    async with sessions.read() as session:
        receipts = (await session.scalars(select(Receipt).order_by(Receipt.state))).all()
    assert [(each.state, each.needs_review) for each in receipts] == [("check", True), ("posted", False)]
    waiting = receipts[0]
    given = {"ref": waiting.ref, "version": None}
    over = [each for each in waiting.exceptions if each.check == "over_tolerance"]
    if not over:  # both were checked before either was posted: the later posting found it
        with pytest.raises(GuardFailed, match="new_findings"):
            await post(sessions, taken=Taken(NOA, clock.now), **given)
        waiting = await receipt_of(sessions, waiting.ref)
        over = [each for each in waiting.exceptions if each.check == "over_tolerance"]
    assert [each.found for each in over] == ["110 kg"]
    await decide_exception(
        sessions, exception=over[0].id, decision="accept", taken=Taken(NOA, clock.now, "we keep it"), **given
    )
    await post(sessions, taken=Taken(NOA, clock.now), **given)
    assert await lying(sessions) == {"receiving": Decimal(110)}
    async with sessions.read() as session:
        assert (await session.get_one(OrderLine, 1)).received == 110


async def test_taking_back_is_opposite_moves_and_leaves_nothing(sessions, box, demo, story, clock) -> None:
    story.whole("12.340")
    await run(sessions, box)
    await reverse(sessions, ref=REF, taken=Taken(NOA, clock.now, "wrong supplier"), version=None)
    receipt = await receipt_of(sessions)
    assert (receipt.state, receipt.reversed_by, await lying(sessions), await filled(sessions)) == ("reversed", "noa", {}, {})
    assert len(await ledger(sessions)) == 2
    async with sessions.read() as session:
        assert (await session.get_one(OrderLine, 1)).received == 0


async def test_goods_that_went_on_are_not_taken_back(sessions, box, demo, story, clock) -> None:
    story.whole("12.340", "DN-1")
    await run(sessions, box)
    await put_away(sessions, clock)
    before = await ledger(sessions)
    with pytest.raises(Refused):
        await reverse(sessions, ref=REF, taken=Taken(NOA, clock.now, "wrong supplier"), version=None)
    assert await ledger(sessions) == before
    assert (await receipt_of(sessions)).state == "posted"


async def test_a_learned_code_is_one_of_the_product_once_somebody_agrees(sessions, box, demo, story) -> None:
    story.open()
    scan = box.scan("NEW-CODE-1")
    learn = Learn(scheme="supplier", code="NEW-CODE-1", product=CHICKEN, reading=scan)
    box.step(story.job, learn)
    again = box.scan("NEW-CODE-1")
    story.item(CHICKEN, "07290001234563", identity=FieldValue(value="NEW-CODE-1", mode="device", reading=again))
    story.weigh("2.000")
    story.confirm()
    box.step(story.job, Approve(check="code_learned", line=1, decision="accept", reason="on the carton"), by="noa")
    story.finish()
    await run(sessions, box)
    receipt = await receipt_of(sessions)
    assert (receipt.state, [each.standing for each in receipt.learned]) == ("posted", ["accepted"])
    async with sessions.read() as session:
        row = (await session.scalars(select(ProductCode).where(ProductCode.code == "NEW-CODE-1"))).one()
        assert (row.scheme, row.product.sku, row.party_id) == ("supplier", CHICKEN, receipt.supplier_id)


async def test_records_made_again_keep_their_moves(sessions, box, demo, story, clock) -> None:
    await change(sessions, quarantine=True)
    story.whole("100.000")
    await run(sessions, box)
    clock.go(minutes=5)
    await judge(sessions, Judgement("release", 1, Decimal(80)), ref=REF, taken=Taken(NOA, clock.now), version=None)
    clock.go(minutes=5)
    await judge(sessions, Judgement("reject", 1), ref=REF, taken=Taken(NOA, clock.now, "torn"), version=None)
    before = (await ledger(sessions), await lying(sessions), await filled(sessions))
    await rebuild(sessions, Taken(Actor.system("test"), clock.now))
    receipt = await receipt_of(sessions)
    assert (receipt.state, receipt.review_reason, receipt.lines[0].stock_quantity) == ("posted", None, Decimal(100))
    assert (await ledger(sessions), await lying(sessions), await filled(sessions)) == before
    await reverse(sessions, ref=REF, taken=Taken(NOA, clock.now, "wrong"), version=None)
    assert await lying(sessions) == {}


async def test_records_made_again_repeat_what_may_not_be_done_any_more(sessions, box, demo, story, clock) -> None:
    quality = Actor.user("ada", "quality")
    story.open()
    story.chicken("3.000", lot=None)
    story.finish()
    await run(sessions, box)
    (row,) = [each for each in (await receipt_of(sessions)).exceptions if each.check == "lot_missing"]
    given = Taken(quality, clock.go(minutes=1), "seen it", access=Access.all())
    await decide_exception(sessions, ref=REF, exception=row.id, decision="accept", taken=given, version=None)
    await post(sessions, ref=REF, taken=Taken(NOA, clock.go(minutes=1)), version=None)
    await reverse(sessions, ref=REF, taken=Taken(NOA, clock.go(minutes=1), "wrong"), version=None)
    receipt, before = await receipt_of(sessions), await ledger(sessions)
    async with sessions.write() as session:
        await verdicts.note(session, receipt.uid, ["moves_differ"], clock.now)
    await rebuild(sessions, Taken(Actor.system("test"), clock.now))
    receipt = await receipt_of(sessions)
    assert (receipt.state, receipt.review_reason, await ledger(sessions)) == ("reversed", None, before)
    async with sessions.read() as session:
        assert (await session.get_one(OrderLine, 1)).received == 0


async def test_a_judgement_without_a_key_after_records_were_made_again_is_one_of_its_own(
    sessions, box, demo, story, clock
) -> None:
    await change(sessions, quarantine=True)
    story.whole("9.000")
    await run(sessions, box)
    clock.go(minutes=1)
    for _ in range(9):
        about = {"line": "1", "quantity": "1"}
        await act(sessions, ref=REF, action="release", taken=Taken(NOA, clock.now, None, None, about), version=None)
        async with sessions.write() as session:
            await session.execute(update(Receipt).values(version=5))
    assert await filled(sessions) == {"released": Decimal(9)}


async def test_records_that_would_be_posted_otherwise_wait_for_a_person(sessions, box, demo, story, clock) -> None:
    story.whole("12.340")
    await run(sessions, box)
    before = await ledger(sessions)
    await change(sessions, unit="g")
    await rebuild(sessions, Taken(Actor.system("test"), clock.now))
    receipt = await receipt_of(sessions)
    assert (receipt.state, receipt.needs_review, receipt.review_reason) == ("check", True, "ledger_differs")
    assert await ledger(sessions) == before


async def test_two_who_post_at_once_bring_the_goods_once(sessions, box, demo, story, clock) -> None:
    story.open()
    story.chicken("3.000", lot=None)
    story.finish()
    await run(sessions, box)
    (row,) = [each for each in (await receipt_of(sessions)).exceptions if each.check == "lot_missing"]
    await decide_exception(
        sessions, ref=REF, exception=row.id, decision="accept", taken=Taken(NOA, clock.now, "seen it"), version=None
    )
    posts = [post(sessions, ref=REF, taken=Taken(NOA, clock.now), version=None) for _ in range(2)]
    results = await asyncio.gather(*posts, return_exceptions=True)
    assert sorted(type(each) for each in results if each is not None) == [WrongState]
    assert [each[2] for each in await ledger(sessions)] == [Decimal(3)]
    assert await lying(sessions) == {"receiving": Decimal(3)}
