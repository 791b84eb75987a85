"""Sums that somebody changed are found and made right; the ledger is closed; both from the command line too."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from typer.testing import CliRunner

from cloud.cli.stock import stock_app
from cloud.db.engine import Sessions, open_sessions
from cloud.hooks.reach import Reach
from cloud.jobs.queue import enqueue
from cloud.jobs.worker import Worker
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import history
from cloud.masters.models import Location, Product, Site
from cloud.stock.checking import Difference, check, last_check, rebuild
from cloud.stock.ledger import BucketMove, Document, Wanted, post
from cloud.stock.models import LineBucket, Quant, Reservation
from cloud.stock.places import house, place_of
from cloud.stock.reserving import Wish, reserve
from cloud.stock.work import CHECK
from cloud.work import handlers

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TAKEN = Taken(Actor.user("dana", "admin"), NOW)


async def some_stock(session: AsyncSession) -> Quant:
    """Ten on a shelf, three of them promised, all of a receipt's line."""
    site, product = Site(code="galil", name="Galil"), Product(sku="P-1", name="Milk", unit="L")
    session.add_all([site, product])
    await session.flush()
    shelf = Location(code="S", name="S", usage="stock", site_id=site.id)
    session.add(shelf)
    await session.flush()
    owner, source = await house(session), await place_of(session, "supplier")
    paper = Document("receipt", "u", "R")
    wanted = [
        Wanted(
            f"k{one}", product.id, owner.id, Decimal(5), source.id, shelf.id, paper, NOW - timedelta(days=one),
            bucket=BucketMove("u", 1, None, "released"),
        )
        for one in range(2)
    ]  # fmt: skip
    await post(session, wanted, TAKEN)
    await reserve(session, Wish(paper, 1, product.id, owner.id, Decimal(3)), TAKEN)
    return (await session.scalars(_shelf())).one()


def _shelf() -> Any:
    return select(Quant).where(Quant.internal.is_(True)).execution_options(populate_existing=True)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (update(Quant).where(Quant.internal.is_(True)).values(quantity=Decimal(11)), Difference("quant", "KEY", "1")),
        (update(Quant).where(Quant.internal.is_(True)).values(reserved=Decimal(2)), Difference("reserved", "KEY", "-1")),
        (update(Quant).where(Quant.internal.is_(True)).values(key="x"), Difference("key", "x")),
        (update(LineBucket).values(quantity=Decimal("9.5")), Difference("bucket", "u/1/released", "-0.5")),
        (update(Location).where(Location.code == "S").values(usage="customer"), Difference("internal", "KEY")),
    ],
)  # fmt: skip
async def test_what_was_changed_is_named(sessions: Sessions, change: Any, found: Difference) -> None:
    async with sessions.write() as session:
        key = (await some_stock(session)).key
        assert (await check(session)).ok
        await session.execute(change)
        wanted = Difference(found.what, found.place.replace("KEY", key), found.off)
        assert wanted in (await check(session)).differences


async def test_sums_are_made_anew_of_the_moves(sessions: Sessions) -> None:
    async with sessions.write() as session:
        quant = await some_stock(session)
        before = (quant.key, quant.quantity, quant.reserved, quant.since, quant.moved_at)
        await session.execute(text("DELETE FROM quant"))
        await session.execute(text("DELETE FROM line_bucket"))
        assert not (await check(session)).ok
        made = await rebuild(session, TAKEN)
        assert (made.moves, made.quants, made.buckets, made.dropped) == (2, 2, 1, 0)
        assert (await check(session)).ok
        session.expunge_all()
        again = (await session.scalars(_shelf())).one()
        assert (again.key, again.quantity, again.reserved, again.since, again.moved_at) == before
        await session.execute(update(Reservation).values(quantity=Decimal(30)))
        assert (await rebuild(session, TAKEN)).dropped == 1
        assert (await check(session)).ok


async def test_every_night_differences_are_noted(sessions: Sessions) -> None:
    worker = Worker(sessions, handlers(Reach()), name="w", clock=lambda: NOW)

    async def night() -> None:
        async with sessions.write() as session:
            await enqueue(session, CHECK, {}, taken=TAKEN)
        assert await worker.run_due() == 1

    async with sessions.write() as session:
        await some_stock(session)
    await night()
    async with sessions.write() as session:
        last = await last_check(session)
        assert last is not None
        assert last.differences == 0
        await session.execute(update(LineBucket).values(quantity=Decimal(9)))
    await night()
    async with sessions.read() as session:
        last = await last_check(session)
        assert last is not None
        assert (last.at, last.moves, last.differences) == (NOW, 2, 1)
        [event] = await history(session, "ledger", "quants")
        assert event.action == "differs"
        assert event.changes["differences"] == [{"what": "bucket", "place": "u/1/released", "off": "-1"}]


def test_the_commands_check_rebuild_and_close(sqlite_url: str) -> None:

    async def spoil() -> None:
        sessions = open_sessions(sqlite_url)
        async with sessions.write() as session:
            await some_stock(session)
            await session.execute(update(LineBucket).values(quantity=Decimal(9)))
        await sessions.engine.dispose()

    asyncio.run(spoil())
    run = CliRunner().invoke
    answer = run(stock_app, ["check", "--db", sqlite_url, "--json"])
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["differences"] == [{"what": "bucket", "place": "u/1/released", "off": "-1"}]
    assert "2 moves made 2 quants and 1 buckets" in run(stock_app, ["rebuild", "--db", sqlite_url]).stdout
    answer = run(stock_app, ["check", "--db", sqlite_url])
    assert (answer.exit_code, answer.stdout) == (0, "2 moves, 2 quants: they agree\n")
    answer = run(stock_app, ["close", "2025-12-31", "--db", sqlite_url])
    assert answer.stdout == "closed until 2025-12-31; moves count from 2025-12-31T22:00:00+00:00\n"
    assert run(stock_app, ["close", "2025-12-31", "--db", sqlite_url]).exit_code == 3
    assert run(stock_app, ["close", "2025-12-31", "--zone", "Nowhere", "--db", sqlite_url]).exit_code == 2
