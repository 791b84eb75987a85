"""Sessions, leases and commands: handed to the newest session only, again until a result comes, and ended by it once."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from cloud.app import create_sync_app
from cloud.boxes.commands import BoxCommand, Order, commands_of, issue_command
from cloud.boxes.models import Box, BoxStatus
from cloud.boxes.registry import set_status
from cloud.db.engine import Sessions, open_sessions
from cloud.deps import SyncDeps
from cloud.errors import Forbidden, NotFound, Refused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event, history
from cloud.masters.models import Product
from cloud.push.watch import Watch
from cloud.receiving.projection import project_all
from cloud.takers import TAKERS
from sync_protocol.commands import Changed, new_command_id
from sync_protocol.entries import CommandEntry
from tests.integration.commanding import Ended, tallybox
from tests.integration.conftest import ADMIN, START, TestBox, TurnedClock
from tests.integration.serving import Listening, listening, named_peer, opened, served

NUMBERS = itertools.count(1)
SYSTEM = Actor.system("test")


def command_id() -> str:
    return new_command_id(1_700_000_000_000 + next(NUMBERS), bytes(10))


async def issue(sessions: Sessions, box: TestBox, op: str = "pull_mirror", actor: Actor = ADMIN, **args: object) -> str:
    order = Order(command_id(), box.id, op, args, box.clock.now + timedelta(hours=1))
    async with sessions.write() as session:
        return (await issue_command(session, Taken(actor, box.clock.now), order)).id


async def state_of(sessions: Sessions, command: str) -> str:
    async with sessions.read() as session:
        return (await session.get_one(BoxCommand, command)).state


def result(box: TestBox, command: str, lease: int, outcome: str = "done", **more: object) -> None:
    box.write(
        CommandEntry(**box.stamp(), cmd_id=command, lease=lease, op="pull_mirror", outcome=outcome, **more)  # type: ignore[arg-type]
    )


class Site:
    """Workers of one core, each with a listener of its own, and clients that call as their box."""

    def __init__(self, stack: AsyncExitStack, url: str, clock: TurnedClock) -> None:
        self._stack = stack
        self._url = url
        self.clock = clock
        self.certificates: dict[str, bytes] = {}
        self.alternated: list[str] = []

    async def worker(self) -> str:
        """The address of one more worker, with connections of its own."""
        sessions = open_sessions(self._url)
        self._stack.push_async_callback(sessions.engine.dispose)
        deps = SyncDeps(sessions, clock=self.clock, peer_certificate=named_peer(self.certificates))
        watch = Watch(sessions, self.clock)
        return await self._stack.enter_async_context(served(create_sync_app(deps, watch=watch), watch.run()))

    async def client(self, box: TestBox, url: str) -> httpx.AsyncClient:
        self.certificates[box.id] = box.certificate()
        client = httpx.AsyncClient(base_url=url, headers={"x-box": box.id}, trust_env=False)
        return await self._stack.enter_async_context(client)


@pytest.fixture
async def site(database_url: str, clock: TurnedClock) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        yield Site(stack, database_url, clock)


async def first(stream: Listening) -> None:
    """Every stream begins with being told to pull."""
    assert isinstance(await stream.next(), Changed)


async def test_each_session_gets_a_higher_lease_and_ends_the_stream_of_the_one_before(site, sessions, box) -> None:
    client = await site.client(box, await site.worker())
    lease = await opened(client)
    async with listening(client, lease) as stream:
        await first(stream)
        newer = await opened(client, last=lease)
        assert newer > lease
        assert await stream.ended()
    async with listening(client, lease) as stream:
        assert stream.status == 409
    async with listening(client, newer) as stream:
        await first(stream)


async def test_lease_is_above_what_the_box_has_seen_though_the_database_was_put_back(site, box) -> None:
    client = await site.client(box, await site.worker())
    assert await opened(client, last=41) == 42
    assert await opened(client, last=7) == 43


@pytest.mark.parametrize("status", [BoxStatus.SUSPENDED, BoxStatus.REVOKED])
async def test_box_that_is_shut_out_gets_no_session_and_hears_nothing(site, sessions, box, status) -> None:
    client = await site.client(box, await site.worker())
    lease = await opened(client)
    async with listening(client, lease) as stream:
        await first(stream)
        async with sessions.write() as session:
            await set_status(session, box=box.id, status=status, taken=Taken(ADMIN, box.clock.now))
        assert await stream.ended()
    assert (await client.post("/sync/v1/session")).json()["code"] == f"box_{status}"
    assert (await client.get("/sync/v1/events", params={"lease": lease})).status_code == 403


async def test_nonsense_in_place_of_a_lease_is_refused(site, box) -> None:
    client = await site.client(box, await site.worker())
    for text in ("", "x", "-1", "9" * 30, "0"):
        assert (await client.get("/sync/v1/events", params={"lease": text})).status_code == 409
    assert (await client.post("/sync/v1/session", params={"last": "9" * 18})).status_code == 200


async def test_command_goes_down_in_every_session_until_its_result_is_here(site, sessions, box) -> None:
    client = await site.client(box, await site.worker())
    lease = await opened(client)
    async with listening(client, lease) as stream:
        await first(stream)
        command = await issue(sessions, box)
        told = await stream.command()
        assert (told.cmd_id, told.lease, told.op) == (command, lease, "pull_mirror")
    assert await state_of(sessions, command) == "sent"
    newer = await opened(client, last=lease)
    async with listening(client, newer) as stream:
        await first(stream)
        told = await stream.command()
        assert (told.cmd_id, told.lease) == (command, newer)
    box.start()
    result(box, command, newer, detail="2 rows", data={"rows": 2})
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    async with sessions.read() as session:
        row = (await commands_of(session, box.id, 10))[0]
        events = [event.action for event in await history(session, "command", command)]
    assert (row.state, row.detail, row.result, row.lease) == ("done", "2 rows", {"rows": 2}, newer)
    assert events == ["issue", "send", "done"]
    async with listening(client, await opened(client, last=newer)) as stream:
        await first(stream)
        second = await issue(sessions, box)
        told = await stream.command()
        assert told.cmd_id == second


async def test_first_result_counts_and_replays_change_nothing(sessions, box, make_box) -> None:
    command = await issue(sessions, box)
    other = make_box(2)
    await other.register(sessions, None)
    other.start()
    result(other, command, 1, "failed")
    result(other, "01HZZZZZZZZZZZZZZZZZZZZZZZ", 1)
    await other.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    assert await state_of(sessions, command) == "waiting"
    box.start()
    result(box, command, 1, "interrupted")
    result(box, command, 1, "done")
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    assert await state_of(sessions, command) == "interrupted"
    async with sessions.read() as session:
        seen = [event.action for event in await history(session, "command", command)]
    assert seen == ["issue", "result_unknown", "interrupted", "result_again"]


async def test_fenced_under_an_older_lease_leaves_the_command_to_the_newer_session(site, sessions, box) -> None:
    client = await site.client(box, await site.worker())
    command = await issue(sessions, box)
    old = await opened(client)
    new = await opened(client, last=old)
    async with listening(client, new) as stream:
        await stream.command()
    box.start()
    result(box, command, old, "fenced")
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    assert await state_of(sessions, command) == "sent"
    result(box, command, new, "fenced")
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    assert await state_of(sessions, command) == "fenced"


async def test_command_that_nobody_heard_of_in_time_ends_as_expired(site, sessions, box) -> None:
    client = await site.client(box, await site.worker())
    late = await issue(sessions, box)
    box.clock.go(hours=2)
    kept = await issue(sessions, box)
    async with listening(client, await opened(client)) as stream:
        await first(stream)
        told = await stream.command()
    assert told.cmd_id == kept
    assert await state_of(sessions, late) == "expired"


async def test_what_cannot_be_done_is_refused_where_it_is_asked(sessions, box) -> None:
    async def refused(fault: type[Exception], op: str, actor: Actor = ADMIN, code: str = "", **args: object) -> None:
        with pytest.raises(fault) as caught:
            await issue(sessions, box, op, actor, **args)
        assert code in str(caught.value)

    await refused(Refused, "format_disk", code="command_unfit")
    await refused(Refused, "zero", code="command_unfit")
    await refused(Refused, "zero", code="command_unfit", device="scale-1", force=True)
    await refused(Refused, "configure", code="command_unfit", toml="x" * 60_000)
    await refused(Forbidden, "zero", Actor.user("dana", "operator"), device="scale-1")
    await refused(Forbidden, "configure", Actor.user("noa", "supervisor"), toml="x = 1")
    assert await issue(sessions, box, "configure", SYSTEM, toml="x = 1")
    for _ in range(31):
        await issue(sessions, box)
    await refused(Refused, "pull_mirror", code="commands_full")
    order = Order(command_id(), box.id, "pull_mirror", {}, box.clock.now)
    async with sessions.write() as session:
        with pytest.raises(Refused, match="command_late"):
            await issue_command(session, Taken(ADMIN, box.clock.now), order)
        with pytest.raises(NotFound):
            await issue_command(session, Taken(ADMIN, START - timedelta(1)), Order("x", "nobody", "zero", {}, START))


async def test_change_of_master_data_is_pushed_to_the_boxes_of_its_station(site, sessions, demo, box, monkeypatch) -> None:
    monkeypatch.setattr("cloud.push.watch.REFRESH_EVERY_S", 0.5)
    client = await site.client(box, await site.worker())
    async with listening(client, await opened(client)) as stream:
        await first(stream)
        # The core numbers what the station has, because nobody pulled yet.
        await first(stream)
        async with sessions.write() as session:
            product = (await session.scalars(select(Product))).first()
            assert product is not None
            product.name += " (new)"
            await append_event(
                session, Taken(Actor.user("root", "admin"), box.clock.now), action="rename", kind="product", ref="x"
            )
        assert isinstance(await stream.next(), Changed)


async def test_two_machines_that_take_turns_are_told_apart_from_one_that_was_restored(site, sessions, box, monkeypatch) -> None:
    told: list[str] = []

    async def alternate(_session: object, box_id: str, _now: object) -> None:
        told.append(box_id)

    monkeypatch.setattr("cloud.app.alternate", alternate)
    url = await site.worker()
    client = await site.client(box, url)

    async def session_of(last: int) -> int:
        lease = await opened(client, last=last)
        async with listening(client, lease) as stream:
            await first(stream)
        return lease

    one = await session_of(await session_of(0))
    assert told == []
    other = await session_of(one - 1)
    assert told == [], "a disk that was put back does this once"
    one = await session_of(one)
    assert told == [box.id]
    assert await session_of(other) > one
    box.clock.go(days=2)
    await session_of(other)
    assert told == [box.id, box.id]


async def test_lost_answers_are_no_sign_of_a_second_machine(site, sessions, box, monkeypatch) -> None:
    told: list[str] = []

    async def alternate(_session: object, box_id: str, _now: object) -> None:
        told.append(box_id)

    monkeypatch.setattr("cloud.app.alternate", alternate)
    client = await site.client(box, await site.worker())
    for _ in range(5):
        await opened(client, last=3)
    assert told == []


@pytest.mark.postgres
async def test_two_workers_serve_the_streams_of_two_boxes_and_hand_each_its_own(
    postgres_url: str, clock: TurnedClock, make_box: Callable[[int], TestBox]
) -> None:
    async with AsyncExitStack() as stack:
        sessions = open_sessions(postgres_url)
        stack.push_async_callback(sessions.engine.dispose)
        site = Site(stack, postgres_url, clock)
        urls = [await site.worker(), await site.worker()]
        boxes = [make_box(1), make_box(2)]
        clients, streams, leases = [], [], []
        for box, url in zip(boxes, urls, strict=True):
            await box.register(sessions, None)
            clients.append(await site.client(box, url))
            leases.append(await opened(clients[-1]))
            streams.append(await stack.enter_async_context(listening(clients[-1], leases[-1])))
        wanted = [[await issue(sessions, box) for _ in range(3)] for box in boxes]
        for stream, ids in zip(streams, wanted, strict=True):
            assert sorted([(await stream.command()).cmd_id for _ in ids]) == sorted(ids)
        # The first box comes back through the other worker: its stream at the first one ends.
        moved = await site.client(boxes[0], urls[1])
        lease = await opened(moved, last=leases[0])
        assert await streams[0].ended()
        async with listening(moved, lease) as stream:
            assert {(await stream.command()).cmd_id for _ in wanted[0]} == set(wanted[0])


async def test_stream_ends_with_its_worker(database_url: str, sessions, box, clock) -> None:
    async with AsyncExitStack() as outer, AsyncExitStack() as worker:
        site = Site(worker, database_url, clock)
        url = await site.worker()
        site._stack = outer
        client = await site.client(box, url)
        stream = await outer.enter_async_context(listening(client, await opened(client)))
        await first(stream)
        await worker.aclose()
        assert await stream.ended()


async def test_one_box_has_one_stream(site, sessions, box) -> None:
    client = await site.client(box, await site.worker())
    lease = await opened(client)
    async with listening(client, lease) as old:
        await first(old)
        async with listening(client, lease) as new:
            await first(new)
            assert await old.ended()
    async with sessions.read() as session:
        assert (await session.get_one(Box, box.id)).lease_used == lease


async def test_many_sessions_at_once_get_a_lease_each(site, box) -> None:
    client = await site.client(box, await site.worker())
    leases = await asyncio.gather(*(opened(client) for _ in range(8)))
    assert len(set(leases)) == 8


async def test_command_line_asks_and_tells_what_came_of_it(sqlite_url: str, make_box) -> None:
    box = make_box(1)
    sessions = open_sessions(sqlite_url)
    await box.register(sessions)

    async def said(*arguments: object) -> Ended:
        return await asyncio.to_thread(tallybox, "cloud", *arguments, "--db", sqlite_url)

    asked = await said("command", box.id, "zero", "--args", '{"device": "scale-1"}', "--json")
    assert json.loads(asked.out)["state"] == "waiting"
    (row,) = json.loads((await said("commands", box.id, "--json")).out)
    assert (row["op"], row["state"], row["by"], row["entry"]) == ("zero", "waiting", "command line", None)
    assert row["command"] in (await said("commands", box.id)).out
    for wrong, code in (
        (("command", box.id, "zero", "--args", "[]"), 2),
        (("command", "nobody", "pull_mirror"), 3),
    ):
        assert (await said(*wrong)).code == code
    await sessions.engine.dispose()
