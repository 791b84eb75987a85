"""The simulated cameras."""

from pathlib import Path

from firmware_sim.camera import SNAPSHOT, STREAM, Camera, CameraOptions
from firmware_sim.camera_http import CameraPlug
from firmware_sim.camera_onvif import DEVICE_SERVICE
from firmware_sim.config import DeviceConfig
from firmware_sim.device import Simulated
from firmware_sim.errors import SiteFault
from firmware_sim.kinds import Building, SimulatorKind
from firmware_sim.plugged import Clock, Plug


def _build(building: Building) -> Simulated:
    return Camera(CameraOptions.model_validate(building.options))


def _plug(device: Simulated, config: DeviceConfig, _directory: Path, clock: Clock) -> Plug:
    if not isinstance(device, Camera) or config.tcp is None:
        raise SiteFault("a camera is on a network: give tcp", key="tcp")
    return CameraPlug(device, config.host, config.tcp, clock)


SIMULATORS: tuple[SimulatorKind, ...] = (
    SimulatorKind(
        "camera",
        "Network camera",
        f"HTTP with Digest or Basic: {SNAPSHOT}, {STREAM} (MJPEG); ONVIF: {DEVICE_SERVICE}",
        "none",
        _build,
        CameraOptions,
        _plug,
    ),
)
