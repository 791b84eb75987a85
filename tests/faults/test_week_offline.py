"""A box without network for long: everything that it read meanwhile is in the cloud afterwards, each reading equal and once."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from edge.uplink.backoff import Backoff
from edge.uplink.cloud import Cloud
from edge.uplink.frames import Credentials
from edge.uplink.sender import Sender
from provisioning.box_identity import Identity
from tests.faults.fleet import prepared, worker
from tests.faults.histories import entries_of, reading
from tests.faults.opening import CLOCK, open_journal
from tests.faults.postgres import postgres

STARTS = 4
"""A week has some restarts: the backlog lies in several runs."""

IN_FLIGHT = 250

WEEK = 600_000
"""One reading a second for a week."""

Row = tuple[str, int, bytes]

ALL = "SELECT run, seq, content FROM entry ORDER BY run, seq"


async def produce(path: Path, count: int) -> None:
    """Readings 0 to count-1, all confirmed, over several starts of the box."""
    for start in range(STARTS):
        numbers = range(count * start // STARTS, count * (start + 1) // STARTS)
        async with open_journal(path) as journal:
            for first in range(0, len(numbers), IN_FLIGHT):
                some = numbers[first : first + IN_FLIGHT]
                await asyncio.gather(*(journal.append(reading(n, CLOCK.now_ns())) for n in some))


async def drain(path: Path, url: str, who: Identity, patience_s: float) -> float:
    """Send everything; seconds until the cloud had acknowledged the last entry."""
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(open_journal(path))
        cloud = Cloud.at(url, who.client_ssl_context())
        stack.push_async_callback(cloud.aclose)
        credentials = Credentials(who.box_id, who.key_id, who.sign)
        sender = Sender(journal, cloud, credentials, clock=CLOCK, backoff=Backoff(0.5, lambda: 0.5))
        started = monotonic()
        async with asyncio.timeout(patience_s), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(sender.run())
            while not sender.facts.up or sender.waiting():  # noqa: ASYNC110 - nothing tells when the last answer came
                await asyncio.sleep(0.01)
            took_s = monotonic() - started
            sending.cancel()
    return took_s


@contextmanager
def cloud_rows(url: str) -> Iterator[Iterator[Row]]:
    """Every entry that the cloud has, by run and number; read row by row."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)) as connection:
            yield iter(connection.execute(ALL))
        return
    with psycopg.connect(url) as server, server.cursor("all") as cursor:
        yield ((run, seq, bytes(content)) for run, seq, content in cursor.execute(ALL))


def assert_equal(journal: Path, url: str, count: int) -> None:
    kept = entries_of(journal)
    left = set(range(count))
    held = 0
    with cloud_rows(url) as rows:
        for run, seq, content in rows:
            assert kept[run, seq] == content
            held += 1
            if b'"t":"reading"' in content:
                left.remove(int(content.partition(b'"value":"')[2].partition(b'"')[0]))
    assert not left
    # What is not there is what the box wrote when the last answer had come.
    assert len(kept) - held <= 1


async def offline_then_drained(folder: Path, url: str, count: int, patience_s: float) -> tuple[float, float]:
    """Seconds of producing and of draining."""
    _, who = await prepared(folder, url)
    journal = folder / "journal.db"
    started = monotonic()
    await produce(journal, count)
    produced_s = monotonic() - started
    core = worker(folder, 0, url)
    try:
        await core.start()
        drained_s = await drain(journal, core.facts["sync"], who, patience_s)
    finally:
        await core.stop()
    assert_equal(journal, url, count)
    return produced_s, drained_s


@pytest.mark.timeout(180)
async def test_every_reading_of_hours_offline_arrives(tmp_path: Path) -> None:
    await offline_then_drained(tmp_path, f"sqlite:///{tmp_path / 'cloud.db'}", 20_000, 120)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_every_reading_of_a_week_offline_arrives(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(postgres()).url if kind == "postgres" else f"sqlite:///{tmp_path / 'cloud.db'}"
        produced_s, drained_s = await offline_then_drained(tmp_path, url, WEEK, 3000)
    with capsys.disabled():
        print(f"\n{kind}: {WEEK} readings kept in {produced_s:.0f} s, drained in {drained_s:.0f} s")  # noqa: T201
