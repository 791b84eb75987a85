"""States of a purchase order. How much of it came is derived from its lines and never a state."""

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.transition import Machine, Transition
from cloud.masters.models import PurchaseOrder
from cloud.people.models import Role

_STAFF = frozenset({Role.ADMIN, Role.SUPERVISOR, SYSTEM})


async def _has_lines(_session: AsyncSession, order: PurchaseOrder, _taken: Taken) -> None:
    if not order.lines:
        raise GuardFailed("order_without_lines", ref=order.ref)


async def _nothing_received(_session: AsyncSession, order: PurchaseOrder, _taken: Taken) -> None:
    if any(line.received for line in order.lines):
        raise GuardFailed("order_partly_received", ref=order.ref)


PURCHASE_ORDER: Machine[PurchaseOrder] = Machine(
    kind="purchase_order",
    initial="draft",
    transitions=(
        Transition("confirm", frozenset({"draft"}), "confirmed", _STAFF, guard=_has_lines),
        Transition("hold", frozenset({"confirmed"}), "on_hold", _STAFF, needs_reason=True),
        Transition("release", frozenset({"on_hold"}), "confirmed", _STAFF),
        Transition("close", frozenset({"confirmed", "on_hold"}), "closed", _STAFF),
        Transition("reopen", frozenset({"closed"}), "confirmed", _STAFF, needs_reason=True),
        Transition(
            "cancel",
            frozenset({"draft", "confirmed", "on_hold"}),
            "cancelled",
            _STAFF,
            guard=_nothing_received,
            needs_reason=True,
        ),
    ),
)
