"""News of plugged devices through the real pyudev and the kernel's messages as umockdev sends them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.discovery.trees import Adapter, tree

ROOT = Path(__file__).resolve().parents[3]
HEAR = """
import asyncio
from edge.devices.hotplug import HotPlug

async def main():
    heard = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(HotPlug(heard.set_result).run())
    await asyncio.sleep(0.3)
    print("listening", flush=True)
    print("appeared:", await asyncio.wait_for(heard, 20), flush=True)
    task.cancel()

asyncio.run(main())
"""


def test_a_plugged_adapter_is_told_at_once(tmp_path: Path) -> None:
    if shutil.which("umockdev-wrapper") is None:
        pytest.skip("umockdev is not installed")
    has = [shutil.which("python3", path="/usr/bin") or "python3", "-c", "import gi; gi.require_version('UMockdev', '1.0')"]
    if subprocess.run(has, capture_output=True, check=False).returncode:
        pytest.skip("gir1.2-umockdev-1.0 or python3-gi is not installed")
    described = tmp_path / "tree.umockdev"
    described.write_text(tree(Adapter("1-1.2")), encoding="utf-8")
    plugging = Path(__file__).with_name("plugging.py")
    done = subprocess.run(
        ["umockdev-wrapper", has[0], str(plugging), str(described), sys.executable, "-c", HEAR],
        capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["listening", "appeared: /dev/ttyUSB0"], done.stderr
