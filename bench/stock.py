"""The ledger at a million moves and at a hundredth of them, on both databases: stock pages, the statement of an owner for a
month, recall by lot, movements, posting 200 moves; each beside the same question by hand in SQL and beside itself at the
small size.

A hundred moves a day and twenty owners at either size: the large ledger has a longer history, not a busier month.
TALLYBOX_BENCH_MOVES names another number for both databases.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bench import databases
from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import migrate
from cloud.kernel.actor import Actor, Taken
from cloud.masters.models import Location, Party, Product, Site
from cloud.stock.checking import rebuild
from cloud.stock.history import as_of, over_time
from cloud.stock.ledger import BucketMove, Document, Wanted, post
from cloud.stock.models import Lot, Move
from cloud.stock.movements import Span, movements
from cloud.stock.places import place_of
from cloud.stock.reading import stock_by, stock_lines
from cloud.stock.recall import lots_of_code, recall
from cloud.stock.scope import Scope
from cloud.stock.statement import statement

MOVES = 1_000_000
SHARE = 100
ROUNDS = 30
BESIDE_SQL, BESIDE_SMALL = 3.0, 2.0
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PER_DAY, PRODUCTS, OWNERS, SHELVES = 100, 500, 20, 200
LOT_MOVES = 20
"""A lot comes, is put away and goes in 18 deliveries; of the newest lots some is still there."""
TAKEN = Taken(Actor.system("bench"), NOW)
LINES = 200


@dataclass
class Bench:
    sessions: Sessions
    count: int
    products: list[int]
    owners: list[int]
    shelves: list[int]
    outside: list[int]
    """Suppliers, customers."""

    async def time(
        self, work: Callable[[AsyncSession, int], Awaitable[object]], *, write: bool = False, rounds: int = ROUNDS
    ) -> list[float]:
        found = []
        for number in range(rounds):
            began = time.perf_counter()
            async with self.sessions.write() if write else self.sessions.read() as session:
                await work(session, number)
            found.append(time.perf_counter() - began)
        return found


async def fill(sessions: Sessions, count: int) -> Bench:
    """Moves straight into the table, and what they sum up to by the program's own rebuild."""
    async with sessions.write() as session:
        site = Site(code="galil", name="Galil")
        products = [Product(sku=f"P-{one:04}", name=f"Product {one}", unit="kg", tracking="lot") for one in range(PRODUCTS)]
        owners = [Party(ref=f"OWN-{one}", name=f"Owner {one}", roles=["owner"]) for one in range(OWNERS)]
        session.add_all([site, *products, *owners])
        await session.flush()
        shelves = [Location(code=f"S-{one:03}", name="S", usage="stock", site_id=site.id) for one in range(SHELVES)]
        session.add_all(shelves)
        outside = [await place_of(session, usage) for usage in ("supplier", "customer")]
        receiving = await place_of(session, "receiving", site.id)
        await session.flush()
        ids = [[one.id for one in rows] for rows in (products, owners, shelves, outside)]
        bench = Bench(sessions, count, *ids)
    lots = count // LOT_MOVES
    for first in range(0, lots, 500):
        async with sessions.write() as session:
            await _lots(session, bench, range(first, min(first + 500, lots)), receiving.id)
    async with sessions.write() as session:
        await rebuild(session, TAKEN)
    async with sessions.write() as session:
        if sessions.engine.dialect.name == "postgresql":
            await session.execute(text("SELECT setval('move_id_seq', (SELECT max(id) FROM move))"))
        await session.execute(text("ANALYZE"))
    return bench


