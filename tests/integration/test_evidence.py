"""Whatever stored byte behind a receipt is changed, verification names it, the interface shows it, and its goods stay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from cloud import catalogue
from cloud.db.engine import Sessions, is_sqlite
from cloud.db.types import Exact, Micro, UtcTime
from cloud.errors import GuardFailed
from cloud.ingest.models import JournalEntry, StoredBatch
from cloud.jobs.models import Job, JobStatus
from cloud.jobs.queue import enqueue
from cloud.jobs.running import RunningJob
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.masters.models import OrderLine
from cloud.receiving.decisions import act, decide_exception, post, receipt_by_ref
from cloud.receiving.evidence.standing import REVERIFY, all_problems, keep_verdict, nightly, reverify
from cloud.receiving.models import (
    Evidence,
    LearnedCode,
    Receipt,
    ReceiptException,
    ReceiptLine,
    ReceiptPhoto,
    ReceiptRemainder,
    ReceiptSerial,
)
from cloud.receiving.projection import project_all
from cloud.receiving.verify import VerifyReport, verify, verify_receipt
from cloud.stock.models import LineBucket, Move
from cloud.stock.verdicts import NOT_VERIFIED, blocked, demand_sound
from cloud.takers import TAKERS
from sync_protocol.steps import (
    Amount,
    Approve,
    Arrival,
    Condition,
    Confirm,
    FieldValue,
    Finish,
    Item,
    Learn,
    Photo,
    Remainder,
    Serial,
)
from tests.integration.api_world import open_site
from tests.integration.conftest import START, Story, device, typed
from tests.integration.handing_over import REF, exported, pem, proved
from tests.integration.object_world import World

SUPERVISOR = Actor.user("noa", "supervisor")


def derived(value: str, unit: str, formula: str) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="derived", formula=formula)


def over(value: str, unit: str, reading: str) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="override", reading=reading, reason="display_stuck")


def whole_story(story: Story) -> None:
    """A receipt with everything that a receipt can have."""
    box = story.box
    box.device("scale-1", "mt-sics", "a scale")
    job = story.open()
    truck = box.scan("MSKU3070079")
    cold = box.reading(device="probe-1", driver="probe", kind="temperature", value="-18.5", unit="Cel")
    box.step(
        job,
        Arrival(
            container=device("MSKU3070079", truck),
            temperature=device("-18.5", cold, "Cel"),
            vehicle=typed("12-345-67", reason="no_barcode"),
            seal=typed("S-1", reason="no_barcode"),
            weighbridge=typed("2400", "kg", reason="counted"),
            shipped_at=typed("2026-11-20", reason="paper"),
            arrived_at=typed("2026-11-22T07:00:00+00:00", reason="paper"),
        ),
    )
    pallet = box.scan("(00)372900012300000011", ai_00="372900012300000011")
    scan = box.scan("0107290001234563", gtin="07290001234563", ai_10="L-77", expiry="2027-03-01")
    item = {"identity": device("0107290001234563", scan), "lot": device("L-77", scan), "expiry": device("2027-03-01", scan)}
    unit = device("372900012300000011", pallet)
    box.step(job, Item(line=1, product="CHK-CUB", product_rev=1, **item, unit=unit, pack="1"))
    gross = box.weight("12.840")
    box.step(
        job,
        Amount(
            line=1,
            quantity=derived("12.340", "kg", "gross - tare"),
            gross=device("12.840", gross, "kg"),
            tare=typed("0.5", "kg", reason="packaging"),
            pieces=typed("4", "{pcs}"),
            unit_weight=typed("3.085", "kg", reason="label_weight"),
        ),
    )
    box.step(job, Serial(line=1, serial=typed("SN-1", reason="no_barcode")))
    box.step(job, Condition(line=1, condition="good", reason="looked"))
    box.step(job, Photo(line=1, subject="goods", sha256="ab" * 32))
    box.step(job, Confirm(line=1), kept_because="checked_again", checks=["expired"])
    second = box.scan("0107290001234563", gtin="07290001234563", ai_10="L-78", expiry="2027-03-02")
    item = {
        "identity": device("0107290001234563", second),
        "lot": device("L-78", second),
        "expiry": device("2027-03-02", second),
    }
    box.step(job, Item(line=2, product="CHK-CUB", product_rev=1, **item, unit=unit))
    stuck = box.weight("3.000")
    box.step(job, Amount(line=2, quantity=over("2.500", "kg", stuck)))
    box.step(job, Confirm(line=2))
    box.step(job, Learn(scheme="own", code="X-1", product="CHK-CUB", reading=second))
    box.step(job, Approve(check="weight_not_measured", line=2, decision="accept", reason="seen", method="pin"), by="noa")
    box.step(job, Finish(lines=[1, 2], remainders=[Remainder(order_line="1", policy="back_order")]))


async def unlock(sessions: Sessions) -> None:
    """Take the triggers away, as somebody with the database's password can."""
    async with sessions.write() as session:
        for table in ("entry", "batch", "event", "move"):
            if is_sqlite(session):
                rows = await session.execute(
                    text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"), {"t": table}
                )
                for (name,) in rows.all():
                    await session.execute(text(f"DROP TRIGGER {name}"))
            else:
                await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))


