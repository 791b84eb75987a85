"""Movements from a box's journal to the ledger: out of order, beside the receipt of their goods, and again after a rebuild."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.ingest.receive import receive_frame
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.masters.models import Location
from cloud.receiving.models import ProjectionFault, Receipt
from cloud.receiving.projection import project_all
from cloud.receiving.rebuild import rebuild
from cloud.stock.models import LineBucket, Move, Quant
from cloud.transfers.jobs import JOB_TAKERS
from cloud.transfers.models import Transfer
from sync_protocol.entries import StepEntry
from sync_protocol.movements import Done, Moved, MovementStep, MoveOpen
from sync_protocol.steps import FieldValue

NAMES = {MoveOpen: "open", Moved: "moved", Done: "finish"}


def typed(value: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason="counted")


def say(box: Any, job: str, n: int, said: MovementStep) -> None:
    box.write(
        StepEntry(
            **box.stamp(), job=job, job_kind="put_away", n=n, step=NAMES[type(said)], station="receiving-1", by="dana",
            data=said.model_dump(mode="json", exclude_none=True),
        )
    )  # fmt: skip


async def lying(sessions: Sessions) -> dict[str, str]:
    async with sessions.read() as session:
        rows = await session.execute(
            select(Location.code, Quant.quantity).join(Quant, Quant.location_id == Location.id).where(Quant.internal.is_(True))
        )
        return {code: f"{quantity:f}" for code, quantity in rows}


async def buckets(sessions: Sessions) -> dict[str, str]:
    async with sessions.read() as session:
        return {one.bucket: f"{one.quantity:f}" for one in await session.scalars(select(LineBucket)) if one.quantity}


@pytest.mark.usefixtures("demo")
async def test_a_put_away_comes_before_its_job_and_stays_after_a_rebuild(
    sessions: Sessions, box: Any, make_story: Callable[[Any], Any], clock: Any
) -> None:
    story = make_story(box)
    first = box.start()
    receipt = story.whole()
    job = box.new_job()
    said = {"product": "CHK-CUB", "lot": "L-77", "source": typed("GAL-RCV"), "target": typed("GAL-CLD-1"), "receipt": receipt}
    say(box, job, 0, MoveOpen(number="B1-4", receipt=receipt))
    say(box, job, 1, Moved(n=1, quantity=typed("4.34", "kg"), receipt_line=1, **said))
    second = box.start(parent=(first, len(first.entries) - 1))
    say(box, job, 2, Moved(n=2, quantity=typed("1000", "g"), **said))
    say(box, job, 3, Done())
    await box.send(sessions, second)
    await project_all(sessions, job_takers=JOB_TAKERS)
    assert await lying(sessions) == {}
    await box.send(sessions, first)
    await project_all(sessions, job_takers=JOB_TAKERS)
    async with sessions.read() as session:
        assert (await session.scalars(select(Receipt.state))).all() == ["posted"]
        made = (await session.scalars(select(Transfer))).one()
        assert (await session.scalars(select(ProjectionFault.code))).all() == []
    assert [(line.state, line.review_code) for line in made.lines] == [("posted", None)] * 2
    assert (made.ref, made.state, made.needs_review) == ("B1-4", "posted", False)
    stock, filled = await lying(sessions), await buckets(sessions)
    assert stock == {"GAL-RCV": "7", "GAL-CLD-1": "5.34"}
    assert filled == {"released": "7", "put_away": "5.34"}
    async with sessions.read() as session:
        moves = (await session.scalars(select(Move.id).order_by(Move.id))).all()
    await rebuild(sessions, Taken(Actor.system("test"), clock.go(hours=1)))
    await project_all(sessions, job_takers=JOB_TAKERS)
    assert (await lying(sessions), await buckets(sessions)) == (stock, filled)
    async with sessions.read() as session:
        assert (await session.scalars(select(Move.id).order_by(Move.id))).all() == moves
        assert (await session.scalars(select(Receipt.state))).all() == ["posted"]
        assert [line.state for line in (await session.scalars(select(Transfer))).one().lines] == ["posted"] * 2


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("known", ["nothing", "second run", "receipt"])
async def test_a_rebuild_loses_no_movement_that_was_not_taken_before(
    sessions: Sessions, box: Any, make_story: Callable[[Any], Any], clock: Any, known: str
) -> None:
    story = make_story(box)
    first = box.start()
    receipt = story.whole()
    job, here = box.new_job(), len(first.entries)
    said = {"product": "CHK-CUB", "lot": "L-77", "source": typed("GAL-RCV"), "target": typed("GAL-CLD-1"), "receipt": receipt}
    say(box, job, 0, MoveOpen(number="B1-4", receipt=receipt))
    say(box, job, 1, Moved(n=1, quantity=typed("4.34", "kg"), receipt_line=1, **said))
    second = box.start(parent=(first, len(first.entries) - 1))
    say(box, job, 2, Moved(n=2, quantity=typed("1000", "g"), **said))
    say(box, job, 3, Done())
    if known == "second run":
        await box.send(sessions, second)
        await project_all(sessions, job_takers=JOB_TAKERS)
    if known == "receipt":
        await receive_frame(sessions, box=box.id, frame=box.frame(0, here, first), now=clock.now)
        await project_all(sessions, job_takers=JOB_TAKERS)
        await receive_frame(sessions, box=box.id, frame=box.frame(here, None, first), now=clock.now)
    else:
        await box.send(sessions, first)
    if known != "second run":
        await box.send(sessions, second)
    await rebuild(sessions, Taken(Actor.system("test"), clock.go(hours=1)), job_takers=JOB_TAKERS)
    assert await buckets(sessions) == {"released": "7", "put_away": "5.34"}
    async with sessions.read() as session:
        made = (await session.scalars(select(Transfer))).one()
        assert [line.state for line in made.lines] == ["posted"] * 2
        assert (await session.scalars(select(ProjectionFault.code))).all() == []
        told = await session.scalars(select(Event.action).where(Event.kind == "transfer"))
        assert set(told.all()) == {"create", "begin", "finish"}
