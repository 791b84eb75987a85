"""MT-SICS, the command set of Mettler-Toledo balances and terminals (also Kern KCP, newer Ohaus, G&G, some Precisa).

Owns what is sent and when, and what is owed in return; the lines themselves are read in `mt_sics_lines`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from pydantic import Field, model_validator

from drivers.api import (
    Acknowledged,
    Codec,
    Decoded,
    Driver,
    DriverInfo,
    Identity,
    Kind,
    Malformed,
    Mode,
    Probe,
    Reading,
    Settings,
    SettingsFault,
    Tier,
)
from drivers.framing import Frame, FrameBuffer
from drivers.scales.mt_sics_lines import GENERAL_ERRORS, IDENTITIES, UNITS, WEIGHT_PREFIXES, Line, is_last, parse_line
from drivers.settings import own_settings, read_settings
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity, plain

ANSWER_TIMEOUT_NS = 1_000_000_000
"""For commands that are answered at once. Slow models take 0.3 s at 2400 baud; an operator should see silence within 2 s."""

STABLE_TIMEOUT_NS = 45_000_000_000
"""For S, Z and T, which wait for rest: longer than the time-outs of the balances' menus, which answer `S I`."""

STREAM_SILENCE_NS = 1_500_000_000
"""SIR repeats at 4 to 23 lines a second; after this long without a line the repeat is taken as lost and asked for again."""

MAX_LINE = 256
"""Bytes. The longest answers (I2, I10 and D texts) stay under 100; more means another protocol or line setting."""

LINE_ENDS = {
    # With bit 7 as well: a 7-bit device read as 8N1 may put its parity bit there, and the fault must still be seen.
    "crlf": (b"\n", b"\x8a"),
    "lf": (b"\n", b"\x8a"),
    "cr": (b"\r", b"\x8d"),
}


@dataclass(frozen=True, slots=True)
class _Command:
    """What is sent, which command words may answer it, and how long that may take."""

    send: str
    answers: frozenset[str]
    timeout_ns: int = ANSWER_TIMEOUT_NS
    cancel: str = "SI"
    """What ends a running SIR in front of it (manual, SIR: @, S or SI). Never @: it clears the tare on some models, and a
    zero that is then refused would leave a gross weight behind that still says net."""


_ASK = _Command("SI", WEIGHT_PREFIXES)
_ASK_ALL = _Command("SIX1", frozenset({"SIX1"}))
_REPEAT = _Command("SIR", WEIGHT_PREFIXES, STREAM_SILENCE_NS)

COMMANDS = {
    "stable": _Command("S", WEIGHT_PREFIXES, STABLE_TIMEOUT_NS, cancel=""),
    "zero": _Command("Z", frozenset({"Z"}), STABLE_TIMEOUT_NS),
    "zero_now": _Command("ZI", frozenset({"ZI", "Z"})),
    "tare": _Command("T", frozenset({"T"}), STABLE_TIMEOUT_NS),
    "tare_now": _Command("TI", frozenset({"TI", "T"})),
    "clear_tare": _Command("TAC", frozenset({"TAC"})),
    "preset_tare": _Command("TA", frozenset({"TA"})),
    "reset": _Command("@", frozenset({"@", "I4"}), cancel=""),
    "identify": _Command("I4", frozenset({"I4"})),
}

_UNIT_TEXT = {"[gr]": "GN", "{pcs}": "PCS"} | {
    code: text for text, code in UNITS.items() if text not in {"GN", "gn", "PCS", "pcs"}
}


class MtSicsSettings(Settings):
    """How an MT-SICS device is asked."""

    mode: Literal["poll", "stream"] = Field(
        default="poll",
        description="`poll` sends SI and waits for the answer; `stream` sends SIR once, and again after 1.5 s of silence.",
    )
    interval_ms: int = Field(default=100, ge=20, le=60_000, description="Pause between two questions, in milliseconds.")
    end_of_line: Literal["crlf", "lf", "cr"] = Field(
        default="crlf", description="`crlf` and `lf` both end a line at LF; `cr` is for devices whose menu says CR."
    )
    weight_command: Literal["SI", "SIX1"] = Field(
        default="SI", description="SIX1 has industrial terminals give gross, net and tare in one answer; only with mode poll."
    )

    @model_validator(mode="after")
    def _six1_is_asked(self) -> Self:
        if self.weight_command == "SIX1" and self.mode == "stream":
            raise ValueError("weight_command SIX1 has no stream: use mode poll")
        return self


