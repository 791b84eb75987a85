"""The interface for programs over the small world of objects: keys with any grants, asked through ASGI as a server would."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from starlette.applications import Starlette

from cloud.api.app import Below, create_api
from cloud.api.deps import ApiDeps
from cloud.db.engine import Sessions
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.people.accounts import NewUser, create_user
from cloud.people.builtin import Allowed
from cloud.people.keys import NewKey, make_key
from cloud.people.models import Role
from cloud.people.roles import change_role, create_role
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import ZONE, World

COOKIE = "session"
ALL = (("*", "*"),)

Grants = Iterable[tuple[str, ...]]
"""Of (kind, action, scope, mask)."""


@dataclass
class ApiSite:
    """A database, its interface, and who may be made to ask it."""

    sessions: Sessions
    world: World
    clock: TurnedClock
    more: dict[str, Any] = field(default_factory=dict)
    roles: int = 0

    def __post_init__(self) -> None:
        self.deps = ApiDeps(self.sessions, self.world.registry, self.world.hooks, self.clock, ZONE, cookie=COOKIE, **self.more)
        self.app = Starlette(routes=[Below("/api", create_api(self.deps))])

    @property
    def taken(self) -> Taken:
        return Taken(Actor.user("root", "admin"), self.clock.now, access=Access.all())

    async def role(self, *grants: tuple[str, ...]) -> str:
        """A new role that allows this."""
        self.roles += 1
        key = f"r{self.roles}"
        async with self.sessions.write() as session:
            await create_role(session, key, (key, key), self.taken)
            await change_role(session, key, (key, key), [Allowed(*one) for one in grants], self.taken)
        return key

    async def key(self, *held: tuple[str, str], rate: int = 6000) -> str:
        """A key that holds these roles, as (role, site)."""
        async with self.sessions.write() as session:
            new = NewKey("test", self.clock.now + timedelta(days=30), roles=held, rate=rate)
            _, text = await make_key(session, new, self.taken)
        return text

    async def person(self, login: str, password: str, role: str) -> None:
        async with self.sessions.write() as session:
            await create_user(session, NewUser(login, login, role, password=password), self.taken)

    @asynccontextmanager
    async def anyone(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client with these headers."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api", headers=headers) as client:
            yield client

    @asynccontextmanager
    async def program(self, *grants: tuple[str, ...], site: str = "", rate: int = 6000) -> AsyncIterator[httpx.AsyncClient]:
        """A program whose key allows this."""
        text = await self.key((await self.role(*(grants or ALL)), site), rate=rate)
        async with self.anyone(Authorization=f"Bearer {text}") as client:
            yield client


async def open_site(sessions: Sessions, world: World, clock: TurnedClock, **more: Any) -> ApiSite:
    """With a first administrator, whom roles and keys are made by."""
    site = ApiSite(sessions, world, clock, more)
    async with sessions.write() as session:
        await create_user(session, NewUser("root", "Root", Role.ADMIN), site.taken)
    return site
