"""People who were there before roles were rows keep what they had, and the way back works."""

from alembic import command
from sqlalchemy import text
from sqlalchemy.engine import Connection

from cloud.db.engine import Sessions
from cloud.db.migrate import _config, differences
from cloud.kernel.access import Access
from cloud.people.access import access_of
from cloud.people.accounts import user_by_login

BEFORE = "r0009"
PEOPLE = {"root": "admin", "noa": "supervisor", "dana": "operator", "tal": "viewer"}


def _back(connection: Connection) -> None:
    command.downgrade(_config(connection), BEFORE)


def _forward(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


async def test_people_of_an_older_database_hold_their_role_everywhere(sessions: Sessions) -> None:
    async with sessions.write() as session:
        await (await session.connection()).run_sync(_back)
        for login, role in PEOPLE.items():
            row = {"login": login, "name": login, "role": role}
            columns = "login, name, role, locale, active, failures"
            said = f"INSERT INTO \"user\" ({columns}) VALUES (:login, :name, :role, 'he', true, 0)"  # noqa: S608 - no input
            await session.execute(text(said), row)
        await (await session.connection()).run_sync(_forward)
    assert await differences(sessions.engine) == []
    found: dict[str, Access] = {}
    async with sessions.read() as session:
        for login in PEOPLE:
            user = await user_by_login(session, login)
            assert user is not None
            found[login] = await access_of(session, user)
    assert {login: {grant.role for grant in access.grants} for login, access in found.items()} == {
        login: {role} for login, role in PEOPLE.items()
    }
    assert {login for login, access in found.items() if access.may("receipt", "transition:decide")} == {"root", "noa"}
    assert all(access.may("receipt", "read") for access in found.values())
