"""Events of containers, said as records or by boxes as steps of a job. One that happened moves its container."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed, Refused
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.events import append_event
from cloud.kernel.transition import Machine, Transition, transition
from cloud.masters.models import Location
from cloud.masters.place_rules import TODAY_ANYWHERE
from cloud.masters.product_rules import needs_role
from cloud.people.models import Role
from cloud.trade.container_machine import CONTAINER, EVENT, demand_seal, happens
from cloud.trade.milestones import ACTIONS, CODES
from cloud.trade.models import Container, ContainerEvent
from sync_protocol.identifiers import container_digit, container_fault, normal_container

_STAFF = frozenset({Role.ADMIN, Role.SUPERVISOR})

ACTUAL, RECORDED, NEEDS_REVIEW = "actual", "recorded", "needs_review"


async def container_by_number(session: AsyncSession, number: str) -> Container | None:
    """The container of a number, however it is written."""
    return await session.scalar(select(Container).where(Container.number == normal_container(number)))


async def before_container(session: AsyncSession, row: Container, changes: Mapping[str, Any], _taken: Taken) -> None:
    """Its number is right, or somebody said why it stands; it lies at its own site."""
    row.number = normal_container(row.number)
    fault = container_fault(row.number)
    if fault == "check_digit" and not (row.number_reason or "").strip():
        raise Refused("container_check_digit", field="number", number=row.number, digit=container_digit(row.number[:-1]))
    if fault in {"form", "category"}:
        raise Refused(f"container_{fault}", field="number", number=row.number[:20])
    if "client" in changes:
        await needs_role(session, row.client_id, ("customer", "owner", "house", "supplier"), "client")
    if row.location_id is not None:
        site = await session.scalar(select(Location.site_id).where(Location.id == row.location_id))
        if site != row.site_id:
            raise Refused("other_site", field="location")


async def before_event(session: AsyncSession, row: ContainerEvent, _changes: Mapping[str, Any], taken: Taken) -> None:
    """Said once and never changed: what was wrong is followed by another event."""
    known: Any = row.id
    if known is not None:
        raise Refused("event_is_kept", field="code")
    container = await session.get_one(Container, row.container_id)
    row.number, row.visit = container.number, container.visit
    row.by = taken.actor.name
    row.said_by = "system" if taken.actor.kind == "system" else "user"
    if row.code not in CODES:
        raise Refused("code_unknown", field="code", code_text=str(row.code)[:40])
    if row.certainty in {None, ACTUAL} and row.at > taken.at + TODAY_ANYWHERE:
        raise Refused("day_in_future", field="at")


async def after_event(session: AsyncSession, row: ContainerEvent, _changes: Mapping[str, Any], taken: Taken) -> None:
    """An event that happened moves its container on; raises Refused where that cannot be, and then nothing is kept."""
    await apply_event(session, row, taken)


async def apply_event(session: AsyncSession, event: ContainerEvent, taken: Taken) -> None:
    """Let a stored event move its container. Planned ones, and those that happened before what is known already, only stay.

    Raises WrongState, Forbidden or GuardFailed.
    """
    if event.certainty != ACTUAL or event.container_id is None:
        return
    container = await session.get_one(Container, event.container_id, with_for_update=True, populate_existing=True)
    action = ACTIONS.get(event.code)
    if action is None:
        await _note(session, container, event, taken)
    elif not await _is_late(session, event):
        said = replace(taken, values={**taken.values, EVENT: str(event.id)}, reason=event.note or taken.reason)
        await transition(session, CONTAINER, container, action, said)


async def _note(session: AsyncSession, container: Container, event: ContainerEvent, taken: Taken) -> None:
    await demand_seal(container, event)
    changes = happens(container, event)
    if changes:
        container.version += 1
        container.updated_at, container.updated_by = taken.at, taken.actor.name
        await append_event(session, taken, action=event.code, kind=CONTAINER.kind, ref=container.ref, changes=changes)
    await session.flush()


async def _is_late(session: AsyncSession, event: ContainerEvent) -> bool:
    """Whether something that happened later already said where the container is."""
    newest = await session.scalar(
        select(func.max(ContainerEvent.at)).where(
            ContainerEvent.container_id == event.container_id,
            ContainerEvent.visit == event.visit,
            ContainerEvent.certainty == ACTUAL,
            ContainerEvent.state == RECORDED,
            ContainerEvent.code.in_(ACTIONS),
            ContainerEvent.id != event.id,
        )
    )
    return newest is not None and event.at < newest


async def _accept(session: AsyncSession, event: ContainerEvent, taken: Taken) -> Mapping[str, Any]:
    if event.container_id is None:
        container = await container_by_number(session, event.number)
        if container is None:
            raise GuardFailed("container_unknown", number=event.number)
        event.container_id, event.visit = container.id, container.visit
        await session.flush()
    before, event.review_reason, event.review_detail = event.review_reason, None, None
    await apply_event(session, event, taken)
    return {"review_reason": [before, None]}


CONTAINER_EVENT: Machine[ContainerEvent] = Machine(
    kind="container_event",
    initial=RECORDED,
    transitions=(
        Transition("record", frozenset({NEEDS_REVIEW}), RECORDED, frozenset({SYSTEM})),
        Transition("accept", frozenset({NEEDS_REVIEW}), RECORDED, _STAFF, effect=_accept, needs_reason=True),
        Transition("dismiss", frozenset({NEEDS_REVIEW}), "dismissed", _STAFF, needs_reason=True),
    ),
)
"""What a box said and what could not be is kept: a supervisor accepts it once it can be, or dismisses it with a reason."""
