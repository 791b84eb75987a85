"""Other people's programs run beside ours, in the folder that `script/setup-peers` makes; none is imported here."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.config import make_site
from firmware_sim.site import Site, run_site

PYTHON = Path(__file__).resolve().parents[2] / ".venv" / "peers" / "bin" / "python"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.peers)


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not PYTHON.exists():
        pytest.skip("other people's programs are not installed: script/setup-peers")


Peer = Callable[..., Any]


@pytest.fixture
def peer() -> Peer:
    """`await peer(program, *arguments)`: a Python program of a peer's, and the JSON that it prints last."""

    async def run(program: str, *arguments: str) -> Any:
        done = await asyncio.to_thread(
            subprocess.run, [str(PYTHON), "-c", program, *arguments], capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


@asynccontextmanager
async def simulated(folder: Path, kind: str, **more: Any) -> AsyncIterator[Site]:
    """One of our simulated devices, on a pseudo-terminal or a TCP port."""
    device = {"name": "one", "kind": kind} | ({} if "tcp" in more else {"pty": "one"}) | more
    async with run_site(make_site({"devices": [device]}), directory=folder) as site:
        yield site
