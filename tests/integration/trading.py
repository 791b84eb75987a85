"""The invented house with what is announced to it, and people who ask of it, for tests of trade."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cloud.db.engine import Sessions
from cloud.errors import CloudError, Refused
from cloud.kernel.actor import Actor, Taken
from cloud.masters.demo import load_demo
from cloud.masters.kinds import MASTERS
from cloud.objects import service
from cloud.objects.caller import Caller, caller
from cloud.objects.faults import Invalid
from cloud.objects.registry import Registry
from cloud.objects.shipped import PLAIN
from cloud.stock.kinds import SHIPPED as STOCK
from cloud.trade.demo import load_trade
from cloud.trade.kinds import SHIPPED as TRADE

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SYSTEM = Taken(Actor.system("test"), NOW)


def registry() -> Registry:
    return Registry(MASTERS + STOCK + TRADE + PLAIN)


@dataclass
class Trading:
    """Every deed in a transaction of its own, by somebody of a role."""

    sessions: Sessions
    registry: Registry = field(default_factory=registry)
    now: datetime = NOW

    async def fill(self) -> None:
        async with self.sessions.write() as session:
            await load_demo(session, SYSTEM, pins={})
            await load_trade(session, SYSTEM)

    @asynccontextmanager
    async def desk(self, role: str = "admin", reason: str | None = None) -> AsyncIterator[Caller]:
        async with self.sessions.write() as session:
            yield await caller(session, self.registry, Taken(Actor.user("ada", role), self.now, reason))

    async def make(self, of: str, /, **values: Any) -> str:
        async with self.desk() as desk:
            return (await service.create(desk, of, values))[0].ref

    async def change(self, of: str, ref: str, /, **values: Any) -> service.Item:
        async with self.desk() as desk:
            return await service.update(desk, of, ref, values)

    async def do(
        self, of: str, ref: str, action: str, *, role: str = "admin", reason: str | None = None, **given: Any
    ) -> service.Item:
        async with self.desk(role, reason) as desk:
            return await service.do(desk, of, ref, action, given=given or None)

    async def get(self, of: str, ref: str) -> service.Item:
        async with self.sessions.read() as session:
            return await service.get(await caller(session, self.registry, replace(SYSTEM, at=self.now)), of, ref)


async def refused(deed: Any, code: str, name: str = "") -> Refused:
    """`code` of a refusal, or of the fault of a field that the definition refuses."""
    with pytest.raises(CloudError) as raised:
        await deed
    found = raised.value
    assert isinstance(found, Refused), found
    if isinstance(found, Invalid):
        assert (code, name) in [(fault.code, fault.field) for fault in found.faults], found.faults
    else:
        assert (found.code, found.values.get("field", "")) == (code, name), found.values
    return found
