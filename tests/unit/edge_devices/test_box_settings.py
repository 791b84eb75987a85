"""The box's settings: every complaint names the file and the setting; the environment goes before the file."""

from pathlib import Path
from typing import Any

import pytest

from edge.errors import SettingsFault
from edge.settings import BoxSettings, read

BASE = {"data_dir": '"data"', "browser_libs": '"/srv/libs"', "station": '"dock-1"'}
DEVICE = """
[[devices]]
id = "scale-1"
driver = "mt-sics"
transport = { kind = "serial", port = "/dev/ttyUSB0" }
"""


def toml(extra: str = "", **changes: str | None) -> str:
    lines = [f"{name} = {value}" for name, value in {**BASE, **changes}.items() if value is not None]
    return "\n".join(lines) + "\n" + extra


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "box.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def reading(tmp_path: Path, text: str | bytes) -> BoxSettings:
    return read(write(tmp_path, text))


def test_a_whole_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    extra = (
        """
[cloud]
url = "https://cloud.example:8443"
[kiosk]
scale = "scale-1"
"""
        + DEVICE
    )
    found = reading(tmp_path, toml(extra))
    assert (found.data_dir, found.browser_libs) == (tmp_path / "data", Path("/srv/libs"))
    assert found.cloud is not None
    assert (found.cloud.retry_cap_s, found.kiosk.host, found.kiosk.locale) == (300.0, "127.0.0.1", "he")
    assert (found.devices[0].id, found.devices[0].capture) == ("scale-1", None)


def test_a_box_without_cloud_and_devices_is_legal(tmp_path: Path) -> None:
    found = reading(tmp_path, toml())
    assert (found.cloud, found.devices) == (None, [])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (toml(station=None), "station"),
        (toml(station='""'), "station"),
        (toml(station="7"), "station"),
        (toml(data_dir="7"), "data_dir"),
        (toml(stations='"x"'), "stations"),
        (toml("[cloud]\nurl = 'http://cloud.example'"), r"cloud\.url"),
        (toml("[cloud]\nurl = 'https://'"), r"cloud\.url"),
        (toml("[cloud]\nurl = 'https://c'\nretry_cap_s = inf"), r"cloud\.retry_cap_s"),
        (toml("[cloud]\nurl = 'https://c'\nmirror_every_s = 0"), r"cloud\.mirror_every_s"),
        (toml("[kiosk]\nport = 70000"), r"kiosk\.port"),
        (toml("[kiosk]\nlocale = 'fr'"), r"kiosk\.locale"),
        (toml("[kiosk]\nscales = 'a'"), r"kiosk\.scales"),
        (toml("[kiosk]\nscale = 'scale-2'" + DEVICE), r"kiosk\.scale: .*'scale-2'"),
        (toml("[kiosk]\nscanner = 'gone'" + DEVICE), r"kiosk\.scanner: .*'gone'"),
        (toml(DEVICE + DEVICE), r"devices: .*'scale-1'"),
        (toml(DEVICE.replace("scale-1", "Scale 1")), r"devices\.0\.id"),
        (toml(DEVICE.replace("driver", "drivers")), r"devices\.0\.driver"),
        (toml(DEVICE + "capture = { policy = 'often' }"), r"devices\.0\.capture\.policy"),
        (toml(DEVICE + "capture = { deadband = 0.5 }"), r"devices\.0\.capture\.deadband"),
        (toml(DEVICE + "capture = { deadband = 'much' }"), r"devices\.0\.capture\.deadband"),
        (toml(DEVICE + "capture = { deadband = '-1' }"), r"devices\.0\.capture\.deadband"),
        (toml(DEVICE + "capture = { policy = 'periodic', period_s = inf }"), r"devices\.0\.capture\.period_s"),
        (toml(DEVICE + "capture = { policy = 'periodic', period_s = nan }"), r"devices\.0\.capture\.period_s"),
        ("station = ", "Invalid value"),
        (b"station = '\xff'", "utf-8"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str | bytes, named: str) -> None:
    with pytest.raises(SettingsFault, match=rf"(?s)box\.toml: .*{named}"):
        reading(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match=r"none\.toml"):
        read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("variable", "value", "path", "expected"),
    [
        ("STATION", "dock-9", "station", "dock-9"),
        ("KIOSK__PORT", "0", "kiosk.port", 0),
        ("CLOUD__URL", "https://other.example", "cloud.url", "https://other.example"),
        ("DATA_DIR", "/var/lib/box", "data_dir", Path("/var/lib/box")),
    ],
)
def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, path: str, expected: Any
) -> None:
    monkeypatch.setenv(f"TALLYBOX_EDGE_{variable}", value)
    found: Any = reading(tmp_path, toml("[cloud]\nurl = 'https://c'\nretry_cap_s = 9\n[kiosk]\nport = 1\nlocale = 'en'"))
    # What the environment does not speak of stays as the file has it.
    assert (found.cloud.retry_cap_s, found.kiosk.locale) == (9, "en")
    for name in path.split("."):
        found = getattr(found, name)
    assert found == expected


@pytest.mark.parametrize(("variable", "value", "named"), [("KIOSK__PORT", "many", r"kiosk\.port"), ("DEVICES", "{", "devices")])
def test_a_variable_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(f"TALLYBOX_EDGE_{variable}", value)
    with pytest.raises(SettingsFault, match=named):
        reading(tmp_path, toml())
