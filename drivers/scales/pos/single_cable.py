"""Datalogic scanner-scales with one cable: weights, states of the scale and scanned codes share the line.

Source: Datalogic KA-01089 and Magellan programming guides, single cable RS-232 protocol.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Kind, Malformed, Mode, Reading, Tier
from drivers.framing import FrameBuffer, parity_of
from drivers.scales.pos.frames import stray
from drivers.scales.pos.talking import talking
from drivers.scales.pos.weights import UNITS, Unusable, guarded, mass, shifted
from drivers.scanners import gtin
from drivers.scanners.aim import Tagged
from drivers.scanners.codes import CodeReader, CodeSettings, details
from drivers.scanners.gs1 import GS
from drivers.scanners.meaning import Meaning
from drivers.talk import Talk
from sync_protocol.wiretext import clean

MAX_FRAME = 8192
"""Bytes. Scanned text: the fullest symbol, QR version 40, holds 7,089 digits."""

QUESTIONS = {"monitor": b"S14\r", "weight": b"S11\r"}

WEIGHTS = {5: (3, UNITS["kg"]), 4: (2, UNITS["lb"])}
"""Digits -> decimals and unit: metric scales send five, pound scales four."""

STATES: Mapping[str, tuple[frozenset[Flag], str | None]] = {
    "0": (frozenset({Flag.UNAVAILABLE}), "the scale is not ready"),
    "1": (frozenset({Flag.STATUS, Flag.MOTION}), None),
    "2": (frozenset({Flag.OVERLOAD}), None),
    "3": (frozenset({Flag.STATUS, Flag.STABLE, Flag.ZERO}), None),
    "5": (frozenset({Flag.UNDERLOAD}), None),
}
"""Fourth character of the answer to S14 where no weight follows: not ready, unstable, over, stable zero, under zero."""

_S11 = re.compile(r"S11([0-9]{4,5})", re.ASCII)
_S14 = re.compile(r"S14([0-9])([0-9]{0,6})", re.ASCII)
_MARKED = re.compile(r"(FF|F|A|E)([0-9]{6,14})", re.ASCII)
"""What stands between S08 and the digits of EAN-8, EAN-13, UPC-A and UPC-E."""


class SingleCableSettings(CodeSettings):
    """How a Datalogic scanner-scale is asked, and what is known of its codes."""

    question: Literal["monitor", "weight"] = Field(
        default="monitor", description="Ask with S14, which also tells motion and range, or with S11, which waits for a weight."
    )
    interval_ms: int = Field(default=250, ge=50, le=60_000, description="Milliseconds between two questions for the weight.")
    unit: Literal["kg", "lb"] | None = Field(
        default=None,
        description="Unit of the scale; a weight with the other unit's number of digits is then refused.",
    )
    code_prefix: str = Field(default="S08", max_length=8, description="What the scanner puts in front of each code.")


def _also(buffered: bytes) -> int | None:
    """Length of a line in front whose CR carries a parity bit; else the fault would show at the cap only."""
    at = buffered.find(b"\x8d")
    return at + 1 if at >= 0 and parity_of(buffered[: at + 1]) is not None else None


def _read(settings: SingleCableSettings, codes: CodeReader, raw: bytes) -> Decoded:
    if raw[-1] != 0x0D:
        return stray(raw)
    body = raw[:-1].lstrip(b"\n")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return stray(raw)
    if (weight := _S11.fullmatch(text)) is not None:
        return mass(*_amount(weight[1], settings.unit), (), raw)
    if (state := _S14.fullmatch(text)) is not None:
        return _monitored(state[1], state[2], settings.unit, raw)
    if any(char < " " and char != GS for char in text):
        return Malformed(f"neither an answer nor a code: {clean(text, 32)!r}", raw)
    if settings.code_prefix and text.startswith(settings.code_prefix):
        return _code(codes, text.removeprefix(settings.code_prefix), raw)
    if text.startswith(("S11", "S14")):
        raise Unusable(f"not an answer of the scale: {clean(text, 32)!r}")
    # A scanner that is not set to send the prefix: its codes are kept as they are.
    return codes.read(text, raw)


def _amount(digits: str, unit: str | None) -> tuple[Decimal, str]:
    known = WEIGHTS.get(len(digits))
    if known is None or (unit is not None and known[1] != UNITS[unit]):
        raise Unusable(f"{len(digits)} digits of weight: not {unit or 'metric and not pounds'}")
    return shifted(digits, known[0]), known[1]


def _monitored(state: str, digits: str, unit: str | None, raw: bytes) -> Decoded:
    if state == "4":
        return mass(*_amount(digits, unit), {Flag.STABLE}, raw)
    if state not in STATES or digits:
        raise Unusable(f"unknown answer to S14: {clean(state + digits, 16)!r}")
    flags, reason = STATES[state]
    return mass(None, None, flags, raw, **({"fault": reason} if reason else {}))


def _code(codes: CodeReader, text: str, raw: bytes) -> Decoded:
    marked = _MARKED.fullmatch(text)
    if marked is None:
        return codes.read(text, raw)
    if marked[1] != "E":
        return codes.read(marked[2], raw)
    try:
        number = gtin.expand_upc_e(marked[2]).zfill(14)
    except gtin.NumberFault:
        return codes.read(marked[2], raw)
    told = details(Tagged(None, marked[2]), Meaning(gtin=number))
    return Reading(Kind.CODE, marked[2], None, frozenset(), raw, details=told)


def _talk(settings: SingleCableSettings) -> Talk:
    codes = CodeReader(settings)
    return Talk(
        framer=lambda: FrameBuffer((b"\r",), MAX_FRAME, also=_also),
        read=guarded(lambda raw, _asked: _read(settings, codes, raw)),
        ask=QUESTIONS[settings.question],
        interval_ns=settings.interval_ms * 1_000_000,
        # A code that is scanned meanwhile does not answer the question.
        answers_question=lambda item: isinstance(item, Reading) and item.kind is Kind.MASS,
    )


DATALOGIC_SINGLE_CABLE = talking(
    DriverInfo(
        name="datalogic-single-cable",
        title="Datalogic scanner-scale, one cable",
        kinds=frozenset({Kind.MASS, Kind.CODE}),
        transports=("serial", "tcp"),
        models=("Datalogic Magellan 8300, 8400, 8500, 9300, 9400, 9800 scanner-scales in single cable mode",),
        sources=("Datalogic KA-01089, single cable RS-232 protocol",),
        serial_defaults={"baudrate": 9600, "bytesize": 7, "parity": "E", "stopbits": 1},
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=(
            "Weights and codes share the line: let the scanner send its prefix S08, so that no code looks like a weight.",
            "Five digits are kilograms, four are pounds: set `unit`, or a lost digit turns one into the other.",
        ),
    ),
    SingleCableSettings,
    _talk,
)
