"""Webhooks against a real receiver: in order, signed, tried again, given up, sent once more, and to nobody who may not know."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions, open_sessions
from cloud.errors import NotFound, Refused, WrongState
from cloud.hooks import delivering, endpoints
from cloud.hooks.delivering import PAUSES
from cloud.hooks.endpoints import Target
from cloud.hooks.follow import Follower, Pace
from cloud.hooks.models import Delivery, Endpoint, Outcome, Standing
from cloud.hooks.reach import Reach
from cloud.hooks.send import MAX_ANSWER, Sender
from cloud.hooks.sight import sight
from cloud.jobs.models import Job, JobStatus
from cloud.jobs.worker import Pace as WorkerPace
from cloud.jobs.worker import Worker
from cloud.kernel.access import Access, Grant, Mask
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event, history
from tests.integration.conftest import TurnedClock
from tests.integration.hooked import Receiver, receiving, status

WAIT_S = 20.0
SECRET_BYTES = bytes(range(32))
LOOPBACK = Reach((ip_network("127.0.0.0/8"),))
QUICK = WorkerPace(lease=timedelta(seconds=30), beat_s=0.05, poll_s=0.02, retry_s=0.02)
EVERYTHING = Access.all()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


class House:
    """The core's side: what happens, who wants to be told, and the worker that tells."""

    def __init__(self, sessions: Sessions, clock: TurnedClock) -> None:
        self.sessions, self.clock = sessions, clock
        self.access: dict[str, Access | None] = {"noa": EVERYTHING}
        self.reach = LOOPBACK
        self.timeout_s = 5.0

    def by(self) -> Taken:
        return Taken(Actor.user("noa", "admin"), self.clock.now, chain="c1")

    async def want(self, url: str, *patterns: str, owner: str = "noa") -> str:
        async with self.sessions.write() as session:
            target = Target("ERP", url, patterns or ("deal.*",), owner)
            row = await endpoints.create_endpoint(session, target, self.by(), draw=lambda _n: SECRET_BYTES)
            return row.uid

    async def happen(self, *refs: str, kind: str = "deal", action: str = "change", **changes: Any) -> None:
        for ref in refs:
            async with self.sessions.write() as session:
                await append_event(session, self.by(), action=action, kind=kind, ref=ref, changes=changes)

    async def deliveries(self) -> list[Delivery]:
        async with self.sessions.read() as session:
            return list(await session.scalars(select(Delivery).order_by(Delivery.event_id)))

    async def outcomes(self) -> list[str]:
        return [str(one.status) for one in await self.deliveries()]

    async def endpoint(self, uid: str) -> Endpoint:
        async with self.sessions.read() as session:
            return await endpoints.endpoint_of(session, uid)

    async def do(self, act: Any, *args: Any, **more: Any) -> Any:
        async with self.sessions.write() as session:
            return await act(session, *args, self.by(), **more)

    def worker(self) -> Worker:
        async def access_of(_session: Any, login: str) -> Access | None:
            return self.access.get(login)

        follower = Follower(
            sight(access_of), lambda: Sender(self.reach, timeout_s=self.timeout_s), Pace(look_s=0.02, turn_s=3600.0)
        )
        return Worker(self.sessions, {endpoints.FOLLOW: follower}, name="test", clock=self.clock, pace=QUICK)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.worker().run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, *outcomes: str) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                while await self.outcomes() != list(outcomes):  # noqa: ASYNC110 - the database has no event for it
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pytest.fail(f"deliveries are {await self.outcomes()}")

    async def until_tried(self, tries: int, first: int = 0) -> Delivery:
        async with asyncio.timeout(WAIT_S):
            while True:
                found = await self.deliveries()
                if len(found) > first and found[first].tries >= tries:
                    return found[first]
                await asyncio.sleep(0.01)


@pytest.fixture
def house(sessions: Sessions, clock: TurnedClock) -> House:
    return House(sessions, clock)


@pytest.fixture
async def lone_house(sqlite_url: str, clock: TurnedClock) -> AsyncIterator[House]:
    """For rules in which the database has no part."""
    sessions = open_sessions(sqlite_url)
    yield House(sessions, clock)
    await sessions.engine.dispose()


def right(told: Any) -> bool:
    """Whether the signature is good, checked as a receiver does it."""
    content = f"{told.headers['webhook-id']}.{told.headers['webhook-timestamp']}.".encode() + told.body
    mac = hmac.new(SECRET_BYTES, content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mac).decode()}" in told.headers["webhook-signature"].split(" ")