@dataclass(slots=True)
class _Owed:
    """A question under way. The clock starts at the first `poll` or `receive` after it, because `command` has no clock."""

    command: _Command
    name: str
    since_ns: int | None
    weights_before: int = 0
    """Weight lines that answer an earlier SI and come first; they do not answer S."""

    def late(self, now_ns: int) -> bool:
        return self.since_ns is not None and now_ns - self.since_ns > self.command.timeout_ns


class MtSicsCodec:
    """One device. Asks one thing at a time; a command that waits for rest (S, Z, T) holds the polling until its answer."""

    def __init__(self, settings: MtSicsSettings) -> None:
        self._stream = settings.mode == "stream"
        self._ask = _ASK_ALL if settings.weight_command == "SIX1" else _ASK
        self._interval_ns = settings.interval_ms * 1_000_000
        self._frames = FrameBuffer(LINE_ENDS[settings.end_of_line], MAX_LINE)
        self._owed: _Owed | None = None
        self._silent = False
        self._next_ns: int | None = None
        self._serials_asked = 0

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes, give the lines in them."""
        self._start_clock(now_ns)
        return [self._settle(line, now_ns) for line in map(_line, self._frames.feed(data))]

    def poll(self, now_ns: int) -> bytes | None:
        """`SI` or `SIX1` at the interval, or `SIR` where the stream is not running; None while another answer is awaited."""
        self._start_clock(now_ns)
        if self._owed is not None and self._owed.late(now_ns):
            self._silent = True
            self._serials_asked = 0
            self._owed = None
        if self._owed is not None and (self._stream or not self._silent or self._owed.command is not self._ask):
            return None
        if self._stream:
            self._owed = _Owed(_REPEAT, "weight", now_ns)
            return b"SIR\r\n"
        if self._next_ns is not None and now_ns < self._next_ns:
            return None
        self._next_ns = now_ns + self._interval_ns
        self._owed = _Owed(self._ask, "weight", now_ns)
        return f"{self._ask.send}\r\n".encode("ascii")

    def due_ns(self, now_ns: int) -> int | None:
        """The next question, or the end of an answer's time."""
        owed = self._owed
        if owed is not None and not (self._silent and owed.command is self._ask and not self._stream):
            return now_ns if owed.since_ns is None else owed.since_ns + owed.command.timeout_ns + 1
        return now_ns if self._stream or self._next_ns is None else self._next_ns

    def overdue(self, now_ns: int) -> bool:
        """True from the time-out of an unanswered question until the next valid line."""
        return self._silent or (self._owed is not None and self._owed.late(now_ns))

    def command(self, name: str, argument: str | None = None) -> bytes:
        """Bytes of a command of `COMMANDS`. `preset_tare` takes a quantity (`12.5 g`), `identify` one of I0 to I11."""
        command = COMMANDS.get(name)
        if command is None:
            raise SettingsFault(f"no command {name!r}: {', '.join(COMMANDS)}", setting="command")
        send, answers = _with_argument(name, command, argument)
        before = 1 if self._owed is not None and self._owed.command is _ASK else 0
        # The next poll after the answer asks for the repeat again.
        cancel = f"{command.cancel}\r\n" if self._stream and command.cancel else ""
        self._serials_asked += 1 if answers & {"@", "I4"} else 0
        self._owed = _Owed(replace(command, send=send, answers=answers), name, None, before)
        return f"{cancel}{send}\r\n".encode("ascii")

    def finish(self) -> list[Decoded]:
        """What is left is a line without its end."""
        rest = self._frames.flush()
        return [] if rest is None else [_line(rest).decoded]

    def _start_clock(self, now_ns: int) -> None:
        if self._owed is not None and self._owed.since_ns is None:
            self._owed.since_ns = now_ns

    def _settle(self, line: Line, now_ns: int) -> Decoded:
        decoded = line.decoded
        if isinstance(decoded, Malformed):
            return decoded
        self._silent = False
        if line.word == "I4" and isinstance(decoded, Identity) and not self._serials_asked:
            return self._restarted(decoded)
        if line.word in {"I4", "@"} and self._serials_asked:
            self._serials_asked -= 1
        return self._answered(line, now_ns)

    def _restarted(self, identity: Identity) -> Identity:
        """The device came up: what was asked before is forgotten over there, the repeat too."""
        self._owed = None
        self._next_ns = None
        return replace(identity, power_up=True)

    def _answered(self, line: Line, now_ns: int) -> Decoded:
        owed, decoded = self._owed, line.decoded
        if owed is None or (line.word not in owed.command.answers and line.word not in GENERAL_ERRORS):
            return decoded
        if owed.command is _REPEAT:
            owed.since_ns = now_ns
        elif owed.weights_before and line.word in WEIGHT_PREFIXES:
            owed.weights_before -= 1
        elif owed.name == "stable" and isinstance(decoded, Reading) and decoded.stable is False:
            return decoded  # S is never answered by a moving weight: a line of the repeat before it
        elif is_last(line):
            self._owed = None
            self._serials_asked = 0
            if isinstance(decoded, Acknowledged):
                return replace(decoded, command=owed.name)
        return decoded


