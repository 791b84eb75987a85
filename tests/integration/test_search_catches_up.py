"""What was written past the records' service is found all the same, once and at the right place."""

from cloud import catalogue
from cloud.around.catching_up import CHUNK, catch_up
from cloud.around.records import find_records
from cloud.db.engine import Sessions
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event
from cloud.masters.demo import load_demo
from cloud.masters.models import Party
from cloud.objects.caller import caller
from tests.integration.object_world import NOW

SYSTEM = Taken(Actor.system("test"), NOW)


async def found(sessions: Sessions, words: str) -> list[str]:
    async with sessions.read() as session:
        asker = await caller(session, catalogue.registry(), Taken(Actor.user("root", "admin"), NOW, access=Access.all()))
        return [hit.ref for hit in (await find_records(asker, words)).rows]


async def test_records_that_were_there_before_and_ones_that_come_are_found(sessions: Sessions) -> None:
    registry = catalogue.registry()
    async with sessions.write() as session:
        await load_demo(session, SYSTEM, pins={})
    assert await found(sessions, "סלמון") == []
    while await catch_up(sessions, registry, SYSTEM):
        pass
    assert "SLM-FIL" in await found(sessions, "סלמון")
    async with sessions.write() as session:
        session.add(Party(ref="NEW-1", name="Quartz Traders", kind="company"))
        await append_event(session, SYSTEM, action="create", kind="party", ref="NEW-1")
        for number in range(CHUNK):
            await append_event(session, SYSTEM, action="sign_in", kind="user", ref=f"u{number}")
    assert await catch_up(sessions, registry, SYSTEM)
    assert not await catch_up(sessions, registry, SYSTEM)
    assert await found(sessions, "quartz") == ["NEW-1"]
