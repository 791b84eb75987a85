"""What the cloud does in the search: workers that judge under a lock and commit, records made of entries."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sync_protocol import inbox
from sync_protocol.frame import Batch
from sync_protocol.ids import EntryId, RunId
from sync_protocol.inbox import Fork, Gap, Have, Position, StoredHash, Take, Verdict
from tests.model import box as boxes
from tests.model import world as w
from tests.model.branches import after_take, held
from tests.model.search import Step
from tests.model.world import Answered, Cloud, Frame, Rows, Work, World

TURNS = 3
"""A, B, A again: a restored image is silent on one side, so there are two boxes."""

Fate = Literal["posted", "passed_over", "parked", "disputed"]


@dataclass(frozen=True)
class CloudRules:
    """How the cloud behaves. A mutant overrides one of these."""

    workers: int = 1
    row_lock: bool = True
    """Whether a position is locked from reading it to the commit."""
    unique_key: bool = True
    """Whether the database refuses a second row for (run, seq)."""

    def judge(self, position: Position, batch: Batch, stored: StoredHash) -> Verdict:
        return inbox.judge(position, batch, stored)

    def next_generation(self, world: World, restored: Cloud) -> int:  # noqa: ARG002 - a mutant looks at it
        """A number that no box has heard, also where the same backup comes back twice."""
        return world.highest_gen + 1

    def held(self, cloud: Cloud) -> dict[RunId, int]:
        """Of each run the first entry of which nothing is made."""
        return held(cloud)

    def fate(self, cloud: Cloud, text: bytes) -> Fate:
        """What becomes of a step of the job: its place is behind the steps that were posted, and each is posted once."""
        if text in cloud.posted:
            return "passed_over"
        if w.number(text) > len(cloud.posted):
            return "parked"
        return "disputed" if w.number(text) < len(cloud.posted) else "posted"


def steps(rules: CloudRules, world: World) -> Iterator[Step[World]]:
    """Everything that any worker may do next. A worker that is alone needs no steps between reading and commit."""
    if rules.workers == 1:
        for frame in _arriving(world):
            words = f"the cloud takes {w.short(frame.run)} from {frame.first} on of {'AB'[frame.box]}"
            yield words, committed(rules, taken(rules, world, 0, frame), 0)
        return
    for number, work in enumerate(world.workers):
        if work is not None:
            yield f"worker {number + 1} commits", committed(rules, world, number)
            yield f"worker {number + 1} dies", set_worker(world, number, None)
        elif number == 0 or world.workers[0] is not None:
            # Two idle workers are alike: the first takes what comes.
            for frame in _arriving(world):
                if may_take(rules, world, frame):
                    words = f"worker {number + 1} reads {w.short(frame.run)} from {frame.first} on of {'AB'[frame.box]}"
                    yield words, taken(rules, world, number, frame)


def _arriving(world: World) -> Iterator[Frame]:
    yield from (flying for flying in world.air if flying is not None)
    yield from sorted(world.late)


def may_take(rules: CloudRules, world: World, frame: Frame) -> bool:
    return not rules.row_lock or all(work is None or work.frame.run != frame.run for work in world.workers)


def taken(rules: CloudRules, world: World, number: int, frame: Frame) -> World:
    """A worker reads the position and judges; it holds the lock now."""
    rows = world.cloud.of(frame.run)
    links = w.hashes(rows.run, rows.entries)
    position = Position(rows.acked, w.hash_before(rows.run, rows.entries, rows.acked))
    verdict = rules.judge(position, w.batch_of(frame), lambda seq: links[seq])
    if frame.live:
        world = world._replace(air=tuple(None if flying == frame else flying for flying in world.air))
    else:
        world = world._replace(late=world.late - {frame})
    return set_worker(world, number, Work(frame, rows.acked, verdict))


def committed(rules: CloudRules, world: World, number: int) -> World:
    """The worker's transaction is durable, and its answer is on its way to whoever still waits for it."""
    work = world.workers[number]
    assert work is not None
    world = set_worker(world, number, None)
    cloud, frame, acked = world.cloud, work.frame, work.acked
    if isinstance(work.verdict, Take):
        rows = _stored(rules, cloud.of(frame.run), frame, work.verdict)
        if rows is None:
            return world
        stored = _with(cloud, rows)
        if world.image is not None or len(world.boxes) > 1:  # else there is no second continuation of anything
            stored = _with(stored, rows._replace(seen=len(stored.rows)))
            stored = after_take(stored, EntryId(rows.run, rows.acked - 1))
        cloud, acked = _watched(world, frame, projected(rules, stored)), rows.acked
    if isinstance(work.verdict, Fork):
        cloud = cloud._replace(asides=cloud.asides | {(frame.run, frame.first, frame.entries)})
    world = world._replace(cloud=cloud)
    if not frame.live:
        return world
    answers = list(world.answers)
    answers[frame.box] = _answered(cloud, frame, work.verdict, acked)
    return world._replace(answers=tuple(answers))


