"""Two parties are made one on a page, and the old number leads to the new place."""

from cloud import catalogue
from cloud.db.engine import Sessions, open_sessions
from cloud.kernel.actor import Actor, Taken
from cloud.masters.demo import load_demo
from tests.integration.object_world import NOW, World
from tests.integration.test_object_pages import make_desk


async def test_one_party_takes_in_another(sqlite_url: str) -> None:
    sessions: Sessions = open_sessions(sqlite_url)
    desk = None
    try:
        async with sessions.write() as session:
            await load_demo(session, Taken(Actor.system("test"), NOW), pins={})
        desk = await make_desk(sessions, World(catalogue.registry(), catalogue.hooks()))
        given = {"kind": "company", "name": "Golan Fish Ltd", "roles": "supplier", "email": "orders@golan.example"}
        given |= {"status": "active", "language": "he"}
        made = await desk.send("/o/party/new", had=[*given], **{f"f__{key}": value for key, value in given.items()})
        twin = made.headers["location"].rpartition("/")[2].partition("?")[0]
        page = await desk.get("/o/party/SUP-014/merge")
        assert twin in page  # shares the mail address
        assert "/o/party/SUP-014/merge" in await desk.get("/o/party/SUP-014")
        assert "There is no such party." in (await desk.send("/o/party/SUP-014/merge", 422, lose="NOBODY")).text
        await desk.send("/o/party/SUP-014/merge", 422, lose="SUP-014")
        await desk.send("/o/party/SUP-014/merge", lose=f"Golan Fish Ltd · {twin}")
        answer = await desk.client.get(f"/o/party/{twin}")
        assert answer.status_code == 308
        assert answer.headers["location"] == "/o/party/SUP-014"
    finally:
        if desk is not None:
            await desk.client.aclose()
        await sessions.engine.dispose()
