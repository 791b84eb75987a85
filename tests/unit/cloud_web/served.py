"""The staff pages on a free port of 127.0.0.1, with a furnished database, on a thread of their own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvicorn

from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import migrate
from cloud.web import create_staff_app
from tests.integration.conftest import TurnedClock
from tests.unit.cloud_web.office import Refs, furnish, staff_deps

START_S = 30


class StaffSite:
    """Started by `with`; `do` runs a coroutine on its loop, with its database, and waits for it."""

    def __init__(self, folder: Path) -> None:
        self._database = f"sqlite:///{folder / 'office.db'}"
        self._ready = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="staff")
        self.url = ""
        self.refs: Refs
        self.clock = TurnedClock()

    def __enter__(self) -> "StaffSite":
        self._thread.start()
        if not self._ready.wait(START_S) or not self.url:
            raise RuntimeError(f"the staff pages did not start: {self._fault!r}")
        return self

    def __exit__(self, *_: object) -> None:
        if self.url:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        assert not self._thread.is_alive()
        if self._fault is not None:
            raise self._fault

    def do(self, work: Callable[[Sessions], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(work(self._sessions), self._loop).result(START_S)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as exc:  # noqa: BLE001 - handed to the test's own thread
            self._fault = exc
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await migrate(self._database)
        self._sessions = open_sessions(self._database)
        try:
            self.refs = await furnish(self._sessions, self.clock)
            app = create_staff_app(staff_deps(self._sessions, self.clock))
            with socket.create_server(("127.0.0.1", 0)) as listening:
                server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
                serving = asyncio.create_task(server.serve(sockets=[listening]))
                while not server.started:  # noqa: ASYNC110 - uvicorn gives no event for it
                    await asyncio.sleep(0.01)
                self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
                self._ready.set()
                await self._stop.wait()
                server.should_exit = True
                await serving
        finally:
            await self._sessions.engine.dispose()
