"""From a conversation to a driver: what all drivers of this area are made of."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pydantic import create_model

from drivers.api import Codec, Decoded, Driver, DriverInfo, Flag, Probe, Reading, Settings
from drivers.settings import own_settings, read_settings
from drivers.talk import Talk, TalkCodec, decode_frames

SettingsT = TypeVar("SettingsT", bound=Settings)

LINE_9600_8N1: Mapping[str, object] = {"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1}
LINE_9600_7E1: Mapping[str, object] = {"baudrate": 9600, "bytesize": 7, "parity": "E", "stopbits": 1}

LISTEN_MS = 2000
"""Streams send at least 4 frames a second; two seconds are enough for several of them and for a tail in front."""

SURE = 3
"""Frames alike in a row: one could be another protocol's bytes by accident."""


def driver(info: DriverInfo, settings: type[SettingsT], talk: Callable[[SettingsT], Talk]) -> Driver:
    """A driver whose codec holds the conversation that `talk` makes of the settings."""

    # A model of its own for each driver, so that the settings of one are never taken for another's.
    own = create_model(f"{info.name} settings", __base__=settings, __doc__=settings.__doc__)

    def make_codec(given: Settings) -> Codec:
        return TalkCodec(talk(own_settings(own, given)))

    def decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
        return decode_frames(talk(read_settings(own, values)), capture)

    return Driver(info, own, make_codec, decode)


def listening(talk: Callable[[], Talk]) -> Probe:
    """A probe that sends nothing: sure after some readings of this protocol's own shape."""

    def recognises(heard: bytes) -> bool:
        found = [item for item in decode_frames(talk(), heard) if isinstance(item, Reading)]
        return len([item for item in found if item.value is not None or item.flags & {Flag.OVERLOAD, Flag.UNDERLOAD}]) >= SURE

    return Probe(b"", recognises, order=0, wait_ms=LISTEN_MS)
