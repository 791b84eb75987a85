"""Barcode readers in keyboard mode, as nearly all are shipped: codes put together from the kernel's key events.

Sources: Linux Documentation/input/event-codes.rst (SYN_DROPPED); Honeywell, Zebra and Datalogic guides, keyboard chapters.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Settings, Tier
from drivers.envelope import MAX_PAYLOAD, EnvelopeBuffer, Message, Stray
from drivers.scanners import damage
from drivers.scanners.codes import MAX_TEXT, CodeReader, CodeSettings
from drivers.scanners.keys import (
    EV_KEY,
    EV_LED,
    EV_SYN,
    EVENT,
    KEY_NAMES,
    LED_CAPSL,
    PRESSED,
    RELEASED,
    SYN_DROPPED,
    End,
    Keyboard,
    NoCharacter,
)
from drivers.scanners.layouts import LayoutName
from drivers.scanners.one_way import OneWay
from drivers.settings import own_settings, read_settings

ORIGIN = "keys"

MAX_EVENTS = 8 * MAX_TEXT
"""Of one code: a character takes two events, with Shift four, as an Alt code ten."""

_CHUNK = MAX_PAYLOAD - MAX_PAYLOAD % EVENT.size


class KeyboardSettings(CodeSettings):
    """How the reader is programmed."""

    terminator: Literal["enter", "tab", "any", "none"] = Field(
        default="any", description="Which key ends a code; `any` is Enter or Tab, `none` silence of `idle_ms`."
    )
    idle_ms: int = Field(default=100, ge=10, le=2000, description="Silence after which keys without a terminator are given up.")
    scanner_layout: LayoutName = Field(default="us", description="Keyboard layout to which the reader is set; us is best.")
    caps_lock: bool | None = Field(
        default=None,
        description="Whether the reader swaps capitals and small letters, taking Caps Lock for on; unset: as its light says.",
    )
    separator_keys: tuple[str, ...] = Field(
        default=("KEY_F8",),
        max_length=8,
        description="Keys that stand for GS, beside Ctrl+] and Alt+029; names as in linux/input-event-codes.h.",
    )

    @field_validator("separator_keys")
    @classmethod
    def _known_keys(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in names if name not in KEY_NAMES]:
            raise ValueError(f"no key {unknown[0][:20]!r}")
        return names


class KeyboardCodec(OneWay):
    """One reader. A code ends when its terminator is released, so that its bytes hold the whole of it.

    The bytes of a code are its events in one envelope, whatever the envelopes were in which they came; keys that were down
    and a light that was on before stand in front, so that the code can be read again from them.
    """

    def __init__(self, settings: KeyboardSettings) -> None:
        self._idle_ns = settings.idle_ms * 1_000_000
        self._ends = {End.ENTER: settings.terminator in {"enter", "any"}, End.TAB: settings.terminator in {"tab", "any"}}
        self._ends_by_silence = settings.terminator == "none"
        self._codes = CodeReader(settings, suspect=lambda text: damage.typed_by(text, settings.scanner_layout))
        separators = frozenset(KEY_NAMES[name] for name in settings.separator_keys)
        self._keyboard = Keyboard(settings.scanner_layout, separators, caps_lock=settings.caps_lock)
        self._envelopes = EnvelopeBuffer()
        self._heard_ns = 0
        self._begin()

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take envelopes, give the codes in them; empty `data` lets a silence end what is under way."""
        found = self._silence() if self._events and now_ns - self._heard_ns >= self._idle_ns else []
        for item in self._envelopes.feed(data):
            self._heard_ns = now_ns
            match item:
                case Message(origin="keys", payload=payload) if payload and len(payload) % EVENT.size == 0:
                    for at in range(0, len(payload), EVENT.size):
                        found += self._event(payload[at : at + EVENT.size])
                case Message():
                    found.append(Malformed("no key events", item.to_bytes()))
                case Stray(raw=raw):
                    found.append(Malformed("bytes outside an envelope", raw))
        return found

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - the contract's signature
        """The end of the silence that ends what is under way."""
        return self._heard_ns + self._idle_ns if self._events else None

    def finish(self) -> list[Decoded]:
        """What is left: a code whose terminator was not released yet, else keys that make none."""
        strays: list[Decoded] = [Malformed("bytes outside an envelope", rest.raw) for rest in self._envelopes.flush()]
        return [*self._silence(), *strays]

    def _begin(self) -> None:
        self._events = bytearray()
        self._text: list[str] = []
        self._strange: set[int] = set()
        self._dropped = False
        self._ended_by: int | None = None

    def _event(self, raw: bytes) -> list[Decoded]:
        kind, code, value = EVENT.unpack(raw)
        found: list[Decoded] = []
        if self._ended_by is not None and kind == EV_KEY and value == PRESSED:
            found += self._end()  # the terminator's release was not sent
        if not self._events:
            self._events += self._keyboard.standing()
        self._events += raw
        if kind == EV_KEY:
            self._key(code, value)
        elif kind == EV_LED and code == LED_CAPSL:
            self._keyboard.light(bool(value))
        elif kind == EV_SYN and code == SYN_DROPPED:
            self._dropped = True
            self._keyboard.release_all()
        if self._ended_by is not None and kind == EV_KEY and code == self._ended_by and value == RELEASED:
            found += self._end()
        if len(self._text) > MAX_TEXT or len(self._events) > MAX_EVENTS * EVENT.size:
            found.append(Malformed(f"more than {MAX_TEXT} characters without a terminator", self._take()))
        return found

    def _key(self, code: int, value: int) -> None:
        stroke = self._keyboard.key(code, value)
        match stroke:
            case str():
                self._text.append(stroke)
            case NoCharacter(code=strange):
                self._strange.add(strange)
            case End() if not self._ends[stroke]:
                self._text.append("\r" if stroke is End.ENTER else "\t")
            case End() if self._is_something():
                self._ended_by = code
            case _:
                pass

    def _is_something(self) -> bool:
        """Whether a code is under way: the second of two terminators ends none, and a light alone is none."""
        return bool(self._text or self._strange or self._dropped)

    def _silence(self) -> list[Decoded]:
        if not self._is_something():
            self._begin()  # a key's late release, the second of two terminators, a light
            return []
        if self._ended_by is not None or self._dropped or self._ends_by_silence:
            return self._end()
        return [Malformed("keys without a terminator: the reader is not set to send one, or somebody typed", self._take())]

    def _end(self) -> list[Decoded]:
        text, strange, dropped = "".join(self._text), sorted(self._strange), self._dropped
        raw = self._take()
        if dropped:
            return [Malformed("keys of the code were lost (the kernel's queue ran over): scan again", raw)]
        told = [f"keys that stand for no character: {', '.join(map(str, strange[:8]))}"] if strange else []
        return [self._codes.read(text, raw, warnings=told)]

    def _take(self) -> bytes:
        """The events in hand in envelopes; none are in hand afterwards."""
        events = bytes(self._events)
        self._begin()
        return b"".join(Message(ORIGIN, events[at : at + _CHUNK]).to_bytes() for at in range(0, len(events), _CHUNK))


def _make_codec(settings: Settings) -> Codec:
    return KeyboardCodec(own_settings(KeyboardSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = KeyboardCodec(read_settings(KeyboardSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="keyboard-scanner",
        title="Barcode reader in keyboard mode",
        kinds=frozenset({Kind.CODE}),
        transports=("evdev",),
        models=(
            "Any reader that is a USB or Bluetooth keyboard to the machine: Honeywell, Zebra, Datalogic, Newland, Inateck",
        ),
        sources=(
            "Linux kernel: include/uapi/linux/input-event-codes.h; Documentation/input/event-codes.rst",
            "Honeywell, Zebra and Datalogic product reference guides, chapters on keyboard wedge, ALT mode and suffix",
        ),
        modes=(Mode.AUTOPRINT,),
        tier=Tier.BRONZE,
        notes=(
            "Set the reader to the US keyboard, suffix Enter, AIM identifier on, and to send GS (as Ctrl+] or Alt+029).",
            "The reader is taken for the box alone: neither a browser nor a console sees its keys.",
            "USB HID POS or virtual COM mode spares all of this; a menu code in the reader's manual switches it.",
        ),
    ),
    settings=KeyboardSettings,
    make_codec=_make_codec,
    decode=_decode,
)
