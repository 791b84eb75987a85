"""The interface inside the staff application: its sessions, its words, its headers, and larger bodies than forms have."""

from pathlib import Path

import httpx
import pytest

from cloud.db.engine import Sessions
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.people import sessions as web_sessions
from cloud.people.accounts import NewUser, create_user
from cloud.people.models import Role
from cloud.web.access import SESSION_COOKIE
from cloud.web.app import create_staff_app
from cloud.web.settings import StaffDeps, StaffSettings
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import make_world

LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"
PASSWORD = "weigh-anchor-42"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_signed_in_person_asks_the_interface(sessions: Sessions, clock: TurnedClock, tmp_path: Path) -> None:
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    async with sessions.write() as session:
        taken = Taken(Actor.user("root", "admin"), clock.now, access=Access.all())
        await create_user(session, NewUser("ada", "Ada", Role.ADMIN, password=PASSWORD), taken)
    signed = await web_sessions.sign_in(sessions, login="ada", password=PASSWORD, now=clock.now)
    settings = StaffSettings(hosts=frozenset({"staff.test"}))
    deps = StaffDeps(sessions, LIBRARIES, settings, clock, registry=make_world(tmp_path).registry)
    headers = {"Cookie": f"{SESSION_COOKIE}={signed.token}", "X-CSRF-Token": signed.csrf}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_staff_app(deps)), base_url="http://staff.test", headers=headers
    ) as client:
        made = await client.post("/api/o/company", json={"values": {"name": "A", "city": "x" * 200}})
        assert (made.status_code, made.json()["created_by"]) == (201, "ada")
        # Twice what a form may hold; 64 kB of blanks are JSON too.
        blank = b'{"values": {"subject": "s"' + b" " * 130_000 + b"}}"
        large = await client.post("/api/o/visit", content=blank, headers={"Content-Type": "application/json"})
        assert large.status_code == 201, large.text
        lines = [{"what": "w", "qty": 1}] * 600
        refused = await client.post("/api/o/visit", json={"values": {"subject": "s", "lines": lines}})
        assert refused.status_code == 422
        assert refused.headers["content-language"] == "he"
        assert refused.headers["x-content-type-options"] == "nosniff"
        said = refused.json()
        assert said["detail"] == "חלק מהערכים אינם קבילים."
        assert "500" in said["errors"][0]["message"]
        assert (await client.get("/api/receipts")).json()["rows"] == []
        assert (await client.get("/api/o/company/C-0001/history")).status_code == 200
        unknown = await client.get("/api/nowhere")
        assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
        await client.get("/api/o", headers={"Cookie": f"{SESSION_COOKIE}=x"})
        stranger = await client.get("/api/o", headers={"Cookie": ""})
        assert stranger.status_code == 401
