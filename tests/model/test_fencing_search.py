"""I7 over the shipped `commands.judge`: two boxes with one identity, commands that come late, twice and out of order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sync_protocol.commands import Command, Fence, Verdict, judge, seen
from tests.model.search import Found, Step, explore

IDS = ("0" * 25 + "1", "0" * 25 + "2")


class Box(NamedTuple):
    """A copy of a disk. `fence` and `taken` are on it; `running` and `unnoted` are gone with the power."""

    fence: Fence = Fence()
    taken: frozenset[str] = frozenset()
    running: str | None = None
    unnoted: str | None = None
    done: tuple[str, ...] = ()
    """What the devices saw."""
    told: int = 0
    """For the check alone: the highest lease that came to this box, whatever it remembers of it."""
    late: str | None = None
    """For the check alone: what was begun under an older lease than that."""


class World(NamedTuple):
    boxes: tuple[Box, ...] = (Box(), Box())
    lease: int = 0
    flying: frozenset[tuple[int, str, int]] = frozenset()
    """Box, command, lease: what was sent may come at any time, and again."""
    sessions: int = 3
    crashes: int = 2


@dataclass(frozen=True)
class Rules:
    """As shipped; a mutant overrides one."""

    def judge(self, box: Box, command: Command) -> tuple[Fence, Verdict]:
        return judge(box.fence, command, known=command.cmd_id in box.taken, late=False)

    def restarted(self, box: Box) -> Box:
        return box._replace(running=None, unnoted=None)

    def begun(self, box: Box, cmd_id: str) -> Box:
        """The id is on the disk before anything is carried out."""
        return box._replace(taken=box.taken | {cmd_id})

    def carried_out(self, box: Box, cmd_id: str) -> Box:
        return box._replace(running=None, done=(*box.done, cmd_id))


@dataclass(frozen=True)
class ForgetsTheFence(Rules):
    """The highest lease is in memory only."""

    def restarted(self, box: Box) -> Box:
        return super().restarted(box)._replace(fence=Fence())


@dataclass(frozen=True)
class NotesWhenDone(Rules):
    """The id is on the disk after the command was carried out."""

    def begun(self, box: Box, cmd_id: str) -> Box:  # noqa: ARG002 - that is the fault
        return box

    def carried_out(self, box: Box, cmd_id: str) -> Box:
        return super().carried_out(box, cmd_id)._replace(unnoted=cmd_id)


@dataclass(frozen=True)
class ObeysAnyLease(Rules):
    """A command is carried out under whatever lease it came."""

    def judge(self, box: Box, command: Command) -> tuple[Fence, Verdict]:
        return seen(box.fence, command.lease), "again" if command.cmd_id in box.taken else "carry_out"


def steps(rules: Rules, world: World) -> Iterator[Step[World]]:
    for at, box in enumerate(world.boxes):
        name = "AB"[at]
        if world.sessions:
            lease = world.lease + 1
            sent = {(at, cmd_id, lease) for cmd_id in IDS}
            after = world._replace(lease=lease, flying=world.flying | sent, sessions=world.sessions - 1)
            yield f"{name} opens session {lease}", put(after, at, box._replace(fence=seen(box.fence, lease), told=lease))
        if world.crashes:
            after = world._replace(crashes=world.crashes - 1)
            yield f"{name} starts again", put(after, at, rules.restarted(box))
        if box.running is not None:
            yield f"{name} carries out {box.running[-1]}", put(world, at, rules.carried_out(box, box.running))
        if box.unnoted is not None:
            yield f"{name} notes it", put(world, at, box._replace(taken=box.taken | {box.unnoted}, unnoted=None))
    for at, cmd_id, lease in sorted(world.flying):
        box = world.boxes[at]
        if box.running is None and box.unnoted is None:
            verdict, box = told(rules, box, cmd_id, lease)
            yield f"{'AB'[at]} hears {cmd_id[-1]} under {lease}: {verdict}", put(world, at, box)


def told(rules: Rules, box: Box, cmd_id: str, lease: int) -> tuple[Verdict, Box]:
    """A command comes to a box."""
    command = Command.model_construct(t="command", cmd_id=cmd_id, lease=lease, not_after="", op="zero", args={})
    fence, verdict = rules.judge(box, command)
    box = box._replace(fence=fence, told=max(box.told, lease))
    if verdict != "carry_out":
        return verdict, box
    box = rules.begun(box._replace(running=cmd_id), cmd_id)
    return verdict, box._replace(late=cmd_id) if lease < box.told else box


def put(world: World, at: int, box: Box) -> World:
    return world._replace(boxes=(*world.boxes[:at], box, *world.boxes[at + 1 :]))


def i7_no_older_lease_after_a_newer(world: World) -> str | None:
    late = [box.late for box in world.boxes if box.late is not None]
    return f"carried out under an older lease than one seen: {late}" if late else None


def i7_each_once(world: World) -> str | None:
    twice = [box.done for box in world.boxes if len(set(box.done)) < len(box.done)]
    return f"carried out twice: {twice}" if twice else None


def search(rules: Rules) -> Found[World]:
    checks = (i7_no_older_lease_after_a_newer, i7_each_once)
    return explore(World(), lambda world: steps(rules, world), checks)


def test_commands_are_carried_out_once_and_never_under_an_older_lease() -> None:
    found = search(Rules())
    assert found.violation is None, f"\n{found.violation}"
    assert found.exhausted
    assert found.states > 1_000


def test_wrong_ways_to_take_commands_are_caught() -> None:
    for rules, invariant in (
        (ForgetsTheFence(), i7_no_older_lease_after_a_newer),
        (ObeysAnyLease(), i7_no_older_lease_after_a_newer),
        (NotesWhenDone(), i7_each_once),
    ):
        found = search(rules)
        assert found.violation is not None, rules
        assert found.violation.invariant == invariant.__name__
        assert len(found.violation.trace) <= 8, f"\n{found.violation}"
