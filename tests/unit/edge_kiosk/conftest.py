"""Fixtures: a kiosk over in-memory devices, spoken to without a socket."""

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from edge.jobs.routing import Routing
from edge.kiosk.app import create_kiosk
from edge.kiosk.deps import KioskDeps, KioskSettings
from edge.kiosk.status import SyncStatus
from edge.kiosk.store import KioskStore
from tests.unit.edge_jobs.station import SCALE, SCANNER, Station, masters

LIBRARIES = Path(__file__).resolve().parents[3] / "node_modules"
PIN = "4711"
# Weak on purpose: the tests check the lock, not its strength.
PIN_HASH = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024),)).hash(PIN)
PROGRAM = {"accept": "application/json", "x-tallybox": "1"}


class Kept:
    """Stands for the box's files: remembers what it was given."""

    def __init__(self) -> None:
        self.pictures: list[tuple[bytes, str, dict[str, str]]] = []

    async def __call__(self, picture: bytes, *, media: str, about: Mapping[str, str]) -> str:
        self.pictures.append((picture, media, dict(about)))
        return f"{len(self.pictures):064x}"


@dataclass
class Kiosk:
    """The application, its parts, and a client that is not signed in yet."""

    app: FastAPI
    deps: KioskDeps
    station: Station
    client: httpx.AsyncClient
    routing: Routing
    sync: list[SyncStatus]

    async def sign_in(self, login: str = "omar", pin: str = PIN) -> httpx.Response:
        return await self.client.post("/api/signin", json={"login": login, "pin": pin}, headers=PROGRAM)

    async def scan(self, text: str, **details: str) -> None:
        self.station.clock.turn(3)
        self.station.hub.repeat()
        await self.routing.route(self.station.hub.scan(text, **details))

    async def state(self) -> dict[str, object]:
        answer = await self.client.get("/api/state", headers=PROGRAM)
        assert answer.status_code == 200
        found: dict[str, object] = answer.json()
        return found

    async def act(self, action: str, **fields: object) -> httpx.Response:
        job = self.station.desk.job
        return await self.client.post(f"/api/jobs/{job.id if job else 'none'}/{action}", json=fields, headers=PROGRAM)


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080")


def deps_of(station: Station, store: KioskStore, sync: list[SyncStatus]) -> KioskDeps:
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    settings = KioskSettings(station="receiving-1", scale=SCALE, scanner=SCANNER)
    return KioskDeps(
        station.desk,
        station.hub,
        lambda: station.masters,
        lambda: sync[0],
        station.clock,
        store,
        settings,
        LIBRARIES,
        os.urandom,
        photos=Kept(),
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[KioskStore]:
    opened = await KioskStore.open(tmp_path / "kiosk.db")
    yield opened
    await opened.close()


@pytest.fixture
async def kiosk(store: KioskStore) -> AsyncIterator[Kiosk]:
    station = Station(drafts=store)
    station.masters = masters(PIN_HASH)
    await station.desk.start()
    sync = [SyncStatus(link_up=True, since_ns=0, waiting=0, oldest_waiting_s=None, box_id="BOX")]
    deps = deps_of(station, store, sync)
    app = create_kiosk(deps)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield Kiosk(app, deps, station, client, Routing(station.desk), sync)
