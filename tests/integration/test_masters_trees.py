"""No tree of master data ever closes a circle, in whatever order and however many at once it is changed."""

import asyncio
import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.errors import Refused
from cloud.kernel.actor import Actor, Taken
from cloud.masters.kinds import MASTERS
from cloud.masters.models import BomLine, Party, Product
from cloud.masters.product_rules import before_bom_line
from cloud.masters.trees import leads_to
from cloud.objects import service
from cloud.objects.caller import caller
from cloud.objects.registry import Registry
from cloud.objects.shipped import PLAIN

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
TAKEN = Taken(Actor.user("ada", "admin"), NOW)
REGISTRY = Registry(MASTERS + PLAIN)
SIZE = 9


def _reaches(parents: dict[int, int], start: int | None, wanted: int) -> bool:
    """The plain way, to compare with."""
    seen: set[int] = set()
    while start is not None and start not in seen:
        if start == wanted:
            return True
        seen.add(start)
        start = parents.get(start)
    return False


async def _house(sessions: Sessions, count: int) -> list[int]:
    async with sessions.write() as session:
        rows = [Party(ref=f"P{number}", name=str(number), roles=["customer"]) for number in range(count)]
        session.add_all(rows)
        await session.flush()
        return [row.id for row in rows]


async def _hang(sessions: Sessions, child: str, parent: str | None, refusals: list[str]) -> bool:
    try:
        async with sessions.write() as session:
            await service.update(await caller(session, REGISTRY, TAKEN), "party", child, {"parent": parent})
    except Refused as exc:
        refusals.append(exc.code)
        return False
    return True


@pytest.mark.parametrize("seed", range(2))
async def test_random_changes_are_taken_exactly_where_they_close_no_circle(sessions: Sessions, seed: int) -> None:
    chance = random.Random(seed)
    ids = await _house(sessions, SIZE)
    parents: dict[int, int] = {}
    refusals: list[str] = []
    for _ in range(40):
        child, parent = chance.randrange(SIZE), chance.choice([None, *range(SIZE)])
        taken = await _hang(sessions, f"P{child}", None if parent is None else f"P{parent}", refusals)
        assert taken is not _reaches(parents, parent, child)
        if taken and parent is None:
            parents.pop(child, None)
        elif taken and parent is not None:
            parents[child] = parent
    assert set(refusals) == {"circle"}
    async with sessions.read() as session:
        rows = await session.execute(select(Party.id, Party.parent_id).where(Party.parent_id.is_not(None)))
        assert {ids.index(one): ids.index(other) for one, other in rows} == parents
        for one in range(SIZE):
            for other in range(SIZE):
                found = await leads_to(session, Party.id, Party.parent_id, ids[one], ids[other])
                assert found is _reaches(parents, one, other)


async def test_two_that_are_right_alone_do_not_close_a_circle_together(sessions: Sessions) -> None:
    refusals: list[str] = []
    for number in range(3):
        names = [f"{number}-{place}" for place in range(4)]
        async with sessions.write() as session:
            session.add_all([Party(ref=name, name=name, roles=["customer"]) for name in names])
        ring = [(names[place], names[place - 3]) for place in range(4)]
        taken = await asyncio.gather(*(_hang(sessions, one, other, refusals) for one, other in ring))
        assert any(taken)
        assert not all(taken)
    # Whoever has the tree may wait for a row of somebody who waits for the tree: that one is told to come again.
    assert set(refusals) <= {"circle", "tree_busy"}
    async with sessions.read() as session:
        for party in (await session.scalars(select(Party).where(Party.parent_id.is_not(None)))).all():
            assert party.parent_id is not None
            assert not await leads_to(session, Party.id, Party.parent_id, party.parent_id, party.id)


async def test_a_circle_that_got_in_elsewhere_ends_the_search(sessions: Sessions) -> None:
    first, second, third = await _house(sessions, 3)
    async with sessions.write() as session:
        (await session.get_one(Party, first)).parent_id = second
        (await session.get_one(Party, second)).parent_id = first
    async with sessions.read() as session:
        assert await leads_to(session, Party.id, Party.parent_id, first, second)
        assert not await leads_to(session, Party.id, Party.parent_id, first, third)


@pytest.mark.parametrize("seed", range(2))
async def test_random_kits_are_never_in_themselves(sessions: Sessions, seed: int) -> None:
    chance = random.Random(seed)
    async with sessions.write() as session:
        products = [Product(sku=f"K{number}", name=str(number), unit="{pcs}", kind="kit") for number in range(6)]
        session.add_all(products)
        await session.flush()
        inside: dict[int, set[int]] = {row.id: set() for row in products}

        def holds(outer: int, inner: int) -> bool:
            return outer == inner or any(holds(one, inner) for one in inside[outer])

        for _ in range(40):
            parent, child = (chance.choice(products).id for _ in range(2))
            if child in inside[parent]:
                continue
            line = BomLine(parent_id=parent, child_id=child, quantity=Decimal(1), unit="{pcs}")
            changes = {"kit": parent, "component": child, "unit": "{pcs}"}
            if holds(child, parent):
                with pytest.raises(Refused, match="circle"):
                    await before_bom_line(session, line, changes, TAKEN)
            else:
                await before_bom_line(session, line, changes, TAKEN)
                session.add(line)
                await session.flush()
                inside[parent].add(child)
