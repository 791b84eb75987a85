"""States of a container. Each action is an event that happened: one that was given, or one that is written by the action."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.transition import Machine, Transition, transition
from cloud.people.models import Role
from cloud.trade.contents import contents_kg
from cloud.trade.milestones import CODE_OF
from cloud.trade.models import Container, ContainerEvent, Notice
from cloud.trade.notices import NOTICE
from sync_protocol.quantity import plain

_STAFF = frozenset({Role.ADMIN, Role.SUPERVISOR, SYSTEM})
_ANYONE = _STAFF | {Role.OPERATOR}
_LIFTS_HOLDS = frozenset({Role.ADMIN, Role.SUPERVISOR})

EVENT = "event"
"""In `taken.values`: the id of the event that the action is; without it the action writes one."""

WEIGHT_TOLERANCE = Fraction(2, 100)
"""Share by which a container's weight may differ from its tare and contents: dunnage, damp and the weighbridge's own error.
SOLAS VI/2 leaves the share to each state; 5 % is the widest in use."""

INSIDE = frozenset({"gate_in", "stored", "stripped", "stuffed", "ready"})

STRIPPED, STUFFED = "stripped", "stuffed"


async def event_of(session: AsyncSession, container: Container, action: str, taken: Taken) -> ContainerEvent:
    """The event that an action is: the given one, or what the container itself says now. Nothing is written."""
    given = taken.values.get(EVENT)
    if given is not None:
        return await session.get_one(ContainerEvent, int(given))
    return ContainerEvent(
        number=container.number,
        code=CODE_OF[action],
        certainty="actual",
        at=taken.at,
        condition=container.condition,
        photos=[],
        location_id=container.location_id,
        vehicle=container.vehicle,
        driver=container.driver,
        weight=container.gross,
        laden=container.laden,
        note=taken.reason,
        by=taken.actor.name,
        said_by={"user": "user", "box": "box"}.get(taken.actor.kind, "system"),
        created_at=taken.at,
        created_by=taken.actor.name,
    )


async def demand_seal(container: Container, event: ContainerEvent) -> None:
    """Raises GuardFailed where another seal is on it than before and no picture shows that."""
    known = {one["number"] for one in container.seals}
    if event.seal and known and event.seal not in known and not event.photos:
        raise GuardFailed("seal_needs_photo", expected=", ".join(sorted(known)), found=event.seal)


async def _may_come(session: AsyncSession, container: Container, taken: Taken) -> None:
    await demand_seal(container, await event_of(session, container, "gate_in", taken))


async def _may_go(session: AsyncSession, container: Container, taken: Taken) -> None:
    event = await event_of(session, container, "gate_out", taken)
    await demand_seal(container, event)
    if container.holds:
        holds = ", ".join(container.holds)
        if taken.actor.role not in _LIFTS_HOLDS:
            raise GuardFailed("container_on_hold", ref=container.number, holds=holds)
        if not (taken.reason or "").strip():
            raise GuardFailed("hold_needs_reason", ref=container.number, holds=holds)
    await _demand_weight(session, container, event)


async def _demand_weight(session: AsyncSession, container: Container, event: ContainerEvent) -> None:
    laden = container.laden if event.laden is None else event.laden
    if container.tare is None or laden is None:
        return
    contents = await contents_kg(session, container) if laden else Fraction(0)
    if contents is None:
        return
    expected = Fraction(container.tare) + contents
    shown = f"{plain(Decimal(round(expected)))} kg"
    if event.weight is None:
        if laden:
            raise GuardFailed("container_weight_missing", ref=container.number, expected=shown)
        return
    if abs(Fraction(event.weight) - expected) > expected * WEIGHT_TOLERANCE:
        raise GuardFailed("container_weight_differs", ref=container.number, expected=shown, found=f"{plain(event.weight)} kg")


def happens(container: Container, event: ContainerEvent) -> dict[str, Any]:
    """Make of a container what an event says of it; gives what changed as `field: [old, new]`."""
    told: dict[str, Any] = {
        name: getattr(event, name) for name in ("location_id", "vehicle", "driver", "laden") if getattr(event, name) is not None
    }
    if event.weight is not None:
        told["gross"] = event.weight
    if event.seal and event.seal not in {one["number"] for one in container.seals}:
        told["seals"] = [{"number": event.seal}]
    if event.condition == "damaged":
        told["condition"] = event.condition
    if event.code in {STRIPPED, STUFFED}:
        told["laden"] = event.code == STUFFED
    changes = {}
    for name, value in told.items():
        before = getattr(container, name)
        if before != value:
            changes[name] = [_shown(before), _shown(value)]
            setattr(container, name, value)
    return changes


def _shown(value: Any) -> Any:
    return plain(value) if isinstance(value, Decimal) else value


def _effect(action: str) -> Any:
    async def effect(session: AsyncSession, container: Container, taken: Taken) -> Mapping[str, Any]:
        changes: dict[str, Any] = {}
        if action == "announce":
            changes["visit"] = [container.visit, container.visit + 1]
            container.visit += 1
            container.gross = container.laden = None
            container.seals = []
        event = await event_of(session, container, action, taken)
        if EVENT not in taken.values:
            event.container_id, event.visit = container.id, container.visit
            session.add(event)
        changes |= happens(container, event)
        container.updated_at, container.updated_by = taken.at, taken.actor.name
        if action == "gate_in":
            await _its_notices_arrive(session, container, taken)
        await session.flush()
        return {**changes, "at": event.at.isoformat()}

    return effect


async def _its_notices_arrive(session: AsyncSession, container: Container, taken: Taken) -> None:
    itself = replace(taken, actor=replace(taken.actor, role=SYSTEM), access=None, values={})
    wanted = (Notice.container_no == container.number, Notice.state == "announced", Notice.site_id == container.site_id)
    for notice in (await session.scalars(select(Notice).where(*wanted).order_by(Notice.id))).all():
        await transition(session, NOTICE, notice, "arrive", itself)


def _row(action: str, sources: frozenset[str], roles: frozenset[str] = _STAFF, guard: Any = None) -> Transition[Container]:
    return Transition(action, sources, CODE_OF[action], roles, guard=guard, effect=_effect(action))


CONTAINER: Machine[Container] = Machine(
    kind="container",
    initial="announced",
    transitions=(
        _row("gate_in", frozenset({"announced"}), _ANYONE, _may_come),
        _row("store", frozenset({"gate_in", "stripped", "stuffed", "ready"}), _ANYONE),
        _row("strip", frozenset({"gate_in", "stored"}), _ANYONE),
        _row("stuff", frozenset({"gate_in", "stored", "stripped"}), _ANYONE),
        _row("make_ready", INSIDE - {"ready"}, _STAFF),
        _row("gate_out", INSIDE, _ANYONE, _may_go),
        _row("return_empty", frozenset({"gate_out"}), _STAFF),
        _row("announce", frozenset({"gate_out", "empty_returned"}), _STAFF),
    ),
)
"""Nothing goes out that did not come in. What comes again is announced again, and is then on its next visit."""
