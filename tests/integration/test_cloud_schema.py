"""The schema is the same in migrations, code and both databases."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, StatementError

from cloud.clock import EPOCH
from cloud.db.engine import Sessions, make_engine
from cloud.db.migrate import differences, migrate
from cloud.db.settings_table import Setting, generation, next_number, start_generation
from cloud.errors import DatabaseNewer, SettingsFault
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event
from cloud.masters.models import Party, Product

NOW = datetime(2026, 11, 22, 8, 30, 15, 123456, tzinfo=UTC)


async def test_migrations_make_exactly_the_tables_in_code(sessions: Sessions) -> None:
    assert await differences(sessions.engine) == []


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert await migrate(database_url) == await migrate(database_url)


async def test_database_of_a_newer_program_is_refused(database_url: str, sessions: Sessions) -> None:
    async with sessions.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(DatabaseNewer):
        await migrate(database_url)


@pytest.mark.parametrize("verb", ["UPDATE event SET actor = 'x'", "DELETE FROM event"])
async def test_events_cannot_be_changed_or_deleted(sessions: Sessions, verb: str) -> None:
    async with sessions.write() as session:
        await append_event(session, Taken(Actor.system("test"), NOW), action="a", kind="k", ref="r")
    with pytest.raises(DBAPIError, match="never changed"):
        async with sessions.write() as session:
            await session.execute(text(verb))


async def test_reader_cannot_write(sessions: Sessions) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"):  # noqa: PT012 - the transaction is the statement
        async with sessions.read() as session:
            session.add(Setting(key="a", value="b"))
            await session.flush()


async def test_writer_rolls_back_when_the_block_raises(sessions: Sessions) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is the statement
        async with sessions.write() as session:
            session.add(Setting(key="a", value="b"))
            await session.flush()
            raise ZeroDivisionError
    async with sessions.read() as session:
        assert await session.get(Setting, "a") is None


@pytest.mark.parametrize("digits", ["0.10", "12.340", "0.000000000000000001", "123456789012345678.5", "100"])
async def test_decimals_keep_their_digits(sessions: Sessions, digits: str) -> None:
    async with sessions.write() as session:
        session.add(Product(sku="A", name="a", unit="kg", over_tolerance=Decimal(digits)))
    async with sessions.read() as session:
        stored = (await session.get_one(Product, 1)).over_tolerance
    assert format(stored, "f") == digits


async def test_times_come_back_aware_and_in_utc(sessions: Sessions) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=3)))
    async with sessions.write() as session:
        await append_event(session, Taken(Actor.system("test"), elsewhere), action="a", kind="k", ref="r")
    async with sessions.read() as session:
        (at,) = (await session.execute(text("SELECT at FROM event"))).one()
        assert "08:30:15.123456" in str(at)


async def test_naive_time_is_refused(sessions: Sessions) -> None:
    with pytest.raises(StatementError, match="without zone"):  # noqa: PT012 - the transaction is the statement
        async with sessions.write() as session:
            await append_event(session, Taken(Actor.system("t"), NOW.replace(tzinfo=None)), action="a", kind="k", ref="r")
            await session.flush()


async def test_foreign_keys_are_enforced(sessions: Sessions) -> None:
    with pytest.raises(DBAPIError):  # noqa: PT012 - the transaction is the statement
        async with sessions.write() as session:
            session.add(Party(ref="a", name="a"))
            await session.execute(text("INSERT INTO station (uid, code, name, site_id) VALUES ('u', 's', 's', 999)"))


async def test_numbers_have_no_holes_when_a_transaction_fails(sessions: Sessions) -> None:
    async with sessions.write() as session:
        assert await next_number(session, "x") == 1
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is the statement
        async with sessions.write() as session:
            await next_number(session, "x")
            raise ZeroDivisionError
    async with sessions.write() as session:
        assert [await next_number(session, "x"), await next_number(session, "y")] == [2, 1]


async def test_generation_grows_with_every_restore_of_whatever_backup(sessions: Sessions) -> None:
    first, later = EPOCH + timedelta(seconds=1000), EPOCH + timedelta(seconds=5000)
    async with sessions.write() as session:
        assert await generation(session) == 0
        assert [await start_generation(session, name, now=first) for name in ("e1", "e2")] == [1000, 1001]
        assert await generation(session) == 1001
        # The same backup once more: no box has heard this number.
        await session.delete(await session.get_one(Setting, "generation"))
        await session.flush()
        assert await start_generation(session, "e3", now=later) == 5000


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:"])
def test_database_that_cannot_serve_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsFault, match="database_url"):
        make_engine(url)
