"""One after the other where no row can be locked, because there is none yet."""

import hashlib

from sqlalchemy import BigInteger, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite


async def wait_for_turn(session: AsyncSession, *names: str) -> None:
    """Until the transaction ends, nobody else passes here with these names. SQLite has one writer at a time anyway."""
    if is_sqlite(session):
        return
    digest = hashlib.sha256("\n".join(names).encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    await session.execute(select(func.pg_advisory_xact_lock(literal(number, BigInteger()))))
