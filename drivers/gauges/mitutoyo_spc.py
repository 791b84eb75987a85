"""Mitutoyo gauges behind a Digimatic interface that speaks over a serial line: DMX boxes, U-WAVE, DP-1VR, QM-Height.

A frame is `0`, the channel, `A`, a sign, eight characters with a floating point, CR (Mitutoyo QM-Height user's manual
99MAF600B, 6.2.2 and 6.3.4); `91` with the channel is an error.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Flag, Kind, Malformed, Mode, Refused, Settings, Status, Tier
from drivers.framing import FrameBuffer
from drivers.gauges.values import GaugeSettings, dimension, is_value
from drivers.settings import own_settings, read_settings
from drivers.talk import Command, Talk, TalkCodec, decode_frames

MAX_FRAME = 64
"""Bytes. A frame has 13; more without its end means another device or line setting."""

LINE_ENDS = {"cr": (b"\r",), "crlf": (b"\r\n",)}

REQUEST = b"\r"
"""Any byte asks for a value; this one means nothing else to any of these boxes."""

ANSWER_TIMEOUT_NS = 2_000_000_000
"""A gauge answers within 0.5 s; a U-WAVE asks its sender over the air first."""

_VALUE = re.compile(rb"0([1-9])A([+-])(?=[0-9.]{8}$)([0-9]+\.[0-9]+|[0-9]{8})")
_ERROR = re.compile(rb"91([0-9])")


class SpcSettings(GaugeSettings):
    """How a Digimatic interface is read."""

    mode: Literal["autoprint", "poll"] = Field(
        default="autoprint",
        description="autoprint: the gauge sends when its button is pressed; poll: the box asks again and again.",
    )
    interval_ms: int = Field(
        default=500, ge=100, le=60_000, description="Milliseconds between two questions, in the mode poll."
    )
    channel: int | None = Field(
        default=None,
        ge=1,
        le=9,
        description="Channel of the gauge at a box that several gauges share; values of other channels are not this device's.",
    )
    end_of_line: Literal["cr", "crlf"] = Field(default="cr", description="How a line ends: cr for the gauges' default.")


def read_frame(raw: bytes, settings: SpcSettings) -> Sequence[Decoded]:
    """One frame with its end."""
    # A line feed in front ended the line before: some boxes are set to send both.
    text = raw.strip(b"\r\n")
    if error := _ERROR.fullmatch(text):
        return [Refused(text.decode("ascii"), f"no value from the gauge at channel {error[1].decode()}", raw)]
    if not (match := _VALUE.fullmatch(text)):
        return [Malformed("not a frame of a Digimatic interface", raw)]
    channel = match[1].decode()
    if settings.channel is not None and channel != str(settings.channel):
        return [Status(f"a value of channel {channel}, which is another gauge", raw)]
    # The value is what the display held when the button was pressed or the question came: a finished measurement.
    digits = (match[2] + match[3]).decode()
    return [
        dimension(digits, settings.unit, raw, decimals=settings.decimals, flags=(Flag.STABLE,), details={"channel": channel})
    ]


def _talk(settings: SpcSettings) -> Talk:
    return Talk(
        framer=lambda: FrameBuffer(LINE_ENDS[settings.end_of_line], MAX_FRAME),
        read=lambda raw, _asked: read_frame(raw, settings),
        ask=REQUEST if settings.mode == "poll" else None,
        interval_ns=settings.interval_ms * 1_000_000,
        answer_timeout_ns=ANSWER_TIMEOUT_NS,
        commands={
            "print": Command(REQUEST, ANSWER_TIMEOUT_NS, confirms=lambda item: is_value(item) or isinstance(item, Refused))
        },
    )


def _make_codec(settings: Settings) -> Codec:
    return TalkCodec(_talk(own_settings(SpcSettings, settings)))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    return decode_frames(_talk(read_settings(SpcSettings, values)), capture)


DRIVER = Driver(
    info=DriverInfo(
        name="mitutoyo-spc",
        title="Mitutoyo Digimatic over a serial line",
        kinds=frozenset({Kind.LENGTH}),
        transports=("serial", "tcp"),
        models=(
            "Mitutoyo DMX-1, DMX-2, DMX-3 interface boxes",
            "Mitutoyo U-WAVE-R with U-WAVE-T, as a virtual serial port",
            "Mitutoyo QM-Height (RS-232C and USB)",
        ),
        sources=(
            "Mitutoyo QM-Height user's manual 99MAF600B, 6.2.2 and 6.3.4",
            "Error 91n: common to these boxes, not found in a manual at hand",
        ),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=("print",),
        modes=(Mode.AUTOPRINT, Mode.POLL),
        tier=Tier.BRONZE,
        notes=(
            "Millimetres or inches are not sent: set the unit, and the decimals, so that a gauge switched over is refused.",
            "The speed of DMX boxes is set by a switch inside.",
            "IT-016U and other input tools type the value like a keyboard: they are no serial device.",
        ),
    ),
    settings=SpcSettings,
    make_codec=_make_codec,
    decode=_decode,
)
