"""Protocols that are wrong in one place. A search that finds nothing wrong with one of them is broken itself."""

from dataclasses import dataclass

from sync_protocol import inbox
from sync_protocol.answers import Ack, Answer, Need
from sync_protocol.frame import Batch
from sync_protocol.ids import RunId
from sync_protocol.inbox import Have, Position, StoredHash, Verdict
from sync_protocol.outbox import Effect, HashAt, Moved, Outbox, Reissue, Send
from tests.model.box import BoxRules
from tests.model.cloud import CloudRules, Fate
from tests.model.world import Box, Cloud, Disk, Frame, World


def _let_go(box: Box, name: RunId, until: int) -> Box:
    runs = tuple(run._replace(pruned=max(run.pruned, until)) if run.name == name else run for run in box.disk.runs)
    return box._replace(disk=box.disk._replace(runs=runs))


@dataclass(frozen=True)
class DeletesWhenPublished(BoxRules):
    """M1: what a broker has is taken off the disk."""

    def on_published(self, box: Box, frame: Frame) -> Box:
        return _let_go(box, frame.run, frame.first + len(frame.entries))


@dataclass(frozen=True)
class ResumesItsRun(BoxRules):
    """M2: a start goes on with the last run."""

    def started(self, disk: Disk, name: RunId) -> Disk:
        return disk if disk.runs else super().started(disk, name)


@dataclass(frozen=True)
class ResumesAndBelievesNumbers(ResumesItsRun):
    """M3: and an answer's position is believed whatever its hash."""

    def on_answer(self, state: Outbox, sent: Send, answer: Answer, hash_at: HashAt) -> tuple[Outbox, list[Effect]]:
        if not isinstance(answer, Ack | Need) or answer.run != sent.run:
            return super().on_answer(state, sent, answer, hash_at)
        return super().on_answer(state, sent, answer, lambda _run, _seq: bytes.fromhex(answer.hash))


NO_LOCK = CloudRules(workers=2, row_lock=False, unique_key=False)
"""M4: two workers read one position, and what is there already is written over silently."""


@dataclass(frozen=True)
class DeletesWhenAcked(BoxRules):
    """M6: what is acked is taken off the disk."""

    def on_moved(self, box: Box, moved: Moved) -> Box:
        return _let_go(super().on_moved(box, moved), moved.run, moved.acked)


@dataclass(frozen=True)
class TellsBeforeItIsDurable(BoxRules):
    """A reading is called saved when it is written, not when the disk has it."""

    def on_written(self, world: World, content: bytes) -> World:
        return world._replace(confirmed=world.confirmed | {content})


@dataclass(frozen=True)
class ForgetsTheHashItGoesOnFrom(BoxRules):
    """Retention takes everything that is old, the last acked entry too: nothing proves what comes behind it."""

    def let_go(self, old: int) -> int:
        return old


@dataclass(frozen=True)
class KnowsTheGenerationAtOnce(BoxRules):
    """The disk learns of a new generation before every run was asked about: a restart in between forgets the rest."""

    def keeps_generation(self, state: Outbox) -> bool:  # noqa: ARG002 - that is the fault
        return True


@dataclass(frozen=True)
class IgnoresTheGeneration(BoxRules):
    """A restored cloud is not noticed."""

    def on_answer(self, state: Outbox, sent: Send, answer: Answer, hash_at: HashAt) -> tuple[Outbox, list[Effect]]:
        if isinstance(answer, Ack | Need):
            answer = answer.model_copy(update={"gen": state.gen})
        return super().on_answer(state, sent, answer, hash_at)


@dataclass(frozen=True)
class ReissuesOneTooFew(BoxRules):
    """A forked run's tail is written again from the second entry on."""

    def reissue_from(self, reissue: Reissue) -> int:
        return max(reissue.first, 1) + 1  # entry 0 is no reading and is not said again


@dataclass(frozen=True)
class CountsRestores(CloudRules):
    """The generation is one more than the backup's own: the same backup restored twice has the same one."""

    def next_generation(self, world: World, restored: Cloud) -> int:  # noqa: ARG002 - that is the fault
        return restored.gen + 1


@dataclass(frozen=True)
class HasWhatItDoesNotCompare(CloudRules):
    """A frame below the position is taken for known without a look at its content."""

    def judge(self, position: Position, batch: Batch, stored: StoredHash) -> Verdict:
        return Have() if batch.end <= position.acked else inbox.judge(position, batch, stored)


@dataclass(frozen=True)
class PostsWhatIsSaidAgain(CloudRules):
    """Every entry becomes a record, also one that says again what is a record already."""

    def fate(self, cloud: Cloud, text: bytes) -> Fate:  # noqa: ARG002 - that is the fault
        return "posted"


@dataclass(frozen=True)
class PostsWhatIsHeld(CloudRules):
    """An overlap is noticed, and records are made all the same."""

    def held(self, cloud: Cloud) -> dict[RunId, int]:  # noqa: ARG002 - that is the fault
        return {}


@dataclass(frozen=True)
class PostsAsItComes(CloudRules):
    """A step does not wait for the steps before it."""

    def fate(self, cloud: Cloud, text: bytes) -> Fate:
        return "passed_over" if text in cloud.posted else "posted"
