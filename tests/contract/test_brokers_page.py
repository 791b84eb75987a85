"""docs/BROKERS.md: its settings can be used, its commands answer as shown, its table is that of the shipped shapes."""

import json
import re
import tomllib
from pathlib import Path

from drivers.decoding import decode
from drivers.mqtt.devices import SHAPES, read_shape
from edge.devices.hub import check_devices
from edge.settings import DeviceSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "BROKERS.md"


def shapes_table() -> str:
    rows = ["| driver | devices | values |", "|---|---|---|"]
    for shape in (read_shape(path) for path in sorted(SHAPES.glob("*.toml"))):
        values = " ".join(f"`{rule.name}`" for rule in shape.values)
        rows.append(f"| `{shape.name}` | {shape.title} | {values} |")
    return "\n".join(rows)


def test_page_names_the_values_of_each_shape() -> None:
    assert shapes_table() in PAGE.read_text(encoding="utf-8")


def test_settings_of_the_page_can_be_used() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    devices = [DeviceSettings(**device) for block in blocks for device in tomllib.loads(block)["devices"]]
    assert len(devices) == 3
    check_devices(devices)


def test_commands_of_the_page_answer_as_shown() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"\$ printf '(.*?)' \| tallybox decode --protocol (\S+)\n(.*?)```", page, re.DOTALL)
    assert shown
    for capture, protocol, answers in shown:
        assert decode(protocol, {"text": capture}) == [json.loads(line) for line in answers.splitlines()]