async def test_what_happens_is_told_once_signed_and_in_order(house: House, receiver: Receiver) -> None:
    await house.happen("D-0")
    uid = await house.want(receiver.url)
    await house.happen("D-1", "D-2", "D-1", name=["a", "b"])
    await house.happen("P-1", kind="party")
    async with house.telling():
        await house.until("delivered", "delivered", "delivered")
        await house.happen("D-3", action="win")
        await house.until(*["delivered"] * 4)
    assert all(right(one) for one in receiver.told)
    assert {one.path for one in receiver.told} == {"/hook"}
    assert sorted(one.said["type"] for one in receiver.told) == ["deal.changed"] * 3 + ["deal.win"]
    of_first = [one.said["id"] for one in receiver.told if one.said["ref"] == "D-1"]
    assert of_first == sorted(of_first)
    assert receiver.told[0].said["changes"] == {"name": ["a", "b"]}
    assert receiver.told[0].said["chain"] == "c1"
    assert (await house.endpoint(uid)).last_ok_at == house.clock.now


async def test_later_event_of_a_record_waits_for_the_earlier_and_others_do_not(house: House, receiver: Receiver) -> None:
    receiver.answering = lambda told: status(500, "no") if told.said["ref"] == "D-1" else status(200)
    await house.want(receiver.url)
    await house.happen("D-1", "D-1", "D-2", "D-2")
    async with house.telling():
        await house.until("waiting", "waiting", "delivered", "delivered")
        first = (await house.until_tried(1)).event_id
        assert [ref for ref, _ in receiver.refs()].count("D-1") == 1
        receiver.answering = lambda _told: status(200)
        house.clock.go(minutes=1)
        await house.until(*["delivered"] * 4)
    assert [one for ref, one in receiver.refs() if ref == "D-1"] == [f"evt_{first}", f"evt_{first}", f"evt_{first + 1}"]


async def test_failing_delivery_is_tried_in_growing_pauses_and_given_up(house: House, receiver: Receiver) -> None:
    receiver.answering = lambda _told: status(503, "be back soon")
    uid = await house.want(receiver.url)
    await house.happen("D-1", "D-1")
    async with house.telling():
        for tries, pause in enumerate(PAUSES, 1):
            one = await house.until_tried(tries)
            assert (one.status, one.code, one.answer) == (Outcome.WAITING, 503, "be back soon")
            assert one.next_at == house.clock.now + pause
            house.clock.now = one.next_at
        await house.until_tried(len(PAUSES) + 1)
        assert (await house.endpoint(uid)).status == Standing.FAILING
        # The next event of the record goes when the one before it is given up.
        await house.until_tried(1, first=1)
        assert await house.outcomes() == ["given_up", "waiting"]
        receiver.answering = lambda _told: status(200)
        house.clock.go(minutes=1)
        await house.until("given_up", "delivered")
        assert (await house.endpoint(uid)).status == Standing.ACTIVE
    assert sum(PAUSES, timedelta()) > timedelta(days=1, hours=10)


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (status(302, "", "Location: http://127.0.0.1:1/\r\n"), 302, ""),
        (status(200, "x" * 5000), 200, "x" * MAX_ANSWER),
        (status(400, "bad\u202e\x07"), 400, None),
        (b"nonsense\r\n\r\n", None, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n", None, None),
        (None, None, "timeout"),
    ],
    ids=["redirect", "long", "hostile", "no_http", "cut", "silent"],
)
async def test_every_answer_is_noted_for_what_it_is(
    lone_house: House, receiver: Receiver, answer: bytes | None, code: int | None, text: str | None
) -> None:
    lone_house.timeout_s = 0.3
    receiver.answering = lambda _told: answer
    await lone_house.want(receiver.url)
    await lone_house.happen("D-1")
    async with lone_house.telling():
        one = await lone_house.until_tried(1)
    assert (one.status == Outcome.DELIVERED) == (code == 200)
    assert one.code == code
    assert text is None or one.answer == text
    assert not {"\u202e", "\x07"} & set(one.answer or "")


async def test_nobody_there_is_an_answer_too(lone_house: House, receiver: Receiver) -> None:
    await lone_house.want("http://127.0.0.1:1/")
    await lone_house.happen("D-1")
    async with lone_house.telling():
        one = await lone_house.until_tried(1)
    assert (one.status, one.code) == (Outcome.WAITING, None)
    assert (one.answer or "").startswith("Connect")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_address_inside_is_not_gone_to_unless_a_setting_opens_it(
    lone_house: House, receiver: Receiver, host: str
) -> None:
    lone_house.reach = Reach()
    await lone_house.want(receiver.url.replace("127.0.0.1", host))
    await lone_house.happen("D-1")
    async with lone_house.telling():
        one = await lone_house.until_tried(1)
    assert (one.code, one.answer) == (None, "not_allowed")
    assert receiver.told == []


