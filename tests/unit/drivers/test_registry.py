"""Drivers by name, ours and those of other packages."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import SettingsFault
from drivers.registry import GROUP, Loaded, NotLoaded

STRANGER = """
from dataclasses import replace
from drivers.scales.mt_sics import DRIVER as OURS

DRIVER = replace(OURS, info=replace(OURS.info, name="stranger"))
RIVAL = replace(OURS, info=replace(OURS.info, title="not ours"))
FAMILY = (DRIVER, replace(OURS, info=replace(OURS.info, name="stranger-two")))
BOTH = (*FAMILY, RIVAL)
NOT_A_DRIVER = 7
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "stranger_driver.py").write_text(STRANGER)
    (tmp_path / "broken_driver.py").write_text("raise OSError('no such library')\n")
    (tmp_path / "unreadable_driver.py").write_text("def (\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_known", dict(registry._known))
    yield
    for name in ("stranger_driver", "broken_driver"):
        sys.modules.pop(name, None)


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


@pytest.mark.usefixtures("stranger")
def test_broken_strangers_are_told_by_name_and_the_others_go_on() -> None:
    found = registry.load_entry_points(
        [
            point("gone", "no_such_module:DRIVER"),
            point("broken", "broken_driver:DRIVER"),
            point("unreadable", "unreadable_driver:DRIVER"),
            point("missing", "stranger_driver:NOTHING"),
            point("number", "stranger_driver:NOT_A_DRIVER"),
            point("alias", "stranger_driver:DRIVER"),
            point("mt-sics", "stranger_driver:RIVAL"),
            point("stranger", "stranger_driver:DRIVER"),
        ]
    )
    assert [type(item) for item in found] == [NotLoaded] * 7 + [Loaded]
    reasons = {item.name: item.reason for item in found if isinstance(item, NotLoaded)}
    assert "no such library" in reasons["broken"]
    assert "already there" in reasons["mt-sics"]
    assert registry.get("stranger").info.name == "stranger"
    assert registry.get("mt-sics").info.title != "not ours"


@pytest.mark.usefixtures("stranger")
def test_loading_twice_changes_nothing() -> None:
    points = [point("stranger", "stranger_driver:DRIVER")]
    assert registry.load_entry_points(points) == registry.load_entry_points(points)
    assert set(registry.names()) == {"stranger", *(driver.info.name for driver in registry.BUILT_IN)}


@pytest.mark.usefixtures("stranger")
def test_a_package_may_offer_several_and_none_of_them_where_one_is_taken() -> None:
    found = registry.load_entry_points([point("both", "stranger_driver:BOTH"), point("family", "stranger_driver:FAMILY")])
    assert [type(item) for item in found] == [NotLoaded, Loaded]
    assert registry.get("stranger").info.name == "stranger"
    assert registry.get("mt-sics").info.title != "not ours"


@pytest.mark.usefixtures("stranger")
def test_our_own_entry_points_are_the_built_ins() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    offered = project["entry-points"][GROUP]
    assert list(offered) == list(registry.AREAS)
    points = [point(name, value) for name, value in offered.items()]
    assert [one.load() for one in points] == list(registry.AREAS.values())
    assert registry.load_entry_points(points) == tuple(Loaded(name) for name in registry.AREAS)


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsFault, match="mt-sics"):
        registry.get("no-such")


def test_strangers_that_are_installed_come_only_when_asked_for(tmp_path: Path) -> None:
    package = tmp_path / "stranger-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{GROUP}]\nstranger = stranger_driver:DRIVER\nbroken = no_such_module:X\n")
    (tmp_path / "stranger_driver.py").write_text(STRANGER)
    code = (
        "import sys, drivers.registry as r\n"
        "assert 'stranger' not in r.names() and 'stranger_driver' not in sys.modules and 'asyncio' not in sys.modules\n"
        "found = {item.name: type(item).__name__ for item in r.load_entry_points()}\n"
        "assert found['stranger'] == 'Loaded' and found['broken'] == 'NotLoaded', found\n"
        "print(r.get('stranger').info.name)"
    )
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root, env=environment)
    assert (done.returncode, done.stdout) == (0, "stranger\n"), done.stderr


def test_names_of_built_ins_are_unique() -> None:
    assert len({driver.info.name for driver in registry.BUILT_IN}) == len(registry.BUILT_IN)
    assert replace(registry.BUILT_IN[0]) == registry.BUILT_IN[0]
