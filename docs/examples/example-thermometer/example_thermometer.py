"""Example thermometer: `T=<value>C` and CR, twice a second, unasked."""

import re
from collections.abc import Mapping, Sequence

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Reading, Settings
from drivers.framing import FrameBuffer
from drivers.settings import own_settings, read_settings
from drivers.talk import Talk, TalkCodec, decode_frames
from sync_protocol.quantity import decimal

LINE = re.compile(r"T=(-?[0-9]{1,3}(?:\.[0-9]{1,2})?)C\r", re.ASCII)  # manual, page 7
MAX_LINE = 16  # twice the longest line: anything longer is another device
SILENCE_NS = 2_000_000_000  # four lines missing


class ThermometerSettings(Settings):
    """It has nothing to set."""


def _read(raw: bytes, _asked: str | None) -> list[Decoded]:
    match = LINE.fullmatch(raw.decode("latin-1"))
    if match is None:
        return [Malformed("not a line of this thermometer", raw)]
    return [Reading(Kind.TEMPERATURE, decimal(match[1]), "Cel", frozenset(), raw)]


TALK = Talk(framer=lambda: FrameBuffer((b"\r",), MAX_LINE), read=_read, silence_ns=SILENCE_NS)


def _make_codec(settings: Settings) -> Codec:
    own_settings(ThermometerSettings, settings)
    return TalkCodec(TALK)


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    read_settings(ThermometerSettings, values)
    return decode_frames(TALK, capture)


DRIVER = Driver(
    info=DriverInfo(
        name="example-thermometer",
        title="Example thermometer",
        kinds=frozenset({Kind.TEMPERATURE}),
        transports=("serial",),
        models=("T1",),
        sources=("T1 manual, page 7",),
        serial_defaults={"baudrate": 4800, "bytesize": 8, "parity": "N", "stopbits": 1},
        modes=(Mode.STREAM,),
    ),
    settings=ThermometerSettings,
    make_codec=_make_codec,
    decode=_decode,
)
