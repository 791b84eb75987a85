"""A process that does nothing but write readings into the real journal and say which of them are safe.

    python -m tests.faults.producer

makes such processes on request: a line of JSON on standard input (`journal`, `first`, `count`, `said`) forks one, which begins
when the line GO follows, so that it can be taken hold of; answers are its id and, at its end, its exit code (-9: killed).
Forking saves what Python takes to import everything, three quarters of such a process's life.

The process appends the numbers `first`, `first` + 1... by four tasks at once, a fresh run after half of them, and writes to
the file `said`: `+ n run seq`, reading n is confirmed; `- n`, it was refused. Exit code 4: the journal failed for good.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.errors import JournalFault
from edge.journal.service import Journal
from tests.faults.histories import reading
from tests.faults.opening import CLOCK, open_journal

PRODUCERS = 4

GO = b"go\n"


def _say(line: str) -> None:
    # Not through a buffer: what was said is out before anything else happens.
    os.write(1, f"{line}\n".encode())


async def _produce(journal: Journal, numbers: Iterator[int]) -> None:
    for n in numbers:
        try:
            kept = await journal.append(reading(n, CLOCK.now_ns()))
        except JournalFault:
            _say(f"- {n}")
        else:
            _say(f"+ {n} {kept.run} {kept.seq}")
            # Positions of the cloud are written between entries; this one claims nothing.
            journal.mark_acked(kept.run, 0)


async def write(path: Path, first: int, count: int) -> int:
    """Write all numbers; the exit code."""
    try:
        async with open_journal(path) as journal:
            middle = first + count // 2
            for numbers in (range(first, middle), range(middle, first + count)):
                given = iter(numbers)
                await asyncio.gather(*(_produce(journal, given) for _ in range(PRODUCERS)))
                if numbers.start == first:
                    await journal.fresh_run()
            return 4 if journal.broken.done() else 0
    except JournalFault as exc:
        print(exc, file=sys.stderr)  # noqa: T201
        return 4


def _child(asked: dict[str, object]) -> None:
    said = os.open(str(asked["said"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    # The maker waits for its child, so what comes now on standard input is for the child.
    os.read(0, len(GO))
    code = 5
    try:
        code = asyncio.run(write(Path(str(asked["journal"])), int(str(asked["first"])), int(str(asked["count"]))))
    finally:
        os._exit(code)


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(json.loads(line))
        _say(str(pid))
        _, status = os.waitpid(pid, 0)
        _say(str(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    main()
