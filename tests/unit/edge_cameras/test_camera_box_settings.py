"""Cameras in the box's configuration: what does not fit is named when the file is read, and before a new one is taken."""

from pathlib import Path

import pytest

from edge.commands.configure import adopt, beside, lay_down
from edge.errors import SettingsFault
from edge.settings import read

CAMERA = '[[cameras]]\nid = "dock"\nkind = "http"\nsettings = { address = "http://192.0.2.64/p.jpg" }\n'
SCALE = '[[devices]]\nid = "scale-1"\ndriver = "mt-sics"\ntransport = { kind = "tcp", host = "192.0.2.9", port = 4305 }\n'


def told(folder: Path, *, head: str = "", parts: str = "") -> Path:
    path = folder / "box.toml"
    path.write_text(f'data_dir = "box"\nstation = "s"\nbrowser_libs = "libs"\n{head}\n{parts}')
    return path


def test_camera_of_a_station_is_read(tmp_path: Path) -> None:
    kiosk = '[kiosk]\ncamera = "dock"\nscale = "scale-1"\ncamera_at_weight = true\n'
    settings = read(told(tmp_path, parts=kiosk + CAMERA + SCALE))
    assert (settings.kiosk.camera, settings.cameras[0].codes, settings.cameras[0].limits) == ("dock", "note", {})


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ('[kiosk]\ncamera = "dock"\n', "kiosk.camera: there is no camera 'dock'"),
        ('[kiosk]\ncamera = "dock"\ncamera_at_weight = true\n' + CAMERA, "camera_at_weight needs a camera and a scale"),
        ('[kiosk]\nscale = "scale-1"\ncamera_at_weight = true\n' + SCALE, "camera_at_weight needs a camera and a scale"),
        ('[kiosk]\nscale = "dock"\n' + CAMERA, "kiosk.scale: there is no device 'dock'"),
        (CAMERA + CAMERA, "cameras: two have the same id 'dock'"),
        (CAMERA + SCALE.replace("scale-1", "dock"), "two have the same id 'dock'"),
        (CAMERA + 'codes = "all"\n', "cameras.0.codes"),
        (CAMERA.replace("dock", "Dock 1"), "cameras.0.id"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, parts: str, named: str) -> None:
    with pytest.raises(SettingsFault, match=named):
        read(told(tmp_path, parts=parts))


def test_new_configuration_with_a_camera_that_cannot_be_is_not_taken(tmp_path: Path) -> None:
    path = told(tmp_path, parts=CAMERA)
    bad = path.read_text().replace("http://", "file://")
    with pytest.raises(SettingsFault, match="cameras: dock: address"):
        lay_down(path, bad, read(path))
    beside(path, "next").write_text(bad)
    assert not adopt(path)
    assert beside(path, "refused").exists()
