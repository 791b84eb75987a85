"""The box's half of the conversation as pure functions: what to send next, what an answer means.

State is how far the cloud has each run. Nothing is deleted on an answer: acked entries stay until retention lets them go, so
that a cloud restored from a backup can ask again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sync_protocol import chain
from sync_protocol.answers import Ack, Answer, Need, Refused
from sync_protocol.frame import MAX_ENTRIES
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
    """Why nothing more of this run is sent: `fork`, `schema`, `pruned`. Asking again would not help."""
    asked: bool = False
    """Whether the cloud was restored since it acked this: then `acked` is a guess until the next answer."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """All runs, oldest first (the last one is being written), and the cloud's generation as last heard."""

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


@dataclass(frozen=True, slots=True)
class Reissue:
    """Another writer used this run's name too. Write its entries from `first` on once more, in a run that is not this one, each
    saying which it was: what the cloud holds of the run beyond `first` is not ours."""

    run: RunId
    first: int


Effect = Moved | Wait | Alarm | Reissue

BARRED_RETRY_S = 60.0
"""How often a box that is not let in asks again when the cloud does not say: soon enough after somebody let it in."""


LONG_BACKLOG = 4 * MAX_ENTRIES
"""Entries that wait: four frames are drained in well under a second; what is longer must not stand before new readings."""


def next_send(outbox: Outbox) -> Send | None:
    """What goes next: the oldest run with entries the cloud lacks, so that a parent is ahead of its child; but while the older
    runs are long behind, the run that is being written goes first."""
    waiting = [state for state in outbox.runs if state.acked < state.tip and not state.stopped]
    if not waiting:
        return None
    newest = waiting[-1] if waiting[-1].run == outbox.runs[-1].run else None
    behind = sum(state.tip - state.acked for state in waiting if state is not newest)
    chosen = newest if newest is not None and behind > LONG_BACKLOG else waiting[0]
    return Send(chosen.run, chosen.acked)


def wants_fresh_run(outbox: Outbox) -> bool:
    """Whether the journal should open a new run, asked when the link is back and when a run was stopped: new entries would
    stand behind a long line, or behind an entry that is not taken. Out of a forked run `Reissue` leads."""
    if not outbox.runs:
        return False
    newest = outbox.runs[-1]
    if newest.stopped:
        return newest.stopped != "fork"
    return newest.tip - newest.acked > LONG_BACKLOG


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
    before = next(state for state in outbox.runs if state.run == sent.run)
    ours = chain.seed(sent.run) if position == 0 else hash_at(sent.run, position - 1)
    if ours is None and position <= before.tip:
        return stop(outbox, sent.run, "pruned"), [Alarm("pruned", sent.run)]
    if ours is None or ours.hex() != answer.hash:
        return _forked(outbox, before, answer.gen, position)
    after = _with(replace(outbox, barred=None), sent.run, lambda state: replace(state, acked=position, asked=False))
    effects: list[Effect] = []
    if answer.gen > outbox.gen:
        # A restored cloud may lack entries of runs that were fully acked: ask about every one of them again. Its answer to a
        # frame it already holds is its position, so this costs one frame a run and moves nothing that is right.
        after = replace(after, gen=answer.gen, runs=tuple(_ask_again(state, sent.run) for state in after.runs))
    if position != before.acked:
        effects.append(Moved(sent.run, position, back=position < before.acked))
    elif isinstance(answer, Need) or position <= sent.first:
        effects.append(Wait(None))
    return after, effects


def _forked(outbox: Outbox, state: RunState, gen: int | None, position: int) -> tuple[Outbox, list[Effect]]:
    # What the cloud acked so far carried our hash: up to there its run is ours, unless it was restored since and another
    # writer's entries came first.
    sure = not state.asked and gen in {None, outbox.gen}
    first = min(state.acked, position) if sure else 0
    # A cloud that calls everything a fork must not fill the box's disk with ever new runs.
    return stop(outbox, state.run, "fork"), [Alarm("fork", state.run), Reissue(state.run, first), Wait(None)]


def stop(outbox: Outbox, run: RunId, reason: str) -> Outbox:
    """Send nothing more of a run."""
    return _with(outbox, run, lambda state: replace(state, stopped=reason))


def _ask_again(state: RunState, answered: RunId) -> RunState:
    if state.run == answered or not state.acked:
        return state
    return replace(state, acked=state.acked - 1, asked=True)


def _refused(outbox: Outbox, sent: Send, answer: Refused) -> tuple[Outbox, list[Effect]]:
    if answer.err == "slow_down":
        return outbox, [Wait(answer.retry_s)]
    if answer.err in {"sig", "quarantine", "revoked"}:
        # Told once: the same refusal every few minutes is no news.
        alarm: list[Effect] = [Alarm(answer.err, None)] if outbox.barred != answer.err else []
        return replace(outbox, barred=answer.err), [*alarm, Wait(answer.retry_s or BARRED_RETRY_S)]
    if answer.err == "fork":
        state = next(state for state in outbox.runs if state.run == sent.run)
        return _forked(outbox, state, answer.gen, state.acked)
    return stop(outbox, sent.run, answer.err), [Alarm(answer.err, sent.run), Wait(None)]


def _with(outbox: Outbox, run: RunId, change: Callable[[RunState], RunState]) -> Outbox:
    return replace(outbox, runs=tuple(change(state) if state.run == run else state for state in outbox.runs))
