"""The boxes' application: who is let in by certificate, how much is read, and what is said when the database is busy."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Request
from sqlalchemy import select

from cloud.app import create_sync_app
from cloud.boxes.models import Box, BoxStatus
from cloud.boxes.registry import set_status
from cloud.db import engine
from cloud.db.engine import Sessions, open_sessions
from cloud.deps import SyncDeps
from cloud.ingest.routes import BodyTooLarge, read_frame
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from sync_protocol import answers, mirror, signing
from sync_protocol.frame import MAX_FRAME
from sync_protocol.routes import BATCHES, FRAME_TYPE, down

HEADERS = {"content-type": FRAME_TYPE}


class Door:
    """The application, called with whatever certificate is held up."""

    def __init__(self, sessions: Sessions, clock) -> None:
        self.certificate: bytes | None = None
        self.wake = asyncio.Event()
        deps = SyncDeps(sessions, self.wake, clock, lambda _scope: self.certificate)
        transport = httpx.ASGITransport(create_sync_app(deps), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="https://cloud.test")

    async def post(self, content: object, **headers: str) -> httpx.Response:
        return await self.client.post(BATCHES, content=content, headers=HEADERS | headers)


@pytest.fixture
async def door(sessions, clock) -> AsyncIterator[Door]:
    made = Door(sessions, clock)
    yield made
    await made.client.aclose()


async def _refusals(sessions: Sessions) -> list[tuple[str, str]]:
    async with sessions.read() as session:
        rows = await session.execute(
            select(Event.actor, Event.action).where(Event.kind.in_(["box", "station"])).order_by(Event.id)
        )
        return [(actor, action) for actor, action in rows if action != "register"]


async def test_frame_of_a_known_box_is_acked_and_wakes_the_projector(door: Door, box) -> None:
    box.start()
    door.certificate = box.certificate()
    response = await door.post(box.frame())
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert isinstance(answers.parse(response.content), answers.Ack)
    assert door.wake.is_set()


async def test_no_certificate_unknown_box_and_wrong_key_are_refused_with_an_event_each(
    door: Door, sessions, box, make_box
) -> None:
    box.start()
    stranger = make_box(7)
    cases = [
        ("no_certificate", None),
        ("unknown_box", stranger.certificate()),
        ("unknown_box", box.certificate(name="not a box id")),
        ("wrong_key", box.certificate(key=ec.generate_private_key(ec.SECP256R1()))),
        ("unreadable_certificate", b"\x30\x03\x02\x01\x01"),
    ]
    for code, certificate in cases:
        door.certificate = certificate
        for response in (await door.post(box.frame()), await door.client.get(down("receiving-1"))):
            assert (response.status_code, response.json()["code"]) == (403, code)
    assert await _refusals(sessions) == [("unknown", code) for code, _ in cases for _ in range(2)]
    assert not door.wake.is_set()


async def test_key_given_in_exchange_lets_in_and_the_old_one_no_longer(door: Door, sessions, box) -> None:
    box.start()
    old = box.certificate()
    box.key = ec.generate_private_key(ec.SECP256R1())
    box.spki = signing.spki(box.key.public_key())
    await box.register(sessions)
    door.certificate = old
    assert (await door.post(box.frame())).status_code == 403
    door.certificate = box.certificate()
    assert (await door.post(box.frame())).status_code == 200


async def test_body_longer_than_any_frame_is_cut_off(door: Door, box) -> None:
    door.certificate = box.certificate()
    assert (await door.post(bytes(MAX_FRAME + 1))).status_code == 413
    assert (await door.post(b"", **{"content-length": "9" * 40})).status_code == 413


async def test_stream_is_read_no_further_than_a_frame() -> None:
    given = 0

    async def receive() -> dict[str, object]:
        nonlocal given
        given += 65536
        return {"type": "http.request", "body": bytes(65536), "more_body": True}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", FRAME_TYPE.encode())]}
    with pytest.raises(BodyTooLarge):
        await read_frame(Request(scope, receive))
    assert given <= MAX_FRAME + 65536


async def test_other_content_type_is_refused(door: Door, box) -> None:
    door.certificate = box.certificate()
    box.start()
    assert (await door.post(box.frame(), **{"content-type": "application/json"})).status_code == 415


async def test_locked_database_asks_to_come_again_and_nothing_is_lost(
    sqlite_url: str, make_box, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    sessions = open_sessions(sqlite_url)
    box = make_box(1)
    await box.register(sessions)
    box.start()
    door = Door(sessions, clock)
    door.certificate = box.certificate()
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        response = await door.post(box.frame())
        assert (response.status_code, response.headers["retry-after"]) == (503, "2")
        holder.execute("ROLLBACK")
        assert (await door.post(box.frame())).status_code == 200
    finally:
        holder.close()
        await door.client.aclose()
        await sessions.engine.dispose()


async def test_own_station_is_given_and_another_one_is_not(door: Door, sessions, box, demo) -> None:
    door.certificate = box.certificate()
    response = await door.client.get(down("receiving-1"))
    assert response.status_code == 200
    rows = mirror.applied({}, mirror.parse(response.content))
    assert ("order", "PO-2026-0041") in rows
    response = await door.client.get(down("receiving-2"))
    assert (response.status_code, response.json()["code"]) == (403, "foreign_scope")
    assert (box.id, "foreign_scope") in await _refusals(sessions)


async def test_unchanged_mirror_is_answered_with_304(door: Door, box, demo) -> None:
    door.certificate = box.certificate()
    first = await door.client.get(down("receiving-1"))
    cookie = mirror.parse(first.content).cookie
    again = await door.client.get(
        down("receiving-1"), params={"cookie": cookie}, headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    plain = await door.client.get(down("receiving-1"), params={"cookie": cookie})
    patch = mirror.parse(plain.content)
    assert (plain.status_code, patch.patch, patch.more) == (200, [], False)


async def test_health_needs_no_certificate(door: Door) -> None:
    assert (await door.client.get("/health")).json() == {"status": "ok"}


@pytest.mark.parametrize("status", [BoxStatus.SUSPENDED, BoxStatus.REVOKED])
async def test_box_that_is_not_active_gets_no_master_data(door: Door, sessions, box, demo, clock, status: BoxStatus) -> None:
    async with sessions.write() as session:
        await set_status(session, box=box.id, status=status, taken=Taken(Actor.user("root", "admin"), clock.now, "lost"))
    door.certificate = box.certificate()
    response = await door.client.get(down("receiving-1"))
    assert (response.status_code, response.json()["code"]) == (403, f"box_{status}")


async def test_calling_is_noted_as_last_seen(door: Door, sessions, box, demo, clock) -> None:
    door.certificate = box.certificate()
    for seconds, seen in ((0, clock.now), (3, clock.now), (20, clock.now + timedelta(seconds=23))):
        clock.go(seconds=seconds)
        await door.client.get(down("receiving-1"))
        async with sessions.read() as session:
            assert (await session.get_one(Box, box.id)).last_seen == seen
