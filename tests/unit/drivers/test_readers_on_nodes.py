"""Readers on the kernel's own interfaces, as umockdev imitates them: the real evdev and hidraw calls, unplugged and back."""

import importlib.util
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

LISTEN = """
import asyncio, sys
from drivers.scanners.offered import DRIVERS
from drivers.transports import make_transport
from edge.clock import BoxClock
from edge.devices.link import DeviceLink, Owner

async def reading(one):
    print("code", one.value, sorted(one.details.items()), flush=True)

async def noted(name, data):
    print("note", name, data.get("reason", ""), flush=True)

async def nothing(text):
    pass

def state(now):
    print(now.value, flush=True)

kind, driver, path = sys.argv[1:]
owner = Owner(reading, state, lambda: None, nothing, noted)
known = {one.info.name: one for one in DRIVERS}
link = DeviceLink("reader", known[driver], {}, transport=lambda: make_transport(kind, {"path": path}),
                  clock=BoxClock.of_this_machine(), owner=owner)
asyncio.run(link.run())
"""

EVENT = struct.Struct("@llHHi")
A, B, ENTER, SHIFT, CTRL, BRACE = 30, 48, 28, 42, 29, 27


def event(code: int, value: int, kind: int = 1) -> bytes:
    """A key event as the kernel reports it: with the key's scan code before and a report's end behind."""
    return EVENT.pack(1, 5, 4, 4, 0x70004) + EVENT.pack(1, 5, kind, code, value) + EVENT.pack(1, 5, 0, 0, 0)


def typed(*codes: int) -> str:
    return b"".join(event(code, 1) + event(code, 0) for code in codes).hex()


def bits(codes: Any, size: int) -> str:
    found = bytearray(size)
    for code in codes:
        found[code // 8] |= 1 << code % 8
    return found.hex().upper()


def keyboard_ioctls(node: str, keys: Any, *, lit: bool) -> str:
    """What evdev asks of a node. umockdev matches an answer by its exact size (python-evdev asks for 96 bytes of most)."""
    padded = b"Reader".ljust(256, b"\x00").hex().upper()
    lines = [
        f"@DEV {node}",
        "EVIOCGVERSION 0 01000100",
        f"EVIOCGID 0 {struct.pack('<HHHH', 3, 0x0C2E, 0x901, 1).hex().upper()}",
    ]
    lines += [f"{name}(0) 8 {padded}" for name in ("EVIOCGNAME", "EVIOCGPHYS", "EVIOCGUNIQ")]
    lines += [
        "EVIOCGEFFECTS 0 00000000",
        f"EVIOCGBIT(0) 4 {bits([0, 1, 4, 17], 4)}",
        f"EVIOCGLED(0) 2 {bits([1] if lit else [], 2)}",
    ]
    for kind in range(1, 32):
        lines.append(f"EVIOCGBIT({kind}) 96 {bits(keys if kind == 1 else [0, 1, 2] if kind == 17 else [], 96)}")
    return "\n".join(lines) + "\n"


def described(kind: str, *numbers: int) -> str:
    """Nodes of those numbers, as umockdev describes them."""
    place, folder, major = {"input": ("event", "input/", 13), "hidraw": ("hidraw", "", 240)}[kind]
    return "".join(
        f"P: /devices/usb1/{kind}{number}/{place}{number}\nN: {folder}{place}{number}\nE: SUBSYSTEM={kind}\n"
        f"E: DEVNAME=/dev/{folder}{place}{number}\nA: dev={major}:{64 + number}\\n\n\n"
        for number in numbers
    )


def run(tmp_path: Path, plan: dict[str, Any], *program: str) -> list[str]:
    if shutil.which("umockdev-wrapper") is None:
        pytest.skip("umockdev is not installed")
    system = shutil.which("python3", path="/usr/bin") or "python3"
    has = [system, "-c", "import gi; gi.require_version('UMockdev', '1.0')"]
    if subprocess.run(has, capture_output=True, check=False).returncode:
        pytest.skip("gir1.2-umockdev-1.0 or python3-gi is not installed")
    written = tmp_path / "plan.json"
    written.write_text(json.dumps(plan), encoding="utf-8")
    bed = Path(__file__).with_name("readers_bed.py")
    done = subprocess.run(
        ["timeout", "60", "umockdev-wrapper", system, str(bed), str(written), sys.executable, "-c", LISTEN, *program],
        capture_output=True, text=True, check=False, timeout=90, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("\n")  # splitlines would split at GS too


def test_keyboard_reader_is_read_unplugged_and_read_again(tmp_path: Path) -> None:
    if importlib.util.find_spec("evdev") is None:
        pytest.skip("evdev is not installed")
    ioctls = {}
    # At the second place the Caps Lock light is on and stays on, as where the node may only be read.
    # The node in front of the reader's carries volume keys, as many readers have one.
    for node, keys in (("event3", [113, 114, 115]), ("event4", range(1, 128)), ("event5", range(1, 128))):
        record = tmp_path / node
        record.write_text(keyboard_ioctls(f"/dev/input/{node}", keys, lit=node == "event5"), encoding="utf-8")
        ioctls[f"/dev/input/{node}"] = str(record)
    shifted = event(SHIFT, 1).hex() + typed(A) + event(SHIFT, 0).hex()
    separator = event(CTRL, 1).hex() + typed(BRACE) + event(CTRL, 0).hex()
    lost = EVENT.pack(1, 5, 0, 3, 0).hex()
    plan = {
        "described": described("input", 3, 4, 5),
        "ioctls": ioctls,
        "link": "/dev/input/reader",
        "first": {"node": "/dev/input/event4", "parts": [shifted + separator + typed(B, ENTER)]},
        "second": {
            "node": "/dev/input/event5",
            "parts": [typed(A, B, ENTER), typed(A) + lost + typed(ENTER) + typed(B, ENTER)],
        },
    }
    said = run(tmp_path, plan, "evdev", "keyboard-scanner", "/dev/input/event*")
    assert [line for line in said if line.startswith("code")] == ["code A\x1db []", "code AB []", "code B []"]
    assert [line for line in said if line in {"up", "lost"}] == ["up", "lost", "up"]
    assert any("were lost" in line for line in said if line.startswith("note wire_fault"))


def test_hid_pos_reader_is_read_unplugged_and_read_again(tmp_path: Path) -> None:
    def report(data: bytes) -> str:
        return (bytes([2, len(data)]) + b"]C1" + data).ljust(64, b"\x00").hex()

    plan = {
        "described": described("hidraw", 0, 1),
        "ioctls": {},
        "link": "/dev/reader",
        "first": {"node": "/dev/hidraw0", "parts": [report(b"10AB\x1d21C"), report(b"10B")]},
        "second": {"node": "/dev/hidraw1", "parts": [report(b"10C")]},
    }
    said = run(tmp_path, plan, "hidraw", "hid-pos-scanner", "/dev/reader")
    assert [line for line in said if line.startswith("code")] == [
        "code 10AB\x1d21C [('ai.10', 'AB'), ('ai.21', 'C'), ('symbology_id', ']C1')]",
        "code 10B [('ai.10', 'B'), ('symbology_id', ']C1')]",
        "code 10C [('ai.10', 'C'), ('symbology_id', ']C1')]",
    ]
    assert [line for line in said if line in {"up", "lost"}] == ["up", "lost", "up"]
