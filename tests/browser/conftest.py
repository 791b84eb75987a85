"""Browser tests: Chromium driven directly, and a kiosk on a free port with devices and a journal in memory."""

import asyncio
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from edge.devices.live import LinkState
from edge.health.facts import BoxHealth
from edge.jobs.routing import Routing
from edge.kiosk.app import create_kiosk
from edge.kiosk.deps import KioskDeps, KioskSettings
from edge.kiosk.live import Board
from edge.kiosk.shots import Shots
from edge.kiosk.status import SyncStatus
from edge.kiosk.store import KioskStore
from tests.unit.edge_jobs.station import SCALE, SCANNER, Station, masters

CHROMIUM = Path("/usr/bin/chromium")
# --no-sandbox only because tests may run as root; the rest keeps the browser from talking to anyone.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"
PX_PER_MM = {"1280x800": 5.87, "800x480": 5.19}
START_S = 20
REPEAT_S = 0.2


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Browser tests come last: Playwright keeps an event loop running in this thread, beside which no other can be started."""
    yield
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser per module; skips where Debian's Chromium is not installed.

    Not per session: Playwright's blocking interface keeps an event loop running in this thread, and every asyncio test of a
    module that comes later would find it there.
    """
    if not CHROMIUM.exists():
        pytest.skip("Chromium is missing: apt-get install chromium")
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@dataclass
class RunningKiosk:
    """A kiosk served on 127.0.0.1; `do` runs a call on its event loop and waits for it."""

    url: str
    station: Station
    sync: list[SyncStatus]
    do: Callable[[Callable[[], object]], None]
    board: Board
    scale_speaks: list[bool]
    """Whether the scale repeats its value, as real ones do; a test empties its mouth."""
    health: list[BoxHealth]
    """How the box is; its medium's level turns the screen red."""


class _Server:
    """Runs the kiosk's event loop on a thread of its own, ended and joined by `close`."""

    def __init__(self, folder: Path, px_per_mm: float, shots: Shots | None = None) -> None:
        self.folder, self.px_per_mm, self.shots = folder, px_per_mm, shots
        self.ready = threading.Event()
        self.running: RunningKiosk | None = None
        self.fault: BaseException | None = None
        self.thread = threading.Thread(target=self._main, name="kiosk")

    def start(self) -> RunningKiosk:
        self.thread.start()
        if not self.ready.wait(START_S) or self.running is None:
            raise RuntimeError(f"the kiosk did not start: {self.fault}")
        return self.running

    def close(self) -> None:
        if self.running is not None:
            self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(START_S)
        assert not self.thread.is_alive()
        if self.fault is not None:
            raise self.fault

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except (OSError, RuntimeError, ExceptionGroup) as exc:
            self.fault = exc
        finally:
            self.ready.set()

    async def _serve(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        store = await KioskStore.open(self.folder / "kiosk.db")
        try:
            station = Station(running=True, drafts=store)
            station.masters = masters(PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024),)).hash("4711"))
            await station.desk.start()
            sync = [SyncStatus(link_up=True, since_ns=station.clock.now_ns(), waiting=0, oldest_waiting_s=None, box_id="BOX")]
            health = [BoxHealth()]
            settings = KioskSettings(station="receiving-1", px_per_mm=self.px_per_mm, scale=SCALE, scanner=SCANNER)
            app = create_kiosk(
                KioskDeps(
                    station.desk,
                    station.hub,
                    lambda: station.masters,
                    lambda: sync[0],
                    station.clock,
                    store,
                    settings,
                    LIBRARIES,
                    os.urandom,
                    health=lambda: health[0],
                    photos=_keep_photo,
                    shots=self.shots,
                    level=lambda: health[0].disk.level,
                )
            )
            with socket.create_server(("127.0.0.1", 0)) as listening:
                config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2, lifespan="on")
                server = uvicorn.Server(config)
                async with asyncio.TaskGroup() as tasks:
                    scans = tasks.create_task(station.desk.listen_to_scans(Routing(station.desk)))
                    serving = tasks.create_task(server.serve(sockets=[listening]))
                    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
                        await asyncio.sleep(0.01)
                    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
                    speaks = [True]
                    scale = tasks.create_task(_repeat(station, speaks))
                    self.running = RunningKiosk(url, station, sync, self._do, app.state.board, speaks, health)
                    self.ready.set()
                    await self.stop.wait()
                    app.state.board.close()
                    server.should_exit = True
                    await serving
                    scans.cancel()
                    scale.cancel()
        finally:
            await store.close()

    def _do(self, call: Callable[[], object]) -> None:
        async def on_the_loop() -> None:
            call()

        asyncio.run_coroutine_threadsafe(on_the_loop(), self.loop).result(START_S)


async def _keep_photo(picture: bytes, *, media: str, about: Mapping[str, str]) -> str:
    assert (media, set(about)) == ("image/jpeg", {"job"})
    return hashlib.sha256(picture).hexdigest()


async def _repeat(station: Station, speaks: list[bool]) -> None:
    while True:
        await asyncio.sleep(REPEAT_S)
        if speaks[0] and station.hub.live(SCALE).link is LinkState.UP:
            station.hub.repeat()


@pytest.fixture
def panel_size() -> str:
    """Width by height; tests override it by parametrising."""
    return "1280x800"


@pytest.fixture
def shots() -> Shots | None:
    """The station's camera; tests that want one override it."""
    return None


@pytest.fixture
def kiosk(tmp_path: Path, panel_size: str, shots: Shots | None) -> Iterator[RunningKiosk]:
    server = _Server(tmp_path, PX_PER_MM[panel_size], shots)
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def page(chromium: Browser, panel_size: str) -> Iterator[Page]:
    """A fresh browser window of the panel's size."""
    width, height = (int(side) for side in panel_size.split("x"))
    context = chromium.new_context(viewport={"width": width, "height": height}, has_touch=True)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()
