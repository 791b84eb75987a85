"""Making a driver of a conversation that is plain data."""

from collections.abc import Callable, Mapping, Sequence

from drivers.api import Codec, Decoded, Driver, DriverInfo, Settings
from drivers.settings import SettingsT, own_settings, read_settings
from drivers.talk import Talk, TalkCodec, decode_frames


def talking(info: DriverInfo, model: type[SettingsT], talk_of: Callable[[SettingsT], Talk]) -> Driver:
    """The driver of a protocol whose conversation follows from its settings."""

    def make_codec(settings: Settings) -> Codec:
        return TalkCodec(talk_of(own_settings(model, settings)))

    def decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
        return decode_frames(talk_of(read_settings(model, values)), capture)

    return Driver(info=info, settings=model, make_codec=make_codec, decode=decode)
