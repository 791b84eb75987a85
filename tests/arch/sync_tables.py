"""The state tables of docs/SYNC.md, made by carrying every row out.

`python -m tests.arch.sync_tables` writes them into the page.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from sync_protocol import chain, commands
from sync_protocol.answers import Ack, Answer, Need, Refusal, Refused
from sync_protocol.frame import Batch, Header
from sync_protocol.ids import RunId
from sync_protocol.inbox import Fork, Position, Take, judge
from sync_protocol.outbox import (
    LONG_BACKLOG,
    Alarm,
    Moved,
    Outbox,
    Reissue,
    RunState,
    Send,
    Wait,
    next_send,
    on_answer,
    wants_fresh_run,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "SYNC.md"
RUN, OTHER = RunId("a" * 32), RunId("b" * 32)
HELD = 10
"""Position in the examples: entries 0..9 are in the cloud."""
OURS = [b"entry %d" % seq for seq in range(25)]
HASHES = chain.links(chain.seed(RUN), 0, OURS)
Rows = Iterator[tuple[str, ...]]


def batch_of(first: int, last: int, *, ours: bool) -> Batch:
    """Entries first..last that continue our chain, or another one."""
    prev = (HASHES[first - 1] if first else chain.seed(RUN)) if ours else bytes(32)
    links = chain.links(prev, first, OURS[first : last + 1])
    header = Header(v=1, box="", run=RUN, first=first, n=last + 1 - first, prev=prev.hex(), last=links[-1].hex(), gen=0)
    return Batch(header, tuple(OURS[first : last + 1]), tuple(links), b"", b"", b"")


def frames() -> Rows:
    """What the cloud does with a frame."""
    yield "frame", "its content", "verdict"
    for first, last in ((10, 14), (12, 14), (4, 7), (7, 9), (9, 9), (7, 12), (0, 12), (0, 0)):
        for ours in (True, False):
            match judge(Position(HELD, HASHES[HELD - 1]), batch_of(first, last, ours=ours), lambda seq: HASHES[seq]):
                case Take(skip, position):
                    said = f"Take {'all' if not skip else f'from entry {first + skip} on'}, position {position.acked}"
                case Fork(seq):
                    said = f"Fork at {seq}"
                case verdict:
                    said = type(verdict).__name__
            yield f"{first}..{last}", "ours" if ours else "other", said


def answers() -> Rows:
    """What the box does with an answer."""
    yield "answer", "its hash", "outcome"
    digests: dict[str, Callable[[int], bytes]] = {
        "ours": lambda at: HASHES[at - 1] if at else chain.seed(RUN),
        "other": lambda _at: bytes(32),
    }
    for word, at, (known, digest) in itertools.product(("ack", "need"), (15, 20, 25, 10, 4, 0), digests.items()):
        if at > 20 and known == "ours":
            continue  # the box has no such entry: no hash there is its own
        make = {"ack": _ack, "need": _need}[word]
        yield f"{word} {at}", known, outcome(make(RUN, at, digest(at)))
    yield "ack 4, pruned by then", "ours", outcome(_ack(RUN, 4, HASHES[3]), kept_from=5)
    yield "ack 15 of another run", "ours", outcome(_ack(OTHER, 15, HASHES[14]))
    refusals: tuple[tuple[Refusal, float | None], ...] = (
        ("slow_down", 30),
        ("fork", None),
        ("schema", None),
        ("sig", None),
        ("quarantine", None),
        ("revoked", 3600),
    )
    for err, retry_s in refusals:
        yield f"{err} {retry_s:g}" if retry_s else err, "", outcome(Refused(err=err, retry_s=retry_s))


def _ack(run: RunId, at: int, digest: bytes) -> Answer:
    return Ack(run=run, acked=at, hash=digest.hex(), gen=1, srv_time="2026-01-01T00:00:00+00:00")


def _need(run: RunId, at: int, digest: bytes) -> Answer:
    return Need(run=run, need=at, hash=digest.hex(), gen=1)


def outcome(answer: Answer, *, kept_from: int = 0) -> str:
    """What changes, and what has to be done; the journal holds entries `kept_from`..19."""
    before = Outbox((RunState(RUN, 20, HELD), RunState(OTHER, 5, 5)), gen=1)
    after, effects = on_answer(
        before, Send(RUN, HELD), answer, lambda _run, seq: HASHES[seq] if kept_from <= seq < 20 else None
    )
    assert after.runs[1] == before.runs[1]
    state, said = after.runs[0], []
    if state.acked != HELD:
        said.append(f"acked {state.acked}")
    if state.stopped or after.barred:
        said.append(f"stopped {state.stopped}" if state.stopped else f"barred {after.barred}")
    for effect in effects:
        match effect:
            case Moved(_, acked, back):
                said.append(f"Moved {acked}{' back' if back else ''}")
            case Wait(seconds):
                said.append("Wait" if seconds is None else f"Wait {seconds:g}")
            case Alarm(reason, _):
                said.append(f"Alarm {reason}")
            case Reissue(_, first):
                said.append(f"Reissue from {first}")
    return "; ".join(said)


def lanes() -> Rows:
    """What the box sends next, and when it opens a fresh run."""
    yield "older run waits", "newest run waits", "sent next", "a fresh run when the link comes back"
    for older, newest in itertools.product((0, 5, LONG_BACKLOG, LONG_BACKLOG + 1), (0, 3, LONG_BACKLOG + 1)):
        outbox = Outbox((RunState(OTHER, older), RunState(RUN, newest)))
        send = next_send(outbox)
        sent = "nothing" if send is None else "newest" if send.run == RUN else "older"
        yield f"{older:,}", f"{newest:,}", sent, "yes" if wants_fresh_run(outbox) else "no"


def orders() -> Rows:
    """What a box does with a command."""
    yield "the command's lease", "its id", "its time", "verdict"
    for lease, known, late in itertools.product((4, 5, 6), (False, True), (False, True)):
        command = commands.Command(cmd_id="0" * 26, lease=lease, not_after="2026-01-01T00:00:00+00:00", op="zero")
        _, verdict = commands.judge(commands.Fence(5), command, known=known, late=late)
        yield (
            {4: "older than one seen", 5: "the newest seen", 6: "newer"}[lease],
            "taken before" if known else "new",
            "past" if late else "not past",
            verdict.replace("_", " "),
        )


TABLES: dict[str, Callable[[], Rows]] = {"frames": frames, "answers": answers, "lanes": lanes, "orders": orders}


def drawn(name: str) -> str:
    """One table in Markdown."""
    head, *rows = TABLES[name]()
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines).replace("|  |", "| |")


def marks(name: str) -> tuple[str, str]:
    """What stands around a table in the page."""
    return f"<!-- state table: {name} -->\n", "\n<!-- end -->"


def filled(page: str) -> str:
    """The page with every table as the code has it now."""
    for name in TABLES:
        begin, end = marks(name)
        head, found, rest = page.partition(begin)
        if found:
            page = f"{head}{begin}{drawn(name)}{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
