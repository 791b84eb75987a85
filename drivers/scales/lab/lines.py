"""What the lines of laboratory and bench balances have in common: text, numbers and units, and what is wrong with them.

Each balance's own grammar is in its own module.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from drivers.api import Acknowledged, Decoded, Flag, Identity, Kind, Malformed, Reading, Refused, SettingsFault
from drivers.framing import FrameBuffer, parity_of
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity, decimal, plain
from sync_protocol.wiretext import clean

MAX_LINE = 128
"""Bytes. The longest line of these families (Ohaus with legend and time) stays under 60; more means another protocol."""

LINE_ENDS = (b"\n", b"\x8a")
"""LF, also with a parity bit: a 7-bit device read as 8N1 may put one there, and the fault must still be seen."""

UNITS = {
    "g": "g",
    "kg": "kg",
    "mg": "mg",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "oz": "[oz_av]",
    "ozt": "[oz_tr]",
    "ct": "[car_m]",
    "dwt": "[pwt_tr]",
    "gn": "[gr]",
    "grn": "[gr]",
    "pcs": "{pcs}",
    "pc": "{pcs}",
    "%": "%",
}
"""Unit text in lower case to UCUM. Tael, momme, mesghal, tola, baht and custom texts have no agreed code: not usable.

`t` is missing on purpose: on some A&D balances it is the tola, elsewhere the tonne. Grammars where it is sure add it.
"""

COUNTED = {"{pcs}": Kind.COUNT, "%": Kind.PERCENT}

NUMBER = r"[0-9]+(?:\.[0-9]+)?"
"""Plain digits with at most one point between them.

Grammars take the blanks around it possessively (` *+`): a line full of blanks must not be tried in every division.
"""


class Unusable(Exception):
    """A line has a known shape and a field that cannot be used; never leaves a grammar."""


def framer() -> FrameBuffer:
    return FrameBuffer(LINE_ENDS, MAX_LINE)


def reader(parse: Callable[[str, bytes, str | None], Decoded]) -> Callable[[bytes, str | None], Sequence[Decoded]]:
    """A grammar of one text line as `Talk.read` wants it: `parse` gets the text without its end, the raw bytes and what was
    asked, and may raise Unusable."""

    def read(frame: bytes, asked: str | None) -> Sequence[Decoded]:
        try:
            return [parse(_text(frame), frame, asked)]
        except Unusable as exc:
            return [Malformed(str(exc), frame)]

    return read


def _text(raw: bytes) -> str:
    if (parity := parity_of(raw)) is not None:
        raise Unusable(f"line setting: bytes carry {parity} parity in bit 7; the device sends 7 data bits, the port reads 8")
    body = raw.rstrip(b"\r\n")
    if not body.strip():
        raise Unusable("empty line")
    if any(not 0x20 <= byte < 0x7F and byte != 0x06 for byte in body):
        raise Unusable("bytes that are no text of this protocol")
    return body.decode("ascii")


def number(sign: str | None, digits: str) -> Decimal:
    """The digits as sent; `sign` may be None, blank, `+` or `-`."""
    try:
        return decimal(("-" if sign == "-" else "") + digits)
    except TextFault as exc:
        raise Unusable(f"not a number: {clean(digits, 24)}") from exc


def unit(text: str, units: dict[str, str] = UNITS) -> str:
    """UCUM of a unit's text, in any case of letters."""
    if (code := units.get(text.strip().lower())) is None:
        raise Unusable(f"unknown unit {clean(text.strip(), 16)!r}: the value cannot be used")
    return code


def reading(raw: bytes, value: Decimal | None, code: str | None, *flags: Flag, **details: str) -> Reading:
    """A reading of what the unit says it is."""
    kind = COUNTED.get(code or "", Kind.MASS)
    return Reading(kind, value, code, frozenset(flags), raw, details=details)


def out_of_range(raw: bytes, flag: Flag, *flags: Flag) -> Reading:
    """Over or under: no value, no unit, whatever digits the line shows."""
    return Reading(Kind.MASS, None, None, frozenset({flag, *flags}), raw)


def settles(decoded: Decoded) -> bool:
    """What answers a request for a weight at rest: one at rest, one out of range, or a refusal."""
    if isinstance(decoded, Reading):
        return decoded.stable is not False
    return isinstance(decoded, Refused)


def identifies(decoded: Decoded) -> bool:
    return isinstance(decoded, Identity | Refused)


def done(decoded: Decoded) -> bool:
    """An acknowledgement that is not merely of receipt, or a refusal."""
    return isinstance(decoded, Refused) or (isinstance(decoded, Acknowledged) and decoded.command != RECEIVED)


RECEIVED = "received"
"""What an acknowledgement says that only promises: the device has understood and is at it."""


def amount_in(argument: str | None, wanted: str, *, name: str = "preset_tare") -> str:
    """Digits of a quantity in the unit `wanted`, exactly. Raises SettingsFault for what is no amount of it."""
    if argument is None:
        raise SettingsFault(f"{name} takes a quantity such as '12.5 {wanted}'", setting="argument")
    try:
        amount = Quantity.parse(argument).to(wanted)
    except TextFault as exc:
        raise SettingsFault(str(exc), setting="argument") from exc
    if amount.value < 0:
        raise SettingsFault(f"not a tare: {argument[:40]!r}", setting="argument")
    return plain(amount.value)
