"""Mitutoyo digital indicators ID-H and EJ counters: commands of two letters with an identifier, answered line by line.

Source: Mitutoyo ID-H0560/ID-H0530 user's manual 99MAH016B, 4.2.4, p. 4-5.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from drivers.api import (
    Acknowledged,
    Codec,
    Decoded,
    Driver,
    DriverInfo,
    Flag,
    Kind,
    Malformed,
    Mode,
    Settings,
    Status,
    Tier,
)
from drivers.framing import FrameBuffer
from drivers.gauges.values import GaugeSettings, dimension, is_value
from drivers.settings import own_settings, read_settings
from drivers.talk import Command, Talk, TalkCodec, decode_frames

MAX_FRAME = 64
"""Bytes. The longest line, a preset with its identifier, has 17."""

MODES = {"GN": None, "GX": "max", "GM": "min", "GW": "run-out"}
"""Word of a value -> the mode it was taken in; None is the normal one."""

JUDGEMENTS = {"OK": "in", "+NG": "over", "-NG": "under"}

ACKNOWLEDGED = frozenset({"CH", "DH"})
"""Answers to what changes a setting."""

COMMANDS = {
    "zero": "CR",
    "normal": "CN",
    "maximum": "CX",
    "minimum": "CM",
    "run_out": "CW",
    "restart_peak": "CL",
}
"""Zero-setting, the four measurement modes, and a new start of the peak hold."""

_VALUE = re.compile(r"(G[NXMW])([0-9]{2}),([+-][0-9]{1,6}\.[0-9]{1,6})", re.ASCII)
_ANSWER = re.compile(r"(CH|DH)([0-9]{2})(?:,([A-Z0-9+-]{1,8}))?", re.ASCII)
_STORED = re.compile(r"(DH|DG|DD)([0-9]{2}),([+-][0-9]{1,6}\.[0-9]{1,6})", re.ASCII)


class IdhSettings(GaugeSettings):
    """How an ID-H is asked."""

    mode: Literal["poll", "autoprint"] = Field(
        default="poll", description="poll: the box asks again and again; autoprint: the indicator sends at its own button."
    )
    interval_ms: int = Field(default=200, ge=50, le=60_000, description="Milliseconds between two questions, in the mode poll.")
    identifier: int = Field(
        default=0,
        ge=0,
        le=99,
        description="Identifier set at the indicator; 0 asks whatever is connected, any other number that indicator alone.",
    )


def read_line(raw: bytes, settings: IdhSettings, asked: str | None) -> Sequence[Decoded]:
    """One line with its end."""
    try:
        text = raw.removesuffix(b"\r\n").decode("ascii")
    except UnicodeDecodeError:
        return [Malformed("not a line of an ID-H", raw)]
    if value := _VALUE.fullmatch(text):
        return [_foreign(value[2], raw, settings) or _value(value, raw, settings)]
    if stored := _STORED.fullmatch(text):
        return [_foreign(stored[2], raw, settings) or Status(f"stored value {stored[1]} {stored[3]}", raw)]
    if answer := _ANSWER.fullmatch(text):
        return [_foreign(answer[2], raw, settings) or _answer(answer, raw, asked)]
    return [Malformed("not a line of an ID-H", raw)]


def _foreign(identifier: str, raw: bytes, settings: IdhSettings) -> Decoded | None:
    if settings.identifier and int(identifier) != settings.identifier:
        return Status(f"an answer of indicator {identifier}, which is another one", raw)
    return None


def _value(match: re.Match[str], raw: bytes, settings: IdhSettings) -> Decoded:
    mode = MODES[match[1]]
    details = {"identifier": match[2]} | ({"mode": mode} if mode is not None else {})
    return dimension(match[3], settings.unit, raw, decimals=settings.decimals, flags=(Flag.STABLE,), details=details)


def _answer(match: re.Match[str], raw: bytes, asked: str | None) -> Decoded:
    word = match[3]
    if word is None:
        return Acknowledged(asked or match[1], raw)
    return Status(f"tolerance {JUDGEMENTS[word]}" if word in JUDGEMENTS else word, raw)


def _talk(settings: IdhSettings) -> Talk:
    number = f"{settings.identifier:02d}"
    ask = f"GA{number}\r\n".encode()
    commands = {name: Command(f"{word}{number}\r\n".encode()) for name, word in COMMANDS.items()}
    commands["print"] = Command(ask, confirms=is_value)
    return Talk(
        framer=lambda: FrameBuffer((b"\n", b"\x8a"), MAX_FRAME),
        read=lambda raw, asked: read_line(raw, settings, asked),
        ask=ask if settings.mode == "poll" else None,
        interval_ns=settings.interval_ms * 1_000_000,
        commands=commands,
    )


def _make_codec(settings: Settings) -> Codec:
    return TalkCodec(_talk(own_settings(IdhSettings, settings)))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    return decode_frames(_talk(read_settings(IdhSettings, values)), capture)


DRIVER = Driver(
    info=DriverInfo(
        name="mitutoyo-idh",
        title="Mitutoyo ID-H indicator and EJ counter",
        kinds=frozenset({Kind.LENGTH}),
        transports=("serial", "tcp"),
        models=("Mitutoyo ID-H0530, ID-H0560 with RS-232C", "Mitutoyo EJ counters"),
        sources=("Mitutoyo ID-H0560/ID-H0530 user's manual 99MAH016B, 4.2.4, p. 4-5",),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=("print", *COMMANDS),
        modes=(Mode.POLL, Mode.AUTOPRINT),
        tier=Tier.BRONZE,
        notes=(
            "Millimetres or inches are not sent: set the unit and the decimals, so that an indicator switched over is refused.",
            "The speed and parity here are no manual's word: compare them with the indicator's own settings.",
            "A value taken in the mode of maximum, minimum or run-out says so in its details.",
        ),
    ),
    settings=IdhSettings,
    make_codec=_make_codec,
    decode=_decode,
)
