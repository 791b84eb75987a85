"""The driver of an instrument that a technician described: its profile is a file, and travels as text in its settings."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Mode, Settings, Tier
from drivers.profiles.driving import talk_of
from drivers.profiles.loading import Loaded, ProfileFault, load, read_text
from drivers.profiles.schema import COMMANDS
from drivers.settings import own_settings, read_settings
from drivers.talk import Talk, TalkCodec, decode_frames
from drivers.vocabulary import Described, describe, fault

EXAMPLE = Path(__file__).with_name("example.toml")


class OwnSettings(Settings):
    """Which profile. The text is read once, when the settings are, and kept with them: what a reading meant is known for as
    long as the reading is, whatever becomes of the file."""

    file: str = Field(
        default="",
        max_length=4096,
        description="Path of the profile; without it and without `text` the worked example is read, which fits no device.",
    )
    text: str = Field(default="", description="The profile itself; read from the file when left out.")
    interval_ms: int | None = Field(
        default=None,
        ge=20,
        le=60_000,
        description="Pause between two questions in milliseconds; the profile's own when left out.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("text"):
            return values
        file = values.get("file") or ""
        if not isinstance(file, str):
            return values
        try:
            return {**values, "text": read_text(Path(file) if file else EXAMPLE)}
        except ProfileFault as exc:
            raise ValueError(str(exc)) from exc

    @model_validator(mode="after")
    def _check(self) -> "OwnSettings":
        try:
            _loaded(self.text, self._origin())
        except ProfileFault as exc:
            raise ValueError(str(exc)) from exc
        return self

    def talk(self) -> Talk:
        return talk_of(_loaded(self.text, self._origin()), self.interval_ms)

    def _origin(self) -> str:
        return Path(self.file).name or EXAMPLE.name


@lru_cache(maxsize=16)
def _loaded(text: str, origin: str) -> Loaded:
    """Sixteen: a box has a handful of such instruments, and their settings are read several times each."""
    return load(text, origin)


def decode_with(path: Path, capture: bytes) -> list[Described]:
    """What a capture means by the profile in a file. Raises ProfileFault for a profile that cannot be used."""
    loaded = load(read_text(path), path.name)
    found = decode_frames(talk_of(loaded), capture)
    return [describe(item) for item in found] or [fault("no line")]


def _make_codec(settings: Settings) -> Codec:
    return TalkCodec(own_settings(OwnSettings, settings).talk())


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    return decode_frames(read_settings(OwnSettings, values).talk(), capture)


DRIVER = Driver(
    info=DriverInfo(
        name="profile",
        title="Instrument described by a profile of your own",
        kinds=frozenset(kind for kind in Kind if kind not in {Kind.CODE, Kind.IMAGE}),
        transports=("serial", "tcp"),
        models=("Any instrument that sends one value a line, once somebody has written its profile (docs/PROFILES.md)",),
        sources=("The manual of the instrument, named in its profile",),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=COMMANDS,
        modes=(Mode.POLL, Mode.STREAM, Mode.AUTOPRINT),
        notes=("The line settings belong to the device's port; those in a profile say how the instrument is shipped.",),
        tier=Tier.BRONZE,
    ),
    settings=OwnSettings,
    make_codec=_make_codec,
    decode=_decode,
)
