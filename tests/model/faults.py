"""What may happen to machines, disks and databases in the search, each as often as the bounds allow."""

from collections.abc import Iterator

from tests.model import box as boxes
from tests.model.box import BoxRules
from tests.model.cloud import CloudRules
from tests.model.search import Step
from tests.model.world import Box, Disk, World


def steps(box_rules: BoxRules, cloud_rules: CloudRules, world: World) -> Iterator[Step[World]]:
    """Every fault that is left."""
    left = world.left
    for at, box in enumerate(world.boxes):
        name = "AB"[at]
        if left.crashes:
            after = world._replace(left=left._replace(crashes=left.crashes - 1))
            yield f"{name} loses its power and starts again", boxes.restarted(box_rules, after, at, box.disk)
        if world.image is not None and left.image_restores:
            yield f"the older image is put on {name}", image_restored(box_rules, world, at)
    yield from _copies(box_rules, world)
    if left.backups:
        after = world._replace(left=left._replace(backups=left.backups - 1), backup=world.cloud)
        yield "the cloud is backed up", after
    if world.backup is not None and left.cloud_restores:
        yield "the cloud is restored from its backup", cloud_restored(cloud_rules, world)


def _copies(rules: BoxRules, world: World) -> Iterator[Step[World]]:
    left, first = world.left, world.boxes[0]
    if left.images:
        yield "an image of A's disk is taken", world._replace(left=left._replace(images=left.images - 1), image=first.disk)
    if len(world.boxes) == 1 and left.clones:
        after = _second(world._replace(left=left._replace(clones=left.clones - 1)), first._replace(sent=None))
        yield "B starts with a copy of A's disk", boxes.restarted(rules, after, 1, first.disk)
    if len(world.boxes) == 1 and left.snapshots:
        after = world._replace(left=left._replace(snapshots=left.snapshots - 1))
        yield "B goes on with a copy of A as it runs", _second(after, first._replace(sent=None))


def _second(world: World, box: Box) -> World:
    return world._replace(boxes=(*world.boxes, box), air=(*world.air, None), answers=(*world.answers, None))


def image_restored(rules: BoxRules, world: World, at: int) -> World:
    """Somebody overwrites a disk with an older one: what was only on it is destroyed by hand."""
    assert world.image is not None
    gone = boxes.contents(world.boxes[at].disk) - boxes.contents(world.image)
    left = world.left._replace(image_restores=world.left.image_restores - 1)
    return boxes.restarted(rules, world._replace(left=left, destroyed=world.destroyed | gone), at, world.image)


def cloud_restored(rules: CloudRules, world: World) -> World:
    """The database is an earlier one of itself, with a generation of its own; transactions under way are gone."""
    assert world.backup is not None
    gen = rules.next_generation(world, world.backup)
    return world._replace(
        cloud=world.backup._replace(gen=gen),
        highest_gen=max(world.highest_gen, gen),
        workers=tuple(None for _ in world.workers),
        left=world.left._replace(cloud_restores=world.left.cloud_restores - 1),
    )


def prunings(rules: BoxRules, world: World) -> Iterator[Step[World]]:
    """Retention lets go of what the cloud has had for so long that every backup that may yet come back holds it."""
    if world.backup is None and world.left.backups:
        return
    for at, box in enumerate(world.boxes):
        after = pruned(rules, world, box.disk)
        if after != box.disk:
            yield f"retention of {'AB'[at]}", boxes.put(world, at, box._replace(disk=after))


def pruned(rules: BoxRules, world: World, disk: Disk) -> Disk:
    """The disk after its retention has looked at it."""
    runs = []
    for run in disk.runs:
        surely = world.cloud if world.backup is None else world.backup
        held = surely.of(run.name).entries
        same = run.entries[: len(held)] == held[: len(run.entries)]
        old = min(run.acked, len(held)) if same else 0
        runs.append(run._replace(pruned=max(run.pruned, rules.let_go(old))))
    return disk._replace(runs=tuple(runs))
