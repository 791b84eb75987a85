"""The lines that an MT-SICS balance sends: the grammar as tables, and one line to what it says.

Sources: Mettler-Toledo MT-SICS reference manuals 11780711 (Excellence), 11781363 (weigh modules) and 30324923 (XPR/XSR),
chapters "Response formats" and "Error messages"; AL/AT operating instructions, MT-SICS chapter; SIX1: IND terminal manuals.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from drivers.api import Acknowledged, Decoded, Flag, Identity, Kind, Malformed, Reading, Refused
from drivers.framing import parity_of
from sync_protocol.errors import TextFault
from sync_protocol.quantity import decimal
from sync_protocol.wiretext import clean

WEIGHT_PREFIXES = frozenset({"S", "SI", "SIR", "SR", "SNR"})
"""Manuals: every weight answer starts with `S`. Some terminals and test doubles repeat the command instead."""

TARE_STATUSES = {"T": frozenset("S"), "TI": frozenset("SD"), "TA": frozenset("A")}
"""Which second letters come with a tare value, by command."""

COMMAND_NAMES = {
    "S": "stable",
    "SI": "weight",
    "SIR": "weight",
    "SR": "weight",
    "SNR": "weight",
    "Z": "zero",
    "ZI": "zero_now",
    "T": "tare",
    "TI": "tare_now",
    "TA": "preset_tare",
    "TAC": "clear_tare",
    "D": "display",
    "DW": "display_weight",
    "K": "keys",
    "@": "reset",
    "SIX1": "weight",
}

ACKS = {
    "Z": frozenset("A"),
    "ZI": frozenset("ADS"),
    "TAC": frozenset("A"),
    "D": frozenset("A"),
    "DW": frozenset("A"),
    "K": frozenset("A"),
}
"""Second letters that mean done. `ZI S` and `ZI D` also say whether the zero was taken at rest."""

IDENTITIES = {
    "I0": "commands",
    "I1": "level",
    "I2": "model",
    "I3": "software",
    "I4": "serial",
    "I5": "software_id",
    "I10": "device_id",
    "I11": "type",
    "@": "serial",
}

GENERAL_ERRORS = {
    "ES": "the device does not know the command (syntax error)",
    "ET": "the device saw a parity or framing fault (transmission error)",
    "EL": "the device knows the command and may not run it with this (logical error)",
    "EI": "the device is not ready",
}

REFUSALS = {
    "I": "not executable now: busy, taring, or no rest before the device's time-out",
    "L": "understood, but the parameter is wrong",
    "+": "above the allowed range",
    "-": "below the allowed range",
}

UNITS = {
    "g": "g",
    "kg": "kg",
    "mg": "mg",
    "ug": "ug",
    "t": "t",
    "lb": "[lb_av]",
    "oz": "[oz_av]",
    "ozt": "[oz_tr]",
    "dwt": "[pwt_tr]",
    "ct": "[car_m]",
    "GN": "[gr]",
    "gn": "[gr]",
    "PCS": "{pcs}",
    "pcs": "{pcs}",
    "%": "%",
    "N": "N",
}
"""Unit text of the manuals to UCUM. Tael, momme, mesghal, tola, baht and custom texts have no agreed code: not usable."""

KINDS = {"{pcs}": Kind.COUNT, "%": Kind.PERCENT}

SIX1_FIELDS = re.compile(
    r"SIX1 (?P<status>[SD+\-]) \S+ (?P<zero>[ZN]) [RN] [RN] \d \d \d \d (?P<tare_mode>[NMP])"
    r" (?P<gross>\S+) (?P<net>\S+) (?P<tare>\S+) (?P<unit>\S+)"
)

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_QUOTED = re.compile(r'"([^"]*)"')
_IDENTITY = re.compile(r"(@|I[0-9]{1,2}) ([AB])(?: (.*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """One decoded line and the command word in front of it; the word is empty for what could not be read."""

    word: str
    decoded: Decoded


class _Unusable(Exception):
    """The line has a known shape and a field that cannot be used; never leaves this module."""


def parse_line(raw: bytes) -> Line:
    """One line with its terminator to what it says. Never raises: what cannot be read is Malformed with the reason."""
    body = raw.rstrip(b"\r\n")
    if (parity := parity_of(raw)) is not None:
        return _malformed(
            raw, f"line setting: bytes carry {parity} parity in bit 7; the device sends 7 data bits, the port reads 8"
        )
    if b"\r" in body:
        return _malformed(raw, "line setting: CR inside a line; the device ends its lines with CR alone")
    text = body.decode("latin-1")
    try:
        return _parse(text, raw)
    except _Unusable as exc:
        return _malformed(raw, str(exc))


def _malformed(raw: bytes, reason: str) -> Line:
    return Line("", Malformed(reason, raw))


def _parse(text: str, raw: bytes) -> Line:
    if not text.strip():
        raise _Unusable("empty line")
    if (identity := _IDENTITY.fullmatch(text)) is not None:
        return _identity(identity, raw)
    if not text.isascii():
        raise _Unusable("bytes outside ASCII")
    words = text.split()
    if len(words) == 1 and words[0] in GENERAL_ERRORS:
        return Line(words[0], Refused(words[0], GENERAL_ERRORS[words[0]], raw))
    if words[0] == "SIX1" and len(words) > 2:
        return Line("SIX1", _six1(" ".join(words), raw))
    if len(words) < 2 or (words[0] not in COMMAND_NAMES and words[0] not in IDENTITIES):
        raise _Unusable("not an MT-SICS line (its start may be missing)")
    return Line(words[0], _answer(words, raw))


def _answer(words: list[str], raw: bytes) -> Decoded:
    word, status, rest = words[0], words[1], words[2:]
    if (word in WEIGHT_PREFIXES or word == "SIX1") and status in {"+", "-"} and not rest:
        return Reading(Kind.MASS, None, None, frozenset({Flag.NET, Flag.OVERLOAD if status == "+" else Flag.UNDERLOAD}), raw)
    if status in REFUSALS and not rest:
        return Refused(f"{word} {status}", REFUSALS[status], raw)
    if word in WEIGHT_PREFIXES and status in {"S", "D"}:
        return _weight(rest, raw, frozenset({Flag.NET, _at_rest(status)}))
    if status in TARE_STATUSES.get(word, frozenset()):
        flags = {Flag.TARE} if status == "A" else {Flag.TARE, _at_rest(status)}
        return _weight(rest, raw, frozenset(flags), command=COMMAND_NAMES[word])
    if word == "K" and status in {"C", "R"} and len(rest) == 1:
        return Acknowledged(f"key {status} {clean(rest[0], 8)}", raw)
    if status in ACKS.get(word, frozenset()) and not rest:
        return Acknowledged(COMMAND_NAMES[word], raw)
    raise _Unusable(f"not an answer to {word}: {clean(' '.join(words[1:]), 40)}")


def _at_rest(status: str) -> Flag:
    return Flag.STABLE if status == "S" else Flag.MOTION


def _weight(fields: list[str], raw: bytes, flags: frozenset[Flag], *, command: str | None = None) -> Reading:
    # Split on white space, never cut by columns: several terminals send short, unpadded fields.
    if len(fields) != 2:
        raise _Unusable(f"a value and a unit expected, not {len(fields)} fields")
    unit = _unit(fields[1])
    details = {} if command is None else {"command": command}
    return Reading(KINDS.get(unit, Kind.MASS), _number(fields[0]), unit, flags, raw, details=details)


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise _Unusable(f"not a number: {clean(text, 24)}")
    try:
        return decimal(text.removeprefix("+"))
    except TextFault as exc:
        raise _Unusable(f"not a number: {clean(text, 24)}") from exc


def _unit(text: str) -> str:
    if (code := UNITS.get(text)) is None:
        raise _Unusable(f"unknown unit {clean(text, 16)!r}: the value cannot be used")
    return code


def _six1(text: str, raw: bytes) -> Decoded:
    fields = SIX1_FIELDS.fullmatch(text)
    if fields is None:
        raise _Unusable("not a SIX1 answer")
    status = fields["status"]
    if status in REFUSALS:
        return Reading(Kind.MASS, None, None, frozenset({Flag.NET, Flag.OVERLOAD if status == "+" else Flag.UNDERLOAD}), raw)
    unit = _unit(fields["unit"])
    flags = {Flag.NET, _at_rest(status)} | ({Flag.ZERO} if fields["zero"] == "Z" else set())
    details = {name: format(_number(fields[name]), "f") for name in ("gross", "net", "tare")}
    details["preset_tare"] = "true" if fields["tare_mode"] == "P" else "false"
    return Reading(KINDS.get(unit, Kind.MASS), _number(fields["net"]), unit, frozenset(flags), raw, details=details)


def _identity(match: re.Match[str], raw: bytes) -> Line:
    word, text = match[1], (match[3] or "").strip()
    if text.count('"') % 2:
        raise _Unusable("a quoted text without its end")
    if word == "@" and not text:
        return Line(word, Acknowledged("reset", raw))
    quoted = _QUOTED.findall(text)
    shown = " ".join(part for part in quoted if part) if quoted and match[2] == "A" else text.replace('"', "")
    return Line(word, Identity(clean(shown), raw, what=IDENTITIES.get(word, word.lower())))


def is_last(line: Line) -> bool:
    """Whether no further line of the same answer follows (`I0 B ...` is followed by more)."""
    return not (line.word in IDENTITIES and line.decoded.raw.split()[1:2] == [b"B"])
