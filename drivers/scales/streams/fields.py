"""What the weight streams have in common: numbers, units, settings, and one frame to one decoded thing."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, Malformed, Settings
from drivers.framing import parity_of
from drivers.talk import STREAM_SILENCE_NS
from sync_protocol.errors import TextFault
from sync_protocol.quantity import decimal
from sync_protocol.wiretext import clean

STX, ETX, CR, LF = 0x02, 0x03, 0x0D, 0x0A

LINE_FEEDS = (b"\n", b"\x8a")
"""Ends of lines. With bit 7 as well: a 7-bit device read as 8N1 may put its parity bit there, and the fault must be seen."""

UnitWord = Literal["mg", "g", "kg", "t", "lb", "oz", "ozt", "ct", "dwt", "grain"]
"""How settings name a unit."""

WORDS: Mapping[str, str] = {
    "mg": "mg",
    "g": "g",
    "kg": "kg",
    "t": "t",
    "lb": "[lb_av]",
    "oz": "[oz_av]",
    "ozt": "[oz_tr]",
    "ct": "[car_m]",
    "dwt": "[pwt_tr]",
    "grain": "[gr]",
}
"""`UnitWord` to UCUM."""

UNIT_TEXTS: Mapping[str, str] = {
    "mg": "mg",
    "g": "g",
    "gm": "g",
    "kg": "kg",
    "t": "t",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "oz": "[oz_av]",
    "ozt": "[oz_tr]",
    "ct": "[car_m]",
    "dwt": "[pwt_tr]",
    "pcs": "{pcs}",
}
"""What terminals write, in lower case, to UCUM. `tn` and `T` mean different tons at different makers: not usable."""

_NUMBER = re.compile(r"(?P<whole>[0-9]{1,17})(?:\.(?P<part>[0-9]{0,17}))?|\.(?P<only>[0-9]{1,17})", re.ASCII)


class Unusable(Exception):
    """A frame of a known shape with a field that cannot be used; never leaves this area."""


class StreamSettings(Settings):
    """What every device that talks by itself is told."""

    mode: Literal["stream", "autoprint"] = Field(
        default="stream",
        description="stream: the device sends several frames a second and silence is a fault; autoprint: it sends once a load.",
    )

    @property
    def silence_ns(self) -> int | None:
        return STREAM_SILENCE_NS if self.mode == "stream" else None


class UnitlessSettings(StreamSettings):
    """For protocols that do not send their unit."""

    unit: UnitWord = Field(
        default="kg", description="The unit that the display shows; the device does not send it, so it must be set right."
    )

    @property
    def code(self) -> str:
        return WORDS[self.unit]


def number(text: str, sign: str = "") -> Decimal:
    """Digits as a terminal shows them: blanks in front, at most one point. `sign` is its own column. Raises Unusable."""
    match = _NUMBER.fullmatch(text.strip(" "))
    if match is None:
        raise Unusable(f"not a number: {clean(text, 24)!r}")
    whole, part = match["whole"] or "0", match["part"] or match["only"]
    return exact(("-" if sign == "-" else "") + whole + (f".{part}" if part else ""))


def placed(digits: str, decimals: int, *, negative: bool = False) -> Decimal:
    """Digits without a point, with as many decimals as the frame says. Raises Unusable."""
    # Blanks in front are leading zeros; one behind would move every digit by a place.
    shown = digits.lstrip(" ")
    if not shown.isascii() or not shown.isdigit():
        raise Unusable(f"not digits: {clean(digits, 24)!r}")
    filled = shown.zfill(decimals + 1)
    whole = filled if not decimals else f"{filled[:-decimals]}.{filled[-decimals:]}"
    return exact(f"-{whole}" if negative else whole)


def exact(text: str) -> Decimal:
    """Raises Unusable for what is no plain decimal number."""
    try:
        return decimal(text)
    except TextFault as exc:
        raise Unusable(f"not a number: {clean(text, 24)!r}") from exc


def unit(text: str, texts: Mapping[str, str] = UNIT_TEXTS) -> str:
    """The UCUM code of a unit as terminals write it, upper or lower case. Raises Unusable."""
    code = texts.get(text.strip().lower())
    if code is None:
        raise Unusable(f"unknown unit {clean(text, 16)!r}: the value cannot be used")
    return code


def xor_hex(data: bytes) -> str:
    """All bytes by exclusive or, as two hexadecimal digits in upper case."""
    total = 0
    for byte in data:
        total ^= byte
    return f"{total:02X}"


def reader(parse: Callable[[bytes], Decoded]) -> Callable[[bytes, str | None], list[Decoded]]:
    """`Talk.read` from a function that gives one frame's meaning or raises Unusable."""

    def read(raw: bytes, asked: str | None) -> list[Decoded]:  # noqa: ARG001 - these frames say what they are
        return [one(parse, raw)]

    return read


def one(parse: Callable[[bytes], Decoded], raw: bytes) -> Decoded:
    """A frame's meaning, or Malformed with the reason."""
    try:
        return parse(raw)
    except Unusable as exc:
        if (parity := parity_of(raw)) is None:
            return Malformed(str(exc), raw)
        reason = f"line setting: bytes carry {parity} parity in bit 7; the device sends 7 data bits, the port reads 8"
        return Malformed(reason, raw)
