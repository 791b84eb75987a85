"""The box is killed at random moments of a receipt: the job stands where it stood, nothing is lost, nothing counts twice."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from firmware_sim.demo import Load
from sync_protocol.entries import StepEntry
from tests.integration.operating import NO_JOB, Act, State, receipt_acts, standing
from tests.integration.running import Running, ready, running_thread

SEEDS = range(20)
IN_FLIGHT_S = 0.04
"""Longer than the box needs for any act, so that kills fall before, into and behind the writing."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def thread(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One site, cloud and box for all seeds: every seed is a receipt of its own on the same journal."""
    directory: Path = tmp_path_factory.mktemp("thread")
    async with running_thread(directory) as running:
        yield running


def loads_of(seed: int) -> tuple[Load, ...]:
    return (
        Load("CHK-CUB", "07290001234563", f"CB-{seed}", str(2000 + 5 * seed)),
        Load("SLM-FIL", "07290001234570", f"SF/{seed}", str(900 + 5 * seed)),
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_killed_box_stands_at_the_same_step_and_nothing_is_lost_or_doubled(thread: Running, seed: int) -> None:
    draw = random.Random(seed)
    document = f"DN-{seed}-{draw.randrange(10**6)}"
    acts = list(receipt_acts(document, loads_of(seed), by_touch=draw.random() < 0.5))
    killed_at = draw.randrange(len(acts))
    before, done = NO_JOB, None
    for number, act in enumerate(acts):
        await act.prepare(thread.operator)
        if number == killed_at:
            await kill_around(thread, draw, before, act, done)
        else:
            await act.finish(thread.operator)
        before, done = act.after, act
    await received_once(thread, document, acts)


async def kill_around(thread: Running, draw: random.Random, before: tuple[object, ...], act: Act, done: Act | None) -> None:
    """Kill the box between the acts `done` and `act`, while `act` is under way, or right after it; then go on."""
    moment = draw.choice(["between", "in flight", "in flight", "right after"])
    answered: State | None = None
    if moment == "between":
        await thread.kill_box()
    elif moment == "in flight":
        asked = asyncio.ensure_future(act.start(thread.operator))
        await asyncio.sleep(draw.uniform(0, IN_FLIGHT_S))
        await thread.kill_box()
        answered = await asked
    else:
        answered = await act.finish(thread.operator)
        await thread.kill_box()
    state = await thread.restart_box()
    where = {"between": {before}, "in flight": {before, act.after}, "right after": {act.after}}[moment]
    assert standing(state) in ({act.after} if answered else where), (moment, act.name)
    await thread.operator.until("the devices to be back", ready)
    if done is not None and done.cmd:
        # An answer that was lost on the way to a page that comes late: it must be given again, and nothing be done.
        late = await done.start(thread.operator)
        assert late is not None
        assert standing(late) == standing(state)
    if act.grams is not None and standing(state) == before:
        await act.prepare(thread.operator)
    if act.scan is None or standing(state) == before:
        await act.finish(thread.operator)


async def received_once(thread: Running, document: str, acts: list[Act]) -> None:
    """Journal and cloud hold the same entries, every command made one step, and the receipt has exactly the kept lines."""
    await thread.all_sent()
    receipt = await thread.decided(document)
    assert (receipt["state"], receipt["verification"]["ok"]) == ("posted", True)
    kept = acts[-2].after[3]
    lines = [(line["sku"], line["lot"], line["quantity"], "confirmed") for line in receipt["lines"]]
    assert lines == list(kept)
    assert thread.stored.cloud() == thread.stored.journal()
    steps = [step for step in thread.stored.entries(StepEntry) if step.job == receipt["uid"]]
    assert [step.n for step in steps] == list(range(len(acts) - 1))
    counted = Counter(step.data["cmd"] for step in thread.stored.entries(StepEntry))
    assert set(counted.values()) == {1}
    assert counted.keys() >= {act.cmd for act in acts if act.cmd and act.name != "begin"}
