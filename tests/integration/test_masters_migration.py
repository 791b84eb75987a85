"""Master data of before the schema was whole comes through the migration, and back again."""

from collections.abc import Callable
from typing import Any

from alembic import command
from sqlalchemy import text

from cloud.db import migrate as migration
from cloud.db.engine import Sessions
from cloud.db.migrate import differences

ROWS = (
    "INSERT INTO site (id, code, name, name_he, tz) VALUES (7, 'galil', 'Galil', 'גליל', 'Asia/Jerusalem')",
    "INSERT INTO station (id, code, name, site_id) VALUES (3, 'receiving-1', 'Receiving', 7)",
    "INSERT INTO party (id, ref, name, is_supplier, active) VALUES (5, 'SUP-1', 'Golan', true, true)",
    "INSERT INTO party (id, ref, name, is_supplier, active) VALUES (6, 'CUS-1', 'Carmel', false, false)",
    (
        "INSERT INTO product (id, sku, name, unit, tracking, expiry, identity_policy, weight_policy, over_tolerance, active)"
        " VALUES (9, 'A', 'Almonds', 'kg', 'lot', 'required', 'optional', 'required', '0.050', true)"
    ),
    (
        "INSERT INTO product (id, sku, name, unit, tracking, expiry, identity_policy, weight_policy, over_tolerance, active)"
        " VALUES (10, 'B', 'Boxes', '{pcs}', 'none', 'none', 'none', 'none', '0', false)"
    ),
    "INSERT INTO product_code (id, scheme, code, product_id, party_id) VALUES (1, 'gtin', '07290001234587', 9, NULL)",
    "INSERT INTO product_code (id, scheme, code, product_id, party_id) VALUES (2, 'supplier', 'ALM', 9, 5)",
    (
        "INSERT INTO purchase_order (id, ref, state, supplier_id, site_id, created_at, version)"
        " VALUES (4, 'PO-1', 'confirmed', 5, 7, '2026-11-20 08:00:00', 3)"
    ),
    (
        "INSERT INTO order_line (id, order_id, line, product_id, quantity, unit, received)"
        " VALUES (11, 4, '1', 9, '25.000', 'kg', '12.5')"
    ),
)
KEPT = {
    "site": "id, code, name, name_he, tz",
    "station": "id, code, name, site_id",
    "party": "id, ref, name",
    "product": "id, sku, unit, tracking, expiry, identity_policy, weight_policy, over_tolerance",
    "product_code": "id, scheme, code, product_id, party_id",
    "purchase_order": "id, ref, state, supplier_id, site_id, created_at, version",
    "order_line": "id, order_id, line, product_id, quantity, unit, received",
}


async def _alembic(sessions: Sessions, step: Callable[..., None], revision: str) -> None:
    async with sessions.write() as session:
        connection = await session.connection()
        await connection.run_sync(lambda bound: step(migration._config(bound), revision))


async def _rows(sessions: Sessions, query: str) -> list[tuple[Any, ...]]:
    async with sessions.read() as session:
        return [tuple(row) for row in (await session.execute(text(query))).all()]


async def _all(sessions: Sessions) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: await _rows(sessions, f"SELECT {columns} FROM {table} ORDER BY id")  # noqa: S608 - names from above
        for table, columns in KEPT.items()
    }


async def test_rows_of_before_come_through_and_back(sessions: Sessions) -> None:
    await _alembic(sessions, command.downgrade, "r0010")
    async with sessions.write() as session:
        for statement in ROWS:
            await session.execute(text(statement))
    before, flags = await _all(sessions), await _rows(sessions, "SELECT is_supplier, active FROM party ORDER BY id")
    await _alembic(sessions, command.upgrade, "head")
    assert await _all(sessions) == before
    assert await differences(sessions.engine) == []
    assert [bool(row[0]) for row in await _rows(sessions, "SELECT archived FROM party ORDER BY id")] == [False, True]
    assert [bool(row[0]) for row in await _rows(sessions, "SELECT archived FROM product ORDER BY id")] == [False, True]
    roles = await _rows(sessions, "SELECT CAST(roles AS TEXT) FROM party ORDER BY id")
    assert roles == [('["supplier"]',), ("[]",)]
    for table in KEPT:
        uids = {row[0] for row in await _rows(sessions, f"SELECT uid FROM {table}")}  # noqa: S608 - names from above
        assert len(uids) == len(before[table])
        assert None not in uids
    await _alembic(sessions, command.downgrade, "r0010")
    assert await _all(sessions) == before
    assert await _rows(sessions, "SELECT is_supplier, active FROM party ORDER BY id") == flags


async def test_references_are_checked_after_the_migration_too(sessions: Sessions) -> None:
    await _alembic(sessions, command.downgrade, "r0010")
    async with sessions.write() as session:
        for statement in ROWS:
            await session.execute(text(statement))
    await _alembic(sessions, command.upgrade, "head")
    if sessions.engine.dialect.name == "sqlite":
        assert await _rows(sessions, "PRAGMA foreign_key_check") == []
        assert await _rows(sessions, "PRAGMA integrity_check") == [("ok",)]
    counts = await _rows(sessions, "SELECT count(*) FROM unit")
    assert counts[0][0] >= 20
