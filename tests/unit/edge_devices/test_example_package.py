"""A driver from a package of its own: installed by pip, found by its entry point, run by the box on a pseudo-terminal."""

import os
import shutil
import subprocess
import sys
import tty
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers import registry
from drivers.registry import Loaded
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.settings import DeviceSettings

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "example-thermometer"
NAME = "example-thermometer"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip put the package."""
    work = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, work / "source", ignore=shutil.ignore_patterns("__pycache__"))
    target = work / "target"
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    alone = ["--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *quiet, *alone, "--target", target, work / "source"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def known(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(installed)
    monkeypatch.setattr(registry, "_known", dict(registry._known))
    assert Loaded(NAME) in registry.load_entry_points()
    yield
    sys.modules.pop("example_thermometer", None)


@pytest.fixture
def port() -> Iterator[tuple[int, str]]:
    """The instrument's end, and the name of the box's."""
    master, slave = os.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    os.close(slave)
    yield master, name
    os.close(master)


@pytest.mark.usefixtures("known")
async def test_an_installed_stranger_is_run_by_the_box(
    port: tuple[int, str], memory: Any, clock: Any, running: Any, until: Any
) -> None:
    master, name = port
    settings = DeviceSettings(id="cold-room", driver=NAME, transport={"kind": "serial", "port": name, "baudrate": 4800})
    hub = DeviceHub([settings], journal=memory, clock=clock)
    async with running(hub):
        await until(lambda: hub.live("cold-room").link is LinkState.UP)
        os.write(master, b"1.5C\rT=-2")
        os.write(master, b"1.5C\r")
        await until(lambda: hub.live("cold-room").reading)
    reading = hub.live("cold-room").reading
    assert (reading.value, reading.unit, reading.raw) == (Decimal("-21.5"), "Cel", b"T=-21.5C\r")
    assert [note.data["bytes"] for note in memory.notes("wire_fault")] == [5]


def test_the_packages_own_test_passes(installed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, EXAMPLE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
