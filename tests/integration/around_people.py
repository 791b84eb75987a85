"""People and a record for the tests of what lies around it: who may read it is said by the test."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.gate import RecordRef
from cloud.db.engine import Sessions
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.people.accounts import NewUser, create_user

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Marks tests of rules in which the database has no part."""

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DEAL = RecordRef("deal", 7, "D-2026-0007", "Galil – frozen fish")
OTHER = RecordRef("deal", 8, "D-2026-0008", "Other")
PEOPLE = ("noa", "tal", "ron", "dana", "gone")


def by(login: str, at: datetime = NOW, *, access: Access | None = None, reason: str | None = None) -> Taken:
    return Taken(Actor.user(login, "sales"), at, reason=reason, access=access)


async def add_people(sessions: Sessions) -> None:
    """Everybody of PEOPLE; `gone` has left."""
    async with sessions.write() as session:
        taken = Taken(Actor.system("test"), NOW)
        for login in PEOPLE:
            row = await create_user(session, NewUser(login, login.title(), "viewer"), taken)
            row.active = login != "gone"


@dataclass
class Rules:
    """Who may read the records; `outside` may not read what is internal."""

    may: set[str] = field(default_factory=lambda: {"noa", "tal", "dana"})
    outside: set[str] = field(default_factory=set)

    async def readers(
        self, _session: AsyncSession, _record: RecordRef, logins: Collection[str], *, internal: bool
    ) -> frozenset[str]:
        return frozenset((set(logins) & self.may) - (self.outside if internal else set()))

    def readable(self, login: str) -> "Reader":
        return Reader(self, login)


@dataclass
class Reader:
    """What one person may read now."""

    rules: Rules
    login: str

    async def __call__(self, _session: AsyncSession, _kind: str, ids: Collection[int], *, internal: bool) -> dict[int, str]:
        may = self.login in self.rules.may and not (internal and self.login in self.rules.outside)
        return {one: f"record {one}" for one in ids} if may else {}
