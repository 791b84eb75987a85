"""The demo's three processes: a simulated site, a cloud and a box, started through the command line like anyone would."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from firmware_sim.demo_operator import DemoFailed

START_S = 30.0
"""For a process to say that it is ready: two seconds on a desktop, ten on a busy Pi."""

STOP_S = 8.0
"""For a process to end when asked; after that it is killed."""

TAIL = 15
"""Lines of a log that a failure shows."""


@dataclass(slots=True)
class Part:
    """One process. `facts` is the JSON line with which it said that it is ready."""

    name: str
    arguments: list[str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    """What stands before the command: a tracer, for example. It counts from the next start."""

    async def start(self) -> dict[str, Any]:
        """Start it and wait until it is ready. Raises DemoFailed with the end of its log."""
        with self._log_file() as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.before,
                sys.executable,
                "-m",
                "tallybox",
                *self.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # Ctrl-C in the terminal is for the demo, which stops its parts in order.
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        assert self.process.stdout is not None  # noqa: S101 - asked for above
        try:
            async with asyncio.timeout(START_S):
                line = await self.process.stdout.readline()
            self.facts = json.loads(line)
        except (TimeoutError, ValueError) as exc:
            await self.stop()
            raise DemoFailed(f"the {self.name} did not start; the end of {self.log}:\n{self.tail()}") from exc
        return self.facts

    def _log_file(self) -> IO[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        return self.log.open("ab")

    async def ended(self) -> int:
        """Wait for the process to end by itself; its exit code."""
        return await self.process.wait() if self.process else 0

    async def stop(self) -> None:
        """Ask it to end, then kill it; may be called twice."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def kill(self) -> None:
        """As a power cut would: no chance to tidy up."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()

    def tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-TAIL:])


@dataclass(frozen=True, slots=True)
class DemoData:
    """What was prepared on disk. `pins` and `passwords` are by login and drawn anew for every demo."""

    directory: Path
    database_url: str
    server: Path
    identity: Path
    station: str
    organisation: str
    pins: dict[str, str]
    passwords: dict[str, str]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the demo serves; 0 means any free port."""

    kiosk: int = 0
    staff: int = 0
    sync: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the box asks for master data, and its longest pause after a failure."""

    mirror_every_s: float = 2.0
    retry_cap_s: float = 5.0


class DemoSite:
    """Site, cloud and box of one demo; each can be stopped, killed and started again.

    `uplink_url` is where the box finds the cloud when something stands between them; it counts from the box's next start.
    """

    def __init__(self, data: DemoData, libs: Path, ports: Ports, pace: Pace | None = None, *, scenario: str = "demo") -> None:
        """`scenario` is a site that comes with the package or the path of a TOML file; it has `scale-1` and `reader-1`."""
        self._data = data
        self._libs = libs
        self._ports = ports
        self._pace = pace or Pace()
        self.uplink_url: str | None = None
        logs = data.directory / "logs"
        wires = data.directory / "wires"
        self.config = data.directory / "box.toml"
        self.site = Part("simulated site", ["sim", "site", scenario, "--directory", str(wires)], logs / "site.log")
        self.cloud = Part("cloud", [], logs / "cloud.log")
        self.box = Part("box", [], logs / "box.log")
        wires.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Start all three, each when it can know the addresses of the ones before."""
        await self.site.start()
        await self.start_cloud()
        await self.start_box()

    async def start_cloud(self) -> None:
        """Start the cloud; a second time on the addresses of the first."""
        data, facts, ports = self._data, self.cloud.facts, self._ports
        sync = _port(facts["sync"]) if facts else ports.sync
        staff = _port(facts["staff"]) if facts else ports.staff
        where = ["--db", data.database_url, "--server", str(data.server), "--libs", str(self._libs)]
        who = ["--organisation", data.organisation]
        self.cloud.arguments = ["cloud", "run", *where, *who, "--sync-port", str(sync), "--staff-port", str(staff)]
        await self.cloud.start()

    async def start_box(self) -> None:
        """Start the box; a second time on the kiosk address of the first."""
        kiosk = _port(self.box.facts["kiosk"]) if self.box.facts else self._ports.kiosk
        self.config.write_text(self._box_toml(kiosk), encoding="utf-8")
        self.box.arguments = ["edge", "run", "--config", str(self.config), "--identity", str(self._data.identity)]
        await self.box.start()

    def _box_toml(self, kiosk_port: int) -> str:
        # JSON strings are TOML basic strings.
        text = json.dumps
        return f"""\
data_dir = {text(str(self._data.directory / "box"))}
browser_libs = {text(str(self._libs))}
station = {text(self._data.station)}

[cloud]
url = {text(self.uplink_url or self.cloud.facts["sync"])}
mirror_every_s = {self._pace.mirror_every_s}
retry_cap_s = {self._pace.retry_cap_s}

[kiosk]
port = {kiosk_port}
scale = "scale-1"
scanner = "reader-1"

[[devices]]
id = "scale-1"
driver = "mt-sics"
transport = {{ kind = "serial", port = {text(str(self.site.facts["scale-1"]))} }}

[[devices]]
id = "reader-1"
driver = "serial-scanner"
transport = {{ kind = "serial", port = {text(str(self.site.facts["reader-1"]))} }}
settings = {{ suffix = "\\r", aim_prefix = true, no_read = "NR" }}
"""

    async def first_to_end(self) -> Part:
        """Wait until any part ends by itself, which none should."""
        parts = (self.site, self.cloud, self.box)
        waits = {asyncio.ensure_future(part.ended()): part for part in parts}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return waits[next(iter(done))]
        finally:
            for wait in waits:
                wait.cancel()

    async def stop(self) -> None:
        """Stop what runs, the box first, so that it can say goodbye to the others."""
        for part in (self.box, self.cloud, self.site):
            await part.stop()


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
