"""Reservations: so much of one owner's free stock is promised to one line of a document, until it is used or released."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import collate, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite
from cloud.db.types import to_micro
from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.models import fresh_uid
from cloud.masters.models import Product
from cloud.stock.faults import NotEnough
from cloud.stock.free import Free, free_quants, in_turn, today
from cloud.stock.ledger import Document
from cloud.stock.models import Quant, Reservation
from cloud.stock.quants import NOTHING

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """So much of a product of one owner for one line of a document, at one site or anywhere. `partial`: less is better than
    nothing."""

    document: Document
    line: int | None
    product_id: int
    owner_id: int
    quantity: Decimal
    site_id: int | None = None
    partial: bool = False


async def reserve(session: AsyncSession, wish: Wish, taken: Taken) -> list[Reservation]:
    """Promise free stock, first expired first out; one reservation for each quant that is reached for.

    Raises NotEnough where less is free than is wished, unless `partial`; Refused `quantity_form`.
    """
    _demand_form(wish.quantity)
    found = await _candidates(session, wish, taken)
    left, rows, changed = wish.quantity, [], []
    for one in found:
        part = min(left, one.free)
        if part <= NOTHING:
            continue
        rows.append(
            Reservation(
                uid=fresh_uid(),
                quant_key=one.key,
                document_kind=wish.document.kind,
                document=wish.document.uid,
                line=wish.line,
                quantity=part,
                at=taken.at,
                by=taken.actor.name,
            )
        )
        changed.append({"id": one.id, "reserved": one.reserved + part})
        left -= part
    if left > NOTHING and not wish.partial:
        raise await _not_enough(session, wish, left)
    if rows:
        await session.execute(update(Quant), changed)
        session.add_all(rows)
        await _note(session, wish.document, "reserve", wish.quantity - left, wish.line, taken)
        await session.flush()
    return rows


def _demand_form(quantity: Decimal) -> None:
    try:
        good = to_micro(quantity) > 0
    except ValueError as exc:
        raise Refused("quantity_form", quantity=format(quantity, "f")[:40]) from exc
    if not good:
        raise Refused("quantity_form", quantity=format(quantity, "f")[:40])


async def _candidates(session: AsyncSession, wish: Wish, taken: Taken) -> Sequence[Free]:
    query = free_quants(await today(session, taken.at), wish.product_id, wish.owner_id, wish.site_id)
    if not is_sqlite(session):
        # All of them, since which come first is known only when nobody changes them any more; in the order of all who lock.
        query = query.order_by(collate(Quant.key, "C")).with_for_update(of=Quant)
    return await in_turn(session, query)


async def _not_enough(session: AsyncSession, wish: Wish, left: Decimal) -> NotEnough:
    sku = await session.scalar(select(Product.sku).where(Product.id == wish.product_id))
    return NotEnough(
        "not_enough",
        product=sku or str(wish.product_id),
        place="",
        wanted=format(wish.quantity, "f"),
        there=format(wish.quantity - left, "f"),
        reserved="0",
    )


async def release(session: AsyncSession, promises: Iterable[Reservation], document: Document, taken: Taken) -> Decimal:
    """Take promises to a document back; gives how much was still promised. What was used meanwhile is left alone."""
    promises = list(promises)
    uids = [one.uid for one in promises if (one.document_kind, one.document) == (document.kind, document.uid)]
    keys = {one.quant_key for one in promises}
    held = await _locked(session, sorted(keys))
    freed: dict[str, Decimal] = {}
    gone = []
    asked = select(Reservation.id, Reservation.quant_key, Reservation.quantity).where(Reservation.uid.in_(uids))
    for number, key, quantity in (await session.execute(asked.order_by(Reservation.id).with_for_update())).all():
        freed[key] = freed.get(key, NOTHING) + quantity
        gone.append(number)
    if not gone:
        return NOTHING
    changed = [{"id": held[key][0], "reserved": held[key][1] - quantity} for key, quantity in freed.items()]
    await session.execute(update(Quant), changed)
    await session.execute(delete(Reservation).where(Reservation.id.in_(gone)))
    total = sum(freed.values(), NOTHING)
    await _note(session, document, "release", total, None, taken)
    return total


async def _locked(session: AsyncSession, keys: Sequence[str]) -> dict[str, tuple[int, Decimal]]:
    """Quants by key, with what is reserved: before the reservations, as every post does."""
    found: dict[str, tuple[int, Decimal]] = {}
    for start in range(0, len(keys), CHUNK):
        query = select(Quant.key, Quant.id, Quant.reserved).where(Quant.key.in_(keys[start : start + CHUNK]))
        if not is_sqlite(session):
            query = query.order_by(collate(Quant.key, "C")).with_for_update()
        found |= {key: (number, reserved) for key, number, reserved in await session.execute(query)}
    return found


async def reserved_of(session: AsyncSession, document: Document, line: int | None = None) -> list[Reservation]:
    """What is promised to a document, or to one line of it."""
    query = select(Reservation).where(Reservation.document_kind == document.kind, Reservation.document == document.uid)
    if line is not None:
        query = query.where(Reservation.line == line)
    rows = await session.scalars(query.order_by(Reservation.id).execution_options(populate_existing=True))
    return list(rows.all())


async def _note(
    session: AsyncSession, document: Document, action: str, quantity: Decimal, line: int | None, taken: Taken
) -> None:
    changes = {"quantity": format(quantity, "f"), "line": line}
    await append_event(session, taken, action=action, kind=document.kind, ref=document.ref, changes=changes)
