"""From where a forked run is said again: from what the cloud surely holds of ours, or from its beginning."""

import pytest

from sync_protocol.answers import Ack, Answer, Refused
from sync_protocol.ids import RunId
from sync_protocol.outbox import Outbox, Reissue, RunState, Send, on_answer

RUN, OTHER = RunId("ab" * 16), RunId("cd" * 16)
OURS, THEIRS = b"o" * 32, b"t" * 32


def reissued_from(outbox: Outbox, answer: Answer) -> int:
    after, effects = on_answer(outbox, Send(RUN, 6), answer, lambda _run, _seq: OURS)
    assert next(state.stopped for state in after.runs if state.run == RUN) == "fork"
    return next(effect.first for effect in effects if isinstance(effect, Reissue))


def ack(run: RunId, acked: int, digest: bytes, gen: int) -> Ack:
    return Ack(run=run, acked=acked, hash=digest.hex(), gen=gen, srv_time="")


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        (Refused(err="fork"), 6),
        (Refused(err="fork", gen=3), 6),
        (Refused(err="fork", gen=4), 0),
        (ack(RUN, 9, THEIRS, 3), 6),
        (ack(RUN, 4, THEIRS, 3), 4),
        (ack(RUN, 9, THEIRS, 4), 0),
    ],
)
def test_what_was_acked_counts_unless_the_cloud_was_restored_since(answer: Answer, first: int) -> None:
    assert reissued_from(Outbox((RunState(RUN, 12, acked=6),), gen=3), answer) == first


def test_a_run_that_the_restored_cloud_has_not_spoken_of_yet_is_said_again_whole() -> None:
    before = Outbox((RunState(RUN, 12, acked=7), RunState(OTHER, 2, acked=1)), gen=3)
    heard, _ = on_answer(before, Send(OTHER, 1), ack(OTHER, 2, OURS, 4), lambda _run, _seq: OURS)
    assert heard.runs[0] == RunState(RUN, 12, acked=6, asked=True)
    assert reissued_from(heard, Refused(err="fork", gen=4)) == 0
    sure, _ = on_answer(heard, Send(RUN, 6), ack(RUN, 7, OURS, 4), lambda _run, _seq: OURS)
    assert reissued_from(sure, Refused(err="fork", gen=4)) == 7
