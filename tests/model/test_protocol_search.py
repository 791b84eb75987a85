"""Every state of small worlds: the shipped decisions of box and cloud keep what they promise, whatever fails and when."""

import pytest

from sync_protocol import outbox
from tests.model.box import BoxRules
from tests.model.cloud import CloudRules
from tests.model.system import Config
from tests.model.world import Left

QUICK = BoxRules(slow_disk=False)
SURE = BoxRules(slow_disk=False, late_frames=0)
PARTS = BoxRules(slow_disk=False, frame_entries=2, part_frames=True)
TWO = CloudRules(workers=2)

BOUNDED = {
    "restart and an older image": Config(Left(writes=2, crashes=1, images=1, image_restores=1), SURE),
    "a copied disk": Config(Left(writes=2, clones=1), SURE),
    "a restored cloud, retention, an older image": Config(
        Left(writes=2, backups=1, cloud_restores=1, images=1, image_restores=1), SURE, retention=True
    ),
    "a restored cloud, retention, a restart": Config(
        Left(writes=2, backups=1, cloud_restores=1, crashes=1), SURE, retention=True
    ),
    "the same backup twice": Config(Left(writes=1, crashes=1, backups=1, cloud_restores=2), QUICK),
    "three readings and a restart": Config(Left(writes=3, crashes=1)),
    "two workers": Config(Left(writes=2, crashes=1), QUICK, TWO),
    "two workers, doubles, small frames": Config(
        Left(writes=2), BoxRules(slow_disk=False, part_frames=True, late_frames=2), TWO
    ),
    "a machine copied as it runs": Config(Left(writes=2, snapshots=1), QUICK, forks=True),
    "a fresh run before a long backlog": Config(Left(writes=2, fresh_runs=1, crashes=1), PARTS),
}

DEEP = {
    "a copied disk, stray frames": Config(Left(writes=2, clones=1), QUICK),
    "restart and an older image, a slow disk": Config(
        Left(writes=2, crashes=1, images=1, image_restores=1), BoxRules(late_frames=0)
    ),
    "restart and an older image, stray frames": Config(Left(writes=2, crashes=1, images=1, image_restores=1)),
    "a copied disk and a restart": Config(Left(writes=2, clones=1, crashes=1), SURE),
    "a restored cloud with everything": Config(
        Left(writes=2, backups=1, cloud_restores=1, images=1, image_restores=1), QUICK, retention=True
    ),
    "the same backup twice, more readings": Config(Left(writes=2, crashes=1, backups=1, cloud_restores=2), SURE),
    "two workers, three readings": Config(Left(writes=3, crashes=1), QUICK, TWO),
    "a machine copied as it runs, then a restart": Config(Left(writes=3, snapshots=1, crashes=1), SURE, forks=True),
    "a machine copied as it runs, a restored cloud": Config(
        Left(writes=2, snapshots=1, backups=1, cloud_restores=1), SURE, forks=True
    ),
    "a fresh run, more readings": Config(Left(writes=3, fresh_runs=1, crashes=1), PARTS),
}


@pytest.fixture(autouse=True)
def short_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entries are a long line where a world has four."""
    monkeypatch.setattr(outbox, "LONG_BACKLOG", 1)


@pytest.mark.parametrize("name", BOUNDED)
def test_nothing_breaks_a_promise(name: str) -> None:
    found = BOUNDED[name].search()
    assert found.violation is None, f"\n{found.violation}"
    assert found.exhausted
    assert found.states > 1_000


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", DEEP)
def test_nothing_breaks_a_promise_in_larger_worlds(name: str) -> None:
    found = DEEP[name].search()
    assert found.violation is None, f"\n{found.violation}"
    assert found.exhausted
