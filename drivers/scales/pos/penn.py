"""Pennsylvania 7600 counting scales: three letters and CR; the answer says in words what it is.

Source: Pennsylvania Sterling 7600 technical manual 7600TM2021REV7, remote commands and data output formats.
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import (
    Acknowledged,
    Decoded,
    DriverInfo,
    Flag,
    Identity,
    Kind,
    Mode,
    Reading,
    Refused,
    Settings,
    SettingsFault,
    Tier,
)
from drivers.framing import FrameBuffer, parity_of
from drivers.scales.pos.frames import stray
from drivers.scales.pos.talking import talking
from drivers.scales.pos.weights import UNITS, Unusable, guarded, mass, number, unit_code
from drivers.talk import STABLE_TIMEOUT_NS, Command, Talk
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity, plain
from sync_protocol.wiretext import clean

MAX_FRAME = 80
"""Bytes. The echo of a command and the longest answer stay under 40."""

KINDS = {"Gross": Flag.GROSS, "Net": Flag.NET, "Tare": Flag.TARE}

QUESTIONS = {"gross": b"SGW\r", "net": b"SNW\r", "count": b"SCO\r"}

ERRORS = {
    "Err.80": "the scale does not accept the data of the command",
    "Err.81": "the scale does not know the command",
}

RANGES = {"OLOLOL": Flag.OVERLOAD, "ULULUL": Flag.UNDERLOAD}

COMMAND_WORDS = ("SGW", "SNW", "STW", "SCO", "SPW", "ZRO", "ATW", "ITW", "SVN", "SRP")

_ERROR = re.compile(r"Err\.[0-9]{2}", re.ASCII)
_RANGE = re.compile(r"OLOLOL|ULULUL")
_BUSY = re.compile(r"-{5,}")
_WEIGHT = re.compile(r"(Gross|Net|Tare) +([-+]? *[0-9]+(?:\.[0-9]+)?) *([A-Za-z]{1,3}\.?)", re.ASCII)
_COUNT = re.compile(r"Count +([-+]? *[0-9]+) *(?:Pieces|pieces|Pcs|pcs)?\.?", re.ASCII)
_VERSION = re.compile(r"V +([0-9]+\.[0-9]+)", re.ASCII)


class PennsylvaniaSettings(Settings):
    """How a Pennsylvania 7600 is asked."""

    ask: Literal["gross", "net", "count"] = Field(default="gross", description="What the scale is asked for.")
    interval_ms: int = Field(default=500, ge=100, le=60_000, description="Milliseconds between two questions.")


def _read(raw: bytes, asked: str | None) -> Decoded:
    if parity_of(raw) is not None:
        return stray(raw)
    text = raw.decode("latin-1").strip("\r\n ")
    # The echo of the command may stand in front, and its first letter may be missing: the answer's word is searched for.
    for pattern, told in ((_WEIGHT, _weight), (_COUNT, _count), (_RANGE, _range), (_ERROR, _error), (_VERSION, _version)):
        if (found := pattern.search(text)) is not None:
            if found.end() != len(text) or not _is_echo(text[: found.start()]):
                raise Unusable(f"an answer with more around it: {clean(text, 40)!r}")
            if asked in CONFIRMED and pattern is _RANGE:
                return Refused(found[0], f"{asked} was not taken: the load is out of range", raw)
            return told(found, raw)
    if _BUSY.fullmatch(text):
        if asked in CONFIRMED:
            return Refused("busy", f"{asked} was not taken: the load is in motion", raw)
        return mass(None, None, {Flag.UNAVAILABLE}, raw, fault="the scale is still acquiring a weight")
    if text and _is_echo(text):
        return Acknowledged("echo", raw)
    if asked in CONFIRMED and text and text.isascii() and text.isprintable():
        # The manual gives no words for it ("status response"), only those of the errors.
        return Acknowledged(asked, raw)
    raise Unusable(f"not an answer of this protocol: {clean(text, 40)!r}")


def _is_echo(text: str) -> bool:
    """Nothing, or a command word as it was sent, whose first letters may be missing."""
    left = text.strip("\r\n ")
    return not left or any(word.endswith(left) for word in COMMAND_WORDS)


def _weight(found: re.Match[str], raw: bytes) -> Reading:
    return mass(number(found[2]), unit_code(found[3]), {KINDS[found[1]]}, raw)


def _count(found: re.Match[str], raw: bytes) -> Reading:
    return Reading(Kind.COUNT, number(found[1]), "{pcs}", frozenset(), raw)


def _range(found: re.Match[str], raw: bytes) -> Reading:
    return mass(None, None, {RANGES[found[0]]}, raw)


def _error(found: re.Match[str], raw: bytes) -> Refused:
    return Refused(found[0], ERRORS.get(found[0], "the scale reports an error"), raw)


def _version(found: re.Match[str], raw: bytes) -> Identity:
    return Identity(found[1], raw, what="software")


def _tare(argument: str | None) -> bytes:
    if argument is None:
        raise SettingsFault("preset_tare takes a quantity such as '1.25 [lb_av]'", setting="argument")
    try:
        tare = Quantity.parse(argument)
    except TextFault as exc:
        raise SettingsFault(str(exc), setting="argument") from exc
    if tare.value < 0 or tare.unit not in UNITS.values():
        raise SettingsFault(f"not a tare: {argument[:40]!r}", setting="argument")
    return f"ITW {plain(tare.value)}\r".encode("ascii")


def _is_not_echo(item: Decoded) -> bool:
    return not (isinstance(item, Acknowledged) and item.command == "echo")


def _confirms(item: Decoded) -> bool:
    return isinstance(item, Acknowledged | Refused) and _is_not_echo(item)


CONFIRMED = frozenset({"zero", "tare", "preset_tare"})

COMMANDS = {
    "zero": Command(b"ZRO\r", STABLE_TIMEOUT_NS, confirms=_confirms),
    "tare": Command(b"ATW\r", STABLE_TIMEOUT_NS, confirms=_confirms),
    "preset_tare": Command(_tare, confirms=_confirms),
    "read_tare": Command(b"STW\r", confirms=lambda item: isinstance(item, Reading) and Flag.TARE in item.flags),
    "version": Command(b"SVN\r", confirms=lambda item: isinstance(item, Identity | Refused)),
}


def _talk(settings: PennsylvaniaSettings) -> Talk:
    return Talk(
        framer=lambda: FrameBuffer((b"\n", b"\x8a"), MAX_FRAME),
        read=guarded(_read),
        ask=QUESTIONS[settings.ask],
        interval_ns=settings.interval_ms * 1_000_000,
        commands=COMMANDS,
        answers_question=_is_not_echo,
    )


PENNSYLVANIA_7600 = talking(
    DriverInfo(
        name="pennsylvania-7600",
        title="Pennsylvania 7600",
        kinds=frozenset({Kind.MASS, Kind.COUNT}),
        transports=("serial", "tcp"),
        models=("Pennsylvania Scale Sterling 7600 counting scale", "Pennsylvania Scale 7500 (without counts)"),
        sources=("Pennsylvania Sterling 7600 technical manual 7600TM2021REV7, remote commands",),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=tuple(COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        notes=(
            "The answers do not say whether the load is at rest: let the box wait for equal readings.",
            "With the echo switched on (menu ECH 65) its first letter may be missing; the driver reads past it.",
        ),
    ),
    PennsylvaniaSettings,
    _talk,
)
