"""Mahr Maxum III digital indicators: one fixed line with mode, sign, digits, unit letter and limit letter.

Source: Mahr Federal Maxum III digital electronic indicator 2239028 Rev D, 8.2.1, p. 51.
"""

import re
from collections.abc import Mapping, Sequence

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Settings, Tier
from drivers.framing import FrameBuffer
from drivers.gauges.values import dimension
from drivers.settings import own_settings, read_settings
from drivers.talk import Talk, TalkCodec, decode_frames

MAX_FRAME = 48
"""Bytes. A line has 12."""

MODES = {"A": None, "M": "max", "L": "min", "T": "run-out"}
"""Letter of the display mode; a small one means that hold is off."""

UNITS = {"M": "mm", "I": "in"}

LIMITS = {"O": "over", "0": "over", "U": "under"}
"""Letter of an exceeded tolerance limit; the manual prints the upper one as a zero."""

_LINE = re.compile(
    r"(?P<mode>[AMLTamlt ])(?P<sign>[+ -]) ?(?P<digits>[0-9 ]{0,3}\.[0-9]{1,5}) ?(?P<unit>[MI])(?P<limit>[O0U]?) *", re.ASCII
)


class MaxumSettings(Settings):
    """A Maxum III; it says its unit itself and has nothing to set."""


def read_line(raw: bytes, _asked: str | None) -> Sequence[Decoded]:
    """One line with its end."""
    text = raw.rstrip(b"\r\n").decode("latin-1")
    match = _LINE.fullmatch(text)
    if match is None or " " in match["digits"].strip(" "):
        return [Malformed("not a line of a Maxum III", raw)]
    letter = match["mode"]
    mode = MODES.get(letter.upper())
    details = {"hold": "true" if letter.isupper() else "false"}
    if mode is not None:
        details["mode"] = mode
    if match["limit"]:
        details["tolerance"] = LIMITS[match["limit"]]
    digits = match["sign"].strip() + match["digits"].strip(" ")
    return [dimension(digits, UNITS[match["unit"]], raw, details=details)]


_TALK = Talk(framer=lambda: FrameBuffer((b"\n", b"\x8a"), MAX_FRAME), read=read_line)
"""The indicator sends at its button or by itself; it takes no questions."""


def _make_codec(settings: Settings) -> Codec:
    own_settings(MaxumSettings, settings)
    return TalkCodec(_TALK)


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    read_settings(MaxumSettings, values)
    return decode_frames(_TALK, capture)


DRIVER = Driver(
    info=DriverInfo(
        name="mahr-maxum",
        title="Mahr Maxum III indicator",
        kinds=frozenset({Kind.LENGTH}),
        transports=("serial", "tcp"),
        models=("Mahr Federal Maxum III",),
        sources=("Mahr Federal Maxum III 2239028 Rev D, 8.2.1, p. 51",),
        serial_defaults={"baudrate": 2400, "bytesize": 7, "parity": "N", "stopbits": 2},
        modes=(Mode.AUTOPRINT,),
        tier=Tier.NONE,
        notes=("With the output cables 2239036 and 2239038 the line is 9600 baud, 8 data bits, no parity.",),
    ),
    settings=MaxumSettings,
    make_codec=_make_codec,
    decode=_decode,
)
