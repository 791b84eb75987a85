"""Run by the system's Python under umockdev-wrapper: starts the program given, then plugs the described devices in under it."""

import subprocess
import sys
from pathlib import Path

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    testbed = UMockdev.Testbed.new()
    described = Path(sys.argv[1]).read_text(encoding="utf-8")
    child = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    tell(child.stdout.readline().strip())
    testbed.add_from_string(described)
    for path in [line.removeprefix("P: ").strip() for line in described.splitlines() if line.startswith("P: ")]:
        testbed.uevent("/sys" + path, "add")
    told = (line.strip() for line in child.stdout)
    tell(next((line for line in told if line.startswith("appeared:")), "nothing"))
    child.terminate()
    child.wait(10)
    child.stdout.close()
    return 0


sys.exit(main())
