"""Mahr Millimar amplifiers, and indicators that answer `?` with their display: features, units and tolerance marks.

Sources: Mahr Millimar C1202 operating instructions, 7.2, p. 82; Mahr Millimar C1208/C1216/C1240, OPTORSD and OPTORSS
protocols, p. 69-70.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Refused, Settings, Status, Tier
from drivers.framing import FrameBuffer
from drivers.gauges.values import TOLERANCES, GaugeSettings, dimension, is_value
from drivers.settings import own_settings, read_settings
from drivers.talk import Command, Talk, TalkCodec, decode_frames

MAX_FRAME = 64
"""Bytes between two ends. The longest, a feature with unit and both marks, has 22."""

ENDS = (b"\r", b"\n", b";")
"""CR ends an answer, semicolons part its features; newer ones put LF behind."""

_FEATURE = re.compile(
    r"(?:(?P<feature>[1-9]) )?(?P<digits>[+-][0-9]{1,6}(?:\.[0-9]{1,6})?) ?(?P<unit>mm|um|\xb5m|inch|in|deg|rad)?"
    r"(?: (?P<mark>[<=>])(?: (?P<warning>[<=>]))?)?",
    re.ASCII,
)
"""Always with its sign: digits without it are the tail of a value, or of an error (`ERR6`)."""
_ANGLE = re.compile(r"(?:[1-9] )?[+-]?[0-9]{1,3}:[0-9]{2}:[0-9]{2} ?dms(?: [<=>]){0,2}", re.ASCII)
_ERROR = re.compile(r"(?:([1-9]) )?(ERR[0-9]{1,2})", re.ASCII)


class MahrSettings(GaugeSettings):
    """How a Mahr amplifier or indicator is asked."""

    mode: Literal["poll", "autoprint"] = Field(
        default="poll", description="poll: the box asks again and again; autoprint: the device sends at its own button."
    )
    interval_ms: int = Field(default=250, ge=50, le=60_000, description="Milliseconds between two questions, in the mode poll.")
    feature: int | None = Field(
        default=None, ge=1, le=3, description="Feature of a Millimar C1202 that is this device; all of them when left out."
    )


def read_part(raw: bytes, settings: MahrSettings) -> Sequence[Decoded]:
    """One feature with what ends it."""
    text = raw.rstrip(b"\r\n;").decode("latin-1").strip(" ")
    if not text:
        return [Status("an empty line", raw)] if raw == b"\n" else [Malformed("an empty feature", raw)]
    if error := _ERROR.fullmatch(text):
        return [Refused(error[2], f"the amplifier has no value of feature {error[1] or 'asked for'}", raw)]
    if _ANGLE.fullmatch(text):
        return [Malformed("unknown unit 'dms': set the amplifier to decimal degrees", raw)]
    match = _FEATURE.fullmatch(text)
    if match is None:
        return [Malformed("not a value of a Mahr device", raw)]
    feature = match["feature"]
    if settings.feature is not None and feature not in {None, str(settings.feature)}:
        return [Status(f"a value of feature {feature}, which is another one", raw)]
    said = match["unit"]
    return [
        dimension(
            match["digits"],
            _unit(said) or settings.unit,
            raw,
            decimals=settings.decimals,
            details=_details(feature, match["mark"], match["warning"]),
        )
    ]


def _unit(said: str | None) -> str | None:
    return "um" if said == "\xb5m" else said


def _details(feature: str | None, mark: str | None, warning: str | None) -> dict[str, str]:
    details = {} if feature is None else {"feature": feature}
    if mark is not None:
        details["tolerance"] = TOLERANCES[mark]
    if warning is not None:
        details["warning_limit"] = TOLERANCES[warning]
    return details


def _talk(settings: MahrSettings) -> Talk:
    ask = b"?\r" if settings.feature is None else f"M{settings.feature}?\r".encode()
    return Talk(
        framer=lambda: FrameBuffer(ENDS, MAX_FRAME),
        read=lambda raw, _asked: read_part(raw, settings),
        ask=ask if settings.mode == "poll" else None,
        interval_ns=settings.interval_ms * 1_000_000,
        answers_question=lambda item: not isinstance(item, Malformed) and item.raw != b"\n",
        commands={"print": Command(ask, confirms=lambda item: is_value(item) or isinstance(item, Refused))},
    )


def _make_codec(settings: Settings) -> Codec:
    return TalkCodec(_talk(own_settings(MahrSettings, settings)))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    return decode_frames(_talk(read_settings(MahrSettings, values)), capture)


DRIVER = Driver(
    info=DriverInfo(
        name="mahr",
        title="Mahr Millimar and indicators that answer `?`",
        kinds=frozenset({Kind.LENGTH, Kind.ANGLE}),
        transports=("serial", "tcp"),
        models=(
            "Mahr Millimar C1202",
            "Mahr Millimar C1208, C1216, C1240 (OPTORSD and OPTORSS protocols)",
            "Mahr MarCator and MarCal with a serial data cable that answers `?`",
        ),
        sources=(
            "Mahr Millimar C1202 operating instructions, 7.2, p. 82",
            "Mahr Millimar C1208/C1216/C1240 operating instructions, p. 69-70",
        ),
        serial_defaults={"baudrate": 9600, "bytesize": 7, "parity": "E", "stopbits": 2},
        commands=("print",),
        modes=(Mode.POLL, Mode.AUTOPRINT),
        tier=Tier.NONE,
        notes=(
            "The unit that the device says comes first; the configured one is for those that send digits only.",
            "ERR6 means that a feature is switched off. The tolerance mark is kept with the value.",
            "Angles in degrees, minutes and seconds are refused: set decimal degrees.",
        ),
    ),
    settings=MahrSettings,
    make_codec=_make_codec,
    decode=_decode,
)
