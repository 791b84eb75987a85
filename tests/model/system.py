"""Boxes, cloud and faults together: a configuration, its start and its search."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sync_protocol.ids import RunId
from tests.model import box as boxes
from tests.model import cloud as clouds
from tests.model import faults, invariants
from tests.model import world as w
from tests.model.box import BoxRules
from tests.model.cloud import CloudRules
from tests.model.search import Found, Invariant, Step, explore
from tests.model.world import Cloud, Disk, Left, World

ALWAYS: tuple[Invariant[World], ...] = (
    invariants.i1_acked_is_in_the_cloud,
    invariants.i2_confirmed_is_somewhere,
    invariants.i3_posted_once,
    invariants.i4_rows_are_a_prefix,
    invariants.i5_content_is_its_writers,
    invariants.i6_posted_in_order,
    invariants.i8_unacked_is_kept,
    invariants.i12_no_posting_of_an_overlap,
)


@dataclass(frozen=True)
class Config:
    """Bounds of one search. `forks`: whether a run may get two contents here."""

    left: Left
    box: BoxRules = field(default_factory=BoxRules)
    cloud: CloudRules = field(default_factory=CloudRules)
    retention: bool = False
    forks: bool = False

    def start(self) -> World:
        disk = self.box.started(Disk(()), RunId(w.run_name(1)))
        box = w.Box(disk, boxes.outbox_of(disk))
        return World((box,), Cloud(), self.left._replace(drawn=1), (None,), frozenset(), (None,), (None,) * self.cloud.workers)

    def steps(self, world: World) -> Iterator[Step[World]]:
        yield from boxes.steps(self.box, world)
        yield from clouds.steps(self.cloud, world)
        yield from faults.steps(self.box, self.cloud, world)
        if self.retention:
            yield from faults.prunings(self.box, world)

    def search(self, *, only: str | None = None, limit: int = 5_000_000) -> Found[World]:
        """Look for a violation of every invariant, or of the one of that name alone."""
        checks = [*ALWAYS, invariants.drains(self.box, self.cloud)]
        if not self.forks:
            checks.append(invariants.i5_no_fork)
        chosen = [check for check in checks if only in {None, check.__name__}]
        return explore(self.start(), self.steps, chosen, limit=limit)
