"""strace as an injector of faults: a process is killed in, or gets an error from, the n-th of its calls on the journal's files.

The count is strace's own: of one thread, of calls of one kind on the paths named.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.faults.producer import GO

RUN_S = 20.0
"""For any traced process to end by itself."""

SYSCALLS = ("pwrite64", "fdatasync", "fsync", "openat", "unlink", "ftruncate", "pread64")


@dataclass(frozen=True, slots=True)
class Point:
    """One fault: `KILL`, or an error by name, in the n-th call of one kind."""

    syscall: str
    n: int
    fault: str

    def __str__(self) -> str:
        return f"{self.syscall}-{self.n}-{self.fault}"

    @property
    def injection(self) -> str:
        what = "signal=KILL" if self.fault == "KILL" else f"error={self.fault}"
        return f"inject={self.syscall}:{what}:when={self.n}"


def cannot_trace() -> str | None:
    """Why processes cannot be traced on this machine; None where they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"strace cannot trace here: {tried.stderr.strip()[-200:]}"


def files_of(journal: Path) -> list[Path]:
    """The files of a journal, whether they are there or not, and its folder, which is synced when one is made or removed."""
    return [journal.parent, *(journal.with_name(journal.name + more) for more in ("", "-wal", "-shm", "-journal"))]


def options(journal: Path, log: Path, point: Point | None = None) -> list[str]:
    """For strace: what it looks at and where it strikes."""
    syscalls = ",".join(SYSCALLS) if point is None else point.syscall
    where = [part for path in files_of(journal) for part in ("-P", str(path))]
    fault = [] if point is None else ["-e", point.injection]
    return ["-f", "-o", str(log), "-e", f"trace={syscalls}", *fault, *where]


def traced(journal: Path, log: Path, point: Point) -> list[str]:
    """What stands before a command: strace in the background, so that the process keeps its parent, signals and exit code."""
    return ["strace", "-D", "--seccomp-bpf", "-qq", *options(journal, log, point)]


def calls(log: Path) -> dict[str, int]:
    """How often the busiest thread made each kind of call."""
    found: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        # Of a call that was interrupted by another thread's the second half begins with "<...".
        seen = re.match(r"(\d+) +(\w+)\(", line)
        if seen:
            found[seen.group(2), seen.group(1)] += 1
    busiest: dict[str, int] = {}
    for (syscall, _), count in found.items():
        busiest[syscall] = max(busiest.get(syscall, 0), count)
    return busiest


def was_hit(log: Path, point: Point) -> bool:
    """Whether the fault happened at all."""
    text = log.read_text(errors="replace")
    return "killed by SIGKILL" in text if point.fault == "KILL" else "(INJECTED)" in text


@dataclass(frozen=True, slots=True)
class Told:
    """How a producer ended and what it said before."""

    code: int
    confirmed: dict[int, tuple[str, int]]
    """Number to run and seq."""
    said: str


class Producers:
    """Makes processes of `tests.faults.producer`, one at a time."""

    def __init__(self, maker: asyncio.subprocess.Process) -> None:
        self._maker = maker

    @classmethod
    @asynccontextmanager
    async def ready(cls) -> AsyncIterator[Self]:
        maker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.faults.producer",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield cls(maker)
        finally:
            # With whatever it made: one that hangs has failed its test already.
            with suppress(ProcessLookupError):
                os.killpg(maker.pid, signal.SIGKILL)
            await maker.wait()

    async def produce(self, journal: Path, first: int, count: int, log: Path, point: Point | None = None) -> Told:
        """One process under strace, to its end."""
        assert self._maker.stdin is not None
        said = log.with_name(f"{log.name}.said")
        said.unlink(missing_ok=True)
        asked = {"journal": str(journal), "first": first, "count": count, "said": str(said)}
        self._maker.stdin.write(json.dumps(asked).encode() + b"\n")
        async with asyncio.timeout(RUN_S):
            pid = await self._answer()
            tracer = await asyncio.create_subprocess_exec(
                "strace", "-p", str(pid), *options(journal, log, point), stderr=asyncio.subprocess.PIPE
            )
            assert tracer.stderr is not None
            assert b"attached" in await tracer.stderr.readline()
            self._maker.stdin.write(GO)
            code = await self._answer()
            await tracer.communicate()
        text = said.read_text(errors="replace")
        confirmed = {int(n): (run, int(seq)) for n, run, seq in (line.split()[1:] for line in _whole(text, "+ "))}
        return Told(code, confirmed, text)

    async def _answer(self) -> int:
        assert self._maker.stdout is not None
        return int(await self._maker.stdout.readline())


def _whole(text: str, start: str) -> list[str]:
    # The last line of a process that was killed may be cut: it was not said.
    return [line for line in text.rpartition("\n")[0].splitlines() if line.startswith(start)]
