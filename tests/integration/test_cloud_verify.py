"""Verification finds any byte that was changed behind the program's back, wherever it is."""

import pytest
from sqlalchemy import select, text

from cloud.db.engine import Sessions, is_sqlite
from cloud.errors import GuardFailed
from cloud.ingest.models import JournalEntry, StoredBatch
from cloud.kernel.actor import Actor, Taken
from cloud.receiving.decisions import decide_exception, post
from cloud.receiving.models import Receipt
from cloud.receiving.projection import project_all
from cloud.receiving.verify import VerifyReport, verify_receipt
from sync_protocol import signing

REF = "GR-2026-000001"


async def _unlock(sessions: Sessions) -> None:
    """Take the triggers away, as somebody with the database's password can."""
    async with sessions.write() as session:
        for table in ("entry", "batch", "event"):
            if is_sqlite(session):
                await session.execute(text(f"DROP TRIGGER {table}_no_update"))
                await session.execute(text(f"DROP TRIGGER {table}_no_delete"))
            else:
                await session.execute(text(f"DROP TRIGGER {table}_no_change ON {table}"))


@pytest.fixture
async def posted(sessions, box, demo, story, clock):
    """A posted receipt in the second of three batches of its run."""
    box.start()
    for _ in range(5):
        box.note()
    await box.deliver(sessions)
    story.whole("12.340")
    await box.deliver(sessions)
    box.note()
    await box.deliver(sessions)
    await project_all(sessions)
    await _unlock(sessions)
    assert (await _report(sessions)).ok
    return box


async def _report(sessions: Sessions) -> VerifyReport:
    async with sessions.read() as session:
        return await verify_receipt(session, REF)


async def _change_entry(sessions: Sessions, kind: str, old: bytes, new: bytes) -> None:
    async with sessions.write() as session:
        rows = await session.scalars(select(JournalEntry).where(JournalEntry.kind == kind).order_by(JournalEntry.seq))
        row = next(row for row in rows if old in row.content)
        row.content = row.content.replace(old, new)


async def _change_batch(sessions: Sessions, number: int, **columns) -> None:
    async with sessions.write() as session:
        row = list(await session.scalars(select(StoredBatch).order_by(StoredBatch.id)))[number]
        for name, change in columns.items():
            setattr(row, name, change(getattr(row, name)))


async def _sql(sessions: Sessions, statement: str) -> None:
    async with sessions.write() as session:
        await session.execute(text(statement))


def _flip(place: int):
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("place", [0, 40, -1])
async def test_byte_of_a_reading(sessions, posted, place: int) -> None:
    async with sessions.write() as session:
        rows = await session.scalars(select(JournalEntry).where(JournalEntry.kind == "reading"))
        row = next(row for row in rows if b'"mass"' in row.content)
        row.content = _flip(place % len(row.content))(row.content)
    report = await _report(sessions)
    assert not report.ok
    weight = next(field for field in report.fields if field.field == "quantity")
    assert (weight.ok, weight.signature) == (False, "bad")


async def test_byte_of_another_entry_in_the_batch(sessions, posted) -> None:
    await _change_entry(sessions, "step", b'"step":"confirm"', b'"step":"confirn"')
    assert not (await _report(sessions)).ok


@pytest.mark.parametrize("number", [0, 1])
async def test_header_of_its_batch_or_of_one_before(sessions, posted, number: int) -> None:
    await _change_batch(sessions, number, header_line=lambda line: line.replace(b'"last":"', b'"last":"f', 1)[:-1])
    report = await _report(sessions)
    assert not report.ok
    assert all(field.chain == "bad" for field in report.fields)


async def test_header_of_a_later_batch_is_nothing_to_it(sessions, posted) -> None:
    await _change_batch(sessions, 2, header_line=_flip(10))
    assert (await _report(sessions)).ok


async def test_signature(sessions, posted) -> None:
    await _change_batch(sessions, 1, signature=_flip(20))
    report = await _report(sessions)
    assert {(field.signature, field.ok) for field in report.fields} == {("bad", False)}


async def test_key_of_another_box(sessions, posted, make_box) -> None:
    other = make_box(2)
    await other.register(sessions)
    await _change_batch(sessions, 1, key_id=lambda _old: signing.key_id(other.spki))
    assert {field.signature for field in (await _report(sessions)).fields} == {"bad"}


async def test_hash_of_an_entry(sessions, posted) -> None:
    async with sessions.write() as session:
        row = (await session.scalars(select(JournalEntry).where(JournalEntry.kind == "reading").limit(1))).one()
        row.hash = bytes(32)
    report = await _report(sessions)
    assert not report.ok
    assert {field.chain for field in report.fields} == {"bad"}


