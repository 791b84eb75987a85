"""What a box does in the search. Every decision about the conversation is a call of `sync_protocol.outbox`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sync_protocol import outbox
from sync_protocol.answers import Ack, Answer, Need, Refused
from sync_protocol.ids import RunId
from sync_protocol.outbox import Moved, Outbox, Reissue, RunState, Send, grown, stop
from tests.model import world as w
from tests.model.search import Step
from tests.model.world import Answered, Box, Disk, Frame, Run, World

Steps = Iterator[Step[World]]


@dataclass(frozen=True)
class BoxRules:
    """How a box behaves: the shipped functions, and what the journal around them promises. A mutant overrides one of them."""

    frame_entries: int = 4
    """Entries of the largest frame."""
    part_frames: bool = False
    """Whether a frame may also hold one entry while more wait."""
    late_frames: int = 1
    """Doubles and stray frames that the network holds at one time."""
    slow_disk: bool = True
    """Whether other things happen between writing to the journal and its being durable."""

    def next_send(self, state: Outbox) -> Send | None:
        return outbox.next_send(state)

    def on_answer(
        self, state: Outbox, sent: Send, answer: Answer, hash_at: outbox.HashAt
    ) -> tuple[Outbox, list[outbox.Effect]]:
        return outbox.on_answer(state, sent, answer, hash_at)

    def started(self, disk: Disk, name: RunId) -> Disk:
        """The journal's writer starts: a new run, whose entry 0 names the end of the one before."""
        return with_run(disk, name)

    def on_published(self, box: Box, frame: Frame) -> Box:  # noqa: ARG002 - a mutant looks at it
        """A broker or a socket has the frame."""
        return box

    def on_moved(self, box: Box, moved: Moved) -> Box:
        """The disk learns of the cloud's position with its next commit."""
        return box._replace(marks=(*(mark for mark in box.marks if mark[0] != moved.run), (moved.run, moved.acked)))

    def on_written(self, world: World, content: bytes) -> World:  # noqa: ARG002 - a mutant looks at it
        """Nothing is told to anyone before it is durable."""
        return world

    def keeps_generation(self, state: Outbox) -> bool:
        """Whether the disk may learn the cloud's generation now: not before every run was asked about."""
        return self.next_send(state) is None

    def let_go(self, old: int) -> int:
        """How many entries retention takes when `old` are old enough: the chain goes on from the last one's hash."""
        return max(old - 1, 0)

    def reissue_from(self, reissue: Reissue) -> int:
        return reissue.first


def with_run(disk: Disk, name: RunId) -> Disk:
    parent = disk.runs[-1] if disk.runs else None
    return disk._replace(runs=(*disk.runs, Run(name, (w.opening(parent),))))


def outbox_of(disk: Disk) -> Outbox:
    """As the journal's reader gives it at a start."""
    return Outbox(tuple(RunState(run.name, run.tip, run.acked, run.stopped) for run in disk.runs), disk.gen)


def steps(rules: BoxRules, world: World) -> Steps:
    """Everything that any box may do next."""
    for at, box in enumerate(world.boxes):
        name = "AB"[at]
        yield from _write(rules, world, at, name)
        if unsaved(box):
            yield f"the disk of {name} confirms", confirm(world, at)
        if box.sent is None:
            yield from _send(rules, world, at, name)
        else:
            yield from _while_waiting(rules, world, at, name)
        if world.left.fresh_runs and outbox.wants_fresh_run(box.outbox):
            yield f"{name} opens a fresh run", fresh_run(rules, world, at)


def _write(rules: BoxRules, world: World, at: int, name: str) -> Steps:
    if world.left.writes:
        text = w.next_content(world, at)
        left = world.left._replace(writes=world.left.writes - 1, written=world.left.written + 1)
        box = world.boxes[at]
        after = put(world._replace(left=left), at, box._replace(pending=(*box.pending, text)))
        after = rules.on_written(after, text)
        yield f"{name} writes {text.decode()}", after if rules.slow_disk else confirm(after, at)


