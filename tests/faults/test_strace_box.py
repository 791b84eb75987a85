"""The whole box is struck in a system call on its journal while an operator receives goods: what was shown as done is done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from firmware_sim.demo import Load
from firmware_sim.demo_operator import DemoFailed
from tests.faults.tracing import Point, cannot_trace, traced, was_hit
from tests.integration.operating import NO_JOB, WAIT_S, Act, Standing, receipt_acts, standing
from tests.integration.running import Running, ready, running_thread
from tests.integration.test_thread_kill_box import received_once

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

# Calls of the journal's own thread while a receipt is made: some dozen commits.
POINTS = [
    *(Point("fdatasync", n, "KILL") for n in (2, 5, 8)),
    *(Point("pwrite64", n, "KILL") for n in (9, 17, 26)),
    *(Point("fdatasync", n, "EIO") for n in (3, 7)),
    Point("pwrite64", 14, "EIO"),
    *(Point("pwrite64", n, "ENOSPC") for n in (12, 21)),
]

PATIENCE_S = 3.0
"""How long an operator waits for a scan to show before scanning again."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def thread(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    reason = cannot_trace()
    if reason is not None:
        pytest.skip(reason)
    async with running_thread(tmp_path_factory.mktemp("thread")) as running:
        yield running


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_receipt_is_made_once_though_the_box_is_struck(thread: Running, point: Point, tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    number = POINTS.index(point)
    acts = list(
        receipt_acts(f"DN-STRACE-{number}", (Load("CHK-CUB", "07290001234563", f"ST-{number}", str(3000 + 5 * number)),))
    )
    await start_box(thread, *traced(thread.stored.box_journal, log, point))
    before = NO_JOB
    for act in acts:
        await done(thread, act, before)
        before = act.after
    if thread.parts.box.before:
        await start_box(thread)  # it lives yet: what strace saw is whole when its process has ended
    assert was_hit(log, point), f"{point} was never reached"
    await received_once(thread, acts[1].after[2], acts)


async def start_box(thread: Running, *before: str) -> None:
    """Kill the box if it runs, and start it with this before its command."""
    await thread.kill_box()
    thread.parts.box.before = before
    try:
        await thread.restart_box()
    except DemoFailed:
        # Struck before it was up: whoever looks after the process starts it again.
        assert before
        thread.parts.box.before = ()
        await thread.restart_box()
    await thread.operator.until("the devices to be back", ready)


async def done(thread: Running, act: Act, before: Standing) -> None:
    """What an operator does: press or scan, again when nothing comes of it, and go on when the box is back."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await act.prepare(thread.operator)
                if await answered(thread, act):
                    assert standing(await thread.operator.state()) == act.after, act.name
                    return
            except (httpx.TransportError, AssertionError):
                # The box died under a look at it; if it lives, what failed was the test's own assertion.
                if not await has_ended(thread):
                    raise
            if await has_ended(thread):
                await start_box(thread)
            state = await thread.operator.state()
            assert standing(state) in (before, act.after), act.name
            if standing(state) == act.after:
                return


async def answered(thread: Running, act: Act) -> bool:
    """Whether the box said that it is done: the answer to a press, or what the page shows after a scan."""
    if act.scan is None:
        answer = await thread.operator.client.post(act.path, json={"cmd": act.cmd, **(act.fields or {})})
        return answer.status_code == 200
    await thread.operator.hands.scan(*act.scan)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while standing(await thread.operator.state()) != act.after:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.05)
            return True
    return False


async def has_ended(thread: Running) -> bool:
    """Whether the box's process is over; a broken connection may be seen a little before that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await thread.parts.box.ended()
            return True
    return False
