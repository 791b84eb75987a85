"""Two ways used as one, and listening on them: what falls back, what comes back, and at which pace."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge.uplink.backoff import Backoff
from edge.uplink.binding import BindingName, CloudAway
from edge.uplink.events import LASTING_NS, Hearers, Listener, Pauses
from edge.uplink.policy import MISSES, PROBE_EVERY_NS
from edge.uplink.ways import Ways
from sync_protocol.answers import Ack, Answer
from sync_protocol.commands import Changed, Command, Down, Session

ACK = Ack(run="0" * 32, acked=1, hash="0" * 64, gen=0, srv_time="")
COMMAND = Command(cmd_id="01J8Z3K4M5N6P7Q8R9S0T1V2W3", lease=1, not_after="", op="zero")


@dataclass
class Way:
    """A binding that works or does not, as the test says."""

    name: BindingName
    works: bool = True
    sessions_work: bool = True
    frames: list[bytes] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)
    says: list[list[Down]] = field(default_factory=list)
    on_event: Callable[[], None] = lambda: None
    closed: bool = False

    def _check(self, works: bool = True) -> None:
        if not (self.works and works):
            raise CloudAway(f"no {self.name}", 2.0)

    async def post(self, frame: bytes, *, packed: bool = False) -> Answer:  # noqa: ARG002 - the protocol's signature
        self._check()
        self.frames.append(frame)
        return ACK

    async def open_session(self, last: int) -> Session:
        self._check(self.sessions_work)
        self.lasts.append(last)
        return Session(lease=last + 1, srv_time="2026-05-01T10:00:00Z")

    async def events(self, lease: int) -> AsyncGenerator[Down, None]:  # noqa: ARG002 - the protocol's signature
        self._check()
        yield Changed()
        for message in self.says.pop(0) if self.says else []:
            self.on_event()
            yield message
        raise CloudAway("ended")

    async def probe(self) -> None:
        self._check()

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def https() -> Way:
    return Way("https")


@pytest.fixture
def mqtt() -> Way:
    return Way("mqtt")


async def posted(ways: Ways) -> bool:
    try:
        await ways.post(b"frame")
    except CloudAway:
        return False
    return True


async def test_frames_fall_back_and_come_back_to_the_preferred_way(https: Way, mqtt: Way, clock: Any) -> None:
    ways = Ways([https, mqtt], clock)
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 2:
            https.works = True
        clock.turn(pause_s)
        await asyncio.sleep(0)

    probing = asyncio.ensure_future(ways.keep_probing(sleep))
    await asyncio.sleep(0)  # it waits for something to look after
    try:
        with capture_logs() as logs:
            https.works = False
            assert [await posted(ways) for _ in range(MISSES + 1)] == [False] * MISSES + [True]
            assert (ways.name, mqtt.frames) == ("mqtt", [b"frame"])
            async with asyncio.timeout(10):
                while ways.name == "mqtt":  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0)
        assert pauses == [PROBE_EVERY_NS / 1e9] * 2
        assert await posted(ways)
        assert https.frames == [b"frame"]
    finally:
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
    assert [(line["event"], line["now"]) for line in logs] == [("way_changed", "mqtt"), ("way_changed", "https")]


async def test_a_session_is_opened_on_whichever_way_has_them(https: Way, mqtt: Way, clock: Any) -> None:
    ways = Ways([mqtt, https], clock)
    mqtt.sessions_work = False
    assert (await ways.open_session(6)).lease == 7
    assert (mqtt.lasts, https.lasts) == ([], [6])
    https.says = [[COMMAND]]
    messages = ways.events(7)
    assert [await anext(messages), await anext(messages)] == [Changed(), COMMAND]
    await messages.aclose()
    https.works = False
    with pytest.raises(CloudAway, match="no https"):
        await ways.open_session(7)


async def test_both_ways_are_closed(https: Way, mqtt: Way, clock: Any) -> None:
    await Ways([https, mqtt], clock).aclose()
    assert https.closed
    assert mqtt.closed


@dataclass
class Orders:
    """Writes down what it is given."""

    highest_lease: int = 5
    given: list[Any] = field(default_factory=list)

    async def opened(self, session: Session, *, rtt_ns: int) -> None:  # noqa: ARG002 - the protocol's signature
        self.highest_lease = session.lease
        self.given.append(session.lease)

    def give(self, command: Command) -> None:
        self.given.append(command)


@dataclass
class Listening:
    listener: Listener
    pauses: list[float]
    changed: list[bool]


@asynccontextmanager
async def listening(cloud: Way, clock: Any, orders: Orders | None, rounds: int) -> AsyncIterator[Listening]:
    """A listener that sleeps for good after so many rounds."""
    pauses: list[float] = []
    changed: list[bool] = []
    done = asyncio.Event()

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == rounds:
            done.set()
            await asyncio.Event().wait()

    hearers = Hearers(changed=lambda: changed.append(listener.up), orders=orders)
    listener = Listener(cloud, hearers, clock=clock, backoff=Backoff(64, lambda: 1.0), sleep=sleep)
    task = asyncio.ensure_future(listener.run())
    try:
        async with asyncio.timeout(10):
            await done.wait()
        yield Listening(listener, pauses, changed)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_sessions_follow_each_other_and_all_that_is_said_is_handed_on(https: Way, clock: Any) -> None:
    orders = Orders()
    https.says = [[COMMAND, Changed()], [COMMAND]]
    async with listening(https, clock, orders, 2) as heard:
        # A change is assumed when a session begins and when it ends: nobody said what happened in between.
        assert heard.changed == [True, True, False, True, False]
        assert not heard.listener.up
    assert https.lasts == [5, 6]
    assert orders.given == [6, COMMAND, 7, COMMAND]


async def test_a_box_that_takes_no_commands_hears_of_changes(https: Way, clock: Any) -> None:
    https.says = [[COMMAND, Changed()]]
    async with listening(https, clock, None, 1) as heard:
        assert heard.changed == [True, True, False]
    assert https.lasts == [0]


async def test_sessions_that_are_taken_away_at_once_are_opened_ever_more_slowly(https: Way, clock: Any) -> None:
    async with listening(https, clock, Orders(), 5) as heard:
        assert heard.pauses == [1, 2, 4, 8, 16]


async def test_a_session_that_lasted_is_followed_by_the_next_at_once(https: Way, clock: Any) -> None:
    https.says = [[Changed()], [Changed()], [], []]
    https.on_event = lambda: clock.turn(LASTING_NS / 1e9 + 1)
    async with listening(https, clock, Orders(), 4) as heard:
        assert heard.pauses == [1, 1, 2, 4]


async def test_a_cloud_without_sessions_is_asked_seldom_and_not_heard(https: Way, clock: Any) -> None:
    https.sessions_work = False
    async with listening(https, clock, Orders(), 3) as heard:
        assert heard.pauses == [2, 2, 4]
        assert heard.changed == []


async def test_a_pause_is_cut_short_and_a_wake_is_not_lost() -> None:
    pauses = Pauses()
    pauses.wake()
    async with asyncio.timeout(10):
        await pauses.sleep(3600)
    sleeping = asyncio.ensure_future(pauses.sleep(3600))
    await asyncio.sleep(0)
    pauses.wake()
    async with asyncio.timeout(10):
        await sleeping
    await pauses.sleep(0.01)
