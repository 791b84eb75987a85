"""Identity of USB adapters, with the real pyudev on trees that umockdev puts in place of sysfs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from drivers.transports.usb import UsbMatch
from tests.unit.discovery.trees import Adapter, hid_scales, tree

ROOT = Path(__file__).resolve().parents[3]

LIST = """
import json
from drivers.transports.usb import plugged
from edge.devices.ports import ports
print(json.dumps([[p.plugged.node, p.match.model_dump(exclude_none=True), p.remark, p.key()] for p in ports(plugged("tty"))]))
"""
FIND = """
import sys
from drivers.api import LinkLost
from drivers.transports.usb import UsbMatch, find
try:
    print(find("tty", UsbMatch.model_validate_json(sys.argv[1])))
except LinkLost as lost:
    print("lost:", lost)
"""


def under(tmp_path: Path, adapters: list[Adapter] | str, program: str, *args: str) -> str:
    if shutil.which("umockdev-run") is None:
        pytest.skip("umockdev is not installed")
    described = tmp_path / "tree.umockdev"
    described.write_text(adapters if isinstance(adapters, str) else tree(*adapters), encoding="utf-8")
    done = subprocess.run(
        ["umockdev-run", "-d", str(described), "--", sys.executable, "-c", program, *args],
        capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def listed(tmp_path: Path, *adapters: Adapter) -> list[list[object]]:
    found: list[list[object]] = json.loads(under(tmp_path, list(adapters), LIST))
    return found


def found(tmp_path: Path, match: dict[str, object], *adapters: Adapter) -> str:
    return under(tmp_path, list(adapters), FIND, json.dumps(match))


FTDI = Adapter("1-1.3", vid="0403", pid="6001", serial="A50285BI", product="FT232R")


def test_a_serial_number_names_a_device_wherever_it_is(tmp_path: Path) -> None:
    ((node, match, remark, _),) = listed(tmp_path, FTDI)
    assert (node, remark) == ("/dev/ttyUSB0", None)
    assert match == {"serial": "A50285BI", "vid": "0403", "pid": "6001"}
    moved = Adapter("1-1.1", vid="0403", pid="6001", serial="A50285BI", tty=7)
    assert found(tmp_path, dict(match), moved) == "/dev/ttyUSB7"


def test_without_a_serial_number_the_socket_names_it_and_that_is_said(tmp_path: Path) -> None:
    ((_, match, remark, _),) = listed(tmp_path, Adapter("1-1.2"))
    assert match == {"vid": "1a86", "pid": "7523", "path": "1-1.2"}
    assert remark == "no serial: bound to the USB socket"


def test_two_identical_adapters_are_never_swapped_by_another_order_of_appearance(tmp_path: Path) -> None:
    left, right = Adapter("1-1.2", tty=0), Adapter("1-1.4", tty=1)
    rows = listed(tmp_path, left, right)
    assert [row[2] for row in rows] == [
        "same adapter, no serial, also in 1-1.4: bound to the USB socket",
        "same adapter, no serial, also in 1-1.2: bound to the USB socket",
    ]
    after_reboot = (Adapter("1-1.4", tty=0), Adapter("1-1.2", tty=1))
    assert found(tmp_path, dict(rows[0][1]), *after_reboot) == "/dev/ttyUSB1"
    assert found(tmp_path, dict(rows[1][1]), *after_reboot) == "/dev/ttyUSB0"


def test_the_same_serial_number_twice_is_none(tmp_path: Path) -> None:
    clones = [Adapter("1-1.2", serial="0001", tty=0), Adapter("1-1.4", serial="0001", tty=1)]
    rows = listed(tmp_path, *clones)
    assert [row[1].get("path") for row in rows] == ["1-1.2", "1-1.4"]
    assert "same serial as in 1-1.4" in rows[0][2]
    assert found(tmp_path, {"serial": "0001"}, *clones) == (
        "lost: several devices are serial 0001 (in 1-1.2, 1-1.4): name the USB socket with path"
    )


def test_what_is_not_there_and_what_is_there_instead_is_said(tmp_path: Path) -> None:
    assert found(tmp_path, {"serial": "A50285BI"}, Adapter("1-1.2")) == "lost: not plugged in: serial A50285BI"
    wanted = {"vid": "1a86", "pid": "7523", "path": "1-1.3"}
    assert found(tmp_path, wanted, FTDI) == "lost: another device is in USB socket 1-1.3: 0403:6001 FT232R"


def test_what_is_remembered_is_remembered_of_an_adapter_in_a_socket(tmp_path: Path) -> None:
    keys = [listed(tmp_path, one)[0][3] for one in (FTDI, Adapter("1-1.3"), Adapter("1-1.2"))]
    assert len(set(keys)) == 3


def test_usb_scales_without_serial_numbers_are_bound_to_their_sockets(tmp_path: Path) -> None:
    program = FIND.replace('"tty"', '"hidraw"')
    for first, second, node in (("1-1.2", "1-1.4", "/dev/hidraw1"), ("1-1.4", "1-1.2", "/dev/hidraw0")):
        wanted = json.dumps({"vid": "0922", "pid": "8003", "path": "1-1.4"})
        assert under(tmp_path, hid_scales(first, second), program, wanted) == node


@pytest.mark.parametrize(
    "given", [{}, {"vid": "1a86", "pid": "7523"}, {"path": "ttyUSB0"}, {"serial": ""}, {"serial": "x", "vid": "1A86"}]
)
def test_a_match_that_names_nothing_certain_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UsbMatch.model_validate(given)
