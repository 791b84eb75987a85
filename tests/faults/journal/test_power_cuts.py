"""Power cuts at random moments of the journal's writer: what was promised is there, and the test can see when it is not."""

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from edge.errors import JournalFault
from tests.faults.journal.crash_vfs import Connection, Disk
from tests.faults.journal.working import Day, Found, look

# A cut in a checkpoint behind a good commit is no error to SQLite; apsw has nobody to raise it to.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CUTS = 400
CONTROLS = 60
"""Cuts with a weaker setting."""

FULL = "PRAGMA synchronous=FULL"
EXTRA = "PRAGMA synchronous=EXTRA"
OPERATIONS = 420
"""About what a day's work takes; a cut behind its end is one at rest."""


def cut_once(folder: Path, seed: int, *, lazy_unlinks: bool = False) -> Found | None:
    """One day that ends with a cut; None when the power went before the journal was begun."""
    random_ = random.Random(seed * 7919)
    work, left = folder / "work", folder / "left"
    work.mkdir()
    left.mkdir()
    disk = Disk(cut_at=random_.randint(1, OPERATIONS), lazy_unlinks=lazy_unlinks)
    day = Day(work / "journal.db", disk.connect, seed)
    try:
        day.work()
    except JournalFault:
        pass
    else:
        disk.cut()
        day.close()
    finally:
        disk.leave(left, random_)
        disk.close()
    found = look(left / "journal.db", day.promised)
    shutil.rmtree(folder)
    return found


def cuts(folder: Path, count: int, **more: Any) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for seed in range(count):
        place = folder / str(seed)
        place.mkdir()
        found = cut_once(place, seed, **more)
        if found is None:
            continue
        outcomes["corrupt"] += found.integrity != "ok"
        outcomes["broken"] += bool(found.broken)
        outcomes["lost"] += bool(found.lost)
        outcomes["forgotten"] += bool(found.forgotten)
        outcomes["good"] += found.integrity == "ok" and not (found.broken or found.lost or found.forgotten)
    return outcomes


def test_nothing_promised_is_lost_at_any_cut(tmp_path: Path) -> None:
    outcomes = cuts(tmp_path, CUTS)
    assert outcomes == {"good": CUTS, "corrupt": 0, "broken": 0, "lost": 0, "forgotten": 0}


def test_without_a_sync_at_each_commit_the_test_sees_the_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "pragmas", {FULL: "PRAGMA synchronous=NORMAL"})
    outcomes = cuts(tmp_path, CONTROLS)
    assert outcomes["lost"] > CONTROLS // 10
    # What is left is older, but whole.
    assert (outcomes["corrupt"], outcomes["broken"]) == (0, 0)


def test_without_any_sync_the_test_sees_the_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "pragmas", {FULL: "PRAGMA synchronous=OFF"})
    assert cuts(tmp_path, CONTROLS)["lost"] > CONTROLS // 3


def test_a_file_system_that_is_late_with_unlinks_empties_nothing(tmp_path: Path) -> None:
    outcomes = cuts(tmp_path, 2 * CONTROLS, lazy_unlinks=True)
    assert outcomes["good"] == 2 * CONTROLS


def test_there_a_file_made_without_extra_care_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "pragmas", {EXTRA: FULL})
    assert cuts(tmp_path, CONTROLS, lazy_unlinks=True)["lost"] > CONTROLS // 4
