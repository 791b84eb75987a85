"""Machines of kinds without code, made from their definitions, and customers' demands on every transition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.transition import Machine, Transition
from cloud.objects.caller import Caller, Hooks, caller
from cloud.objects.definition import ObjectDef, TransitionDef
from cloud.objects.faults import FieldFault, Invalid
from cloud.objects.permits import expression
from cloud.objects.references import own_values
from cloud.objects.registry import Registry
from cloud.objects.rows import Rows
from sync_protocol.expressions import ExpressionFault


def machine_of(rows: Rows) -> Machine[Any]:
    """The coded machine of a typed kind, or the one that the definition describes."""
    typed = rows.objects.typed.get(rows.definition.key)
    if typed is not None and typed.machine is not None:
        return typed.machine
    return _made(rows.definition)


def _made(definition: ObjectDef) -> Machine[Any]:
    def effect_to(target: str) -> Any:
        async def set_phase(_session: AsyncSession, record: Any, _taken: Taken) -> Mapping[str, Any]:
            record.phase = definition.state_by_key[target].phase
            return {}

        return set_phase

    rows: tuple[Transition[Any], ...] = tuple(
        Transition(
            one.key,
            frozenset(one.sources),
            one.target,
            frozenset({SYSTEM, *one.roles}),
            effect=None if definition.typed else effect_to(one.target),
            needs_reason=one.reason,
        )
        for one in definition.transitions
    )
    return Machine(definition.key, definition.states[0].key if definition.states else "", rows)


def transition_of(definition: ObjectDef, state: str | None, action: str) -> TransitionDef | None:
    """What the definition says of an action in a state."""
    return next((one for one in definition.transitions if one.key == action and state in one.sources), None)


@dataclass
class CustomersRules:
    """For `session.info[RULES]`: guard and required fields of the definition in force, whoever calls `transition`."""

    registry: Registry
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    hooks: Hooks = field(default_factory=Hooks)

    async def __call__(self, session: AsyncSession, kind: str, record: Any, action: str, taken: Taken) -> None:
        asked = await caller(session, self.registry, taken, zone=self.zone, hooks=self.hooks)
        if kind in asked.objects.definitions:
            await demand(asked, asked.rows(kind), record, action)


async def demand(asked: Caller, rows: Rows, record: Any, action: str) -> None:
    """Raises GuardFailed where the customer's guard does not hold, Invalid where a field that the action needs is empty."""
    said = transition_of(rows.definition, rows.state(record), action)
    if said is None:
        return
    if said.when and not await guard_holds(asked, rows, record, said):
        message = {} if said.message is None else {"en": said.message.en, "he": said.message.in_("he")}
        raise GuardFailed("guard", action=action, **message)
    missing = []
    for name in said.require:
        one = rows.definition.by_key.get(name)
        if one is None:
            continue
        value = (
            await asked.references.linked(rows.definition.key, record.id, one) if one.type == "refs" else rows.get(record, one)
        )
        if value in (None, []):
            missing.append(FieldFault(name, "required_for", {"action": action}))
    if missing:
        raise Invalid(missing)


async def guard_holds(asked: Caller, rows: Rows, record: Any, said: TransitionDef) -> bool:
    """Whether the customer's guard is true now. One that cannot be worked out is not."""
    try:
        condition = expression(asked, rows.definition.key, said.when)
        facts = await asked.references.facts(rows, record.id, own_values(rows, record), condition.names())
        return condition.holds(facts, await asked.given_of(rows.definition, record.id, said.when))
    except ExpressionFault as exc:
        raise GuardFailed("guard_failed", action=said.key, why=exc.message) from exc
