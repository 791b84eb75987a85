"""Pages of records on a free port of 127.0.0.1: a small world of objects, two admins, on a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import migrate
from cloud.kernel.actor import Actor, Taken
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.people.accounts import NewUser, create_user
from cloud.people.models import Role
from cloud.web import StaffDeps, StaffSettings, create_staff_app
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import make_world

LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"
PASSWORD = "weigh-anchor-42"
LOGINS = {"en": "ada", "he": "adi"}
HOSTILE = '<script>alert(1)</script>\u202e"><img src=x>'
START_S = 60


class ObjectSite:
    """Started by `with`; `do` runs work with a caller on its loop and waits for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = f"sqlite:///{folder / 'objects.db'}"
        self._ready = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="objects")
        self.url = ""
        self.world = make_world(folder)

    def __enter__(self) -> "ObjectSite":
        self._thread.start()
        if not self._ready.wait(START_S) or not self.url:
            raise RuntimeError(f"the pages did not start: {self._fault!r}")
        return self

    def __exit__(self, *_: object) -> None:
        if self.url:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        assert not self._thread.is_alive()
        if self._fault is not None:
            raise self._fault

    def do(self, work: Callable[[Caller], Awaitable[Any]]) -> Any:
        async def inside() -> Any:
            async with self._sessions.write() as session:
                return await work(await self.world.caller(session, login="ada"))

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(START_S)

    def visit(self, **given: object) -> str:
        """A new visit's number."""

        async def make(caller: Caller) -> str:
            item, _ = await service.create(caller, "visit", {"subject": "Talk", **given})
            return item.ref

        return str(self.do(make))

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
        self._sessions: Sessions = open_sessions(self._database)
        try:
            await self._furnish()
            settings = StaffSettings(organisation="Galil Fine Foods", hosts=frozenset({"127.0.0.1"}))
            clock = TurnedClock(self.world.now)
            deps = StaffDeps(self._sessions, LIBRARIES, settings, clock, registry=self.world.registry, hooks=self.world.hooks)
            with socket.create_server(("127.0.0.1", 0)) as listening:
                config = uvicorn.Config(create_staff_app(deps), log_level="error", timeout_graceful_shutdown=2)
                server = uvicorn.Server(config)
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

    async def _furnish(self) -> None:
        async with self._sessions.write() as session:
            taken = Taken(Actor.user("root", "admin"), self.world.now)
            for locale, login in LOGINS.items():
                await create_user(session, NewUser(login, login.title(), Role.ADMIN, password=PASSWORD, locale=locale), taken)
            caller = await self.world.caller(session, login="ada")
            for name, city, credit in (
                ("Galil Bakery", "Haifa", "1234.50"),
                ("מאפיית הגליל", "עכו", "-12.34"),
                (HOSTILE, "", ""),
            ):
                await service.create(caller, "company", {"name": name, "city": city, "credit": credit if credit > "0" else ""})
            for number in range(6):
                given = {
                    "subject": f"Visit {number}" if number % 2 else f"ביקור {number}",
                    "company": "C-0001" if number % 2 else "C-0002",
                    "on": f"2026-12-0{number + 1}" if number else "",
                    "lines": [{"what": "Flour 5%", "qty": "12.5", "price": "3.40"}],
                    "tags": ["hot", "large"],
                    "guests": ["C-0001", "C-0002"],
                    "fee": "12.345",
                    "note": "First line\nשורה שנייה",
                }
                await service.create(caller, "visit", given)
