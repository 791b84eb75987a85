"""A process that does nothing but write readings into the real journal and say which of them are safe.

    python -m tests.faults.producer JOURNAL FIRST COUNT

Numbers FIRST, FIRST+1... are appended by four tasks at once. `+ n run seq` on standard output: reading n is confirmed; `- n`:
it was refused. Exit code 4 when the journal failed for good.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.errors import JournalFault
from edge.journal.service import Journal
from tests.faults.histories import reading
from tests.faults.opening import CLOCK, open_journal

PRODUCERS = 4


def _say(line: str) -> None:
    # Not through a buffer: what was said is out before anything else happens.
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


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


async def main(path: Path, first: int, count: int) -> int:
    try:
        async with open_journal(path) as journal:
            numbers = iter(range(first, first + count))
            await asyncio.gather(*(_produce(journal, numbers) for _ in range(PRODUCERS)))
            return 4 if journal.broken.done() else 0
    except JournalFault as exc:
        print(exc, file=sys.stderr)  # noqa: T201
        return 4


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
