"""The decision tables of docs/SYNC.md say what the state machines do: each row is carried out."""

import pytest

from sync_protocol import chain
from sync_protocol.answers import Ack, Answer, Need, Refused
from sync_protocol.frame import Batch, Header
from sync_protocol.ids import RunId
from sync_protocol.inbox import Fork, Position, Take, judge
from sync_protocol.outbox import Alarm, Moved, Outbox, Reissue, RunState, Send, Wait, on_answer
from tests.arch.pages import page, section, table

SYNC = page("docs/SYNC.md")
RUN, OTHER = RunId("a" * 32), RunId("b" * 32)
OURS = [b"entry %d" % seq for seq in range(25)]
HASHES = chain.links(chain.seed(RUN), 0, OURS)
FRAMES = table(section(SYNC, "What the cloud does with a frame"))
ANSWERS = table(section(SYNC, "What the box does with an answer"))


def batch_of(first: int, last: int, *, ours: bool) -> Batch:
    prev = (HASHES[first - 1] if first else chain.seed(RUN)) if ours else bytes(32)
    links = chain.links(prev, first, OURS[first : last + 1])
    n = last - first + 1
    header = Header(v=1, box="", run=RUN, first=first, n=n, prev=prev.hex(), last=links[-1].hex(), gen=0)
    return Batch(header, tuple(OURS[first : last + 1]), tuple(links), b"", b"", b"")


@pytest.mark.parametrize("row", FRAMES, ids=lambda row: f"{row['frame']} {row['content']}")
def test_the_cloud_judges_as_the_table_says(row: dict[str, str]) -> None:
    first, last = map(int, row["frame"].split(".."))
    batch = batch_of(first, last, ours=row["content"] in {"ours", "continues ours"})
    match judge(Position(10, HASHES[9]), batch, lambda seq: HASHES[seq]):
        case Take(skip, position):
            said = f"Take {'all' if not skip else f'from the {skip + 1}th'}, position {position.acked}"
        case Fork(seq):
            said = f"Fork at {seq}"
        case other:
            said = type(other).__name__
    assert said == row["verdict"]


def answer_of(text: str, known: str) -> Answer:
    word, *rest = text.split()
    if word not in {"ack", "need"}:
        return Refused.model_validate({"err": word, "retry_s": rest[0] if rest else None})
    at = int(rest[0])
    digest = bytes(32) if known in {"other", "unknown"} else HASHES[at - 1] if at else chain.seed(RUN)
    run = OTHER if "another run" in text else RUN
    if word == "ack":
        return Ack(run=run, acked=at, hash=digest.hex(), gen=1, srv_time="2026-01-01T00:00:00+00:00")
    return Need(run=run, need=at, hash=digest.hex(), gen=1)


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{row['answer']} {row['hash']}")
def test_the_box_does_as_the_table_says(row: dict[str, str]) -> None:
    before = Outbox((RunState(RUN, 20, 10), RunState(OTHER, 5, 5)), gen=1)
    answer = answer_of(row["answer"], row["hash"])
    after, effects = on_answer(before, Send(RUN, 10), answer, lambda _run, seq: HASHES[seq] if seq < 20 else None)
    state, said = after.runs[0], []
    if state.acked != 10:
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
    assert "; ".join(said) == row["outcome"]
    assert after.runs[1] == before.runs[1]


def test_a_restored_cloud_is_asked_about_every_other_run() -> None:
    answer = Ack(run=RUN, acked=15, hash=HASHES[14].hex(), gen=2, srv_time="")
    after, _ = on_answer(
        Outbox((RunState(RUN, 20, 10), RunState(OTHER, 5, 5)), gen=1), Send(RUN, 10), answer, lambda *_: HASHES[14]
    )
    assert [(state.acked, after.gen) for state in after.runs] == [(15, 2), (4, 2)]