async def test_batch_taken_out(sessions, posted) -> None:
    await _sql(
        sessions, "DELETE FROM batch WHERE until = (SELECT max(until) FROM batch WHERE until < (SELECT max(until) FROM batch))"
    )
    assert not (await _report(sessions)).ok


async def test_earlier_batch_taken_out(sessions, posted) -> None:
    await _sql(sessions, "DELETE FROM batch WHERE first = 0")
    assert {field.chain for field in (await _report(sessions)).fields} == {"bad"}


STATEMENTS = {
    "evidence_value": ("UPDATE evidence SET value = '12.350' WHERE field = 'quantity'", "differs_from_step"),
    "evidence_unit": ("UPDATE evidence SET unit = 'g' WHERE field = 'quantity'", "differs_from_step"),
    "evidence_reading": ("UPDATE evidence SET seq = seq - 1 WHERE field = 'quantity'", "differs_from_step"),
    "evidence_person": ("UPDATE evidence SET \"by\" = 'omar' WHERE field = 'quantity'", "differs_from_step"),
    "evidence_mode": (
        "UPDATE evidence SET mode = 'manual', run = NULL, seq = NULL WHERE field = 'quantity'",
        "differs_from_step",
    ),
    "evidence_gone": ("DELETE FROM evidence WHERE field = 'quantity'", "evidence_missing:1.quantity"),
    "line_quantity": ("UPDATE receipt_line SET quantity = 12.350", "line_differs:1"),
    "line_unit": ("UPDATE receipt_line SET unit = 'g'", "line_differs:1"),
    "line_lot": ("UPDATE receipt_line SET lot = 'L-78'", "line_differs:1"),
    "line_expiry": ("UPDATE receipt_line SET expiry = '2028-03-01'", "line_differs:1"),
    "line_product": ("UPDATE receipt_line SET sku = 'SLM-FIL'", "line_differs:1"),
    "line_product_row": (
        "UPDATE receipt_line SET product_id = (SELECT id FROM product WHERE sku = 'SLM-FIL')",
        "line_differs:1",
    ),
    "line_standing": ("UPDATE receipt_line SET standing = 'discarded'", "line_differs:1"),
    "head_operator": ("UPDATE receipt SET operator = 'omar'", "head_differs:operator"),
    "head_document": ("UPDATE receipt SET document_no = 'DN-2'", "head_differs:document_no"),
    "head_order": ("UPDATE receipt SET order_ref = 'PO-2026-0042'", "head_differs:order_ref"),
    "step_gone": ("DELETE FROM receipt_step WHERE step = 'confirm'", "steps_contradict:lines_differ"),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_changed_row(sessions, posted, name: str) -> None:
    statement, problem = STATEMENTS[name]
    await _sql(sessions, statement)
    report = await _report(sessions)
    assert not report.ok
    assert problem in [*report.problems, *(each for field in report.fields for each in field.problems)]


async def test_line_that_nobody_received(sessions, posted) -> None:
    await _sql(
        sessions,
        "INSERT INTO receipt_line (receipt_id, number, standing, sku, product_rev, quantity, unit) "
        "SELECT id, 2, 'confirmed', 'CHK-CUB', 1, 5, 'kg' FROM receipt",
    )
    assert "line_not_in_steps:2" in (await _report(sessions)).problems


async def test_whole_entry_exchanged_for_one_of_another_run(sessions, posted, story, clock) -> None:
    await _sql(sessions, "UPDATE evidence SET step_seq = step_seq - 1 WHERE field = 'quantity'")
    problems = {each for field in (await _report(sessions)).fields for each in field.problems}
    assert {"differs_from_step", "step_not_proved"} <= problems


async def test_changed_receipt_can_no_longer_be_posted(sessions, box, demo, story, clock) -> None:
    story.open()
    story.chicken("12.340", lot=None)
    story.finish()
    await box.deliver(sessions)
    await project_all(sessions)
    async with sessions.read() as session:
        receipt = (await session.scalars(select(Receipt))).one()
    taken = Taken(Actor.user("noa", "supervisor"), clock.now, "lot on the pallet")
    await decide_exception(
        sessions, ref=receipt.ref, exception=receipt.exceptions[0].id, decision="accept", taken=taken, version=None
    )
    await _sql(sessions, "UPDATE receipt_line SET quantity = 100.340")
    with pytest.raises(GuardFailed, match="not_verified"):
        await post(sessions, ref=receipt.ref, taken=taken, version=None)
