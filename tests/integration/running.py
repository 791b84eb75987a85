"""A site, a cloud and a box as real processes, started as the demo starts them, and a look into what both have stored."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tallybox
from firmware_sim.demo_operator import Instruments, Staff
from firmware_sim.demo_processes import DemoData, DemoSite, Pace, Ports
from sync_protocol.entries import Entry, parse
from tests.integration.operating import ORDER, WAIT_S, Operator, until

LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"
OPERATOR, SUPERVISOR = "dana", "noa"

# A scale that is at rest at once: these tests are about what is kept, not about physics.
QUICK_SITE = """
title = "Quick dock"
seed = 7
control_port = 0

[[devices]]
name = "scale-1"
kind = "mt-sics"
pty = "scale-1"

[devices.scale]
capacity = "60"
increment = "0.005"
settle = 0.0
noise = 0.0
stable_after = 0.1
boot = 0.0

[[devices]]
name = "reader-1"
kind = "serial-reader"
pty = "reader-1"

[devices.reader]
suffix = "\\r"
aim_prefix = true
no_read = "NR"
"""

Key = tuple[str, int]
"""Run and sequence number."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is on disk, read beside the running processes."""

    box_journal: Path
    cloud_database: Path

    def journal(self) -> dict[Key, bytes]:
        """Every entry of the box."""
        rows = _rows(self.box_journal, "SELECT r.run, e.seq, e.bytes FROM entry e JOIN run r ON r.id = e.run")
        return {(run, seq): content for run, seq, content in rows}

    def cloud(self) -> dict[Key, bytes]:
        """Every entry that the cloud holds; asserts that none is held twice."""
        rows = _rows(self.cloud_database, "SELECT run, seq, content FROM entry")
        found = {(run, seq): content for run, seq, content in rows}
        assert len(found) == len(rows)
        return found

    def cloud_count(self) -> int:
        return int(_rows(self.cloud_database, "SELECT count(*) FROM entry")[0][0])

    def entries(self, kind: type[Entry]) -> list[Any]:
        """The box's entries of one kind."""
        return [entry for content in self.journal().values() if isinstance(entry := parse(content), kind)]

    def events(self) -> list[tuple[str, str, str]]:
        """Actor, action and ref of every event of the cloud, oldest first."""
        rows = _rows(self.cloud_database, "SELECT actor, action, ref FROM event ORDER BY id")
        return [(actor, action, ref) for actor, action, ref in rows]

    def positions(self) -> list[tuple[str, int]]:
        """How many entries the cloud has acknowledged, by run."""
        return [(run, acked) for run, acked in _rows(self.cloud_database, "SELECT run, acked FROM run_state")]

    def quarantined(self) -> list[tuple[str, str]]:
        """Box and reason of every frame that was kept aside, oldest first."""
        return [
            (box, reason) for box, reason in _rows(self.cloud_database, "SELECT box_id, reason FROM quarantine ORDER BY id")
        ]


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    # A writer holds these files: reading must neither create nor lock them.
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=WAIT_S)) as connection:
        return connection.execute(query).fetchall()


@dataclass(slots=True)
class Running:
    """All of it, running."""

    parts: DemoSite
    data: DemoData
    stored: Stored
    hands: Instruments
    operator: Operator
    staff: Staff

    async def kill_box(self) -> None:
        """Power off, with nothing tidied up."""
        self.parts.box.kill()
        await self.parts.box.ended()

    async def restart_box(self) -> dict[str, Any]:
        """The state that the page shows as soon as the box serves again."""
        await self.parts.start_box()
        return await self.operator.state()

    async def kill_cloud(self) -> None:
        self.parts.cloud.kill()
        await self.parts.cloud.ended()

    async def all_sent(self) -> None:
        """Wait until the cloud has acknowledged every entry."""
        await self.operator.until("everything to be acked", lambda state: state["sync"]["waiting"] == 0)

    async def decided(self, document: str) -> dict[str, Any]:
        """The one receipt with this delivery note, once the cloud has decided on it."""

        async def look() -> list[str]:
            rows = await self.staff.receipts(ORDER)
            return [row["ref"] for row in rows if row["document"] == document and row["state"] in {"posted", "check"}]

        return await self.staff.receipt((await until(f"the receipt of {document}", look, lambda found: len(found) == 1))[0])


Uplink = Callable[[str, Stored], Awaitable[str]]
"""Puts something between box and cloud: from the cloud's address to the one that the box is told."""


@asynccontextmanager
async def running_thread(directory: Path, *, between: Uplink | None = None) -> AsyncIterator[Running]:
    """Everything started, an operator signed in, mirror and devices ready. Nothing runs any more afterwards."""
    data = await tallybox.prepare_demo(directory)
    scenario = directory / "site.toml"
    scenario.write_text(QUICK_SITE, encoding="utf-8")
    parts = DemoSite(data, LIBRARIES, Ports(), Pace(mirror_every_s=1.0, retry_cap_s=1.0), scenario=str(scenario))
    stored = Stored(directory / "box" / "journal.db", directory / "cloud.db")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(parts.stop)
        await parts.site.start()
        await parts.start_cloud()
        if between is not None:
            parts.uplink_url = await between(parts.cloud.facts["sync"], stored)
        await parts.start_box()
        hands = await stack.enter_async_context(Instruments.connect(parts.site.facts["control"]))
        operator = await stack.enter_async_context(Operator.at(parts.box.facts["kiosk"], hands))
        await operator.sign_in(OPERATOR, data.pins[OPERATOR])
        await operator.until("orders and devices", ready)
        staff = await stack.enter_async_context(Staff.at(parts.cloud.facts["staff"], SUPERVISOR, data.passwords[SUPERVISOR]))
        yield Running(parts, data, stored, hands, operator, staff)


def ready(state: dict[str, Any]) -> bool:
    """Whether there are orders to receive and both devices can be heard."""
    return bool(state["orders"]) and len(state["devices"]) == 2 and all(device["ok"] for device in state["devices"])


async def command(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run `tallybox` as a person would; exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tallybox",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output, errors
