"""The conversation that most instruments share: a question at an interval or a stream, named commands, silence noticed.

A protocol gives its framing, its frames' meaning and its commands as data (`Talk`); this module owns what is sent when and what
is owed. Protocols with more of a conversation than that write a codec of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from drivers.api import Acknowledged, Decoded, Flag, Malformed, Reading, Refused, SettingsFault
from drivers.framing import Frame

ANSWER_TIMEOUT_NS = 1_000_000_000
"""For questions that are answered at once. The slowest lines (1200 baud) take 0.15 s a frame."""

STABLE_TIMEOUT_NS = 45_000_000_000
"""For commands that wait for rest."""

QUIET_NS = 300_000_000
"""How long a device that obeys without a word may still say that it does not obey: slow lines carry a refusal in 0.1 s."""

JOINED_NS = 100_000_000
"""A device that prints a line only now and then does not begin one in just this time after the port was opened."""

STREAM_SILENCE_NS = 2_000_000_000
"""A stream sends at least 4 frames a second; after this long without one it is taken as lost."""


class Framer(Protocol):
    """Cuts a stream into frames; `drivers.framing.FrameBuffer` is one. The result depends on the bytes alone."""

    def feed(self, data: bytes) -> list[Frame]: ...

    def flush(self) -> Frame | None: ...


@dataclass(frozen=True, slots=True)
class Command:
    """One named command of a device.

    `send` is what goes out, or makes it from the argument (raising SettingsFault). `answered` is False for a device that says
    nothing to it unless it refuses: after `QUIET_NS` without a word the codec itself gives `Acknowledged`, with the sent bytes
    as raw. `confirms` says whether a decoded frame is the answer; by default an Acknowledged, a Refused or a tare reading is.
    """

    send: bytes | Callable[[str | None], bytes]
    timeout_ns: int = ANSWER_TIMEOUT_NS
    answered: bool = True
    confirms: Callable[[Decoded], bool] | None = None

    def bytes_for(self, name: str, argument: str | None) -> bytes:
        if callable(self.send):
            return self.send(argument)
        if argument is not None:
            raise SettingsFault(f"{name} does not take {argument[:40]!r}", setting="argument")
        return self.send


@dataclass(frozen=True, slots=True)
class Talk:
    """One protocol's conversation, as its settings shape it."""

    framer: Callable[[], Framer]
    read: Callable[[bytes, str | None], Sequence[Decoded]]
    """A whole frame, and the name of what was asked last and is still owed (`weight` for the question, a command's name, or
    None): protocols whose answers do not say what they answer need it. Never raises."""
    ask: bytes | None = None
    """The question for the weight; None for a device that talks by itself."""
    interval_ns: int = 100_000_000
    start: bytes | None = None
    """What makes a stream run; sent once, and again after silence."""
    silence_ns: int | None = None
    """For devices that talk by themselves: how long a silence shows as overdue; None where silence says nothing (autoprint)."""
    answer_timeout_ns: int = ANSWER_TIMEOUT_NS
    commands: Mapping[str, Command] = field(default_factory=dict)
    answers_question: Callable[[Decoded], bool] | None = None
    """Whether a decoded frame answers `ask`; by default everything but Malformed does."""
    torn_first: bool = True
    """Whether a frame that comes as the port is opened may be the tail of a longer one. False where a frame says how it begins
    (a start character, a check byte)."""
    idle_ns: int | None = None
    """Silence after which what is buffered is a whole frame (devices without a terminator); None where frames end by bytes."""


@dataclass(slots=True)
class _Owed:
    name: str
    command: Command | None
    timeout_ns: int
    since_ns: int | None
    sent: bytes = b""

    def end_ns(self) -> int | None:
        return None if self.since_ns is None else self.since_ns + self.timeout_ns


