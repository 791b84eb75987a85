"""Whatever asks for a look comes into the queue, whichever kind it is, and only to who may read it."""

from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud import catalogue
from cloud.db.engine import Sessions
from cloud.kernel.access import Access, Grant
from cloud.kernel.actor import Actor, Taken
from cloud.masters.demo import load_demo
from cloud.masters.models import Location, Product
from cloud.objects import service
from cloud.objects.caller import Caller, caller
from cloud.trade.models import ContainerEvent
from cloud.transfers.models import CountSheet, TransferLine
from cloud.web.reads.queue import ASKING, in_order, others_waiting
from tests.integration.object_world import NOW, ZONE

REGISTRY = catalogue.registry()


async def _at(session: AsyncSession, access: Access | None = None) -> Caller:
    taken = Taken(Actor.user("root", "admin"), NOW, "because", access=access or Access.all())
    return await caller(session, REGISTRY, taken, zone=ZONE, hooks=catalogue.hooks())


@pytest.fixture
async def waiting(sessions: Sessions) -> Sessions:
    """One record of every kind that can ask for a look, asking for it."""
    async with sessions.write() as session:
        await load_demo(session, Taken(Actor.system("test"), NOW), pins={})
        desk = await _at(session)
        place = (await session.scalars(select(Location).where(Location.usage == "receiving").limit(1))).one()
        product = (await session.scalars(select(Product).where(Product.tracking == "none").order_by(Product.id).limit(1))).one()
        given = {"kind": "internal", "site": "galil", "from_place": place.code, "to_place": "GAL-DRY-A1"}
        transfer, _ = await service.create(desk, "transfer", given)
        await service.create(desk, "transfer_line", {"transfer": transfer.ref, "product": product.sku, "given_quantity": "1"})
        await service.create(desk, "count_sheet", {"location": place.code})
        session.add(ContainerEvent(number="CSQU3054383", code="gate_in", at=NOW, created_at=NOW))
        await session.flush()
        # As boxes leave them behind; their machines come there by many ways.
        await session.execute(update(TransferLine).values({"state": "needs_review", "review_code": "not_enough"}))
        await session.execute(update(CountSheet).values({"state": "review", "review_reason": "second_count_needed"}))
        await session.execute(update(ContainerEvent).values({"state": "needs_review", "review_reason": "container_unknown"}))
    return sessions


def _reading(sessions: Sessions) -> AbstractAsyncContextManager[AsyncSession]:
    return sessions.read()


async def test_each_kind_that_asks_for_a_look_is_there_with_its_reason(waiting: Sessions) -> None:
    async with _reading(waiting) as session:
        found = in_order(await others_waiting(await _at(session)))
    assert {one.kind: one.why for one in found} == {
        "transfer_line": ("not_enough",),
        "count_sheet": ("second_count_needed",),
        "container_event": ("container_unknown",),
    }
    assert {kind for kind, _, _ in ASKING} == {one.kind for one in found}


async def test_what_somebody_may_not_read_does_not_wait_for_them(waiting: Sessions) -> None:
    access = Access.of([Grant("counter", "count_sheet", "read")])
    async with _reading(waiting) as session:
        found = await others_waiting(await _at(session, access))
    assert [one.kind for one in found] == ["count_sheet"]
