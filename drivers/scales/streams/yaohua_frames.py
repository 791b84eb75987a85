"""Yaohua XK3190 frames from STX to ETX: the continuous output of the A9 family, and answers to commands with an address.

Sources: XK3190-A26 manual p. 10 (continuous format 0); XK3190-DS3 manual p. 6 and XK3190-A23p manual p. 26 (commands).
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from drivers.api import Acknowledged, Decoded, DriverInfo, Flag, Kind, Mode, Reading, Tier
from drivers.scales.streams.building import LINE_9600_8N1, driver
from drivers.scales.streams.fields import ETX, STX, UnitlessSettings, Unusable, placed, reader, xor_hex
from drivers.scales.streams.shapes import ShapeFramer, delimited
from drivers.talk import Command, Talk
from sync_protocol.wiretext import clean

CONTINUOUS = 12
ANSWER = 14
HANDSHAKE = 6
"""Bytes of a frame, STX and ETX included. Nothing is longer."""

ASKED = {"B": Flag.GROSS, "C": Flag.TARE, "D": Flag.NET}
"""Letter of a command, and what the weight in its answer is. A is a handshake without data."""

LETTERS = {"gross": "B", "net": "D"}

MAX_DECIMALS = 4


class YaohuaFramesSettings(UnitlessSettings):
    """How an A9, A23p, A26 or DS3 is set."""

    address: Annotated[str, StringConstraints(pattern=r"^[A-Z]$")] | None = Field(
        default=None, description="The letter of the device's address in command mode; without it the box only listens."
    )
    ask: Literal["gross", "net"] = Field(default="net", description="Which weight is asked for in command mode.")
    interval_ms: int = Field(default=200, ge=50, le=60_000, description="Milliseconds between two questions in command mode.")


def talk(settings: YaohuaFramesSettings) -> Talk:
    """The conversation, as the settings shape it."""

    def parse(raw: bytes) -> Decoded:
        if len(raw) not in {CONTINUOUS, ANSWER, HANDSHAKE} or raw[0] != STX or raw[-1] != ETX:
            raise Unusable("no frame of 6, 12 or 14 bytes from STX to ETX")
        text = raw[1:-1].decode("latin-1")
        body, check = text[:-2], text[-2:]
        if xor_hex(raw[1:-3]) != check:
            raise Unusable("the check digits do not fit: damaged")
        if len(raw) == CONTINUOUS:
            return _weight(body, settings.code, frozenset(), raw)
        return _answer(body, settings, raw)

    polled = settings.address is not None
    return Talk(
        framer=lambda: ShapeFramer(delimited(STX, ETX, ANSWER)),
        read=reader(parse),
        ask=_command(settings.address, LETTERS[settings.ask]) if settings.address is not None else None,
        interval_ns=settings.interval_ms * 1_000_000,
        silence_ns=None if polled else settings.silence_ns,
        torn_first=False,
        commands={"handshake": Command(_command(settings.address or "A", "A"))},
    )


def _command(address: str, letter: str) -> bytes:
    body = f"{address}{letter}".encode("ascii")
    return bytes([STX]) + body + xor_hex(body).encode("ascii") + bytes([ETX])


def _answer(body: str, settings: YaohuaFramesSettings, raw: bytes) -> Decoded:
    address, letter, rest = body[0], body[1], body[2:]
    if settings.address is not None and address != settings.address:
        raise Unusable(f"from address {clean(address, 4)}, not {settings.address}")
    if letter == "A" and not rest:
        return Acknowledged("handshake", raw)
    if letter not in ASKED or not rest:
        raise Unusable(f"no answer to a command of this driver: {clean(letter, 4)}")
    return _weight(rest, settings.code, frozenset({ASKED[letter]}), raw, address=address)


def _weight(text: str, code: str, flags: frozenset[Flag], raw: bytes, **details: str) -> Reading:
    sign, digits, decimals = text[0], text[1:7], text[7]
    if sign not in "+-" or not decimals.isascii() or not decimals.isdigit() or int(decimals) > MAX_DECIMALS:
        raise Unusable("no sign, six digits and number of decimals")
    value = placed(digits, int(decimals), negative=sign == "-")
    return Reading(Kind.MASS, value, code, flags, raw, details=details)


YAOHUA_STX = driver(
    DriverInfo(
        name="yaohua-stx",
        title="Yaohua A9 frames and DS3 commands",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Yaohua XK3190-A9, A23p, A26, DS3 and clones",),
        sources=(
            "Yaohua XK3190-A26 manual, p. 10, continuous format 0",
            "Yaohua XK3190-DS3 manual, p. 6",
            "Yaohua XK3190-A23p manual, p. 26",
        ),
        serial_defaults=LINE_9600_8N1,
        commands=("handshake",),
        tier=Tier.BRONZE,
        modes=(Mode.STREAM, Mode.AUTOPRINT, Mode.POLL),
        notes=(
            "The unit is not on the wire: set what the display shows. Neither is the state of rest.",
            "Set `address` where the terminal is in command mode; its zero and tare keys cannot be pressed from the box.",
        ),
    ),
    YaohuaFramesSettings,
    talk,
)
