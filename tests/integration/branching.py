"""Two boxes of one disk, and a box that lost its journal: as frames that reach the cloud."""

from cloud.db.engine import Sessions
from cloud.ingest.receive import receive_frame
from sync_protocol.answers import Ack
from sync_protocol.entries import NoteEntry
from tests.integration.conftest import Run, TestBox


async def send(sessions: Sessions, box: TestBox, run: Run, first: int = 0, count: int | None = None) -> None:
    """A frame, and a second later."""
    answer = await receive_frame(sessions, box=box.id, frame=box.frame(first, count, run), now=box.clock.now)
    assert isinstance(answer, Ack), answer
    box.clock.go(seconds=1)


async def overlap(sessions: Sessions, box: TestBox) -> tuple[Run, Run]:
    """Older and newer side: the one of 2 + 2 entries goes on after the one of 3 entries began. Four seconds."""
    trunk = box.start()
    box.note()
    await send(sessions, box, trunk)
    older = box.start((trunk, 1))
    box.note()
    await send(sessions, box, older)
    newer = box.start((trunk, 1))
    box.note()
    box.note()
    await send(sessions, box, newer)
    box.runs.append(older)
    box.note()
    box.note()
    await send(sessions, box, older, 2)
    return older, newer


async def lose_journal(sessions: Sessions, box: TestBox, tip: int) -> Run:
    """A run of which two entries arrived, whose journal of `tip` entries was lost. Two seconds."""
    lost = box.start()
    box.note()
    await send(sessions, box, lost)
    fresh = box.start()
    box.write(NoteEntry(**box.stamp(), name="journal_lost", data={"runs": [{"run": lost.run, "tip": tip}]}))
    await send(sessions, box, fresh)
    return lost
