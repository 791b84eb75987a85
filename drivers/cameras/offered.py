"""The kinds of cameras by name, and how to make one of settings that a person wrote.

A kind's module is imported when it is asked for: FFmpeg alone costs 15 MB, which a box without video need not have.
"""

from collections.abc import Mapping
from importlib import import_module

from drivers.api import SettingsFault
from drivers.cameras.api import Camera, CameraKind, Surroundings
from drivers.settings import read_settings

KINDS = {
    "http": ("drivers.cameras.http_camera", "SNAPSHOT"),
    "mjpeg": ("drivers.cameras.http_camera", "MJPEG"),
    "onvif": ("drivers.cameras.onvif", "ONVIF"),
    "rtsp": ("drivers.cameras.video", "RTSP"),
    "v4l2": ("drivers.cameras.video", "V4L2"),
}


def kind_of(name: str) -> CameraKind:
    """The kind of that name. Raises SettingsFault for an unknown one, or where what it needs is not installed."""
    if name not in KINDS:
        raise SettingsFault(f"kind: {name[:40]!r} is none of {', '.join(KINDS)}", setting="kind")
    module, attribute = KINDS[name]
    try:
        kind = getattr(import_module(module), attribute)
    except ImportError as exc:
        raise SettingsFault(f"kind: {name} needs {exc.name}, which is not installed", setting="kind") from exc
    if not isinstance(kind, CameraKind):
        raise SettingsFault(f"kind: {name} is no camera", setting="kind")
    return kind


def all_kinds() -> tuple[CameraKind, ...]:
    """Every kind, for whoever lists them."""
    return tuple(kind_of(name) for name in KINDS)


def make_camera(kind: str, settings: Mapping[str, object], surroundings: Surroundings) -> Camera:
    """A camera of these settings; nothing is opened yet. Raises SettingsFault that names the setting."""
    found = kind_of(kind)
    return found.make(read_settings(found.settings, settings), surroundings)
