"""The box's half of the conversation as pure functions: what to send next, what an answer means.

State is how far the cloud has each run. Nothing is deleted on an answer: acked entries stay until retention lets them go, so
that a cloud restored from a backup can ask again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sync_protocol import chain
from sync_protocol.answers import Ack, Answer, Need, Refused
from sync_protocol.ids import RunId

HashAt = Callable[[RunId, int], bytes | None]
"""The journal's own chain hash at an entry, None where the journal no longer or not yet has it."""


@dataclass(frozen=True, slots=True)
class RunState:
    """One run as the box sees it: entries 0..tip-1 exist, 0..acked-1 are known to be in the cloud."""

    run: RunId
    tip: int
    acked: int = 0
    stopped: str | None = None
    """Why nothing more of this run is sent: `fork`, `schema`. The fault is in its entries; asking again would not help."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """All runs, oldest first, and the cloud's generation as last heard."""

    runs: tuple[RunState, ...]
    gen: int = 0
    barred: str | None = None
    """What the cloud last said against this box as a whole (`sig`, `quarantine`, `revoked`); None once it took something.

    A barred box goes on asking, seldom: who was suspended by mistake or registered late must not need a restart."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send entries of `run` from `first` on, as many as fit a frame."""

    run: RunId
    first: int


@dataclass(frozen=True, slots=True)
class Moved:
    """The cloud's position in a run changed; `back` when it went down (a restored cloud)."""

    run: RunId
    acked: int
    back: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again later; None leaves the time to the sender's own back-off."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person must see; the reason is a code of `Refused`. `run` is None when it is about the whole box."""

    reason: str
    run: RunId | None


Effect = Moved | Wait | Alarm

BARRED_RETRY_S = 60.0
"""How often a box that is not let in asks again when the cloud does not say: soon enough after somebody let it in."""


def next_send(outbox: Outbox) -> Send | None:
    """The oldest run with entries the cloud lacks, so that a parent is always ahead of its child."""
    for state in outbox.runs:
        if state.acked < state.tip and not state.stopped:
            return Send(state.run, state.acked)
    return None


def grown(outbox: Outbox, run: RunId, tip: int) -> Outbox:
    """The journal's writer went on: a new run, or more entries of one."""
    if any(state.run == run for state in outbox.runs):
        return _with(outbox, run, lambda state: replace(state, tip=max(tip, state.tip)))
    return replace(outbox, runs=(*outbox.runs, RunState(run, tip)))


def on_answer(outbox: Outbox, sent: Send, answer: Answer, hash_at: HashAt) -> tuple[Outbox, list[Effect]]:
    """What the answer to `sent` changes. An answer for another run, or one whose hash is not ours, moves nothing."""
    if isinstance(answer, Refused):
        return _refused(outbox, sent, answer)
    if answer.run != sent.run:
        return outbox, [Wait(None)]
    position = answer.acked if isinstance(answer, Ack) else answer.need
    return _moved(outbox, sent, answer, position, hash_at)


def _moved(outbox: Outbox, sent: Send, answer: Ack | Need, position: int, hash_at: HashAt) -> tuple[Outbox, list[Effect]]:
    ours = chain.seed(sent.run) if position == 0 else hash_at(sent.run, position - 1)
    if ours is None or ours.hex() != answer.hash:
        stopped = _with(outbox, sent.run, lambda state: replace(state, stopped="fork"))
        return stopped, [Alarm("fork", sent.run)]
    before = next(state.acked for state in outbox.runs if state.run == sent.run)
    after = _with(replace(outbox, barred=None), sent.run, lambda state: replace(state, acked=position))
    effects: list[Effect] = []
    if answer.gen > outbox.gen:
        # A restored cloud may lack entries of runs that were fully acked: ask about every one of them again. Its answer to a
        # frame it already holds is its position, so this costs one frame a run and moves nothing that is right.
        after = replace(after, gen=answer.gen, runs=tuple(_ask_again(state, sent.run) for state in after.runs))
    if position != before:
        effects.append(Moved(sent.run, position, back=position < before))
    elif isinstance(answer, Need) or position <= sent.first:
        effects.append(Wait(None))
    return after, effects


def _ask_again(state: RunState, answered: RunId) -> RunState:
    if state.run == answered or not state.acked:
        return state
    return replace(state, acked=state.acked - 1)


def _refused(outbox: Outbox, sent: Send, answer: Refused) -> tuple[Outbox, list[Effect]]:
    if answer.err == "slow_down":
        return outbox, [Wait(answer.retry_s)]
    if answer.err in {"sig", "quarantine", "revoked"}:
        # Told once: the same refusal every few minutes is no news.
        alarm: list[Effect] = [Alarm(answer.err, None)] if outbox.barred != answer.err else []
        return replace(outbox, barred=answer.err), [*alarm, Wait(answer.retry_s or BARRED_RETRY_S)]
    stopped = _with(outbox, sent.run, lambda state: replace(state, stopped=answer.err))
    return stopped, [Alarm(answer.err, sent.run)]


def _with(outbox: Outbox, run: RunId, change: Callable[[RunState], RunState]) -> Outbox:
    return replace(outbox, runs=tuple(change(state) if state.run == run else state for state in outbox.runs))
