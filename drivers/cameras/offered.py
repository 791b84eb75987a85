"""The kinds of cameras by name, and how to make one of settings that a person wrote."""

from collections.abc import Mapping

from drivers.api import SettingsFault
from drivers.cameras.api import Camera, CameraKind, Surroundings
from drivers.cameras.http_camera import MJPEG, SNAPSHOT
from drivers.cameras.onvif import ONVIF
from drivers.cameras.video import RTSP, V4L2
from drivers.settings import read_settings

CAMERAS: tuple[CameraKind, ...] = (SNAPSHOT, MJPEG, ONVIF, RTSP, V4L2)


def make_camera(kind: str, settings: Mapping[str, object], surroundings: Surroundings) -> Camera:
    """A camera of these settings; nothing is opened yet. Raises SettingsFault that names the setting."""
    found = next((one for one in CAMERAS if one.name == kind), None)
    if found is None:
        raise SettingsFault(f"kind: {kind[:40]!r} is none of {', '.join(one.name for one in CAMERAS)}", setting="kind")
    return found.make(read_settings(found.settings, settings), surroundings)
