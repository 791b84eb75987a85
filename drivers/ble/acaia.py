"""Acaia scales: messages of their own over one characteristic, split and glued across notifications.

Not published by the maker. Sources: aioacaia 0.2.3 (frame rules, events); bpowers/btscale and lucapinello/pyacaia (names of
events and settings). A message is `EF DD`, a command, a body whose first byte is its length, and two sums over the body.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Flag, Kind, Malformed, Mode, Reading, Settings, Status, Tier
from drivers.ble.conversation import BleCodec, Conversation, subscribe, writes
from drivers.ble.fields import scaled
from drivers.ble.uuids import full
from drivers.envelope import Message
from drivers.settings import own_settings, read_settings

MARK = b"\xef\xdd"

MAX_BUFFER = 272
"""Bytes: the longest message is 3 + 255 + 2; what is longer without one in it is none."""

SETTINGS, EVENT = 0x08, 0x0C
"""Commands of the scale's messages that mean something here; all others are told by number."""

EVENT_SIZES = {5: 6, 6: 1, 7: 3, 8: 1, 9: 6, 10: 1, 11: 2}
"""Part of an event -> size of its content: weight, battery, timer, key, setting, count-down, answer."""

WEIGHT_PART, BATTERY_PART, KEY_PART = 5, 6, 8

NEGATIVE = 0x02
"""Flag of the sixth byte of a weight."""

MAX_DECIMALS = 4

UNITS = {2: "g", 5: "[oz_av]"}
"""Third byte of the settings."""

CHARACTERISTICS = {
    "new": ("49535343-1e4d-4bd9-ba61-23c647249616", "49535343-8841-43f4-a8d4-ecbe34729bb3"),
    "old": (full(0x2A80), full(0x2A80)),
}
"""Generation -> where the scale notifies, and where it is written to."""

BEAT_NS = 2_500_000_000
"""The scale hangs up after 3 to 5 s without a word."""

SILENCE_NS = 5_000_000_000
"""A scale that is listened to tells its weight several times a second."""


class AcaiaSettings(Settings):
    """An Acaia scale."""

    generation: Literal["new", "old"] = Field(
        default="new", description="Which characteristics the scale has: new for 49535343-..., old for 1820 with 2A80."
    )


def _message(command: int, body: bytes) -> bytes:
    return MARK + bytes([command]) + body + bytes([sum(body[0::2]) & 0xFF, sum(body[1::2]) & 0xFF])


IDENTIFY = _message(0x0B, b"012345678901234")
"""The identification that newer scales want before they say anything; older ones take it as well."""

NOTIFICATIONS = _message(0x0C, bytes([9, 0, 1, 1, 2, 2, 5, 3, 4]))
"""Asks for weight, battery, timer and key events, each with its interval in tenths of a second."""

HEARTBEAT = _message(0x00, bytes([2, 0]))
ASK_SETTINGS = _message(0x06, bytes(16))
TARE = _message(0x04, bytes(1))


