"""Steps of a box's jobs before anything is made of them: in order, of their box, each once, and in texts that can be kept."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.received import Received
from cloud.clock import from_wall_ns
from cloud.errors import StepFault
from cloud.ingest.models import JournalEntry, Reissued
from cloud.kernel.actor import Actor, Taken
from cloud.people.accounts import user_by_login
from cloud.people.models import Role
from cloud.transfers.models import StockJob, StockStep
from sync_protocol.entries import StepEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId
from sync_protocol.movements import MovementStep, movement_step
from sync_protocol.steps import readings_of

MAX_ID = 64
"""Characters of a job's id, a station's code, a login."""

MAX_TEXT = 512
"""Characters of any other text; the longest that a person or reader gives is half of it."""

MAX_NUMBER = 1 << 31
"""Beyond any step or line; columns end here."""

_ROLES = frozenset({Role.ADMIN, Role.SUPERVISOR, Role.OPERATOR, Role.QUALITY})


def read_step(step: StepEntry) -> MovementStep:
    """What a step says. Raises StepFault for texts and numbers that nothing here can keep, TextFault for another's step."""
    for text in (step.job, step.station, step.by, step.step):
        if not text or len(text) > MAX_ID:
            raise StepFault("text_too_long", text)
    if not 0 <= step.n < MAX_NUMBER:
        raise StepFault("number_too_large", str(step.n))
    for value in _leaves([step.job, step.station, step.by, step.data]):
        if isinstance(value, str) and (len(value) > MAX_TEXT or "\x00" in value):
            raise StepFault("text_unfit", value)
        if isinstance(value, int) and abs(value) >= MAX_NUMBER:
            raise StepFault("number_too_large", str(value)[:40])
    return movement_step(step)


def _leaves(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


async def job_of(session: AsyncSession, step: StepEntry) -> StockJob | None:
    """The job, locked: of two who take the same step the second finds it taken."""
    return await session.get(StockJob, step.job, with_for_update=True, populate_existing=True)


async def is_new(session: AsyncSession, job: StockJob, received: Received, step: StepEntry) -> bool:
    """Whether the step is to be taken; False for one that the job has. Raises StepFault."""
    if job.box_id != received.box:
        raise StepFault("job_of_another_box", job.document)
    if job.kind != step.job_kind:
        raise StepFault("other_kind_of_job", f"{job.kind}, {step.job_kind}")
    if step.n < job.next_n:
        said = await session.scalar(select(StockStep.said).where(StockStep.job == job.job, StockStep.n == step.n))
        if said is not None and said == await _fingerprint(session, step):
            return False
        raise StepFault("step_again", f"step {step.n}, {job.next_n} was awaited")
    if job.ended:
        raise StepFault("job_ended", f"step {step.n}")
    return True


async def keep_step(session: AsyncSession, job: StockJob, received: Received, step: StepEntry) -> None:
    """The step is taken: the job awaits the next one."""
    said = await _fingerprint(session, step)
    session.add(StockStep(job=job.job, n=step.n, run=received.run, seq=received.seq, said=said))
    job.next_n = step.n + 1
    await session.flush()


async def _fingerprint(session: AsyncSession, step: StepEntry) -> str:
    data: object = step.data
    if step.was is not None:
        # It names readings that were said again too by their new ids.
        data = _renamed(data, await _first_names(session, readings_of(movement_step(step))))
    text = json.dumps([step.step, step.by, data], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _renamed(value: object, names: dict[str, str]) -> object:
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


async def _first_names(session: AsyncSession, readings: Iterable[str]) -> dict[str, str]:
    found = {}
    for reading in readings:
        try:
            at = EntryId.parse(reading)
        except TextFault:
            continue
        row = await session.get(Reissued, (str(at.run), at.seq))
        if row is not None:
            found[reading] = f"{row.was_run}:{row.was_seq}"
    return found


async def missing_steps(session: AsyncSession, job: StockJob) -> int:
    """How many steps before the awaited one never came, or could not be read."""
    there = await session.scalars(select(StockStep.n).where(StockStep.job == job.job))
    return job.next_n - len(set(there.all()))


async def steps_of(session: AsyncSession, job: StockJob) -> list[tuple[JournalEntry, StepEntry, MovementStep]]:
    """Everything that was taken of the job, in its order."""
    rows = await session.scalars(
        select(JournalEntry)
        .join(StockStep, (StockStep.run == JournalEntry.run) & (StockStep.seq == JournalEntry.seq))
        .where(StockStep.job == job.job)
        .order_by(StockStep.n)
    )
    found = []
    for row in rows.all():
        entry = parse(row.content)
        if isinstance(entry, StepEntry):
            found.append((row, entry, movement_step(entry)))
    return found


async def taken_by(session: AsyncSession, received: Received, step: StepEntry, reason: str | None = None) -> Taken:
    """The operator, at the box. The time is when the core got the entry; when it was done is `moment` among the values."""
    user = await user_by_login(session, step.by)
    # Somebody unknown here was known to the box's mirror: to the machine an operator.
    role = user.role if user is not None and user.active and user.role in _ROLES else Role.OPERATOR
    values = {"moment": done_at(step, received.received_at).isoformat()}
    return Taken(Actor.user(step.by, role, via=received.box), received.received_at, reason, values=values)


def done_at(step: StepEntry, received_at: datetime) -> datetime:
    """When the step was done by the box's clock, where something set that and it is not ahead; else when it was received."""
    wall = None if step.clk.s == "none" else from_wall_ns(step.wall_ns)
    return received_at if wall is None else min(wall, received_at)


async def awaited_of(session: AsyncSession, received: Received, step: StepEntry) -> int:
    """The number of the step that a job awaits, as a JobTaker says it. Raises StepFault."""
    read_step(step)
    job = await session.get(StockJob, step.job)
    if job is not None and job.box_id != received.box:
        raise StepFault("job_of_another_box", job.document)
    return 0 if job is None else job.next_n
