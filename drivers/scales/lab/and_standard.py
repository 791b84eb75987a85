"""A&D standard format: a header for the state, nine characters of value, three of unit; and what `AK` and `EC` answer.

Sources: A&D EK-L/EK-i manual ch. 9-2, GC series manual ch. 16.2, HC-i manual p. 48, FX-i/FZ-i manual ch. 16 (acknowledge and
error codes).
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import Acknowledged, Decoded, DriverInfo, Flag, Kind, Mode, Probe, Reading, Refused, SettingsFault, Tier
from drivers.scales.lab.family import AskedSettings, line_driver, says_weight
from drivers.scales.lab.lines import (
    NUMBER,
    RECEIVED,
    UNITS,
    Unusable,
    framer,
    number,
    out_of_range,
    reader,
    reading,
    settles,
    unit,
)
from drivers.talk import STABLE_TIMEOUT_NS, STREAM_SILENCE_NS, Command, Talk

HEADERS = {"ST": Flag.STABLE, "QT": Flag.STABLE, "US": Flag.MOTION}
"""GC ch. 16.2: QT is a stable count; an unstable count says US."""

REFUSALS = {
    "E00": "communication fault",
    "E01": "the balance does not know the command",
    "E02": "the balance is not ready",
    "E03": "not done in the balance's time",
    "E04": "too many characters in the command",
    "E06": "the command's format is wrong",
    "E07": "the command's value is wrong",
    "E11": "no rest: the weight moves",
    "E17": "out of the range in which this is allowed",
    "E20": "the calibration weight is too heavy",
    "E21": "the calibration weight is too light",
}
"""FX-i ch. 16-2. HC-i p. 48 has shorter codes of its own (`EC,E1`...), which are passed on as they come."""

_LINE = re.compile(
    rf"(?P<state>ST|QT|US),(?:(?P<limit>OK|LO|HI|--),)?(?P<sign>[+-])(?P<digits>{NUMBER})(?P<unit>[ A-Za-z%]{{3}})", re.ASCII
)
VALUE_WIDTH = 9
"""Sign and eight characters of digits with the point."""

_OUT = re.compile(r"OL,(?:(?:OK|LO|HI|--),)?(?P<sign>[+-])[0-9.]{7,8}(?:E\+[0-9]{2})?(?:[ A-Za-z%]{3})?", re.ASCII)
_REFUSED = re.compile(r"EC,(E[0-9]{1,2})")


def _parse(text: str, raw: bytes, _asked: str | None) -> Decoded:
    if text == "\x06":
        return Acknowledged(RECEIVED, raw)
    if (refused := _REFUSED.fullmatch(text)) is not None:
        return Refused(refused[1], REFUSALS.get(refused[1], "the balance refuses; its manual lists the code"), raw)
    if (out := _OUT.fullmatch(text)) is not None:
        return out_of_range(raw, Flag.OVERLOAD if out["sign"] == "+" else Flag.UNDERLOAD)
    fields = _LINE.fullmatch(text)
    if fields is None:
        raise Unusable("not a line of A&D standard format (its start may be missing)")
    if len(fields["digits"]) != VALUE_WIDTH - 1:
        raise Unusable(f"a value has {VALUE_WIDTH} characters with its sign, not {len(fields['digits']) + 1}")
    details = {} if fields["limit"] is None else {"comparator": fields["limit"]}
    value = number(fields["sign"], fields["digits"])
    return reading(raw, value, unit(fields["unit"], UNITS), HEADERS[fields["state"]], **details)


class AndStandardSettings(AskedSettings):
    """How an A&D balance is asked."""

    mode: Literal["poll", "stream", "autoprint"] = Field(
        default="poll",
        description="poll asks for the weight, stream has it sent continuously, autoprint waits for the print key.",
    )
    acknowledge: bool = Field(
        default=False,
        description="The balance confirms and refuses commands (menu 5if, erCd 1); otherwise zero and tare are not confirmed.",
    )


class _Done:
    """The end of a command that is acknowledged twice: when received and when finished. One per codec."""

    def __init__(self, send: bytes) -> None:
        self._send = send
        self._received = 0

    def sent(self, argument: str | None) -> bytes:
        if argument is not None:
            raise SettingsFault(f"zero and tare take no argument, not {argument[:40]!r}", setting="argument")
        self._received = 0
        return self._send

    def __call__(self, decoded: Decoded) -> bool:
        if isinstance(decoded, Acknowledged):
            self._received += 1
        return isinstance(decoded, Refused) or self._received == 2


def _twice(send: bytes) -> Command:
    done = _Done(send)
    return Command(done.sent, STABLE_TIMEOUT_NS, confirms=done)


def _commands(*, acknowledge: bool) -> dict[str, Command]:
    changing = {"zero": b"Z\r\n", "tare": b"T\r\n", "rezero": b"R\r\n"}
    return {"stable": Command(b"S\r\n", STABLE_TIMEOUT_NS, confirms=settles)} | {
        name: _twice(send) if acknowledge else Command(send, answered=False) for name, send in changing.items()
    }


def _talk(settings: AndStandardSettings) -> Talk:
    return Talk(
        framer=framer,
        read=reader(_parse),
        ask=b"Q\r\n" if settings.mode == "poll" else None,
        start=b"SIR\r\n" if settings.mode == "stream" else None,
        silence_ns=STREAM_SILENCE_NS if settings.mode == "stream" else None,
        interval_ns=settings.interval_ns,
        commands=_commands(acknowledge=settings.acknowledge),
        answers_question=lambda item: isinstance(item, Reading | Refused),
    )


DRIVER = line_driver(
    DriverInfo(
        name="and-standard",
        title="A&D standard format",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("A&D GX, GF, FX-i, FZ-i, EK, EJ, GC, HC-i and GX-A/GF-A balances and scales set to A&D standard format",),
        sources=(
            "A&D EK-L series instruction manual ch. 9-2",
            "A&D GC series instruction manual ch. 16.2",
            "A&D HC-i series instruction manual p. 48",
            "A&D FX-i/FZ-i series instruction manual ch. 16-2",
        ),
        serial_defaults={"baudrate": 2400, "bytesize": 7, "parity": "E", "stopbits": 1},
        commands=tuple(_commands(acknowledge=False)),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.STREAM, Mode.AUTOPRINT),
        probe=Probe(
            b"Q\r\n",
            says_weight(Talk(framer=framer, read=reader(_parse))),
            order=50,
            wait_ms=500,
            lines=("2400-7E1", "9600-7E1", "9600-8N1"),
        ),
        notes=(
            "The menu also offers the formats DP, KF, MT, NU and CSV: set `A&D standard` (type 0).",
            "Switch the answers on (erCd 1) and set `acknowledge`, so that a refused zero or tare is seen.",
            "On the USB port of newer balances choose the virtual COM port; `quick USB` types the number like a keyboard.",
            "Weights in tola, tael, momme and mesghal are refused: these units have no agreed code.",
        ),
    ),
    AndStandardSettings,
    _talk,
)
