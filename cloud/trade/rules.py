"""What holds for notices, their lines, packaging and settings of checks beyond their definitions."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.masters.gtin import sscc
from cloud.masters.models import OrderLine, Product, PurchaseOrder
from cloud.masters.product_rules import fits_product, in_order, needs_role
from cloud.trade.models import CheckSetting, Notice, NoticeLine
from sync_protocol.identifiers import container_fault, normal_container
from sync_protocol.receiving.settings import ALWAYS, CHECKS

_WRITABLE = frozenset({"draft", "announced"})
"""States in which a notice still says something else than before."""


async def before_notice(session: AsyncSession, row: Notice, changes: Mapping[str, Any], _taken: Taken) -> None:
    """It speaks of the supplier's own order, and of a container whose number can be one.

    A wrong check digit is no fault here: what stands on the paper is compared at the gate and at the receipt.
    """
    in_order(row.shipped_at, row.expected_at, "expected_at")
    if "supplier" in changes:
        await needs_role(session, row.supplier_id, ("supplier",), "supplier")
    if "owner" in changes:
        await needs_role(session, row.owner_id, ("owner", "house"), "owner")
    if "carrier" in changes:
        await needs_role(session, row.carrier_id, ("carrier",), "carrier")
    if row.container_no:
        row.container_no = normal_container(row.container_no)
        if container_fault(row.container_no) == "form":
            raise Refused("container_form", field="container", number=row.container_no[:20])
    _each_once(row.seals, "seals")
    if row.order_id is None:
        return
    order = await session.get_one(PurchaseOrder, row.order_id)
    if order.supplier_id != row.supplier_id:
        raise Refused("notice_other_supplier", field="order", ref=order.ref)
    if order.site_id != row.site_id:
        raise Refused("other_site", field="order", ref=order.ref)
    row.currency = row.currency or order.currency
    row.owner_id = order.owner_id if row.owner_id is None else row.owner_id


async def before_notice_line(session: AsyncSession, row: NoticeLine, changes: Mapping[str, Any], _taken: Taken) -> None:
    """Amounts of its product, of a line of the notice's order, while nothing was received; one serial number per piece."""
    notice = await session.get_one(Notice, row.notice_id)
    if notice.state not in _WRITABLE:
        raise Refused("notice_not_open", field="notice", ref=notice.ref)
    if not row.line:
        lines = await session.scalars(select(NoticeLine.line).where(NoticeLine.notice_id == row.notice_id))
        row.line = str(max((int(one) for one in lines if one.isdigit()), default=0) + 1)
    row.unit = row.unit or str(await session.scalar(select(Product.unit).where(Product.id == row.product_id)))
    if {"unit", "product"} & changes.keys():
        await fits_product(session, row.unit, row.product_id)
    if {"order_line", "product", "notice"} & changes.keys():
        await _of_order(session, notice, row)
    if row.sscc:
        try:
            row.sscc = sscc(row.sscc)
        except Refused as exc:
            raise Refused(exc.code, **{**exc.values, "field": "sscc"}) from exc
    if row.serials:
        _each_once(row.serials, "serials")
        if len(row.serials) != row.quantity:
            raise Refused("serial_count", field="serials", count=str(len(row.serials)))


async def _of_order(session: AsyncSession, notice: Notice, row: NoticeLine) -> None:
    if row.order_line_id is None:
        if notice.order_id is None:
            return
        same = (OrderLine.order_id == notice.order_id, OrderLine.product_id == row.product_id, OrderLine.archived.is_(False))
        found = (await session.scalars(select(OrderLine.id).where(*same).limit(2))).all()
        row.order_line_id = found[0] if len(found) == 1 else None
        return
    line = await session.get_one(OrderLine, row.order_line_id)
    if line.order_id != notice.order_id:
        raise Refused("line_of_other_order", field="order_line")
    if line.product_id != row.product_id:
        raise Refused("line_of_other_product", field="order_line")


def _each_once(rows: list[dict[str, str]] | None, field: str) -> None:
    numbers = [one["number"] for one in rows or []]
    twice = next((one for one in numbers if numbers.count(one) > 1), None)
    if twice is not None:
        raise Refused("number_twice", field=field, number=twice[:60])


async def before_check_setting(_session: AsyncSession, row: CheckSetting, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """A check that there is, and none that no setting can soften."""
    if row.check not in CHECKS:
        raise Refused("check_unknown", field="check", check=row.check[:40])
    if row.check in ALWAYS:
        raise Refused("check_always_stops", field="check", check=row.check)
