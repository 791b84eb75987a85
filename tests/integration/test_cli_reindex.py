"""`tallybox cloud reindex` makes findable what was there before the search was."""

import asyncio
import json

from sqlalchemy import delete
from typer.testing import CliRunner

import tallybox
from cloud import catalogue
from cloud.around.models import SearchDoc
from cloud.around.records import find_records
from cloud.db.engine import open_sessions
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.masters.demo import load_demo
from cloud.objects.caller import caller
from tests.integration.object_world import NOW

SALMON = "סלמון"


async def furnish(url: str) -> None:
    sessions = open_sessions(url)
    try:
        async with sessions.write() as session:
            await load_demo(session, Taken(Actor.user("root", "admin"), NOW), pins={}, passwords={})
            await session.execute(delete(SearchDoc))
    finally:
        await sessions.engine.dispose()


async def found(url: str) -> list[str]:
    sessions = open_sessions(url)
    try:
        async with sessions.read() as session:
            taken = Taken(Actor.user("root", "admin"), NOW, access=Access.all())
            asker = await caller(session, catalogue.registry(), taken)
            return [hit.ref for hit in (await find_records(asker, SALMON, kinds=["product"])).rows]
    finally:
        await sessions.engine.dispose()


def test_records_of_before_are_found_afterwards(sqlite_url: str) -> None:
    asyncio.run(furnish(sqlite_url))
    assert asyncio.run(found(sqlite_url)) == []
    ended = CliRunner().invoke(tallybox.app, ["cloud", "reindex", "--db", sqlite_url, "--json"])
    assert ended.exit_code == 0, ended.output
    counts = json.loads(ended.output)
    assert counts["product"] > 3
    assert "SLM-FIL" in asyncio.run(found(sqlite_url))
    again = CliRunner().invoke(tallybox.app, ["cloud", "reindex", "--db", sqlite_url])
    assert f"product: {counts['product']}" in again.output


def test_database_that_is_not_there_is_said_so() -> None:
    ended = CliRunner().invoke(tallybox.app, ["cloud", "reindex", "--db", "sqlite:///nowhere/at/all.db"])
    assert ended.exit_code == 3
