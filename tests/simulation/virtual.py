"""An event loop whose time jumps to the next timer: hours pass in milliseconds, and the same seed gives the same history."""

import asyncio
from collections.abc import Callable
from typing import Any


class NothingToWaitFor(Exception):
    """Every task waits for another: nothing will ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """One thread, no sockets. What would run in another thread runs at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = _Jump(self)

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]  # noqa: ARG002
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as exc:  # noqa: BLE001 - a thread hands on whatever is raised in it
            future.set_exception(exc)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector."""


class _Jump:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise NothingToWaitFor
        self._loop.jump(max(timeout, 0.0))
        return []

    def close(self) -> None:
        """Nothing is open."""


def run_virtually(main: Callable[[], Any]) -> Any:
    """Run a coroutine function to its end; what it leaves running is cancelled."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main())
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
