"""Containers at the gate, as boxes say it: each job is one step, and becomes one event, whatever stands against it."""

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.received import Received
from cloud.clock import from_wall_ns
from cloud.errors import Refused, StepFault
from cloud.kernel.actor import SYSTEM, Actor, Taken
from cloud.kernel.events import append_event
from cloud.kernel.transition import begin, transition
from cloud.people.accounts import user_by_login
from cloud.people.models import Role
from cloud.trade.container_events import CONTAINER_EVENT, NEEDS_REVIEW, apply_event, container_by_number
from cloud.trade.models import ContainerEvent
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.identifiers import container_fault, normal_container
from sync_protocol.movements import Passed, movement_step
from sync_protocol.quantity import Quantity, decimal
from sync_protocol.steps import FieldValue

MAX_NUMBER = 20
MAX_TEXT = 256
"""Of a step's texts, the longest that a person or reader gives."""


class GateTaker:
    """For `cloud.boxes.received.JobTakers`: job kind `gate`."""

    async def awaited(self, session: AsyncSession, received: Received, step: StepEntry, /) -> int:
        """1 where the passage is stored, else 0. Raises StepFault for another box's."""
        known = await _event(session, step.job)
        if known is None:
            return 0
        if known.box_id != received.box:
            raise StepFault("job_of_another_box", known.number)
        return 1

    async def take(self, session: AsyncSession, received: Received, step: StepEntry, /) -> None:
        """Keep what passed. What stands against it becomes the reason why somebody has to look at it."""
        passed = _read(step)
        known = await _event(session, step.job)
        if known is not None:
            if known.box_id != received.box:
                raise StepFault("job_of_another_box", known.number)
            if (known.run, known.seq) == (received.run, received.seq) or _same(known, passed, received):
                return
            raise StepFault("step_again", f"the passage of {known.number} was said already")
        event = await _new_event(session, received, step, passed)
        taken = await _taken(session, received, step, passed)
        changes = {"number": [None, event.number], "code": [None, event.code]}
        await append_event(session, taken, action="create", kind=CONTAINER_EVENT.kind, ref=event.ref, changes=changes)
        against = await _apply(session, event, passed, taken)
        if against is not None:
            event.review_reason = against.code
            event.review_detail = "; ".join(f"{name} {value}" for name, value in against.values.items())[:MAX_TEXT] or None
            await session.flush()


def _read(step: StepEntry) -> Passed:
    try:
        passed = movement_step(step)
    except TextFault as exc:
        raise StepFault("step_unreadable", str(exc)) from exc
    if not isinstance(passed, Passed) or step.n != 0:
        raise StepFault("steps_contradict", f"{step.step} {step.n}")
    return passed


async def _event(session: AsyncSession, job: str) -> ContainerEvent | None:
    return await session.scalar(select(ContainerEvent).where(ContainerEvent.uid == job))


def _same(known: ContainerEvent, passed: Passed, received: Received) -> bool:
    """Whether a box that lost an answer says the same passage again, from another run."""
    return known.box_id == received.box and (known.number, known.code, known.paper_no) == (
        _number(passed),
        f"gate_{passed.direction}",
        passed.number,
    )


def _number(passed: Passed) -> str:
    return normal_container(passed.container.value)[:MAX_NUMBER]


async def _new_event(session: AsyncSession, received: Received, step: StepEntry, passed: Passed) -> ContainerEvent:
    container = await container_by_number(session, passed.container.value)
    wall = from_wall_ns(step.wall_ns)
    event = ContainerEvent(
        uid=step.job,
        container_id=container.id if container else None,
        visit=container.visit if container else 1,
        number=_number(passed),
        code=f"gate_{passed.direction}",
        certainty="actual",
        # The box's clock is a hint; nothing happened after it was told.
        at=received.received_at if wall is None else min(wall, received.received_at),
        vehicle=passed.vehicle.value[:MAX_TEXT] if passed.vehicle else None,
        driver=passed.driver,
        seal=passed.seal.value[:MAX_TEXT] if passed.seal else None,
        weight=kilograms(passed.weight),
        laden=passed.laden,
        condition=passed.condition,
        photos=[{"sha256": one} for one in passed.photos],
        note=passed.note,
        said_by="box",
        by=step.by,
        box_id=received.box,
        paper_no=passed.number,
        run=received.run,
        seq=received.seq,
        place=step.station,
        created_at=received.received_at,
        created_by=step.by,
        updated_at=received.received_at,
        updated_by=step.by,
    )
    begin(event, NEEDS_REVIEW)
    session.add(event)
    await session.flush()
    return event


def kilograms(value: FieldValue | None) -> Decimal | None:
    """A mass to a millionth of a kilogram; None where it is none."""
    if value is None:
        return None
    try:
        return Quantity(decimal(value.value), value.unit or "kg").to("kg", decimals=6).value
    except TextFault:
        return None


async def _apply(session: AsyncSession, event: ContainerEvent, passed: Passed, taken: Taken) -> Refused | None:
    """Let the event happen, or say what stands against it; then nothing but the event itself was written."""
    fault = container_fault(event.number)
    if event.container_id is None:
        return Refused("container_unknown" if fault is None else f"container_{fault}", number=event.number)
    if passed.weight is not None and event.weight is None:
        return Refused("weight_unreadable", weight=passed.weight.value[:40])
    try:
        async with session.begin_nested():
            await apply_event(session, event, taken)
            itself = replace(taken, actor=replace(taken.actor, role=SYSTEM))
            await transition(session, CONTAINER_EVENT, event, "record", itself)
    except Refused as exc:
        await session.refresh(event)
        return exc
    return None


async def _taken(session: AsyncSession, received: Received, step: StepEntry, passed: Passed) -> Taken:
    """The operator, through the box; the time is when the core got it, so that records made again are the same."""
    user = await user_by_login(session, step.by)
    role = user.role if user is not None and user.active and user.role != Role.VIEWER else Role.OPERATOR
    return Taken(Actor.user(step.by, role, via=received.box), received.received_at, passed.note)
