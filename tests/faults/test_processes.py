"""Real processes under load, each killed and started again, a bad line between them: every confirmed reading arrives, once."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.faults.fleet import Fleet, fleet
from tests.faults.histories import entries_of, numbers
from tests.faults.postgres import postgres

RATE = 200.0

Fault = Callable[[Fleet, random.Random], Awaitable[None]]


async def kill_box(all_of_it: Fleet, draw: random.Random) -> None:
    await all_of_it.box.kill()
    await asyncio.sleep(draw.uniform(0, 0.3))
    await all_of_it.box.start()


async def kill_worker(all_of_it: Fleet, draw: random.Random) -> None:
    part = draw.choice(all_of_it.workers)
    part.kill()
    await part.ended()
    await asyncio.sleep(draw.uniform(0, 0.5))
    await part.start()


async def kill_database(all_of_it: Fleet, draw: random.Random) -> None:
    all_of_it.database.kill()
    await asyncio.sleep(draw.uniform(0, 0.5))
    await asyncio.to_thread(all_of_it.database.start)


async def other_worker(all_of_it: Fleet, draw: random.Random) -> None:
    """As behind a load balancer: the next connection goes to another worker, the old one may be cut."""
    all_of_it.relay.target_port = draw.choice(all_of_it.ports)
    all_of_it.relay.cut(draw.choice(["rst", "fin"]))


async def slow_line(all_of_it: Fleet, draw: random.Random) -> None:
    all_of_it.relay.up.delay_s, all_of_it.relay.down.delay_s = draw.uniform(0, 0.3), draw.uniform(0, 0.3)
    all_of_it.relay.up.bytes_per_s = draw.choice([None, 20_000.0])
    await asyncio.sleep(1.5)


async def cut_line(all_of_it: Fleet, draw: random.Random) -> None:
    for _ in range(5):
        all_of_it.relay.cut(draw.choice(["rst", "fin"]), draw.choice(["both", "both", "client", "server"]))
        await asyncio.sleep(draw.uniform(0, 0.2))


async def half_open_line(all_of_it: Fleet, draw: random.Random) -> None:
    all_of_it.relay.go_silent()
    await asyncio.sleep(draw.uniform(0.5, 2.5))


async def lost_answers(all_of_it: Fleet, draw: random.Random) -> None:
    all_of_it.relay.down.loses = lambda: draw.random() < 0.2
    await asyncio.sleep(1.5)


async def doubled_bytes(all_of_it: Fleet, _: random.Random) -> None:
    all_of_it.relay.up.duplicate = all_of_it.relay.down.duplicate = 1
    await asyncio.sleep(0.5)


async def replayed_bytes(all_of_it: Fleet, _: random.Random) -> None:
    await all_of_it.relay.replay(patience_s=0.3)


async def refused_connections(all_of_it: Fleet, draw: random.Random) -> None:
    all_of_it.relay.takes = "reset"
    all_of_it.relay.cut()
    await asyncio.sleep(draw.uniform(0.2, 1.0))


async def kill_broker(all_of_it: Fleet, draw: random.Random) -> None:
    assert all_of_it.broker is not None
    all_of_it.broker.kill()
    await asyncio.sleep(draw.uniform(0, 0.5))
    await asyncio.to_thread(all_of_it.broker.start)


FAULTS: tuple[Fault, ...] = (
    kill_box, kill_worker, kill_database, slow_line, cut_line, half_open_line, lost_answers, doubled_bytes, replayed_bytes,
    refused_connections,
)  # fmt: skip


async def play(all_of_it: Fleet, draw: random.Random, rounds: int) -> Counter[str]:
    """Every fault once a round, in an order of its own, with some calm between them; how often each was."""
    done: Counter[str] = Counter()
    faults = (*FAULTS, kill_broker if all_of_it.broker else other_worker)
    for _ in range(rounds):
        for fault in draw.sample(faults, len(faults)):
            await fault(all_of_it, draw)
            all_of_it.relay.heal()
            done[fault.__name__] += 1
            await asyncio.sleep(draw.uniform(0.1, 0.6))
    return done


async def assert_everything_arrived(all_of_it: Fleet) -> int:
    """No more readings, all sent: journal, cloud and what was said compare equal. How many readings there were."""
    await all_of_it.box.finish()
    kept, held, said = entries_of(all_of_it.box.journal), all_of_it.cloud_rows(), all_of_it.box.confirmed()
    assert held == kept
    found = numbers(held)
    assert len(found) == len(set(found)), "a reading is there twice"
    assert said.keys() <= set(found)
    for n, key in said.items():
        assert f'"value":"{n}"'.encode() in held[key]
    return len(said)


async def hurt_and_compared(folder: Path, *, seed: int, rounds: int, by_broker: bool = False) -> None:
    with postgres() as database:
        async with fleet(folder, database, rate=RATE, by_broker=by_broker) as all_of_it:
            done = await play(all_of_it, random.Random(seed), rounds)
            assert set(done.values()) == {rounds}
            readings = await assert_everything_arrived(all_of_it)
            # The box was really busy all the time, not waiting for a machine that could not follow.
            assert readings > 500 * rounds
            assert all_of_it.relay.accepted > rounds


@pytest.mark.timeout(300)
async def test_every_confirmed_reading_arrives_once_over_https(tmp_path: Path) -> None:
    await hurt_and_compared(tmp_path, seed=1, rounds=2)


@pytest.mark.timeout(300)
async def test_every_confirmed_reading_arrives_once_through_a_broker(tmp_path: Path) -> None:
    await hurt_and_compared(tmp_path, seed=2, rounds=2, by_broker=True)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("by_broker", [False, True], ids=["https", "mqtt"])
@pytest.mark.parametrize("seed", range(10, 15))
async def test_longer_histories(tmp_path: Path, seed: int, *, by_broker: bool) -> None:
    await hurt_and_compared(tmp_path, seed=seed, rounds=6, by_broker=by_broker)
