"""The conversation with a Bluetooth device: what is subscribed and read first, what keeps it awake, what each message means.

Devices give this as data (`Conversation`); those whose messages depend on earlier ones give a reader object with state.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.api import Acknowledged, Decoded, Malformed, Refused, SettingsFault, Status
from drivers.ble.fields import FieldFault
from drivers.ble.uuids import ABSENT, NOTIFY, READ, short
from drivers.envelope import EnvelopeBuffer, Message, Stray

Read = Callable[[bytes, bytes], Sequence[Decoded]]
"""`(payload, envelope)` of one message to what it means. Never raises; the envelope is the raw of what it gives."""

Render = Callable[[str | None], bytes]
"""A command's argument to the payload that is written. Raises SettingsFault."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One kind of device, as its settings shape it."""

    readers: Mapping[str, Read]
    """Origin -> what its messages mean."""
    wanted: tuple[str, ...] = ()
    """Characteristics without which the device is another kind of device: their absence is told as a refusal."""
    start: tuple[Message, ...] = ()
    """Sent once, in this order: subscriptions, questions, what makes the device speak."""
    beat: tuple[Message, ...] = ()
    """Sent again and again, or the device falls silent."""
    beat_ns: int | None = None
    commands: Mapping[str, Callable[[str | None], Message]] = field(default_factory=dict)
    repeat_ns: int | None = None
    """For devices that lose commands: each is sent once more after this time."""
    silence_ns: int | None = None
    """For devices that speak several times a second: how long a silence shows as overdue."""
    once: bool = False
    """Whether a message that is exactly the last one of its origin says nothing new: advertisements, said many times."""


def guarded(read: Callable[[bytes, bytes], Decoded]) -> Read:
    """A reader of one message that may raise FieldFault for what its definition does not allow."""

    def run(payload: bytes, raw: bytes) -> Sequence[Decoded]:
        try:
            return [read(payload, raw)]
        except FieldFault as exc:
            return [Malformed(str(exc), raw)]

    return run


def subscribe(*uuids: str) -> tuple[Message, ...]:
    """Envelopes that ask the link for the notifications of these characteristics."""
    return tuple(Message(NOTIFY + uuid, b"") for uuid in uuids)


def ask(*names: str) -> tuple[Message, ...]:
    """Envelopes that ask the link for these values."""
    return tuple(Message(READ + name, b"") for name in names)


class BleCodec:
    """One device. Nothing is asked of it that changes a measurement; commands only when they are given."""

    def __init__(self, conversation: Conversation) -> None:
        self._talk = conversation
        self._envelopes = EnvelopeBuffer()
        self._started = False
        self._beat_ns = 0
        self._again: list[tuple[int | None, bytes]] = []
        self._done: list[Decoded] = []
        self._heard_ns: int | None = None
        self._last: dict[str, bytes] = {}

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take envelopes in any split, give what they mean; empty `data` says that time has passed."""
        found, self._done = self._done, []
        for item in self._envelopes.feed(data):
            found += self._item(item, now_ns)
        return found

    def poll(self, now_ns: int) -> bytes | None:
        """The start, a beat, or a command once more."""
        sent = b""
        if not self._started:
            self._started = True
            self._heard_ns = now_ns
            self._beat_ns = now_ns + (self._talk.beat_ns or 0)
            sent += b"".join(message.to_bytes() for message in self._talk.start)
        elif self._talk.beat_ns is not None and now_ns >= self._beat_ns:
            self._beat_ns = now_ns + self._talk.beat_ns
            sent += b"".join(message.to_bytes() for message in self._talk.beat)
        sent += self._repeated(now_ns)
        return sent or None

    def due_ns(self, now_ns: int) -> int | None:
        """The start, the next beat, a repeated command, or the end of a silence."""
        if self._done or (not self._started and self._talk.start):
            return now_ns
        due = [now_ns if at is None else at for at, _ in self._again]
        if self._started and self._talk.beat_ns is not None:
            due.append(self._beat_ns)
        if self._started and self._talk.silence_ns is not None and self._heard_ns is not None:
            end_ns = self._heard_ns + self._talk.silence_ns + 1
            due += [end_ns] if end_ns > now_ns else []
        return min(due, default=None)

    def overdue(self, now_ns: int) -> bool:
        """Whether a device that speaks all the time has fallen silent."""
        if self._talk.silence_ns is None or self._heard_ns is None:
            return False
        return now_ns - self._heard_ns > self._talk.silence_ns

    def command(self, name: str, argument: str | None = None) -> bytes:
        """The envelope of a command; devices of this kind do not answer, so it counts as done when it is sent."""
        make = self._talk.commands.get(name)
        if make is None:
            known = ", ".join(self._talk.commands) or "there are none"
            raise SettingsFault(f"no command {name[:40]!r}: {known}", setting="command")
        sent = make(argument).to_bytes()
        if self._talk.repeat_ns is not None:
            self._again = [*self._again[-MAX_AGAIN:], (None, sent)]
        self._done.append(Acknowledged(name, sent))
        return sent

    def finish(self) -> list[Decoded]:
        """The input has ended: what is left in the buffer."""
        found, self._done = self._done, []
        return [*found, *(Malformed("not a whole message", stray.raw) for stray in self._envelopes.flush())]

    def _repeated(self, now_ns: int) -> bytes:
        """Commands whose time has come to be sent again. `command` has no clock, so the time runs from the poll after it."""
        due = [sent for at, sent in self._again if at is not None and now_ns >= at]
        waiting = [(at, sent) for at, sent in self._again if at is None or now_ns < at]
        self._again = [(now_ns + (self._talk.repeat_ns or 0) if at is None else at, sent) for at, sent in waiting]
        return b"".join(due)

    def _item(self, item: Message | Stray, now_ns: int) -> Sequence[Decoded]:
        if isinstance(item, Stray):
            return [Malformed("not a message of a Bluetooth link", item.raw)]
        raw = item.to_bytes()
        if item.origin.startswith(ABSENT):
            return self._absent(item.origin.removeprefix(ABSENT), raw)
        read = self._talk.readers.get(item.origin)
        if read is None:
            return [Malformed(f"not a characteristic of this kind of device: {short(item.origin)[:60]}", raw)]
        self._heard_ns = now_ns
        if self._talk.once and self._last.get(item.origin) == item.payload:
            return []
        self._last[item.origin] = item.payload
        return read(item.payload, raw)

    def _absent(self, name: str, raw: bytes) -> Sequence[Decoded]:
        # Both the question and the subscription find it missing: that is one fact.
        if name in self._talk.readers:
            if ABSENT + name in self._last:
                return []
            self._last[ABSENT + name] = b""
        if name in self._talk.wanted:
            return [Refused("absent", f"the device has no characteristic {short(name)[:60]}: another kind of device", raw)]
        return [Status(f"no characteristic {short(name)[:60]}", raw)]


MAX_AGAIN = 8
"""Commands that wait to be sent once more: a person presses keys slower than they go out."""


def once_without(argument: str | None, name: str) -> None:
    """Refuse an argument for a command that takes none. Raises SettingsFault."""
    if argument is not None:
        raise SettingsFault(f"{name} does not take {argument[:40]!r}", setting="argument")


def writes(uuid: str, commands: Mapping[str, bytes]) -> dict[str, Callable[[str | None], Message]]:
    """Commands that are fixed bytes written to one characteristic."""

    def fixed(name: str, payload: bytes) -> Callable[[str | None], Message]:
        def make(argument: str | None) -> Message:
            once_without(argument, name)
            return Message(uuid, payload)

        return make

    return {name: fixed(name, payload) for name, payload in commands.items()}
