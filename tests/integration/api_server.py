"""The interface on a free port of 127.0.0.1, on a thread of its own, for clients that know no event loop."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

from cloud.db.engine import open_sessions
from tests.integration.api_world import ApiSite, open_site
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import World

START_S = 30

Prepare = Callable[[ApiSite], Awaitable[str]]
"""Furnishes the database and gives the key to come with."""


class ApiServer:
    """Started by `with`; `url` ends with `/api`."""

    def __init__(self, database: Path, world: World, prepare: Prepare, **deps: Any) -> None:
        self._database = f"sqlite:///{database}"
        self._world, self._prepare, self._deps = world, prepare, deps
        self._ready = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="api")
        self.url = self.key = ""

    def __enter__(self) -> "ApiServer":
        self._thread.start()
        if not self._ready.wait(START_S) or not self.url:
            raise RuntimeError(f"the interface did not start: {self._fault!r}")
        return self

    def __exit__(self, *_: object) -> None:
        if self.url:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        assert not self._thread.is_alive()
        if self._fault is not None:
            raise self._fault

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as exc:  # noqa: BLE001 - handed to the test's own thread
            self._fault = exc
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        sessions = open_sessions(self._database)
        try:
            site = await open_site(sessions, self._world, TurnedClock(), **self._deps)
            self.key = await self._prepare(site)
            with socket.create_server(("127.0.0.1", 0)) as listening:
                server = uvicorn.Server(uvicorn.Config(site.app, log_level="error", timeout_graceful_shutdown=2))
                serving = asyncio.create_task(server.serve(sockets=[listening]))
                while not server.started:  # noqa: ASYNC110 - uvicorn gives no event for it
                    await asyncio.sleep(0.01)
                self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
                self._ready.set()
                await self._stop.wait()
                server.should_exit = True
                await serving
        finally:
            await sessions.engine.dispose()
