"""The box's configuration: one TOML file, checked whole at start; `TALLYBOX_EDGE_...` variables override it."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from edge.errors import SettingsFault
from sync_protocol.quantity import decimal


def _amount(text: str) -> str:
    if decimal(text) < 0:
        raise ValueError("not below zero")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise ValueError("not the name of a time zone") from exc
    return name


class _Part(BaseModel):
    # TOML knows `inf` and `nan`; no setting of a box does.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CaptureSettings(_Part):
    """Which readings of a device reach the journal (`edge.devices.capture`). `deadband` is in the device's unit."""

    policy: Literal["on_demand", "on_stable", "on_change", "periodic", "every"] = "on_demand"
    deadband: Annotated[str, AfterValidator(_amount)] = "0"
    period_s: float = Field(default=60.0, gt=0)


class SettleSettings(_Part):
    """When a scale that cannot say so itself is at rest (`edge.devices.settling`). The device's own word counts more."""

    readings: int = Field(default=4, ge=2, le=1000)
    ms: float = Field(default=1000.0, ge=100, le=60_000)


class DeviceSettings(_Part):
    """One device: how it is connected (`transport` holds `kind` and that transport's own settings) and who speaks with it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    driver: str
    transport: dict[str, Any]
    settings: dict[str, Any] = {}
    capture: CaptureSettings | None = None
    """None: every scan of a device that reads codes only, else on demand."""
    settle: SettleSettings = SettleSettings()


class CameraSettings(_Part):
    """One camera; `settings` are those of its kind, `limits` those of `drivers.cameras.checks.Limits`."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    kind: str
    settings: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    codes: Literal["none", "note", "readings"] = "note"
    """Codes in the picture: not looked for, kept beside it, or, when somebody scans with the camera, given as scans too."""


class MqttSettings(_Part):
    """A broker that leads to the cloud too. It shows a certificate for `host`, of the authority that the box trusts."""

    host: str = Field(min_length=1)
    port: int = Field(default=8883, ge=1, le=65535)


class CloudSettings(_Part):
    """Where the cloud is and how patiently it is asked. `retry_cap_s` bounds the back-off after failures."""

    url: str = Field(pattern=r"^https://[^/\s]")
    retry_cap_s: float = Field(default=300.0, ge=1)
    mirror_every_s: float = Field(default=15.0, gt=0)
    """While nothing is heard from the cloud by itself."""
    mirror_heard_every_s: float = Field(default=300.0, gt=0)
    """While the cloud tells of changes; in case it forgot one."""
    prefer: Literal["https", "mqtt"] = "https"
    """The way for frames while both work."""
    mqtt: MqttSettings | None = None

    @model_validator(mode="after")
    def _there_is_a_broker(self) -> Self:
        if self.prefer == "mqtt" and self.mqtt is None:
            raise ValueError("prefers mqtt, and names no broker")
        return self


class KioskSettings(_Part):
    """The box's own pages: loopback unless a technician opens them to the station's network."""

    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=0, le=65535)
    hosts: list[str] = []
    """Further names under which the kiosk may be called."""
    px_per_mm: float = Field(default=5.85, gt=0)
    """Of the panel; 5.85 is a 10.1 inch screen of 1280 x 800."""
    locale: Literal["he", "en"] = "he"
    scale: str | None = None
    """The device that weighs at this station."""
    scanner: str | None = None
    camera: str | None = None
    """The camera that looks at this station."""
    camera_at_weight: bool = False
    """Take a picture whenever a weight of the station's scale is booked."""

    @model_validator(mode="after")
    def _something_to_take_with(self) -> Self:
        if self.camera_at_weight and (self.camera is None or self.scale is None):
            raise ValueError("camera_at_weight needs a camera and a scale")
        return self


class DiskSettings(_Part):
    """Shares of the file system that holds `data_dir` (`edge.disk.levels`), and the file that is given away when it is full."""

    prune_at: float = Field(default=0.70, gt=0, lt=1)
    shed_at: float = Field(default=0.85, gt=0, lt=1)
    refuse_at: float = Field(default=0.95, gt=0, lt=1)
    ballast_mib: int = Field(default=16, ge=0)
    every_s: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.prune_at < self.shed_at < self.refuse_at:
            raise ValueError("prune_at, shed_at and refuse_at must rise")
        return self


class RetentionSettings(_Part):
    """How long entries stay after the cloud has them: so long can a restored cloud get them back."""

    acked_days: float = Field(default=14.0, ge=0)
    floor_days: float = Field(default=1.0, ge=0)
    """What is kept even when room is wanted."""
    full_hours: float = Field(default=1.0, ge=0)
    """What is kept even when nothing new can be taken."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.floor_days > self.acked_days:
            raise ValueError("floor_days is above acked_days")
        return self


class HealthSettings(_Part):
    """How often the box writes how it is."""

    every_s: float = Field(default=300.0, gt=0)


class BoxSettings(BaseSettings):
    """Everything a box is told; what it learns lies in `data_dir`."""

    model_config = SettingsConfigDict(env_prefix="TALLYBOX_EDGE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    data_dir: Path
    station: str = Field(min_length=1)
    zone: Annotated[str, AfterValidator(_zone)] = "Asia/Jerusalem"
    """Of the site (IANA name): which day it is when an expiry date is judged."""
    browser_libs: Path
    """The folder `node_modules` that the pages' libraries and fonts are served from."""
    cloud: CloudSettings | None = None
    kiosk: KioskSettings = KioskSettings()
    devices: list[DeviceSettings] = []
    cameras: list[CameraSettings] = []
    disk: DiskSettings = DiskSettings()
    retention: RetentionSettings = RetentionSettings()
    health: HealthSettings = HealthSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base class's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings, dotenv_settings, file_secret_settings


def read(path: Path, *, relative_to: Path | None = None) -> BoxSettings:
    """Read the file; relative paths in it are relative to its folder, or to `relative_to`.

    Raises SettingsFault that names the setting.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        for name in ("data_dir", "browser_libs"):
            if isinstance(found.get(name), str):
                found[name] = (relative_to or path.parent) / found[name]
        settings = BoxSettings(**found)
    except RecursionError as exc:
        raise SettingsFault(f"{path}: brackets within brackets, too deep to read") from exc
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, SettingsError) as exc:
        # A SettingsError names the variable that holds no JSON; it comes from the environment, where the file is not to blame.
        raise SettingsFault(f"{path}: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsFault(f"{path}: {where}: {first['msg']}") from exc
    _check_names(path, settings)
    return settings


def _check_names(path: Path, settings: BoxSettings) -> None:
    names = [device.id for device in settings.devices]
    cameras = [camera.id for camera in settings.cameras]
    twice = next((name for name in names + cameras if (names + cameras).count(name) > 1), None)
    if twice is not None:
        raise SettingsFault(f"{path}: {'devices' if twice in names else 'cameras'}: two have the same id {twice!r}")
    for role in ("scale", "scanner"):
        wanted = getattr(settings.kiosk, role)
        if wanted is not None and wanted not in names:
            raise SettingsFault(f"{path}: kiosk.{role}: there is no device {wanted!r}")
    if settings.kiosk.camera is not None and settings.kiosk.camera not in cameras:
        raise SettingsFault(f"{path}: kiosk.camera: there is no camera {settings.kiosk.camera!r}")
