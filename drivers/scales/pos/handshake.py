"""A conversation of several turns for one weight: what a frame says, what goes out in return, and what is awaited then.

A protocol gives a pure function from (frame, what was awaited) to a Turn; this module owns the times, the backing off and what
is owed. Values that the device wants to have confirmed are held until it confirms them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.api import Acknowledged, Codec, Decoded, Driver, DriverInfo, Malformed, Reading, Refused, Settings, SettingsFault
from drivers.settings import SettingsT, own_settings, read_settings
from drivers.talk import Framer

BACK_OFF_CAP = 8
"""A device that is not ready is asked again after two, four, at most eight intervals."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What follows from one frame."""

    found: tuple[Decoded, ...] = ()
    reply: bytes | None = None
    awaited: str | None = None
    """What the device is to say next; None ends the exchange."""
    held: Reading | None = None
    """A reading that counts only when the next turn says `confirmed`."""
    confirmed: bool = False
    back_off: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """How one exchange begins."""

    send: bytes
    awaited: str
    timeout_ns: int


@dataclass(frozen=True, slots=True)
class Handshake:
    """One protocol's conversation, as its settings shape it."""

    framer: Callable[[], Framer]
    follow: Callable[[bytes, str | None], Turn]
    """A whole frame and what was awaited (None in a capture, or when nothing was). Never raises."""
    weigh: Exchange
    interval_ns: int
    unmoved: frozenset[str] = frozenset()
    """Refusals that only say that the last weight still stands. Behind a weight that was given they are no news."""


class HandshakeCodec:
    """One device, one exchange at a time. These protocols have a question and no commands."""

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._frames = handshake.framer()
        self._awaited: str | None = None
        self._reply: bytes | None = None
        self._held: Reading | None = None
        self._until_ns: int | None = None
        self._given = False
        self._next_ns: int | None = None
        self._pauses = 1
        self._silent = False
        self._unsaid: list[Decoded] = []

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes, give what is complete."""
        self._give_up(now_ns)
        found, self._unsaid = self._unsaid, []
        for frame in self._frames.feed(data) if data else ():
            turn = self._handshake.follow(frame.raw, self._awaited)
            found += self._take(turn, now_ns)
        return found

    def poll(self, now_ns: int) -> bytes | None:
        """What the exchange wants sent now, or the start of the next one at its time."""
        self._give_up(now_ns)
        if self._reply is not None:
            reply, self._reply = self._reply, None
            self._await(self._awaited, now_ns)
            return reply
        if self._awaited is not None or (self._next_ns is not None and now_ns < self._next_ns):
            return None
        weigh = self._handshake.weigh
        self._next_ns = now_ns + self._handshake.interval_ns
        self._await(weigh.awaited, now_ns)
        return weigh.send

    def due_ns(self, now_ns: int) -> int | None:
        """At once while a reply is due; else the end of an answer's time, or the next exchange."""
        if self._reply is not None or self._unsaid:
            return now_ns
        if self._until_ns is not None:
            return self._until_ns + 1
        return now_ns if self._next_ns is None else self._next_ns

    def overdue(self, now_ns: int) -> bool:
        """From the time-out of an answer until the next valid frame."""
        return self._silent or (self._until_ns is not None and now_ns > self._until_ns)

    def command(self, name: str, argument: str | None = None) -> bytes:  # noqa: ARG002 - the contract's signature
        """There are none: raises SettingsFault."""
        raise SettingsFault(f"no command {name[:40]!r}: there are none", setting="command")

    def finish(self) -> list[Decoded]:
        """The input has ended: what is left, as Malformed."""
        self._drop_held()
        found, self._unsaid = self._unsaid, []
        rest = self._frames.flush()
        return found if rest is None else [*found, Malformed("frame without its end", rest.raw)]

    def _take(self, turn: Turn, now_ns: int) -> Sequence[Decoded]:
        if turn.reply is None and turn.held is None and all(isinstance(item, Malformed) for item in turn.found):
            return turn.found  # noise ends no exchange
        found: list[Decoded] = []
        if self._held is not None:
            found.append(self._held if turn.confirmed else _unconfirmed(self._held))
        found += turn.found
        self._silent = False
        talking = self._awaited is not None
        self._held, self._reply = turn.held, turn.reply
        self._await(turn.awaited, now_ns)
        if turn.awaited is None:
            self._end(now_ns, back_off=turn.back_off)
        return [self._news(item) for item in found] if talking else found

    def _await(self, awaited: str | None, now_ns: int) -> None:
        self._awaited = awaited
        self._until_ns = None if awaited is None else now_ns + self._handshake.weigh.timeout_ns

    def _news(self, item: Decoded) -> Decoded:
        """A refusal that confirms the weight before it must not take that weight away."""
        if isinstance(item, Refused) and self._given and item.code in self._handshake.unmoved:
            return Acknowledged("unmoved", item.raw)
        if isinstance(item, Reading | Refused):
            self._given = isinstance(item, Reading) and item.value is not None
        return item

    def _end(self, now_ns: int, *, back_off: bool) -> None:
        self._pauses = min(self._pauses * 2, BACK_OFF_CAP) if back_off else 1
        if back_off:
            self._next_ns = now_ns + self._pauses * self._handshake.interval_ns

    def _give_up(self, now_ns: int) -> None:
        if self._until_ns is not None and now_ns > self._until_ns:
            self._awaited, self._reply, self._until_ns = None, None, None
            self._silent, self._given = True, False
            self._drop_held()

    def _drop_held(self) -> None:
        if self._held is not None:
            self._unsaid.append(_unconfirmed(self._held))
            self._held = None


def _unconfirmed(reading: Reading) -> Malformed:
    return Malformed("the scale did not confirm the block that was sent back", reading.raw)


def follow_capture(handshake: Handshake, capture: bytes) -> list[Decoded]:
    """A whole capture to everything in it, without a conversation: nothing is awaited."""
    framer = handshake.framer()
    found = [item for frame in framer.feed(capture) for item in handshake.follow(frame.raw, None).found]
    rest = framer.flush()
    return found if rest is None else [*found, Malformed("frame without its end", rest.raw)]


def shaking_hands(info: DriverInfo, model: type[SettingsT], handshake_of: Callable[[SettingsT], Handshake]) -> Driver:
    """The driver of a protocol whose conversation follows from its settings."""

    def make_codec(settings: Settings) -> Codec:
        return HandshakeCodec(handshake_of(own_settings(model, settings)))

    def decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
        return follow_capture(handshake_of(read_settings(model, values)), capture)

    return Driver(info=info, settings=model, make_codec=make_codec, decode=decode)