def unsaved(box: Box) -> bool:
    """Whether the journal has something to commit."""
    return bool(box.pending or box.marks or box.known_gen != box.disk.gen)


def confirm(world: World, at: int) -> World:
    """A commit of the journal is on the disk: entries, and positions that rode along. Whoever wrote them is told."""
    box = world.boxes[at]
    marks = dict(box.marks)
    runs = [run._replace(acked=marks.get(run.name, run.acked)) for run in box.disk.runs]
    runs[-1] = runs[-1]._replace(entries=runs[-1].entries + box.pending)
    disk = Disk(tuple(runs), box.known_gen)
    state = grown(box.outbox, runs[-1].name, len(runs[-1].entries))
    told = {w.content(entry) for entry in box.pending if w.is_reading(entry)}
    world = world._replace(confirmed=world.confirmed | told)
    return put(world, at, box._replace(disk=disk, outbox=state, pending=(), marks=()))


def _send(rules: BoxRules, world: World, at: int, name: str) -> Steps:
    box = world.boxes[at]
    send = rules.next_send(box.outbox)
    if send is None:
        return
    run = _run(box.disk, send.run)
    if send.first < run.pruned or 0 < send.first == run.pruned:  # the latter: nothing is left to prove it by
        yield (
            f"{name} finds {w.short(run.name)} let go",
            put(world, at, box._replace(outbox=stop(box.outbox, run.name, "pruned"))),
        )
        return
    waiting = run.entries[send.first : run.tip][: rules.frame_entries]
    counts = {len(waiting), 1} if rules.part_frames else {len(waiting)}
    for count in sorted(counts):
        frame = Frame(at, send.run, send.first, waiting[:count], w.hash_before(run.name, run.entries, send.first), live=True)
        yield f"{name} sends {_place(frame)} of {w.short(send.run)}", _sent(rules, world, send, frame)


def _sent(rules: BoxRules, world: World, send: Send, frame: Frame) -> World:
    box = world.boxes[frame.box]
    after = put(world, frame.box, rules.on_published(box._replace(sent=send), frame))
    return after._replace(air=_set(world.air, frame.box, frame))


def largest_send(rules: BoxRules, world: World, at: int) -> World | None:
    """The state after the box sent all it can, None where it has nothing to send."""
    sends = list(_send(rules, world, at, ""))
    return sends[-1][1] if sends else None


def _place(frame: Frame) -> str:
    return f"{frame.first}..{frame.first + len(frame.entries) - 1}"


def _while_waiting(rules: BoxRules, world: World, at: int, name: str) -> Steps:
    if world.answers[at] is not None:
        yield f"{name} hears {world.answers[at].kind} {world.answers[at].position}", hear(rules, world, at)  # type: ignore[union-attr]
    yield f"{name} waits no longer", give_up(rules, world, at)
    flying = world.air[at]
    if flying is not None:
        copy = flying._replace(live=False)
        if copy not in world.late and len(world.late) < rules.late_frames:
            yield f"the network doubles the frame of {name}", world._replace(late=world.late | {copy})


def hear(rules: BoxRules, world: World, at: int) -> World:
    """The answer to the frame in flight arrives."""
    box, answered = world.boxes[at], world.answers[at]
    assert answered is not None
    assert box.sent is not None
    state, effects = rules.on_answer(box.outbox, box.sent, _answer(box.sent.run, answered), _hash_at(box.disk))
    box = box._replace(outbox=state, sent=None)
    world = world._replace(answers=_set(world.answers, at, None))
    reissue = None
    if rules.keeps_generation(state):
        box = box._replace(known_gen=state.gen)
    for effect in effects:
        if isinstance(effect, Moved):
            box = rules.on_moved(box, effect)
        if isinstance(effect, Reissue):
            reissue = effect
    world = put(world, at, box)
    if reissue is not None:
        return _reissue(rules, world, at, reissue)
    return world if rules.slow_disk or not unsaved(box) else confirm(world, at)