class TalkCodec:
    """One device that speaks as a `Talk` says. One thing is asked at a time; a command holds the questions until its answer."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._frames = talk.framer()
        self._owed: _Owed | None = None
        self._silent = False
        self._next_ns: int | None = None
        self._heard_ns: int | None = None
        self._byte_ns: int | None = None
        self._opened_ns: int | None = None
        self._joined = False
        self._unanswered: list[Decoded] = []

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes, give what is complete; empty `data` says that time has passed."""
        self._start_clocks(now_ns)
        self._give_up(now_ns)
        found, self._unanswered = self._unanswered, []
        idle_ns = self._talk.idle_ns
        if idle_ns is not None and self._byte_ns is not None and now_ns - self._byte_ns >= idle_ns:
            found += self._idle_end(now_ns)
        if data:
            if self._byte_ns is None:
                self._joined = self._joins(now_ns)
            self._byte_ns = now_ns
            for frame in self._frames.feed(data):
                found += self._frame(frame, now_ns)
        return found

    def poll(self, now_ns: int) -> bytes | None:
        """The question at its interval, or what starts the stream; None while another answer is awaited."""
        self._start_clocks(now_ns)
        if self._opened_ns is None:
            self._opened_ns = now_ns
        self._give_up(now_ns)
        if self._owed is not None:
            return None
        if self._talk.ask is not None:
            if self._next_ns is not None and now_ns < self._next_ns:
                return None
            self._next_ns = now_ns + self._talk.interval_ns
            self._owed = _Owed("weight", None, self._talk.answer_timeout_ns, now_ns)
            return self._talk.ask
        return self._restart(now_ns)

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - everything in hand has its own time
        """The earliest of: an answer's time, the next question, the end of a silence."""
        due: list[int] = []
        if self._unanswered or (self._owed is not None and self._owed.since_ns is None):
            return 0
        talk = self._talk
        if self._byte_ns is not None and talk.idle_ns is not None:
            due.append(self._byte_ns + talk.idle_ns)
        if self._owed is not None:
            end_ns = self._owed.end_ns()
            due += [] if end_ns is None else [end_ns + 1]
        elif talk.ask is not None or talk.start is not None:
            due.append(self._next_ns or 0)
        if talk.silence_ns is not None and self._heard_ns is not None and not self._silent:
            due.append(self._heard_ns + talk.silence_ns + 1)
        return min(due, default=None)

    def overdue(self, now_ns: int) -> bool:
        """Whether an answer is late, or a stream has fallen silent."""
        owed = self._owed
        answered = owed is not None and (owed.command is None or owed.command.answered)
        if owed is not None and answered and (end_ns := owed.end_ns()) is not None and now_ns > end_ns:
            return True
        if self._talk.silence_ns is not None and self._heard_ns is not None:
            self._silent = self._silent or now_ns - self._heard_ns > self._talk.silence_ns
        return self._silent

    def command(self, name: str, argument: str | None = None) -> bytes:
        """Bytes of a command of the protocol. Raises SettingsFault for another name or an argument that does not fit."""
        command = self._talk.commands.get(name)
        if command is None:
            raise SettingsFault(
                f"no command {name[:40]!r}: {', '.join(self._talk.commands) or 'there are none'}", setting="command"
            )
        sent = command.bytes_for(name, argument)
        self._owed = _Owed(name, command, command.timeout_ns if command.answered else QUIET_NS, None, sent)
        return sent

    def finish(self) -> list[Decoded]:
        """The input has ended: what is left in the buffer."""
        found, self._unanswered = self._unanswered, []
        rest = self._frames.flush()
        if rest is None:
            return found
        if rest.ended or self._talk.idle_ns is not None:
            return [*found, *self._talk.read(rest.raw, None)]
        return [*found, Malformed("frame without its end", rest.raw)]

    def _start_clocks(self, now_ns: int) -> None:
        if self._owed is not None and self._owed.since_ns is None:
            self._owed.since_ns = now_ns
        if (
            self._talk.silence_ns is not None
            and self._heard_ns is None
            and self._talk.ask is None
            and self._talk.start is not None
        ):
            self._heard_ns = now_ns

    def _joins(self, now_ns: int) -> bool:
        """Whether these first bytes may be the rest of a line: nobody asked, and they come as the port is opened."""
        talk = self._talk
        asked = talk.ask is not None or self._owed is not None or not talk.torn_first
        return not asked and self._opened_ns is not None and now_ns - self._opened_ns <= JOINED_NS

    def _give_up(self, now_ns: int) -> None:
        owed = self._owed
        end_ns = None if owed is None else owed.end_ns()
        if owed is None or end_ns is None or now_ns <= end_ns:
            return
        self._owed = None
        if owed.command is not None and not owed.command.answered:
            self._unanswered.append(Acknowledged(owed.name, owed.sent))
        else:
            self._silent = True

    def _restart(self, now_ns: int) -> bytes | None:
        start = self._talk.start
        if start is None or (self._next_ns is not None and now_ns < self._next_ns):
            return None
        self._next_ns = now_ns + (self._talk.silence_ns or STREAM_SILENCE_NS)
        return start

    def _idle_end(self, now_ns: int) -> list[Decoded]:
        self._byte_ns = None
        rest = self._frames.flush()
        return [] if rest is None else self._frame(Frame(rest.raw, ended=True), now_ns)

    def _frame(self, frame: Frame, now_ns: int) -> list[Decoded]:
        if not frame.ended:
            return [_unended(frame)]
        if self._joined:
            self._joined = False
            return [Malformed("the first line may have begun before the port was opened", frame.raw)]
        asked = None if self._owed is None else self._owed.name
        return [self._settle(item, now_ns) for item in self._talk.read(frame.raw, asked)]

    def _settle(self, item: Decoded, now_ns: int) -> Decoded:
        if isinstance(item, Malformed):
            return item
        self._silent = False
        self._heard_ns = now_ns
        if self._talk.ask is None and self._talk.start is not None:
            self._next_ns = now_ns + (self._talk.silence_ns or STREAM_SILENCE_NS)
        owed = self._owed
        if owed is None or not self._answers(owed, item):
            return item
        self._owed = None
        if owed.command is not None and isinstance(item, Acknowledged):
            return replace(item, command=owed.name)
        return item

    def _answers(self, owed: _Owed, item: Decoded) -> bool:
        if owed.command is None:
            return self._talk.answers_question is None or self._talk.answers_question(item)
        if not owed.command.answered:
            return isinstance(item, Acknowledged | Refused)
        if owed.command.confirms is not None:
            return owed.command.confirms(item)
        return isinstance(item, Acknowledged | Refused) or (isinstance(item, Reading) and is_tare_taken(item))


def is_tare_taken(reading: Reading) -> bool:
    """Whether this is the tare that a device says it took."""
    return Flag.TARE in reading.flags and not reading.flags & {Flag.NET, Flag.GROSS}


def decode_frames(talk: Talk, capture: bytes) -> list[Decoded]:
    """A whole capture to everything in it, without a conversation: nothing is owed, so no answer is given a command's name."""
    framer = talk.framer()
    found: list[Decoded] = []
    for frame in framer.feed(capture):
        found += talk.read(frame.raw, None) if frame.ended else [_unended(frame)]
    rest = framer.flush()
    if rest is not None:
        whole = rest.ended or talk.idle_ns is not None
        found += talk.read(rest.raw, None) if whole else [Malformed("frame without its end", rest.raw)]
    return found


def _unended(frame: Frame) -> Malformed:
    return Malformed("no end of a frame where one must be: another protocol or line setting", frame.raw)
