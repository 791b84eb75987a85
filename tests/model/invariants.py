"""What must hold in every state. The numbers are those of the list in docs/SYNC.md."""

from collections.abc import Callable

from sync_protocol.outbox import RunState
from tests.model import box as boxes
from tests.model import branches
from tests.model import cloud as clouds
from tests.model import world as w
from tests.model.box import BoxRules
from tests.model.cloud import CloudRules
from tests.model.search import Invariant
from tests.model.world import Box, Rows, World

CALM = 200
"""Steps in which everything has come to rest once nothing fails any more; far more than the bounds need."""

CHATTER = 4
"""Entries that boxes write by themselves then: one each would do."""


def i1_acked_is_in_the_cloud(world: World) -> str | None:
    """What a box takes for acked is in the cloud with the same content, or the box is about to ask about it again."""
    for box in world.boxes:
        if box.outbox.gen < world.cloud.gen:
            continue  # the cloud was restored, the box has yet to hear of it
        for state in box.outbox.runs:
            if not state.stopped and not _asks(state) and not _is_held(box, state, world):
                return f"{w.short(state.run)} is acked up to {state.acked}, the cloud has {world.cloud.of(state.run).entries}"
    return None


def _asks(state: RunState) -> bool:
    return state.acked < state.tip and state.acked > 0


def _is_held(box: Box, state: RunState, world: World) -> bool:
    run = next(run for run in box.disk.runs if run.name == state.run)
    return world.cloud.of(run.name).entries[: state.acked] == run.entries[: state.acked] if run.tip else True


def i2_confirmed_is_somewhere(world: World) -> str | None:
    """A confirmed reading is on a disk or in the cloud, unless its disk was overwritten by hand."""
    missing = world.confirmed - world.destroyed - _in_cloud(world)
    for box in world.boxes:
        missing -= boxes.contents(box.disk)
    return f"lost: {_words(missing)}" if missing else None


def i3_posted_once(world: World) -> str | None:
    """No reading becomes a record twice."""
    posted = world.cloud.posted
    return f"posted twice: {posted}" if len(set(posted)) < len(posted) else None


def i4_rows_are_a_prefix(world: World) -> str | None:
    """The cloud has entries 0 to acked-1 of every run, and what was made of them is no more than that."""
    for rows in world.cloud.rows:
        if len(rows.entries) != rows.acked or rows.taken > rows.acked:
            return f"{w.short(rows.run)} is at {rows.acked} and has {len(rows.entries)} entries, {rows.taken} taken"
    return None


def i5_no_fork(world: World) -> str | None:
    """Without a machine that is copied as it runs, no run ever has two contents."""
    return f"forks: {sorted(world.cloud.asides)}" if world.cloud.asides else None


def i5_content_is_its_writers(world: World) -> str | None:
    """The cloud's entries of a run are those that one of the boxes wrote, and never a mixture."""
    for rows in world.cloud.rows:
        written = [run.entries for box in world.boxes for run in box.disk.runs if run.name == rows.run]
        if written and not world.destroyed and all(entries[: rows.acked] != rows.entries for entries in written):
            return f"{w.short(rows.run)} is {rows.entries} in the cloud, {written} on disks"
    return None


def i6_posted_in_order(world: World) -> str | None:
    """Readings are posted in the order of their run, and after the part of the parent run that theirs continues."""
    posted = {text: number for number, text in enumerate(world.cloud.posted)}
    for rows in world.cloud.rows:
        before = -1
        for text in _own(rows, rows.taken):
            if posted.get(text, before) < before:
                return f"{text.decode()} of {w.short(rows.run)} was posted too early: {world.cloud.posted}"
            before = posted.get(text, before)
        if late := _behind_the_child(world, rows, posted):
            return f"{late.decode()} was posted after what {w.short(rows.run)} says next: {world.cloud.posted}"
    return None


def _own(rows: Rows, until: int) -> list[bytes]:
    return [entry for entry in rows.entries[:until] if w.is_reading(entry) and b"|" not in entry]