async def report(sessions: Sessions) -> VerifyReport:
    async with sessions.read() as session:
        return await verify_receipt(session, REF)


@pytest.fixture
async def rich(sessions: Sessions, box, demo, story, clock) -> Sessions:
    """The whole story, decided and posted, and the database open to whoever wants to change it."""
    box.start()
    box.anchor()
    whole_story(story)
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    async with sessions.read() as session:
        receipt = await receipt_by_ref(session, REF)
        open_ones = [(row.id, row.check) for row in receipt.exceptions if row.severity == "decision" and row.decision is None]
        assert not [row.check for row in receipt.exceptions if row.severity == "stop"]
    for number, _ in open_ones:
        clock.go(seconds=1)
        taken = Taken(SUPERVISOR, clock.now, "seen and agreed")
        await decide_exception(sessions, ref=REF, exception=number, decision="accept", taken=taken, version=None)
    clock.go(seconds=1)
    await post(sessions, ref=REF, taken=Taken(SUPERVISOR, clock.now), version=None)
    await unlock(sessions)
    found = await report(sessions)
    assert all_problems(found) == []
    assert (found.ok, found.state) == (True, "posted")
    return sessions


FREE: dict[str, set[str]] = {
    "receipt": {"id", "version", "needs_review", "review_reason", "done_at", "reversed_at", "reversed_by", "notice_uid"},
    "receipt_line": {"id", "receipt_id"},
    "receipt_serial": {"id", "line_id"},
    "receipt_photo": {"id", "receipt_id"},
    "learned_code": {"id", "receipt_id", "standing", "state", "decided_by", "decided_at", "product_id"},
    "receipt_remainder": {"id", "receipt_id"},
    "receipt_exception": {"id", "receipt_id"},
    "evidence": {"id", "receipt_id", "line_id"},
    "move": {"id", "reverses_id"},
    "line_bucket": {"id"},
}
"""Columns that are no part of what was received: numbers of rows, and what other acts say of it elsewhere."""

TABLES = (
    Receipt,
    ReceiptLine,
    ReceiptSerial,
    ReceiptPhoto,
    LearnedCode,
    ReceiptRemainder,
    ReceiptException,
    Evidence,
    Move,
    LineBucket,
)


def another(value: Any, column: Any) -> Any:
    """Some other value that the column takes."""
    match value:
        case None if isinstance(column.type, UtcTime):
            return START
        case None if isinstance(column.type, Exact | Micro):
            return Decimal(7)
        case None:
            return {str: "x", int: 1, date: START.date()}[column.type.python_type]
        case bool():
            return not value
        case datetime():
            return value + timedelta(seconds=1)
        case date():
            return value + timedelta(days=1)
        case int() | Decimal():
            # An entry's neighbour is there; a line of so high a number is not.
            return value - 1 if column.key.endswith("seq") else value + 1000
    return f"{value}x"


@asynccontextmanager
async def tampered(sessions: Sessions, model: type[Any], number: int, column: str, value: Any) -> AsyncIterator[VerifyReport]:
    """What verification says of one changed value; it is put back at the end."""
    async with sessions.write() as session, session.begin_nested() as inner:
        await session.execute(update(model).where(model.id == number).values({column: value}))
        session.expire_all()
        receipt = (await session.scalars(select(Receipt))).one()
        yield await verify(session, receipt, times=True)
        await inner.rollback()


