"""Dibal counter scales: a price goes out, weight and total come back with a check character.

Sources: Dibal G-310 protocol page (question 98, answer 99); Dibal DPOS-400 manual, p. 58 (terminal protocol, answer 9B).
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Kind, Malformed, Mode, Refused, Settings, Tier
from drivers.framing import FrameBuffer, parity_of
from drivers.scales.pos.frames import stray
from drivers.scales.pos.talking import talking
from drivers.scales.pos.weights import UNITS, UnitName, Unusable, guarded, mass, shifted, xor
from drivers.talk import Talk
from sync_protocol.wiretext import clean

MAX_LINE = 64
"""Bytes. The longest answer has 24."""

ANSWER_TIMEOUT_NS = 8_000_000_000
"""These scales say nothing for up to 7 s while the load moves."""

_ANSWER_98 = re.compile(rb"990([0-9]{5})0[0-9]{6}", re.ASCII)
_ANSWER_TERMINAL = re.compile(rb"9B([0-9])([0-9]{5})([0-9]{6})[0-9]([0-9]{6})", re.ASCII)


class _DibalSettings(Settings):
    """What both protocols share."""

    unit: UnitName = Field(default="kg", description="Unit that the scale weighs in; the protocol does not send it.")
    decimals: int = Field(default=3, ge=0, le=5, description="Digits behind the point of the weight, which is not sent.")
    unit_price: int = Field(default=0, ge=0, le=99_999, description="Price sent with each question, in the smallest coin.")
    interval_ms: int = Field(default=500, ge=50, le=60_000, description="Milliseconds between two questions for the weight.")


class Dibal98Settings(_DibalSettings):
    """How a Dibal scale is asked with 98."""


class DibalTerminalSettings(_DibalSettings):
    """How a Dibal scale is asked in the terminal protocol."""

    question: Literal["9A", "98"] = Field(
        default="9A", description="Ask for the weight alone (9A), or send the price along with it (98)."
    )


def checked(text: str) -> bytes:
    """A line with its check character: the exclusive or of all characters before it."""
    body = text.encode("ascii")
    return body + bytes([xor(body)]) + b"\r\n"


def _body(raw: bytes) -> bytes:
    """What is in front of the check character. Raises Unusable."""
    line = raw.rstrip(b"\r\n")
    if len(line) < 2 or raw[-2:] != b"\r\n":
        raise Unusable("a line without content")
    if xor(line[:-1]) != line[-1]:
        raise Unusable("the check character is wrong")
    return line[:-1]


def _read_98(settings: Dibal98Settings, raw: bytes) -> Decoded:
    if (fields := _ANSWER_98.fullmatch(body := _body(raw))) is None:
        raise Unusable(f"not an answer to 98: {clean(body.decode('latin-1'), 32)!r}")
    # The scale answers at rest only.
    return mass(shifted(fields[1].decode(), settings.decimals), UNITS[settings.unit], {Flag.STABLE}, raw)


def _read_terminal(settings: DibalTerminalSettings, raw: bytes) -> Decoded:
    if (fields := _ANSWER_TERMINAL.fullmatch(body := _body(raw))) is None:
        raise Unusable(f"not an answer of the terminal protocol: {clean(body.decode('latin-1'), 32)!r}")
    status = fields[1].decode()
    if status != "0":
        return Refused(f"weight-status-{status}", "the scale has no valid weight", raw)
    prices = {"unit_price_raw": fields[3].decode(), "price_raw": fields[4].decode()}
    return mass(shifted(fields[2].decode(), settings.decimals), UNITS[settings.unit], {Flag.STABLE}, raw, **prices)


def _checked_line(raw: bytes) -> Malformed | None:
    """A fault of the line itself."""
    return stray(raw) if parity_of(raw) is not None else None


def _talk_98(settings: Dibal98Settings) -> Talk:
    return Talk(
        framer=lambda: FrameBuffer((b"\n", b"\x8a"), MAX_LINE),
        read=guarded(lambda raw, _asked: _checked_line(raw) or _read_98(settings, raw)),
        ask=checked(f"98{settings.unit_price:05d}"),
        interval_ns=settings.interval_ms * 1_000_000,
        answer_timeout_ns=ANSWER_TIMEOUT_NS,
    )


def _talk_terminal(settings: DibalTerminalSettings) -> Talk:
    return Talk(
        framer=lambda: FrameBuffer((b"\n", b"\x8a"), MAX_LINE),
        read=guarded(lambda raw, _asked: _checked_line(raw) or _read_terminal(settings, raw)),
        ask=checked("9A" if settings.question == "9A" else f"98{settings.unit_price:06d}"),
        interval_ns=settings.interval_ms * 1_000_000,
        answer_timeout_ns=ANSWER_TIMEOUT_NS,
    )


LINE = {"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1}

NOTES = (
    "While the load moves the scale says nothing, for up to 7 s.",
    "Between two answers the weight must change by 20 divisions and more: take the load off before the next one.",
)

DIBAL_98 = talking(
    DriverInfo(
        name="dibal-98",
        title="Dibal scale, protocol 98/99",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Dibal G-310 and relatives with the POS protocol",),
        sources=("Dibal G-310 POS protocol, question 98",),
        serial_defaults=LINE,
        tier=Tier.BRONZE,
        modes=(Mode.AUTOPRINT,),  # asked, but each load is weighed once
        notes=NOTES,
    ),
    Dibal98Settings,
    _talk_98,
)

DIBAL_TERMINAL = talking(
    DriverInfo(
        name="dibal-terminal",
        title="Dibal scale, terminal protocol",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Dibal DPOS-400",),
        sources=("Dibal DPOS-400 manual, p. 58",),
        serial_defaults=LINE,
        tier=Tier.BRONZE,
        modes=(Mode.AUTOPRINT,),  # asked, but each load is weighed once
        notes=(*NOTES, "Which question a model answers was not tried on a device: if it stays silent, set question to 98."),
    ),
    DibalTerminalSettings,
    _talk_terminal,
)
