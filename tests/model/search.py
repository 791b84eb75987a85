"""Breadth-first search over explicit states: every state within the bounds is seen, the first violation is a shortest one."""

import gc
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)

Step = tuple[str, State]
"""What was done, in words, and the state after it."""

Invariant = Callable[[State], str | None]
"""None where it holds, else what is wrong. Its name begins with the number of the invariant."""


@dataclass(frozen=True, slots=True)
class Violation(Generic[State]):
    """A shortest way from the start to a state that must not be."""

    invariant: str
    detail: str
    trace: tuple[str, ...]
    state: State

    def __str__(self) -> str:
        lines = [f"{number:3}. {words}" for number, words in enumerate(self.trace, 1)]
        return "\n".join([f"{self.invariant}: {self.detail}", *lines])


@dataclass(frozen=True, slots=True)
class Found(Generic[State]):
    """What a search found: how many states there are, and the first violation."""

    states: int
    violation: Violation[State] | None
    exhausted: bool
    """False where the search ended at a violation or at its limit of states."""


def explore(
    start: State,
    steps: Callable[[State], Iterable[Step[State]]],
    invariants: Sequence[Invariant[State]],
    *,
    limit: int = 5_000_000,
) -> Found[State]:
    """Visit everything that `steps` leads to from `start`, or stop at the first state that breaks an invariant."""
    with _no_collections():
        return _explore(start, steps, invariants, limit)


@contextmanager
def _no_collections() -> Iterator[None]:
    # Millions of small tuples without a cycle: looking for cycles among them costs a fifth of the time.
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _explore(
    start: State, steps: Callable[[State], Iterable[Step[State]]], invariants: Sequence[Invariant[State]], limit: int
) -> Found[State]:
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for invariant in invariants:
            detail = invariant(state)
            if detail is not None:
                broken = Violation(invariant.__name__, detail, _way(came_from, state), state)
                return Found(len(came_from), broken, exhausted=False)
        if len(came_from) > limit:
            return Found(len(came_from), None, exhausted=False)
        for words, after in steps(state):
            if after not in came_from:
                came_from[after] = (state, words)
                waiting.append(after)
    return Found(len(came_from), None, exhausted=True)


def _way(came_from: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    words: list[str] = []
    while (before := came_from[state]) is not None:
        state, word = before
        words.append(word)
    return tuple(reversed(words))
