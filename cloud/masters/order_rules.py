"""What holds for purchase orders and their lines beyond their definitions."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.masters.models import OrderLine, Party, PurchaseOrder
from cloud.masters.order_progress import refresh_progress
from cloud.masters.product_rules import fits_product, in_order, needs_role

CLOSING = frozenset({"closed", "closed_reason"})
"""What may still be said of a line once its order is confirmed."""


async def before_order(session: AsyncSession, row: PurchaseOrder, changes: Mapping[str, Any], taken: Taken) -> None:
    """A first order makes a party a supplier; one that is blocked gets none."""
    in_order(row.ordered_on, row.expected_on, "expected_on")
    if "owner" in changes:
        await needs_role(session, row.owner_id, ("owner", "house"), "owner")
    if "supplier" not in changes:
        return
    party = await session.get_one(Party, row.supplier_id)
    if party.status == "blocked":
        raise Refused("party_blocked", field="supplier", ref=party.ref)
    if "supplier" not in party.roles:
        before = list(party.roles)
        party.roles = [*before, "supplier"]
        party.version += 1
        party.updated_at, party.updated_by = taken.at, taken.actor.name
        changed = {"roles": [before, party.roles]}
        await append_event(session, taken, action="change", kind="party", ref=party.ref, changes=changed)


async def before_order_line(session: AsyncSession, row: OrderLine, changes: Mapping[str, Any], _taken: Taken) -> None:
    """Lines are written while the order is a draft, in amounts of their product; closed short afterwards, or opened again."""
    order = await session.get_one(PurchaseOrder, row.order_id)
    if row.id is not None and changes.keys() <= CLOSING:
        _close(order, row)
        return
    if order.state != "draft":
        raise Refused("order_not_draft", field="order", ref=order.ref)
    if row.closed:
        raise Refused("line_closed_in_draft", field="closed", ref=order.ref)
    if row.quantity is not None and row.quantity <= Decimal(0):
        raise Refused("quantity_positive", field="quantity")
    if not row.line:
        lines = await session.scalars(select(OrderLine.line).where(OrderLine.order_id == row.order_id))
        row.line = str(max((int(one) for one in lines if one.isdigit()), default=0) + 1)
    if {"unit", "product"} & changes.keys():
        await fits_product(session, row.unit, row.product_id)


def _close(order: PurchaseOrder, row: OrderLine) -> None:
    if order.state not in {"confirmed", "on_hold"}:
        raise Refused("order_not_confirmed", field="closed", ref=order.ref)
    if not row.closed:
        row.closed_reason = None
    elif not (row.closed_reason or "").strip():
        raise Refused("closing_needs_reason", field="closed_reason")


async def after_order_line(session: AsyncSession, row: OrderLine, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """The order says at once how far it has come."""
    await refresh_progress(session, [row.order_id])
