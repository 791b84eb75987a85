"""Keyboards of the kernel (/dev/input/eventN), taken for ourselves: readers in keyboard mode. Envelopes of origin `keys`.

The payload is what `drivers.scanners.keys.EVENT` says: type, code and value of each event, without the kernel's time. Only
keys, lights and SYN_DROPPED are passed on.
Sources: Linux Documentation/input/{input,event-codes}.rst; include/uapi/linux/input.h (EVIOCGRAB, struct input_event).
"""

import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import evdev
from evdev import ecodes
from pydantic import Field

from drivers.api import LinkLost, Settings, Transport
from drivers.envelope import Message
from drivers.scanners.keys import EVENT
from drivers.settings import read_settings
from drivers.transports.descriptor import Descriptor
from drivers.transports.shared import Shared

KEYS = "keys"

KERNEL_EVENT = struct.Struct("@llHHi")
"""`struct input_event` of a 64-bit kernel: seconds and microseconds, type, code, value."""

READ_SIZE = 256 * KERNEL_EVENT.size
"""Four times the kernel's own queue of a keyboard (64 events), so that one wake-up empties it."""

MAX_NODES = 32
"""Nodes that a pattern may name; a reader has two or three."""

DIGITS = range(ecodes.KEY_1, ecodes.KEY_0 + 1)


class KeyEventsSettings(Settings):
    """Which keyboard."""

    path: str = Field(
        min_length=1,
        max_length=4096,
        description="The reader's node, as /dev/input/by-id/usb-...-event-kbd; with * the first one that has digits and Enter.",
    )


class KeyEvents:
    """One keyboard, grabbed: no console, browser or other program gets its keys while it is open."""

    def __init__(self, settings: KeyEventsSettings) -> None:
        self._path = settings.path
        self._device: evdev.InputDevice[str] | None = None
        self._events: Descriptor | None = None
        self._rest = b""
        self._first = b""

    async def open(self) -> None:
        """Open by path, take the keys, switch the Caps Lock light off. Raises LinkLost, also when another has the keys."""
        if self._events is not None:
            return
        path, device = _keyboard(self._path)
        try:
            device.grab()
            fd = os.dup(device.fd)
        except OSError as exc:
            device.close()
            raise LinkLost(f"{path} cannot be taken (another program has it): {exc}") from exc
        self._device, self._events, self._rest = device, Descriptor(fd, path), b""
        _darken(device)
        self._first = EVENT.pack(ecodes.EV_LED, ecodes.LED_CAPSL, 1) if _is_lit(device) else b""

    async def read(self) -> bytes:
        """The next events in one envelope. Raises LinkLost when the keyboard is gone (ENODEV)."""
        events = self._opened()
        packed, self._first = self._first, b""
        while not packed:
            data = self._rest + await events.read(READ_SIZE)
            whole = len(data) - len(data) % KERNEL_EVENT.size
            self._rest = data[whole:]
            packed = self._packed(data[:whole])
        return Message(KEYS, packed).to_bytes()

    async def write(self, data: bytes) -> None:
        """A keyboard takes nothing: raises LinkLost."""
        raise LinkLost(f"{self._path} is a keyboard and takes no {len(data)} bytes")

    async def close(self) -> None:
        """Never raises; gives the keys back, and whoever waits gets LinkLost."""
        device, self._device = self._device, None
        events, self._events = self._events, None
        if events is not None:
            events.close()
        if device is not None:
            with suppress(OSError):
                device.close()

    def _packed(self, data: bytes) -> bytes:
        """What a reader's keys mean something by; a Caps Lock light that comes on is switched off again."""
        packed = b""
        for _, _, kind, code, value in KERNEL_EVENT.iter_unpack(data):
            light = kind == ecodes.EV_LED and code == ecodes.LED_CAPSL
            if light and value and self._device is not None:
                _darken(self._device)
            if kind == ecodes.EV_KEY or light or (kind == ecodes.EV_SYN and code == ecodes.SYN_DROPPED):
                packed += EVENT.pack(kind, code, value)
        return packed

    def _opened(self) -> Descriptor:
        if self._events is None:
            raise LinkLost(f"{self._path} is not open")
        return self._events


def is_keyboard(device: "evdev.InputDevice[str]") -> bool:
    """Whether it has what codes are made of: a reader's other nodes (volume keys, a mouse) have not."""
    keys = device.capabilities(absinfo=False).get(ecodes.EV_KEY, [])
    return ecodes.KEY_ENTER in keys and all(digit in keys for digit in DIGITS)


def _keyboard(path: str) -> tuple[str, "evdev.InputDevice[str]"]:
    """The first keyboard of the path or pattern, open, and its path. Raises LinkLost."""
    fault = f"no node is named {path}"
    for one in _nodes(path):
        try:
            device = evdev.InputDevice(one)
        except (OSError, ValueError) as exc:  # ValueError: a zero character in the path
            fault = f"{one} cannot be opened: {exc}"
            continue
        if is_keyboard(device):
            return one, device
        device.close()
        fault = f"{one} has no digits and Enter: it is no keyboard"
    raise LinkLost(fault)


def _nodes(path: str) -> list[str]:
    folder, _, name = path.rpartition("/")
    return [str(node) for node in sorted(Path(folder or ".").glob(name))[:MAX_NODES]] if "*" in name else [path]


def _is_lit(device: "evdev.InputDevice[str]") -> bool:
    # SystemError is what evdev 2.0 makes of a device that has just gone.
    with suppress(OSError, SystemError):
        return ecodes.LED_CAPSL in device.leds()
    return False


def _darken(device: "evdev.InputDevice[str]") -> None:
    """Switch the Caps Lock light off, by which readers turn their letters round. Where it cannot be done the codec is told."""
    if _is_lit(device):
        with suppress(OSError, evdev.EvdevError):
            device.set_led(ecodes.LED_CAPSL, 0)
            device.syn()


def make(settings: Mapping[str, object], shared: Shared) -> Transport:  # noqa: ARG001 - nothing of it is shared
    """A closed keyboard. Raises SettingsFault."""
    return KeyEvents(read_settings(KeyEventsSettings, settings))