class AcaiaReader:
    """Collects notifications and gives the messages in them. A message that began in one notification may end in the next."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._bytes = bytearray()
        self._unit: str | None = "g"

    def read(self, payload: bytes, raw: bytes) -> Sequence[Decoded]:  # noqa: ARG002 - each message gets an envelope of its own
        """Raw of what is found is an envelope of exactly that message."""
        self._bytes += payload
        found: list[Decoded] = []
        while (item := self._next()) is not None:
            found += item
        return found

    def _next(self) -> Sequence[Decoded] | None:
        start = self._bytes.find(MARK)
        if start != 0:
            # The last byte may be the first of the next mark.
            keep = 1 if start < 0 and self._bytes[-1:] == MARK[:1] else 0
            stray = self._take(start if start > 0 else len(self._bytes) - keep)
            return [Malformed("between two messages of the scale", self._raw(stray))] if stray else None
        if len(self._bytes) < 4:
            return None
        size = 3 + self._bytes[3] + 2
        if self._bytes[3] == 0:
            return [Malformed("a message without a body", self._raw(self._take(len(MARK))))]
        if len(self._bytes) < size:
            return None
        if _message(self._bytes[2], bytes(self._bytes[3 : size - 2])) != self._bytes[:size]:
            # The length may be what was damaged: the search goes on behind the mark.
            return [Malformed("the sums of a message do not fit", self._raw(self._take(len(MARK))))]
        whole = self._take(size)
        return self._message(whole[2], whole[3:-2], self._raw(whole))

    def _message(self, command: int, body: bytes, raw: bytes) -> Sequence[Decoded]:
        if command == EVENT:
            return [self._event(body, raw)]
        if command == SETTINGS and len(body) >= 3:
            self._unit = UNITS.get(body[2])
            charge = body[1] & 0x7F
            if charge <= 100:
                return [Reading(Kind.BATTERY, scaled(charge, "1"), "%", frozenset(), raw)]
        return [Status(f"message {command:02x}", raw)]

    def _event(self, body: bytes, raw: bytes) -> Decoded:
        parts = _parts(body[1:])
        if parts is None:
            return Malformed("an event of unknown parts", raw)
        if WEIGHT_PART in parts:
            return self._weight(parts[WEIGHT_PART], raw)
        if BATTERY_PART in parts and parts[BATTERY_PART][0] <= 100:
            return Reading(Kind.BATTERY, scaled(parts[BATTERY_PART][0], "1"), "%", frozenset(), raw)
        if KEY_PART in parts:
            return Status(f"key {parts[KEY_PART][0]}", raw)
        return Status("event " + " ".join(str(part) for part in parts), raw)

    def _weight(self, content: bytes, raw: bytes) -> Decoded:
        decimals, flags = content[4], content[5]
        if decimals > MAX_DECIMALS:
            return Malformed(f"a weight with {decimals} decimals", raw)
        if self._unit is None:
            return Malformed("unknown unit in the settings of the scale", raw)
        number = int.from_bytes(content[:4], "little")
        value = scaled(-number if flags & NEGATIVE else number, f"1e-{decimals}")
        return Reading(Kind.MASS, value, self._unit, frozenset[Flag](), raw)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._bytes[:size])
        del self._bytes[:size]
        return taken

    def _raw(self, wire: bytes) -> bytes:
        return Message(self._origin, wire).to_bytes()

    def rest(self) -> Sequence[Decoded]:
        """What is left when the input has ended."""
        left = self._take(len(self._bytes))
        return [Malformed("message without its end", self._raw(left))] if left else []


def _parts(content: bytes) -> dict[int, bytes] | None:
    """The parts of an event by number; None where one is unknown or cut off."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(content):
        part = content[at]
        size = EVENT_SIZES.get(part)
        if size is None or at + 1 + size > len(content):
            return None
        found[part] = content[at + 1 : at + 1 + size]
        at += 1 + size
    return found or None


class AcaiaCodec(BleCodec):
    """One scale; unlike others it may hold half a message when the input ends."""

    def __init__(self, settings: AcaiaSettings) -> None:
        notify, write = CHARACTERISTICS[settings.generation]
        self._reader = AcaiaReader(notify)
        super().__init__(
            Conversation(
                readers={notify: self._reader.read},
                wanted=(notify,),
                start=(
                    *subscribe(notify),
                    Message(write, IDENTIFY),
                    Message(write, NOTIFICATIONS),
                    Message(write, ASK_SETTINGS),
                ),
                beat=(Message(write, HEARTBEAT),),
                beat_ns=BEAT_NS,
                commands=writes(write, {"tare": TARE}),
                silence_ns=SILENCE_NS,
            )
        )

    def finish(self) -> list[Decoded]:
        """The input has ended: the beginning of a message is told too."""
        return [*self._reader.rest(), *super().finish()]


def _make_codec(settings: Settings) -> Codec:
    return AcaiaCodec(own_settings(AcaiaSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = AcaiaCodec(read_settings(AcaiaSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


ORIGIN = CHARACTERISTICS["new"][0]

DRIVER = Driver(
    info=DriverInfo(
        name="acaia",
        title="Acaia scale",
        kinds=frozenset({Kind.MASS, Kind.BATTERY}),
        transports=("ble",),
        models=("Acaia Lunar, Pearl, Pyxis, Cinco",),
        sources=("aioacaia 0.2.3, frame rules", "lucapinello/pyacaia, messages of the scale"),
        commands=("tare",),
        modes=(Mode.STREAM,),
        tier=Tier.NONE,
        notes=(
            "The scale hangs up after 3 to 5 s without a word from the box; the driver keeps it awake.",
            "Only one phone or box at a time: close the maker's app.",
        ),
        unofficial=True,
    ),
    settings=AcaiaSettings,
    make_codec=_make_codec,
    decode=_decode,
)
