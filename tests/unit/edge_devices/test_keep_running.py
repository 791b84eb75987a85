"""The supervisor: what fails is logged and started again, ever more slowly; what is cancelled ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from edge.supervisor import CALM_S, FIRST_PAUSE_S, PAUSE_CAP_S, keep_running


class Failing:
    """Fails as often as told, each time after so many seconds of the loop's clock, then returns."""

    def __init__(self, times: int, after_s: float = 0.0) -> None:
        self.left = times
        self.after_s = after_s
        self.pauses: list[float] = []

    async def work(self) -> None:
        if not self.left:
            return
        self.left -= 1
        asyncio.get_running_loop().time = later(asyncio.get_running_loop().time, self.after_s)  # type: ignore[method-assign]
        raise ExceptionGroup("two at once", [ValueError("x"), OSError("y")])

    async def sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)


def later(now: Callable[[], float], seconds: float) -> Callable[[], float]:
    return lambda: now() + seconds


async def run(failing: Failing) -> list[str]:
    with capture_logs() as logs:
        await keep_running("scale", failing.work, sleep=failing.sleep)
    return [line["event"] for line in logs if line["task"] == "scale"]


async def test_failures_are_logged_each_and_pauses_double_to_the_cap() -> None:
    failing = Failing(9)
    assert await run(failing) == ["task_failed"] * 9
    assert failing.pauses == [FIRST_PAUSE_S * 2**n for n in range(6)] + [PAUSE_CAP_S] * 3


async def test_a_task_that_ran_calmly_starts_over_with_the_first_pause() -> None:
    failing = Failing(4, after_s=CALM_S + 1)
    await run(failing)
    assert failing.pauses == [FIRST_PAUSE_S] * 4


@pytest.mark.parametrize("moment", ["work", "pause"])
async def test_cancellation_ends_it_at_once(moment: str) -> None:
    forever = asyncio.Event()
    failing = Failing(1 if moment == "pause" else 0)

    async def work() -> None:
        await failing.work()
        await forever.wait()

    async def sleep(_pause_s: float) -> None:
        await forever.wait()

    started: Awaitable[None] = asyncio.create_task(keep_running("scale", work, sleep=sleep))
    with capture_logs():
        await asyncio.sleep(0.01)
        started.cancel()
        with pytest.raises(asyncio.CancelledError):
            await started
