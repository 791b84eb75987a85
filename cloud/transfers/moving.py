"""Jobs `move` and `put_away` of a box: every act is posted at once, or kept as a line that waits for a person."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload

from cloud.boxes.received import Received
from cloud.errors import NotFound, Refused, StepFault
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.transition import begin, transition
from cloud.masters.models import Site
from cloud.stock import ledger
from cloud.stock.models import Move
from cloud.transfers import naming
from cloud.transfers.asking import Asking
from cloud.transfers.machine import TRANSFER, TRANSFER_LINE, by_program, settle
from cloud.transfers.models import INTERNAL, PUT_AWAY, SERIES, CountSheet, StockJob, Transfer, TransferLine
from cloud.transfers.rules import fresh_ref
from cloud.transfers.steps import awaited_of, done_at, is_new, job_of, keep_step, missing_steps, read_step, taken_by
from sync_protocol import movements
from sync_protocol.entries import StepEntry
from sync_protocol.movements import Done, Moved, MoveOpen

KINDS: Mapping[str, str] = {movements.MOVE: INTERNAL, movements.PUT_AWAY: PUT_AWAY}
"""By job kind, the kind of transfer."""


class Mover:
    """The JobTaker of job kinds `move` and `put_away`."""

    async def awaited(self, session: AsyncSession, received: Received, step: StepEntry) -> int:
        """As the JobTaker's. Raises StepFault."""
        return await awaited_of(session, received, step)

    async def take(self, session: AsyncSession, received: Received, step: StepEntry) -> None:
        """As the JobTaker's. Raises StepFault."""
        said = read_step(step)
        job = await job_of(session, step)
        if job is None:
            if not isinstance(said, MoveOpen):
                raise StepFault("no_such_job", step.step)
            await _open(session, received, step, said)
            return
        if not await is_new(session, job, received, step):
            return
        # Without its lines: a job of a thousand acts would read them all a thousand times.
        transfer = await session.scalar(select(Transfer).where(Transfer.uid == job.document).options(lazyload(Transfer.lines)))
        if transfer is None or isinstance(said, MoveOpen):
            raise StepFault("opened_again", job.document)
        await keep_step(session, job, received, step)
        taken = await taken_by(session, received, step)
        if isinstance(said, Moved):
            await _move(session, transfer, said, received, step)
        elif isinstance(said, Done):
            await _end(session, transfer, job, taken)


async def _open(session: AsyncSession, received: Received, step: StepEntry, said: MoveOpen) -> None:
    taken = await taken_by(session, received, step)
    site_id = await naming.site_of(session, step.station)
    reason = None if site_id is not None else "station_unknown"
    if site_id is None:
        site_id = await session.scalar(select(Site.id).order_by(Site.id).limit(1))
    if site_id is None:
        raise StepFault("no_site", step.station)
    kind = KINDS[step.job_kind]
    ref = await paper_number(session, said.number, step.job, Transfer)
    row = Transfer(
        uid=step.job,
        ref=ref or await fresh_ref(session, SERIES[kind], Transfer, site_id, taken),
        kind=kind,
        site_id=site_id,
        receipt=said.receipt,
        receipt_ref=await _receipt_ref(session, said.receipt),
        box_id=received.box,
        station_code=step.station,
        operator=step.by,
        needs_review=reason is not None,
        review_reason=reason,
        created_at=taken.at,
        created_by=step.by,
        extra={},
    )
    begin(row, TRANSFER.initial)
    job = StockJob(job=step.job, kind=step.job_kind, box_id=received.box, document=step.job, next_n=0)
    session.add_all([row, job])
    await session.flush()
    await keep_step(session, job, received, step)
    await append_event(session, taken, action="create", kind=TRANSFER.kind, ref=row.ref, changes={"kind": [None, kind]})
    await transition(session, TRANSFER, row, "begin", by_program(taken))