def _line(frame: Frame) -> Line:
    if frame.ended:
        return parse_line(frame.raw)
    if len(frame.raw) >= MAX_LINE:
        return Line("", Malformed(f"no line end within {MAX_LINE} bytes: another protocol or line setting", frame.raw))
    return Line("", Malformed("line without its end", frame.raw))


def _with_argument(name: str, command: _Command, argument: str | None) -> tuple[str, frozenset[str]]:
    if name == "preset_tare":
        return f"TA {_tare(argument)}", command.answers
    if argument is None:
        return command.send, command.answers
    if name == "identify" and argument in IDENTITIES and argument != "@":
        return argument, frozenset({argument})
    raise SettingsFault(f"{name} does not take {argument[:40]!r}", setting="argument")


def _tare(argument: str | None) -> str:
    if argument is None:
        raise SettingsFault("preset_tare takes a quantity such as '12.5 g'", setting="argument")
    try:
        tare = Quantity.parse(argument)
    except TextFault as exc:
        raise SettingsFault(str(exc), setting="argument") from exc
    if tare.unit not in _UNIT_TEXT or tare.value < 0:
        raise SettingsFault(f"not a tare: {argument[:40]!r}", setting="argument")
    return f"{plain(tare.value)} {_UNIT_TEXT[tare.unit]}"


def _make_codec(settings: Settings) -> Codec:
    return MtSicsCodec(own_settings(MtSicsSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    # A capture does not say what was asked, so an I4 line in it is an identity and no claim of a restart is made.
    settings = read_settings(MtSicsSettings, values)
    frames = FrameBuffer(LINE_ENDS[settings.end_of_line], MAX_LINE)
    found = frames.feed(capture)
    rest = frames.flush()
    return [_line(frame).decoded for frame in ([*found, rest] if rest is not None else found)]


def _recognises(answer: bytes) -> bool:
    """A weight with its status letter and unit. `ES` alone is not enough: Ohaus and Radwag say it too."""
    return any(isinstance(item, Reading) and item.value is not None for item in _decode(answer, {}))


DRIVER = Driver(
    info=DriverInfo(
        name="mt-sics",
        title="Mettler-Toledo MT-SICS",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=(
            "Mettler-Toledo AL, AT, ML, MS, XS, XP, XSR, XPR balances",
            "Mettler-Toledo IND terminals with the SICS interface (SIX1)",
            "Kern with KCP, Ohaus and G&G models with MT-SICS compatible commands",
        ),
        sources=(
            "Mettler-Toledo MT-SICS reference manual 11780711, ch. 3 and 4",
            "Mettler-Toledo MT-SICS reference manual 11781363, ch. 2 and 3",
            "Mettler-Toledo MT-SICS reference manual XPR/XSR 30324923, ch. 2",
            "Mettler-Toledo AL/AT operating instructions, MT-SICS chapter",
        ),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=tuple(COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.STREAM),
        # After the single letters and before A&D's: `SI` is answered or gives ES, and asks for nothing but the weight.
        probe=Probe(b"SI\r\n", _recognises, order=40),
    ),
    settings=MtSicsSettings,
    make_codec=_make_codec,
    decode=_decode,
)