def _answer(run: RunId, answered: Answered) -> Answer:
    if answered.kind == "ack":
        return Ack.model_construct(run=run, acked=answered.position, hash=answered.hash, gen=answered.gen, srv_time="")
    if answered.kind == "need":
        return Need.model_construct(run=run, need=answered.position, hash=answered.hash, gen=answered.gen)
    return Refused.model_construct(err=answered.kind, retry_s=None, detail=None, gen=answered.gen)  # type: ignore[arg-type]


def _hash_at(disk: Disk) -> Callable[[RunId, int], bytes | None]:
    def hash_at(name: RunId, seq: int) -> bytes | None:
        run = _run(disk, name)
        return w.hashes(name, run.entries)[seq] if run.pruned <= seq < len(run.entries) else None

    return hash_at


def _reissue(rules: BoxRules, world: World, at: int, reissue: Reissue) -> World:
    """The journal writes a forked run's tail once more, and marks the run as stopped, in one commit."""
    world = confirm(world, at)
    box = world.boxes[at]
    forked = _run(box.disk, reissue.run)
    first = rules.reissue_from(reissue)
    again = tuple(
        w.content(entry) + f"|was={w.short(forked.name)}:{seq}".encode()
        for seq, entry in enumerate(forked.entries)
        if seq >= max(first, forked.pruned) and w.is_reading(entry)
    )
    if box.disk.runs[-1].name == reissue.run:
        world = fresh_run(rules, world, at)
        box = world.boxes[at]
    runs = tuple(run._replace(stopped="fork") if run.name == reissue.run else run for run in box.disk.runs)
    return confirm(put(world, at, box._replace(disk=box.disk._replace(runs=runs), pending=again)), at)


def fresh_run(rules: BoxRules, world: World, at: int) -> World:
    """The writer goes on in a new run; what was written before is durable with it."""
    world = confirm(world, at)
    box = world.boxes[at]
    name = w.run_name(world.left.drawn + 1)
    disk = with_run(box.disk, name)
    box = box._replace(disk=disk, outbox=grown(box.outbox, name, 1))
    left = world.left._replace(drawn=world.left.drawn + 1, fresh_runs=max(world.left.fresh_runs - 1, 0))
    return put(world._replace(left=left), at, box)


def give_up(rules: BoxRules, world: World, at: int) -> World:
    """The box stops waiting: the frame may still arrive, the answer cannot."""
    flying, late = world.air[at], world.late
    if flying is not None and len(late) < rules.late_frames:
        late |= {flying._replace(live=False)}
    workers = tuple(
        work._replace(frame=work.frame._replace(live=False)) if work is not None and work.frame.box == at else work
        for work in world.workers
    )
    world = put(world, at, world.boxes[at]._replace(sent=None))
    return world._replace(air=_set(world.air, at, None), late=late, workers=workers, answers=_set(world.answers, at, None))


def restarted(rules: BoxRules, world: World, at: int, disk: Disk) -> World:
    """The box starts from a disk: what was not durable is gone, a new run is opened."""
    world = give_up(rules, world, at)
    name = w.run_name(world.left.drawn + 1)
    disk = rules.started(disk, name)
    world = world._replace(left=world.left._replace(drawn=world.left.drawn + 1))
    return put(world, at, Box(disk, outbox_of(disk), disk.gen))


def contents(disk: Disk) -> frozenset[bytes]:
    """Readings that are on a disk."""
    return frozenset(w.content(entry) for run in disk.runs for entry in run.entries[run.pruned :] if w.is_reading(entry))


def places(disk: Disk) -> set[tuple[RunId, int, bytes]]:
    """Every entry with its place."""
    return {(run.name, seq, entry) for run in disk.runs for seq, entry in enumerate(run.entries)}


def _run(disk: Disk, name: RunId) -> Run:
    return next(run for run in disk.runs if run.name == name)


def put(world: World, at: int, box: Box) -> World:
    return world._replace(boxes=_set(world.boxes, at, box))


def _set(items: tuple, at: int, item: object) -> tuple:  # type: ignore[type-arg]
    return (*items[:at], item, *items[at + 1 :])