def _behind_the_child(world: World, rows: Rows, posted: dict[bytes, int]) -> bytes | None:
    parent, own = branches.parent_of(rows.entries), [text for text in _own(rows, rows.taken) if text in posted]
    if parent is None or not own:
        return None
    found = next((other for other in world.cloud.rows if other.run == parent[0]), None)
    earlier = _own(found, min(found.acked, parent[1] + 1)) if found is not None else []
    return next((text for text in earlier if posted.get(text, -1) > posted[own[0]]), None)


def i12_no_posting_of_an_overlap(world: World) -> str | None:
    """When two boxes took turns under one name, nothing more of what is either one's own is posted by itself."""
    return f"posted: {_words(world.cloud.wrongly)}" if world.cloud.wrongly else None


def i8_unacked_is_kept(world: World) -> str | None:
    """Retention takes nothing that the cloud lacks, nor what a restored cloud could still lack."""
    sure = world.backup if world.backup is not None else world.cloud
    for box in world.boxes:
        for run in box.disk.runs:
            if run.pruned > min(sure.of(run.name).acked, world.cloud.of(run.name).acked):
                return f"{w.short(run.name)} was let go up to {run.pruned}"
    return None


def drains(box_rules: BoxRules, cloud_rules: CloudRules) -> Invariant[World]:
    """From every state, once nothing fails any more, each confirmed reading on a disk comes to the cloud and is posted."""
    calm: set[World] = set()
    next_step = _calming(box_rules, cloud_rules)

    def i2_confirmed_reaches_the_cloud(world: World) -> str | None:
        way = []
        world = world._replace(left=w.Left(chatter=CHATTER, drawn=world.left.drawn, written=world.left.written))
        for _ in range(CALM):
            if world in calm:
                break
            way.append(world)
            after = next_step(world)
            if after is None:
                if found := _missing(world):
                    return found
                break
            world = after
        else:
            return "it never comes to rest"
        calm.update(way)
        return None

    return i2_confirmed_reaches_the_cloud


def _missing(world: World) -> str | None:
    missing = world.confirmed - world.destroyed - _in_cloud(world)
    if missing:
        return f"stuck on the box: {_words(missing)}"
    if any(branch.overlap for branch in world.cloud.branches):
        return None  # it waits for a person
    unposted = world.confirmed - world.destroyed - {*world.cloud.posted} - world.cloud.disputed
    # What follows a step that was destroyed with its disk waits for a person.
    unposted = unposted if not world.destroyed else frozenset()
    return f"stuck in the cloud: {_words(unposted)}" if unposted else None


def _calming(box_rules: BoxRules, cloud_rules: CloudRules) -> Callable[[World], World | None]:
    def step(world: World) -> World | None:
        for number, work in enumerate(world.workers):
            if work is not None:
                return clouds.committed(cloud_rules, world, number)
        for at, box in enumerate(world.boxes):
            flying = world.air[at]
            if flying is not None:
                return clouds.taken(cloud_rules, world, 0, flying)
            if world.answers[at] is not None:
                return boxes.hear(box_rules, world, at)
            if box.sent is not None:
                return boxes.give_up(box_rules, world, at)
        if world.late:
            return world._replace(late=frozenset())
        for at, box in enumerate(world.boxes):
            if boxes.unsaved(box):
                return boxes.confirm(world, at)
            if (sent := boxes.largest_send(box_rules, world, at)) is not None:
                return sent
        return _life_goes_on(world)

    return step


def _life_goes_on(world: World) -> World | None:
    """A box that has nothing to say still writes now and then, and so hears of a restored cloud."""
    for at, box in enumerate(world.boxes):
        if world.left.chatter and box.outbox.gen < world.cloud.gen:
            world = world._replace(left=world.left._replace(chatter=world.left.chatter - 1))
            return boxes.confirm(boxes.put(world, at, box._replace(pending=(b"run on",))), at)
    return None


def _in_cloud(world: World) -> frozenset[bytes]:
    return frozenset(w.content(entry) for rows in world.cloud.rows for entry in rows.entries)


def _words(texts: frozenset[bytes]) -> str:
    return ", ".join(sorted(text.decode() for text in texts))
