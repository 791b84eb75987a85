"""Radwag: commands that are first acknowledged and then done, and mass frames of 21 bytes that start with the command.

Sources: Radwag R series manual p. 85-88, PS series manual p. 82, WTC series manual p. 48. `N` in the unit field is the newton.
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import Acknowledged, Decoded, DriverInfo, Flag, Identity, Kind, Mode, Probe, Reading, Refused, Tier
from drivers.scales.lab.family import BENCH_LINE, AskedSettings, line_driver, says_weight
from drivers.scales.lab.lines import (
    NUMBER,
    RECEIVED,
    UNITS,
    Unusable,
    amount_in,
    done,
    framer,
    identifies,
    number,
    out_of_range,
    reader,
    reading,
    settles,
    unit,
)
from drivers.talk import STABLE_TIMEOUT_NS, STREAM_SILENCE_NS, Command, Talk
from sync_protocol.wiretext import clean

RADWAG_UNITS = {**UNITS, "n": "N", "t": "t"}

REFUSALS = {
    "I": "understood, but not possible now",
    "^": "above the range in which this is allowed",
    "v": "below the range in which this is allowed",
    "E": "no rest before the balance's time ran out",
}
"""WTC p. 48, response format."""

NAMES = {"Z": "zero", "T": "tare", "UT": "preset_tare", "C1": "stream", "CU1": "stream", "C0": "stop", "CU0": "stop"}

IDENTITIES = {"NB": "serial", "BN": "type", "RV": "software"}

_FRAME = re.compile(
    rf"(?P<command>SUI|SU|SI|S) *+(?P<mark>[?^v]?) *+(?P<sign>-?) *+(?:(?P<digits>{NUMBER}) ++)?(?P<unit>[A-Za-z%]{{1,3}}) *+",
    re.ASCII,
)
FRAME_WIDTHS = (19, 20)
"""Characters before CR LF: command 3, mark 1, blank, sign, mass 9, blank, unit 3; PS p. 82 has one more blank in front."""

_TARE = re.compile(rf"OT *+[?]? *+(?P<digits>{NUMBER}) ++(?P<unit>[A-Za-z%]{{1,3}}) *+", re.ASCII)
_REPLY = re.compile(r"(?P<command>[A-Z][A-Z0-9]{0,3}) (?P<letter>A|D|I|\^|v|E|OK)")
_IDENTITY = re.compile(r'(?P<command>NB|BN|RV) (?:A )?"?(?P<text>[^"]+)"?')


def _parse(text: str, raw: bytes, _asked: str | None) -> Decoded:
    body = text.rstrip()
    if body == "ES":
        return Refused("ES", "the balance does not know the command", raw)
    if (reply := _REPLY.fullmatch(body)) is not None:
        return _reply(reply["command"], reply["letter"], raw)
    if (frame := _FRAME.fullmatch(text)) is not None:
        return _mass(frame, raw)
    if (tare := _TARE.fullmatch(text)) is not None:
        return reading(raw, number(None, tare["digits"]), unit(tare["unit"], RADWAG_UNITS), Flag.TARE)
    if (identity := _IDENTITY.fullmatch(body)) is not None:
        return Identity(clean(identity["text"]), raw, what=IDENTITIES[identity["command"]])
    raise Unusable("not a Radwag line (its start may be missing)")


def _reply(command: str, letter: str, raw: bytes) -> Decoded:
    if letter in REFUSALS:
        return Refused(f"{command} {letter}", REFUSALS[letter], raw)
    return Acknowledged(RECEIVED if letter == "A" else NAMES.get(command, command), raw)


def _mass(fields: re.Match[str], raw: bytes) -> Decoded:
    mark = fields["mark"]
    if mark in {"^", "v"}:
        return out_of_range(raw, Flag.OVERLOAD if mark == "^" else Flag.UNDERLOAD)
    if fields["digits"] is None:
        raise Unusable("a mass frame without digits")
    if len(fields.string) not in FRAME_WIDTHS:
        raise Unusable(f"a mass frame has {FRAME_WIDTHS[0]} characters, not {len(fields.string)}")
    value = number(fields["sign"], fields["digits"])
    return reading(raw, value, unit(fields["unit"], RADWAG_UNITS), Flag.MOTION if mark else Flag.STABLE)


class RadwagSettings(AskedSettings):
    """How a Radwag balance is asked."""

    mode: Literal["poll", "stream", "autoprint"] = Field(
        default="poll",
        description="poll asks for the weight, stream has it sent continuously, autoprint waits for the print key.",
    )
    current_unit: bool = Field(
        default=False, description="Ask for the unit on the display instead of the balance's basic unit (SUI, CU1)."
    )
    tare_unit: Literal["g", "kg"] = Field(
        default="g", description="The balance's adjustment unit, in which a preset tare is sent: g for balances, kg for scales."
    )


def _talk(settings: RadwagSettings) -> Talk:
    streams = settings.mode == "stream"
    ask, start = (b"SUI\r\n", b"CU1\r\n") if settings.current_unit else (b"SI\r\n", b"C1\r\n")
    return Talk(
        framer=framer,
        read=reader(_parse),
        ask=ask if settings.mode == "poll" else None,
        start=start if streams else None,
        silence_ns=STREAM_SILENCE_NS if streams else None,
        interval_ns=settings.interval_ns,
        commands=_commands(settings),
        answers_question=lambda item: isinstance(item, Reading | Refused),
    )


def _commands(settings: RadwagSettings) -> dict[str, Command]:
    def preset(argument: str | None) -> bytes:
        return f"UT {amount_in(argument, settings.tare_unit)}\r\n".encode("ascii")

    return {
        "stable": Command(b"SU\r\n" if settings.current_unit else b"S\r\n", STABLE_TIMEOUT_NS, confirms=settles),
        "zero": Command(b"Z\r\n", STABLE_TIMEOUT_NS, confirms=done),
        "tare": Command(b"T\r\n", STABLE_TIMEOUT_NS, confirms=done),
        "preset_tare": Command(preset, confirms=done),
        "tare_value": Command(b"OT\r\n"),
        "identify": Command(b"NB\r\n", confirms=identifies),
    }


DRIVER = line_driver(
    DriverInfo(
        name="radwag",
        title="Radwag",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("Radwag PS, AS, R series, WLC, WTC balances and PUE indicators with the Radwag command set",),
        sources=(
            "Radwag R series user manual p. 85-88",
            "Radwag PS series user manual p. 82",
            "Radwag WTC series user manual p. 48",
        ),
        serial_defaults=BENCH_LINE,
        commands=tuple(_commands(RadwagSettings())),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.STREAM, Mode.AUTOPRINT),
        # The same question as MT-SICS, right behind it: the shape of the answer tells the two apart.
        probe=Probe(b"SI\r\n", says_weight(Talk(framer=framer, read=reader(_parse))), order=41),
        notes=(
            "Only frames that start with their command are read; set the box to ask or stream, not the balance's print key.",
        ),
    ),
    RadwagSettings,
    _talk,
)
