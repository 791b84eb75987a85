"""States of a lot. That it is expired is no state: it follows from its day alone."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.transition import Machine, Transition
from cloud.people.models import Role
from cloud.stock.models import Lot

_QUALITY = frozenset({Role.ADMIN, Role.SUPERVISOR, Role.QUALITY})
_JUDGES = _QUALITY | {SYSTEM}

EXPIRES = "expires_on"
"""Of `Taken.values`: the right day, as ISO 8601, or nothing for none."""


def _said(taken: Taken) -> date | None:
    text = taken.values.get(EXPIRES, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise GuardFailed("day_form", day=text[:40]) from exc


async def _other_day(_session: AsyncSession, lot: Lot, taken: Taken) -> None:
    """Said with the action, or as a field that was changed just before in the same act."""
    if EXPIRES not in taken.values:
        if lot.updated_at != taken.at:
            raise GuardFailed("day_missing", ref=lot.ref)
    elif _said(taken) == lot.expires_on:
        raise GuardFailed("day_is_same", ref=lot.ref)


async def _correct(_session: AsyncSession, lot: Lot, taken: Taken) -> Mapping[str, Any]:
    if EXPIRES not in taken.values:
        return {}
    before, lot.expires_on = lot.expires_on, _said(taken)
    lot.updated_at, lot.updated_by = taken.at, taken.actor.name
    return {EXPIRES: [before and before.isoformat(), lot.expires_on and lot.expires_on.isoformat()]}


LIVING = ("pending", "released", "hold", "rejected")
"""A recalled lot stays recalled."""

LOT: Machine[Lot] = Machine(
    kind="lot",
    initial="released",
    transitions=(
        Transition("release", frozenset({"pending"}), "released", _JUDGES),
        Transition("reject", frozenset({"pending", "released"}), "rejected", _JUDGES, needs_reason=True),
        Transition("hold", frozenset({"pending", "released"}), "hold", _JUDGES, needs_reason=True),
        Transition("unhold", frozenset({"hold"}), "pending", _JUDGES, needs_reason=True),
        Transition("reconsider", frozenset({"rejected"}), "pending", _QUALITY, needs_reason=True),
        Transition("recall", frozenset(LIVING), "recalled", _QUALITY, needs_reason=True),
        *(
            Transition(
                "correct_expiry",
                frozenset({state}),
                state,
                _QUALITY,
                guard=_other_day,
                effect=_correct,
                needs_reason=True,
            )
            for state in LIVING
        ),
    ),
)
"""A lot begins `pending` where somebody has to judge it, else `released`. What was held is judged anew."""