async def _lots(session: AsyncSession, bench: Bench, numbers: range, receiving: int) -> None:
    started = NOW - timedelta(days=bench.count // PER_DAY)
    lots, moves = [], []
    for number in numbers:
        product, owner = bench.products[number % PRODUCTS], bench.owners[number % OWNERS]
        lots.append({"id": number + 1, "uid": f"l{number}", "ref": f"L-{number}", "product_id": product, "code": f"C{number}",
                     "is_serial": False, "state": "released"})  # fmt: skip
        shelf = bench.shelves[number % SHELVES]
        supplier, customer = bench.outside
        way = [(Decimal(180), supplier, receiving), (Decimal(180), receiving, shelf)]
        left = Decimal(9) if number > bench.count // LOT_MOVES - 500 else Decimal(10)
        way += [(left, shelf, customer)] * (LOT_MOVES - 2)
        for step, (quantity, source, target) in enumerate(way):
            place = number * LOT_MOVES + step
            at = started + timedelta(days=place / PER_DAY)
            moves.append({"id": place + 1, "key": f"fill {place}", "at": at, "effective_at": at, "product_id": product,
                          "lot_id": number + 1, "owner_id": owner, "quantity": quantity, "source_id": source,
                          "target_id": target, "document_kind": "receipt" if step < 2 else "delivery",
                          "document": f"d{number}", "document_ref": f"D-{number}", "by": "bench"})  # fmt: skip
    await session.execute(insert(Lot), lots)
    await session.execute(insert(Move), moves)


Pair = tuple[list[float], list[float]]
Work = Callable[[AsyncSession, int], Awaitable[object]]


async def readings(bench: Bench) -> dict[str, Pair]:
    since, zone = NOW - timedelta(days=30), ZoneInfo("Asia/Jerusalem")
    last = bench.count // LOT_MOVES - 1

    def sql(said: str, **values: Any) -> Callable[[AsyncSession, int], Awaitable[object]]:
        async def work(session: AsyncSession, number: int) -> object:
            given = {name: value(number) if callable(value) else value for name, value in values.items()}
            return (await session.execute(text(said).bindparams(**given))).all()

        return work

    def owner(number: int) -> int:
        return bench.owners[number % OWNERS]

    def product(number: int) -> int:
        return bench.products[number % PRODUCTS]

    moment: Any = since if bench.sessions.engine.dialect.name == "postgresql" else since.strftime("%Y-%m-%d %H:%M:%S.%f")
    inside = "usage IN ('stock', 'receiving', 'quarantine', 'rejected', 'transit')"
    yes = "internal" if bench.sessions.engine.dialect.name == "postgresql" else "internal = 1"
    net = (
        f"SELECT product_id, lot_id, sum(CASE WHEN t.{inside} THEN quantity ELSE 0 END)"
        f" - sum(CASE WHEN s.{inside} THEN quantity ELSE 0 END) FROM move"
        " JOIN location s ON s.id = source_id JOIN location t ON t.id = target_id"
        " WHERE move.owner_id = :o AND effective_at >= :since GROUP BY product_id, lot_id"
    )
    cases: dict[str, tuple[Work, Work]] = {
        "stock page by product": (
            lambda session, _number: stock_by(session, "product"),
            sql(f"SELECT p.sku, p.name, sum(q.quantity), sum(q.reserved), max(q.moved_at) FROM quant q"
                f" JOIN product p ON p.id = q.product_id WHERE {yes} AND p.id IN"
                f" (SELECT product_id FROM quant WHERE {yes} ORDER BY product_id LIMIT 50)"
                " GROUP BY p.sku, p.name ORDER BY p.sku"),
        ),
        "stock of one owner, quant by quant": (
            lambda session, number: stock_lines(session, Scope(owner_id=owner(number))),
            sql(f"SELECT q.*, p.sku, l.code, c.code FROM quant q JOIN product p ON p.id = q.product_id JOIN location c"
                f" ON c.id = q.location_id LEFT JOIN lot l ON l.id = q.lot_id WHERE {yes} AND q.owner_id = :o"
                " ORDER BY q.id LIMIT 50", o=owner),
        ),
        "statement of an owner for a month": (
            lambda session, number: statement(session, owner(number), since, NOW),
            sql(net, o=owner, since=moment),
        ),
        "stock of a product a month ago": (
            lambda session, number: as_of(session, since, Scope(product_id=product(number))),
            sql("SELECT source_id, target_id, lot_id, sum(quantity) FROM move WHERE product_id = :p AND effective_at > :since"
                " GROUP BY source_id, target_id, lot_id", p=product, since=moment),
        ),
        "stock of a product over 30 days": (
            lambda session, number: over_time(
                session, Scope(product_id=product(number)), since.date(), NOW.date() - timedelta(days=1), zone
            ),
            sql("SELECT date(effective_at), sum(quantity) FROM move WHERE product_id = :p AND effective_at >= :since"
                " GROUP BY date(effective_at)", p=product, since=moment),
        ),
        "first page of movements": (
            lambda session, _number: movements(session),
            sql("SELECT m.*, p.sku FROM move m JOIN product p ON p.id = m.product_id"
                " ORDER BY effective_at DESC, m.id DESC LIMIT 50"),
        ),
        "movements of a place": (
            lambda session, number: movements(session, Scope(location_id=bench.shelves[number % SHELVES])),
            sql("SELECT m.*, p.sku FROM move m JOIN product p ON p.id = m.product_id WHERE m.source_id = :l"
                " ORDER BY effective_at DESC, m.id DESC LIMIT 50", l=lambda number: bench.shelves[number % SHELVES]),
        ),
        "movements of an owner, the month before": (
            lambda session, number: movements(session, Scope(owner_id=owner(number)), Span(None, since)),
            sql("SELECT m.*, p.sku FROM move m JOIN product p ON p.id = m.product_id WHERE m.owner_id = :o"
                " AND effective_at < :since ORDER BY effective_at DESC, m.id DESC LIMIT 50", o=owner, since=moment),
        ),
        "recall of a lot": (
            lambda session, number: _recall(session, f"C{max(0, last - number)}"),
            sql("SELECT m.*, p.sku, s.code, t.code FROM move m JOIN lot l ON l.id = m.lot_id"
                " JOIN product p ON p.id = m.product_id JOIN location s ON s.id = m.source_id"
                " JOIN location t ON t.id = m.target_id WHERE l.code = :c",
                c=lambda number: f"C{max(0, last - number)}"),
        ),
    }  # fmt: skip
    return {name: (await bench.time(ours), await bench.time(hand)) for name, (ours, hand) in cases.items()}


async def _recall(session: AsyncSession, code: str) -> object:
    found = await recall(session, await lots_of_code(session, code))
    if not found.went:
        raise SystemExit(f"lot {code} was not found")
    return found


async def posting(bench: Bench) -> dict[str, Pair]:
    """A receipt of 200 lines: moves, quants and buckets. By hand: the same rows without locks, keys or questions."""
    rounds = 10
    supplier = bench.outside[0]

    async def ours(session: AsyncSession, number: int) -> object:
        paper = Document("receipt", f"bench {number}", f"B-{number}")
        wanted = [
            Wanted(f"bench {number} {line}", bench.products[line], bench.owners[number % OWNERS], Decimal(line + 1), supplier,
                   bench.shelves[line % SHELVES], paper, NOW, line=line,
                   bucket=BucketMove(f"bench {number}", line, None, "released"))
            for line in range(LINES)
        ]  # fmt: skip
        return await post(session, wanted, TAKEN)

    async def by_hand(session: AsyncSession, number: int) -> object:
        owner = bench.owners[number % OWNERS]
        rows = [
            {"key": f"hand {number} {line}", "at": NOW, "effective_at": NOW, "product_id": bench.products[line],
             "owner_id": owner, "quantity": Decimal(line + 1), "source_id": supplier,
             "target_id": bench.shelves[line % SHELVES],
             "document_kind": "receipt", "document": "h", "document_ref": "H", "by": "hand", "line": line,
             "receipt": f"hand {number}", "receipt_line": line, "to_bucket": "released"}
            for line in range(LINES)
        ]  # fmt: skip
        await session.execute(insert(Move), rows)
        values = [{"n": f"hand {number}", "line": line, "q": (line + 1) * 1_000_000} for line in range(LINES)]
        await session.execute(
            text("INSERT INTO line_bucket (receipt, line, bucket, quantity) VALUES (:n, :line, 'released', :q)"), values
        )
        for side, sign in (("source_id", -1), ("target_id", 1)):
            sums = [
                {"k": f"{row['product_id']}..{row[side]}..{owner}", "p": row["product_id"], "l": row[side], "o": owner,
                     "i": side == "target_id", "q": sign * int(row["quantity"]) * 1_000_000}
                for row in rows
            ]  # fmt: skip
            at = NOW if bench.sessions.engine.dialect.name == "postgresql" else "2026-11-22 09:00:00.000000"
            await session.execute(
                text(
                    "INSERT INTO quant (key, product_id, location_id, owner_id, internal, quantity, since, moved_at)"
                    " VALUES (:k, :p, :l, :o, :i, :q, :at, :at) ON CONFLICT (key) DO UPDATE"
                    " SET quantity = quant.quantity + excluded.quantity, moved_at = excluded.moved_at"
                ),
                [{**one, "at": at} for one in sums],
            )
        return rows

    return {
        f"post of {LINES} moves": (
            await bench.time(ours, write=True, rounds=rounds),
            await bench.time(by_hand, write=True, rounds=rounds),
        )
    }


async def measure(url: str, count: int) -> dict[str, Pair]:
    await migrate(url)
    sessions = open_sessions(url)
    try:
        began = time.perf_counter()
        bench = await fill(sessions, count)
        async with sessions.read() as session:
            moves = await session.scalar(select(func.count()).select_from(Move))
        print(f"  {moves} moves and their sums: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        return {**await readings(bench), **await posting(bench)}
    finally:
        await sessions.engine.dispose()


def rows_of(name: str, count: int, large: dict[str, Pair], small: dict[str, Pair]) -> list[dict[str, Any]]:
    found = []
    for case, (ours, hand) in large.items():
        p50, p99 = statistics.median(ours) * 1000, sorted(ours)[-1 - len(ours) // 100] * 1000
        beside, before = statistics.median(hand) * 1000, statistics.median(small[case][0]) * 1000
        found.append(
            {
                "bench": "stock", "database": name, "moves": count, "case": case,
                "p50_ms": round(p50, 2), "p99_ms": round(p99, 2), "by_hand_p50_ms": round(beside, 2),
                "ratio_to_sql": round(p50 / beside, 2), "aim_to_sql": BESIDE_SQL,
                "ratio_to_small": round(p50 / before, 2), "aim_to_small": BESIDE_SMALL,
            }
        )  # fmt: skip
    return found


def run() -> list[dict[str, Any]]:
    count = int(os.environ.get("TALLYBOX_BENCH_MOVES") or MOVES)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, databases.postgres() as server:
        for name in ("sqlite", "postgresql"):
            if name == "postgresql" and server is None:
                continue
            results = []
            for number in (count // SHARE, count):
                url = (
                    f"sqlite:///{folder}/{number}.db"
                    if name == "sqlite"
                    else databases.make_database(str(server), f"stock_{number}")
                )
                results.append(asyncio.run(measure(url, number)))
            found += rows_of(name, count, results[1], results[0])
    return found