async def unnamed(sessions: Sessions, *, rows: int, every: int) -> list[str]:
    """Columns that may be changed without anybody hearing of it; of `rows` rows of each table every so many-th column."""
    found: list[str] = []
    async with sessions.read() as session:
        chosen = [(model, row) for model in TABLES for row in _some(list(await session.scalars(select(model))), rows)]
    for model, row in chosen:
        name = model.__tablename__
        columns = [one for one in inspect(model).columns if one.key not in FREE[name]]
        columns = [one for one in columns if not (one.foreign_keys and one.key.endswith("_id"))]
        for column in columns[row.id % every :: every]:
            try:
                async with tampered(sessions, model, row.id, column.key, another(getattr(row, column.key), column)) as report:
                    if report.ok:
                        found.append(f"{name}.{column.key}")
            except IntegrityError:
                continue  # the database itself refuses it
    return sorted(set(found))


def _some(rows: list[Any], count: int) -> list[Any]:
    return rows[:: max(1, len(rows) // count)][: count + 1]


async def test_a_column_of_any_table_is_named(rich: Sessions) -> None:
    assert await unnamed(rich, rows=1, every=6) == []


@pytest.mark.deep
@pytest.mark.timeout(600)
async def test_each_column_of_each_table_is_named(rich: Sessions) -> None:
    assert await unnamed(rich, rows=3, every=1) == []


async def test_any_byte_of_a_reading_of_a_header_and_of_a_signature_is_named(rich: Sessions) -> None:
    drawn = Random(5)
    for _ in range(12):
        async with rich.write() as session, session.begin_nested() as inner:
            entries = select(JournalEntry).where(JournalEntry.kind.in_(("reading", "step")))
            row = drawn.choice((await session.scalars(entries)).all())
            batch = (await session.scalars(select(StoredBatch).where(StoredBatch.until > row.seq))).first()
            assert batch is not None
            target, column = drawn.choice([(row, "content"), (batch, "header_line"), (batch, "signature")])
            data = getattr(target, column)
            place = drawn.randrange(len(data))
            setattr(target, column, data[:place] + bytes([data[place] ^ (1 << drawn.randrange(8))]) + data[place + 1 :])
            await session.flush()
            assert not (await verify_receipt(session, REF)).ok, (column, place)
            await inner.rollback()


async def test_a_decision_that_the_log_does_not_know_is_named(rich: Sessions) -> None:
    async with rich.read() as session:
        decided = await session.scalar(
            select(ReceiptException).where(ReceiptException.via.is_(None), ReceiptException.by == "noa")
        )
        event = await session.scalar(select(Event).where(Event.action == "decide"))
    assert decided is not None
    assert event is not None
    async with tampered(rich, ReceiptException, decided.id, "reason", "another") as found:
        assert f"decision_differs:{decided.check}" in found.problems
    async with tampered(rich, ReceiptException, decided.id, "severity", "info") as found:
        assert f"exception_differs:{decided.check}" in found.problems
    async with tampered(rich, Event, event.id, "actor", "omar") as found:
        assert f"event_changed:{event.id}" in found.problems


async def test_a_move_or_bucket_that_is_gone_is_named(rich: Sessions) -> None:
    for model, problem in ((Move, "line_posted_differs:1"), (LineBucket, "line_buckets_differ:1")):
        async with rich.write() as session, session.begin_nested() as inner:
            column = Move.receipt_line if model is Move else LineBucket.line
            await session.execute(delete(model).where(column == 1))
            found = await verify_receipt(session, REF)
            assert problem in found.problems
            await inner.rollback()


async def test_what_breaks_is_blocked_shown_and_told_until_it_holds_again(rich: Sessions, clock) -> None:
    async def taken() -> Taken:
        return Taken(Actor.system("test"), clock.go(seconds=1))

    async with rich.write() as session:
        await session.execute(update(ReceiptLine).where(ReceiptLine.number == 1).values(lot="L-99"))
    found = await reverify(rich, REF, await taken())
    assert "line_differs:1" in found.problems
    async with rich.read() as session:
        receipt = await receipt_by_ref(session, REF)
        assert (await blocked(session, receipt.uid), receipt.needs_review, receipt.review_reason) == (
            NOT_VERIFIED,
            True,
            NOT_VERIFIED,
        )
        with pytest.raises(GuardFailed):
            await demand_sound(session, receipt.uid, REF)
        told = await session.scalar(select(Event).where(Event.action == "verification_failed"))
        assert told is not None
        assert "line_differs:1" in told.changes["problems"]
    line = {"line": "1", "quantity": "1"}
    with pytest.raises(GuardFailed, match=NOT_VERIFIED):
        await act(rich, ref=REF, action="reject", taken=Taken(SUPERVISOR, clock.now, "bad", None, line), version=None)
    async with rich.write() as session:
        await session.execute(update(ReceiptLine).where(ReceiptLine.number == 1).values(lot="L-77"))
    await keep_verdict(rich, await report(rich), await taken())
    async with rich.read() as session:
        assert await blocked(session, found.uid) is None
        assert await session.scalar(select(Event.id).where(Event.action == "verification_held")) is not None


async def test_the_nightly_check_finds_what_was_changed_by_day(rich: Sessions, clock) -> None:
    async with rich.write() as session:
        await session.execute(update(Evidence).where(Evidence.field == "gross").values(value="99"))
        job = await enqueue(session, REVERIFY, {}, taken=Taken(Actor.system("test"), clock.now))
        number = job.id
    async with rich.write() as session:
        row = await session.get_one(Job, number)
        row.status, row.lease_no, row.lease_until = JobStatus.RUNNING, 1, clock.now + timedelta(hours=1)
        running = RunningJob.of(row, rich, clock, timedelta(hours=1))
    async with rich.write() as session:
        await session.execute(update(OrderLine).where(OrderLine.received > Decimal(0)).values(received=Decimal("0.001")))
    found = await nightly(running)
    assert (found["looked_at"], found["broken"]) == (1, 1)
    assert found["orders"] != []
    async with rich.read() as session:
        receipt = await receipt_by_ref(session, REF)
        assert await blocked(session, receipt.uid) == NOT_VERIFIED


async def test_a_reading_serves_one_line_of_one_receipt(sessions: Sessions, box, demo, story, clock) -> None:
    story.open()
    _, weight = story.chicken("12.340")
    story.item("CHK-CUB", "07290001234563", lot="L-78")
    box.step(story.job, Amount(line=2, quantity=device("12.340", weight, "kg")))
    story.confirm()
    story.finish()
    story.open(document="DN-2")
    story.item("CHK-CUB", "07290001234563", lot="L-79")
    box.step(story.job, Amount(line=1, quantity=device("12.340", weight, "kg")))
    story.confirm()
    story.finish()
    await box.deliver(sessions)
    await project_all(sessions)
    for ref in (REF, "GR-2026-000002"):
        async with sessions.read() as session:
            found = await verify_receipt(session, ref)
        weights = [one for one in found.fields if one.field == "quantity"]
        assert all("reading_used_twice" in one.problems for one in weights)
        assert (found.ok, found.state) == (False, "check")


async def test_programs_read_the_evidence_and_the_file(rich: Sessions, box, clock) -> None:
    site = await open_site(rich, World(registry=catalogue.registry()), clock)
    async with site.program() as client:
        answer = await client.get(f"/o/receipt/{REF}/evidence")
        assert (answer.status_code, answer.json()["ok"]) == (200, True), answer.text
        gross = next(one for one in answer.json()["fields"] if one["field"] == "gross")
        assert (gross["device"], gross["signature"], gross["problems"]) == ("scale-1", "good", [])
        assert bytes.fromhex(gross["raw_hex"]).startswith(b"S S")
        file = await client.get(f"/o/receipt/{REF}/bundle")
        assert (file.status_code, file.headers["content-type"]) == (200, "application/zip")
        assert proved(file.content, pem(box)).report.ok
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert {"/o/receipt/{ref}/evidence", "/o/receipt/{ref}/bundle"} <= paths.keys()
        assert (await client.get("/o/receipt/GR-1/evidence")).status_code == 404
    async with site.program(("receipt", "read", "", "-operator")) as client:
        assert (await client.get(f"/o/receipt/{REF}/evidence")).status_code == 403
    async with site.program(("receipt", "read")) as client:
        assert (await client.get(f"/o/receipt/{REF}/evidence")).status_code == 200
        assert (await client.get(f"/o/receipt/{REF}/bundle")).status_code == 403


async def test_a_whole_receipt_is_proved_without_its_database(rich: Sessions, box, clock) -> None:
    found = proved(await exported(rich, clock), pem(box))
    assert all_problems(found.report) == []
    assert found.missing == ("ab" * 32,)
