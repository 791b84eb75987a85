"""How a line-speaking balance becomes a driver: the settings they share, and its `Talk` wired to the contract."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Reading, Settings
from drivers.settings import own_settings, read_settings
from drivers.talk import Talk, TalkCodec, decode_frames

SettingsT = TypeVar("SettingsT", bound=Settings)

BENCH_LINE: Mapping[str, object] = {"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1}

NS_PER_MS = 1_000_000


class AskedSettings(Settings):
    """Settings of a balance that can be asked."""

    interval_ms: int = Field(
        default=200, ge=50, le=60_000, description="Pause between two questions for the weight, in milliseconds."
    )

    @property
    def interval_ns(self) -> int:
        return self.interval_ms * NS_PER_MS


def line_driver(
    info: DriverInfo,
    model: type[SettingsT],
    talk: Callable[[SettingsT], Talk],
    codec: Callable[[Talk], Codec] = TalkCodec,
) -> Driver:
    """A driver of a protocol that `talk` describes for its settings."""

    def make_codec(settings: Settings) -> Codec:
        return codec(talk(own_settings(model, settings)))

    def decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
        return decode_frames(talk(read_settings(model, values)), capture)

    return Driver(info=info, settings=model, make_codec=make_codec, decode=decode)


def says_weight(talk: Talk) -> Callable[[bytes], bool]:
    """A probe's judgement: at least one whole line of this grammar that is a reading."""

    def recognises(answer: bytes) -> bool:
        return any(isinstance(item, Reading) for item in decode_frames(talk, answer))

    return recognises