async def paper_number(
    session: AsyncSession, said: str | None, job: str, model: type[Transfer] | type[CountSheet]
) -> str | None:
    """The box's own number; with the end of the job's id where another paper has it already. None where the box gave none."""
    if not said:
        return None
    if await session.scalar(select(model.id).where(model.ref == said)) is None:
        return said
    return f"{said}-{job[-6:]}"


async def _receipt_ref(session: AsyncSession, receipt: str | None) -> str | None:
    if receipt is None:
        return None
    return await session.scalar(
        select(Move.document_ref).where(Move.document_kind == "receipt", Move.document == receipt).limit(1)
    )


async def _move(session: AsyncSession, transfer: Transfer, said: Moved, received: Received, step: StepEntry) -> None:
    taken = await taken_by(session, received, step, said.reason)
    line, named = await _line(session, transfer, said, received, step)
    session.add(line)
    await session.flush()
    if named.code is not None:
        await _question(session, transfer, line, taken, (named.code, named.detail or ""))
        return
    try:
        await ledger.post(session, await Asking(session, transfer, taken).one(line), taken)
    except Refused as exc:
        await _question(session, transfer, line, taken, (exc.code, _told(exc.values)))
    except NotFound as exc:
        await _question(session, transfer, line, taken, ("not_found", f"{exc.kind} {exc.ref}"))
    else:
        await transition(session, TRANSFER_LINE, line, "post", by_program(taken))


async def _line(
    session: AsyncSession, transfer: Transfer, said: Moved, received: Received, step: StepEntry
) -> tuple[TransferLine, naming.Named]:
    """The line as the box said it, and what of it nobody here knows."""
    named = await naming.find(
        session, product=said.product, lot=said.lot, unit=None if said.unit is None else said.unit.value, owner=said.owner
    )
    line = TransferLine(
        transfer_id=transfer.id,
        number=step.n,
        product_id=named.product and named.product.id,
        lot_id=named.lot_id,
        unit_id=named.unit_id,
        owner_id=named.owner_id,
        from_id=await naming.place(session, said.source.value),
        to_id=await naming.place(session, said.target.value),
        receipt=said.receipt,
        receipt_line=said.receipt_line,
        reason=said.reason,
        run=received.run,
        seq=received.seq,
        done_at=done_at(step, received.received_at),
        created_at=received.received_at,
        created_by=step.by,
        extra={},
    )
    begin(line, TRANSFER_LINE.initial)
    for place, where in ((line.from_id, said.source), (line.to_id, said.target)):
        if place is None:
            named.fault("place_unknown", where.value)
    await _amount(session, line, said, named)
    return line, named


async def _amount(session: AsyncSession, line: TransferLine, said: Moved, named: naming.Named) -> None:
    if said.quantity is None:
        return
    line.mode, line.reason = said.quantity.mode, line.reason or said.quantity.reason
    try:
        line.given_quantity, line.given_unit = naming.digits(said.quantity), said.quantity.unit
        if named.product is not None:
            line.given_unit = line.given_unit or named.product.unit
            line.quantity = await naming.amount(session, said.quantity, named.product)
    except Refused as exc:
        named.fault(exc.code, _told(exc.values) or said.quantity.value)


def _told(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in values.items() if key != "field")[:200]


async def _question(session: AsyncSession, transfer: Transfer, line: TransferLine, taken: Taken, why: tuple[str, str]) -> None:
    code, detail = why
    asked = by_program(taken)
    asked = Taken(asked.actor, asked.at, asked.reason, values={"code": code, "detail": detail})
    await transition(session, TRANSFER_LINE, line, "question", asked)
    await settle(session, transfer)


async def _end(session: AsyncSession, transfer: Transfer, job: StockJob, taken: Taken) -> None:
    job.ended = True
    if await missing_steps(session, job):
        transfer.review_reason, transfer.needs_review = "steps_missing", True
    if transfer.state == "moving":
        await transition(session, TRANSFER, transfer, "finish", by_program(taken))
