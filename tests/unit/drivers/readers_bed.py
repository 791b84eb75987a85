"""Run by the system's Python under umockdev-wrapper: a reader, unplugged and back, under a program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402


class Bed:
    """The nodes that a reader has one after the other, a link to the one it has, and the program that reads it.

    All are there from the start, because umockdev cannot make a node where it took one away; one that is unplugged fails
    to open.
    """

    def __init__(self, plan: dict, program: list) -> None:
        self.testbed = UMockdev.Testbed.new()
        self.testbed.add_from_string(plan["described"])
        for node, record in plan["ioctls"].items():
            self.testbed.load_ioctl(node, record)
        self.link = Path(self.testbed.get_root_dir() + plan["link"])
        self.plug(plan["first"])
        self.child = subprocess.Popen(["timeout", "30", *program], stdout=subprocess.PIPE, text=True)

    def plug(self, stay: dict) -> None:
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(Path(stay["node"]).name)

    def unplug(self, stay: dict) -> None:
        os.close(self.testbed.get_dev_fd(stay["node"]))

    def send(self, stay: dict) -> None:
        fd = self.testbed.get_dev_fd(stay["node"])
        for part in stay["parts"]:
            os.write(fd, bytes.fromhex(part))
            self.hear("code")

    def hear(self, wanted: str) -> None:
        """Pass on what the program says until it says something that begins with `wanted`."""
        assert self.child.stdout is not None
        for line in self.child.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if line.startswith(wanted):
                return
        sys.exit(f"the program ended before it said {wanted}")


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    bed = Bed(plan, sys.argv[2:])
    try:
        bed.hear("up")
        bed.send(plan["first"])
        bed.unplug(plan["first"])
        bed.hear("lost")
        bed.plug(plan["second"])
        bed.hear("up")
        bed.send(plan["second"])
    finally:
        bed.child.terminate()
        bed.child.wait(10)
        if bed.child.stdout is not None:
            bed.child.stdout.close()


main()
