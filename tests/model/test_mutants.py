"""A search that finds nothing wrong with a wrong protocol is broken: each of these is caught soon and for its reason."""

from dataclasses import dataclass

import pytest

from tests.model import mutants
from tests.model.box import BoxRules
from tests.model.system import Config
from tests.model.world import Left


@dataclass(frozen=True)
class Caught:
    """Which invariant a mutant breaks, and in how few steps at most."""

    config: Config
    invariant: str
    steps: int


LOST = "i2_confirmed_is_somewhere"
STUCK = "i2_confirmed_reaches_the_cloud"
QUICK = BoxRules(slow_disk=False)
IMAGE = Left(writes=2, images=1, image_restores=1)
RESTORED = Left(writes=1, backups=1, cloud_restores=1, crashes=2)

MUTANTS = {
    "M1 deletes on PUBACK": Caught(Config(Left(writes=1), mutants.DeletesWhenPublished()), LOST, 3),
    "M2 resumes its run": Caught(Config(IMAGE, mutants.ResumesItsRun(slow_disk=False)), "i5_no_fork", 8),
    "M3 resumes its run, believes numbers": Caught(
        Config(IMAGE, mutants.ResumesAndBelievesNumbers(slow_disk=False), forks=True), "i1_acked_is_in_the_cloud", 8
    ),
    "M4 two workers without the lock": Caught(Config(Left(writes=2), QUICK, mutants.NO_LOCK), "i4_rows_are_a_prefix", 8),
    "M6 deletes when acked, restored cloud": Caught(
        Config(Left(writes=2, backups=1, cloud_restores=1), mutants.DeletesWhenAcked(slow_disk=False)), LOST, 6
    ),
    "tells before it is durable": Caught(Config(Left(writes=1), mutants.TellsBeforeItIsDurable()), LOST, 1),
    "retention takes the last hash": Caught(
        Config(Left(writes=1), mutants.ForgetsTheHashItGoesOnFrom(slow_disk=False), retention=True), STUCK, 5
    ),
    "knows the generation at once": Caught(Config(RESTORED, mutants.KnowsTheGenerationAtOnce(slow_disk=False)), STUCK, 11),
    "ignores the generation": Caught(Config(RESTORED, mutants.IgnoresTheGeneration(slow_disk=False)), STUCK, 6),
    "counts restores from the backup": Caught(
        Config(Left(writes=1, backups=1, cloud_restores=2), QUICK, mutants.CountsRestores()), STUCK, 6
    ),
    "says one entry too few again": Caught(
        Config(Left(writes=2, snapshots=1), mutants.ReissuesOneTooFew(slow_disk=False), forks=True), STUCK, 3
    ),
    "counts what is said again": Caught(
        Config(Left(writes=2, snapshots=1), QUICK, mutants.PostsWhatIsSaidAgain(), forks=True), "i3_posted_once", 10
    ),
    "posts what is held": Caught(
        Config(Left(writes=2, clones=1), QUICK, mutants.PostsWhatIsHeld()), "i12_no_posting_of_an_overlap", 14
    ),
    "posts as it comes": Caught(
        Config(Left(writes=2, backups=1, cloud_restores=1, crashes=1), QUICK, mutants.PostsAsItComes()),
        "i6_posted_in_order",
        12,
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_protocol_is_caught(name: str) -> None:
    expected = MUTANTS[name]
    found = expected.config.search(only=expected.invariant)
    assert found.violation is not None
    assert found.violation.invariant == expected.invariant
    assert len(found.violation.trace) <= expected.steps, f"\n{found.violation}"
