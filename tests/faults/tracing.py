"""strace as an injector of faults: a process is killed in, or gets an error from, the n-th of its calls on the journal's files.

The count is strace's own: of one thread, of calls of one kind on the paths named.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RUN_S = 60.0
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


def traced(journal: Path, log: Path, point: Point | None = None) -> list[str]:
    """What stands before a command: strace in the background, so that the process keeps its parent, signals and exit code."""
    syscalls = ",".join(SYSCALLS) if point is None else point.syscall
    where = [part for path in files_of(journal) for part in ("-P", str(path))]
    fault = [] if point is None else ["-e", point.injection]
    return ["strace", "-D", "--seccomp-bpf", "-f", "-qq", "-o", str(log), "-e", f"trace={syscalls}", *fault, *where]


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
    refused: set[int]
    errors: str


async def produce(journal: Path, first: int, count: int, before: Sequence[str] = ()) -> Told:
    """Run `tests.faults.producer` to its end."""
    process = await asyncio.create_subprocess_exec(
        *before,
        sys.executable,
        "-m",
        "tests.faults.producer",
        str(journal),
        str(first),
        str(count),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        async with asyncio.timeout(RUN_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    confirmed: dict[int, tuple[str, int]] = {}
    refused: set[int] = set()
    for line in output.decode().splitlines():
        match line.split():
            case ["+", n, run, seq]:
                confirmed[int(n)] = (run, int(seq))
            case ["-", n]:
                refused.add(int(n))
    return Told(process.returncode or 0, confirmed, refused, errors.decode(errors="replace"))