def _watched(world: World, frame: Frame, after: Cloud) -> Cloud:
    """What was posted although two boxes had taken turns in what is each one's own; the boxes' disks tell, not the lineage."""
    if len(world.boxes) == 1:
        return after
    at = frame.box
    ours, theirs = (boxes.places(world.boxes[each].disk) for each in (at, 1 - at))
    own = {(frame.run, frame.first + index, entry) for index, entry in enumerate(frame.entries)} - theirs
    turns = after.turns
    if own & ours and turns[-1:] != (at,):
        turns = (*turns, at)[:3]
    single = boxes.contents(world.boxes[0].disk) ^ boxes.contents(world.boxes[1].disk)
    news = {*after.posted} - {*world.cloud.posted}
    return after._replace(turns=turns, wrongly=after.wrongly | (news & single if len(turns) == TURNS else set()))


def _stored(rules: CloudRules, rows: Rows, frame: Frame, take: Take) -> Rows | None:
    first = frame.first + take.skip
    known = len(rows.entries) - first
    if known > 0 and rules.unique_key:
        return None
    return rows._replace(entries=rows.entries + frame.entries[take.skip + max(known, 0) :], acked=take.position.acked)


def _answered(cloud: Cloud, frame: Frame, verdict: Verdict, acked: int) -> Answered:
    if isinstance(verdict, Fork):
        return Answered("fork", gen=cloud.gen)
    rows = cloud.of(frame.run)
    kind = "need" if isinstance(verdict, Gap) else "ack"
    assert isinstance(verdict, Take | Have | Gap)
    return Answered(kind, acked, w.hash_before(rows.run, rows.entries, acked).hex(), cloud.gen)


def projected(rules: CloudRules, cloud: Cloud) -> Cloud:
    """Records are made of all entries of which they may be made."""
    until = rules.held(cloud)
    for rows in cloud.rows:
        end = min(rows.acked, until.get(rows.run, rows.acked))
        for entry in rows.entries[rows.taken : end]:
            if w.is_reading(entry):
                cloud = _posted(rules, cloud, w.content(entry))
        cloud = _with(cloud, rows._replace(taken=max(rows.taken, end)))
    while ready := [text for text in cloud.parked if rules.fate(cloud, text) != "parked"]:
        parked = tuple(text for text in cloud.parked if text != ready[0])
        cloud = _posted(rules, cloud._replace(parked=parked), ready[0])
    return cloud


def _posted(rules: CloudRules, cloud: Cloud, text: bytes) -> Cloud:
    match rules.fate(cloud, text):
        case "posted":
            return cloud._replace(posted=(*cloud.posted, text))
        case "disputed":
            return cloud._replace(disputed=cloud.disputed | {text})
        case "parked" if text not in cloud.parked:
            return cloud._replace(parked=(*cloud.parked, text))
    return cloud


def _with(cloud: Cloud, rows: Rows) -> Cloud:
    others = tuple(rows if other.run == rows.run else other for other in cloud.rows)
    return cloud._replace(rows=others if rows in others else (*cloud.rows, rows))


def set_worker(world: World, number: int, work: Work | None) -> World:
    return world._replace(workers=(*world.workers[:number], work, *world.workers[number + 1 :]))