async def test_connection_goes_to_the_address_that_was_checked(lone_house: House, receiver: Receiver) -> None:
    """The name is looked up once; the request still carries the name."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    lone_house.reach = Reach((ip_network("127.0.0.0/8"),), resolve)
    port = receiver.url.partition("127.0.0.1")[2]
    await lone_house.want(f"http://erp.example{port}")
    await lone_house.happen("D-1")
    async with lone_house.telling():
        await lone_house.until("delivered")
    assert asked == ["erp.example"]
    assert receiver.told[0].headers["host"] == f"erp.example{port.removesuffix('/hook')}"


async def test_different_records_go_side_by_side_up_to_a_number(lone_house: House, receiver: Receiver) -> None:
    receiver.slow_s = 0.1
    await lone_house.want(receiver.url)
    await lone_house.happen(*(f"D-{number}" for number in range(10)))
    async with lone_house.telling():
        await lone_house.until(*["delivered"] * 10)
    assert receiver.most == delivering.AT_ONCE


async def test_silent_endpoint_does_not_hold_up_another(lone_house: House, receiver: Receiver) -> None:
    async with receiving() as silent:
        silent.answering = lambda _told: None
        await lone_house.want(silent.url)
        await lone_house.want(receiver.url)
        await lone_house.happen(*(f"D-{number}" for number in range(6)))
        async with lone_house.telling():
            async with asyncio.timeout(WAIT_S):
                while len(receiver.told) < 6:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
        assert len(silent.told) <= delivering.AT_ONCE


async def test_what_was_sent_and_not_noted_is_sent_again_under_the_same_id(house: House, receiver: Receiver) -> None:
    """The process ends between the answer and its note."""
    receiver.slow_s = 0.05
    await house.want(receiver.url)
    await house.happen("D-1")
    async with house.telling():
        async with asyncio.timeout(WAIT_S):
            while not receiver.told:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)
    assert await house.outcomes() == ["waiting"]
    async with house.telling():
        await house.until("delivered")
    assert len(receiver.told) == 2
    assert len({one.said["id"] for one in receiver.told}) == 1
    assert receiver.told[0].body == receiver.told[1].body


async def test_given_up_deliveries_are_sent_once_more_on_demand(house: House, receiver: Receiver) -> None:
    uid = await house.want(receiver.url)
    await house.happen("D-1", "D-2")
    async with house.sessions.write() as session:
        (await endpoints.endpoint_of(session, uid)).cursor = 0
    async with house.telling():
        await house.until("delivered", "delivered")
    async with house.sessions.write() as session:
        for row in await session.scalars(select(Delivery)):
            row.status = Outcome.GIVEN_UP
    assert await house.do(endpoints.replay_given_up, uid) == 2
    with pytest.raises(WrongState):
        await house.do(endpoints.replay_one, uid, (await house.deliveries())[0].event_id)
    async with house.telling():
        await house.until("delivered", "delivered")
    await house.do(endpoints.replay_one, uid, (await house.deliveries())[1].event_id)
    async with house.telling():
        await house.until("delivered", "delivered")
    assert [ref for ref, _ in receiver.refs()].count("D-2") == 3
    with pytest.raises(NotFound):
        await house.do(endpoints.replay_one, uid, 99)
    async with house.sessions.read() as session:
        assert [event.action for event in await history(session, "endpoint", uid)] == ["create", "replay", "replay"]


async def test_everything_is_told_again_from_an_event_on(house: House, receiver: Receiver) -> None:
    await house.happen("D-1", "D-2", "D-3")
    uid = await house.want(receiver.url)
    await house.happen("D-4")
    async with house.telling():
        await house.until("delivered")
        assert [ref for ref, _ in receiver.refs()] == ["D-4"]
        await house.do(endpoints.replay_from, uid, 2)
        await house.until(*["delivered"] * 3)
    assert sorted(ref for ref, _ in receiver.refs()) == ["D-2", "D-3", "D-4", "D-4"]
    with pytest.raises(Refused):
        await house.do(endpoints.replay_from, uid, 10_000)


async def test_paused_endpoint_is_told_later(lone_house: House, receiver: Receiver) -> None:
    uid = await lone_house.want(receiver.url)
    await lone_house.do(endpoints.pause, uid)
    await lone_house.happen("D-1")
    assert await lone_house.worker().run_due() == 1
    assert receiver.told == []
    await lone_house.do(endpoints.resume, uid)
    async with lone_house.telling():
        await lone_house.until("delivered")


async def test_receiver_that_is_gone_pauses_its_endpoint(lone_house: House, receiver: Receiver) -> None:
    receiver.answering = lambda _told: status(410)
    uid = await lone_house.want(receiver.url)
    await lone_house.happen("D-1")
    assert await lone_house.worker().run_due() == 1
    assert (await lone_house.endpoint(uid)).status == Standing.PAUSED
    async with lone_house.sessions.read() as session:
        (job,) = (await session.scalars(select(Job))).all()
        assert (await history(session, "endpoint", uid))[-1].changes == {"status": ["active", "paused"]}
    assert job.status == JobStatus.DONE


async def test_both_secrets_sign_for_a_day_after_a_change(lone_house: House, receiver: Receiver) -> None:
    uid = await lone_house.want(receiver.url)
    row = await lone_house.do(endpoints.rotate_secret, uid, draw=lambda _n: bytes(32))
    assert row.secret == "whsec_" + base64.b64encode(bytes(32)).decode()
    await lone_house.happen("D-1")
    async with lone_house.telling():
        await lone_house.until("delivered")
        lone_house.clock.go(hours=25)
        await lone_house.happen("D-2")
        await lone_house.until("delivered", "delivered")
    assert [right(one) for one in receiver.told] == [True, False]
    assert [len(one.headers["webhook-signature"].split(" ")) for one in receiver.told] == [2, 1]
    async with lone_house.sessions.read() as session:
        text = "".join(str(event.changes) for event in await history(session, "endpoint", uid))
    assert "whsec" not in text


async def test_owner_is_told_what_they_may_read_and_nothing_else(lone_house: House, receiver: Receiver) -> None:
    grants = [Grant("sales", "deal", "read", mask=Mask.parse("-margin")), Grant("yard", "lot", "read", scope="own")]
    lone_house.access["dan"] = Access.of(grants)
    await lone_house.want(receiver.url, "*", owner="dan")
    await lone_house.happen("D-1", name=["a", "b"], margin=["1", "2"])
    await lone_house.happen("P-1", kind="party")
    await lone_house.happen("L-1", kind="lot")
    async with lone_house.telling():
        await lone_house.until("delivered")
        assert receiver.told[0].said["changes"] == {"name": ["a", "b"]}
        # What waits when the right is taken away is not told.
        receiver.answering = lambda _told: status(500)
        await lone_house.happen("D-2")
        await lone_house.until_tried(1, first=1)
        lone_house.access["dan"] = None
        lone_house.clock.go(minutes=1)
        await lone_house.until("delivered", "given_up")
    assert (await lone_house.deliveries())[1].answer == "not_visible"
    assert len(receiver.told) == 2


async def test_many_events_are_taken_in_parts_and_none_is_missed(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.hooks.planning.CHUNK", 3)
    monkeypatch.setattr("cloud.hooks.planning.MAX_WAITING", 5)
    await house.want(receiver.url)
    await house.happen(*(f"D-{number % 4}" for number in range(14)))
    async with house.telling():
        await house.until(*["delivered"] * 14)
    for ref in {ref for ref, _ in receiver.refs()}:
        numbers = [int(one.removeprefix("evt_")) for found, one in receiver.refs() if found == ref]
        assert numbers == sorted(numbers)
    assert len(receiver.told) == 14


async def test_changed_and_removed_endpoints_are_heard_of_in_the_log(lone_house: House, receiver: Receiver) -> None:
    uid = await lone_house.want(receiver.url)
    await lone_house.do(endpoints_change, uid, Target("ERP 2", receiver.url, ("party.*",), "noa"))
    await lone_house.happen("P-1", kind="party")
    async with lone_house.telling():
        await lone_house.until("delivered")
    await lone_house.do(endpoints.remove_endpoint, uid)
    assert await lone_house.deliveries() == []
    with pytest.raises(NotFound):
        await lone_house.endpoint(uid)
    async with lone_house.sessions.read() as session:
        found = [event.action for event in await history(session, "endpoint", uid)]
    assert found == ["create", "change", "remove"]


async def endpoints_change(session: Any, uid: str, target: Target, taken: Taken) -> None:
    await endpoints.change_endpoint(session, uid, target, taken)
