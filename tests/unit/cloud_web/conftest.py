"""The staff pages over a furnished SQLite database, asked through ASGI."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cloud.db.engine import Sessions, open_sessions
from cloud.web import StaffDeps, create_staff_app
from tests.integration.conftest import TurnedClock
from tests.unit.cloud_web.office import LIBRARIES, PASSWORD, Refs, furnish, staff_deps


@dataclass(frozen=True, slots=True)
class Furnished:
    """A database file that tests copy, and what is in it."""

    path: Path
    refs: Refs
    clock: TurnedClock


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Furnished:
    path = tmp_path_factory.mktemp("office") / "office.db"
    shutil.copyfile(sqlite_template, path)
    clock = TurnedClock()

    async def fill() -> Refs:
        sessions = open_sessions(f"sqlite:///{path}")
        try:
            return await furnish(sessions, clock)
        finally:
            await sessions.engine.dispose()

    return Furnished(path, asyncio.run(fill()), clock)


@pytest.fixture
def refs(furnished: Furnished) -> Refs:
    return furnished.refs


@pytest.fixture
def now(furnished: Furnished) -> TurnedClock:
    return TurnedClock(furnished.clock.now)


@pytest.fixture
async def office(furnished: Furnished, tmp_path: Path) -> AsyncIterator[Sessions]:
    """Sessions on the test's own copy of the day."""
    path = tmp_path / "office.db"
    shutil.copyfile(furnished.path, path)
    sessions = open_sessions(f"sqlite:///{path}")
    yield sessions
    await sessions.engine.dispose()


@pytest.fixture
def deps(office: Sessions, now: TurnedClock) -> StaffDeps:
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    return staff_deps(office, now)


@pytest.fixture
async def anyone(deps: StaffDeps) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is not signed in."""
    transport = httpx.ASGITransport(create_staff_app(deps))
    async with httpx.AsyncClient(transport=transport, base_url="http://staff.test") as client:
        yield client


SignIn = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def sign_in(anyone: httpx.AsyncClient) -> SignIn:
    """Signs that browser in through the form, as a person does."""

    async def enter(login: str) -> httpx.AsyncClient:
        form = await anyone.get("/sign-in")
        given = {"login": login, "password": PASSWORD, "csrf": token_in(form.text)}
        answer = await anyone.post("/sign-in", data=given)
        assert answer.status_code == 303, answer.text
        return anyone

    return enter


@pytest.fixture
async def noa(sign_in: SignIn) -> httpx.AsyncClient:
    """A supervisor's browser."""
    return await sign_in("noa")


def token_in(page: str) -> str:
    """The token that the page's first form would send back."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@pytest.fixture
def token() -> Callable[[str], str]:
    return token_in
