"""The keyboard transport where the kernel says no: keys that another has, a light that comes on, bytes that are no reports."""

import errno
import os
import struct
import tty
from collections.abc import Callable, Iterator

import pytest

evdev = pytest.importorskip("evdev", reason="evdev is not installed")

from drivers.api import LinkLost  # noqa: E402
from drivers.envelope import Message  # noqa: E402
from drivers.scanners.keys import EVENT  # noqa: E402
from drivers.transports import make_transport  # noqa: E402

KERNEL = struct.Struct("@llHHi")
EV_SYN, EV_KEY, EV_MSC, EV_LED = 0, 1, 4, 17


class Keyboard:
    """What evdev gives for a node, with a pseudo-terminal as its events and a light that can be looked at."""

    def __init__(self, *, grabbed: bool = False, lit: bool = False) -> None:
        self.kernel, self.fd = os.openpty()
        tty.setraw(self.fd)
        self.grabbed, self.lit, self.closed, self.taken = grabbed, lit, False, False

    def capabilities(self, *, absinfo: bool) -> dict[int, list[int]]:
        assert absinfo is False
        return {EV_KEY: list(range(1, 128)), EV_LED: [0, 1, 2]}

    def grab(self) -> None:
        if self.grabbed:
            raise OSError(errno.EBUSY, "busy")
        self.taken = True

    def leds(self) -> list[int]:
        return [1] if self.lit else []

    def set_led(self, light: int, value: int) -> None:
        assert (light, value) == (1, 0)
        self.lit = False

    def syn(self) -> None:
        pass

    def close(self) -> None:
        if not self.closed:
            os.close(self.fd)
        self.closed = True


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Keyboard]]:
    made: list[Keyboard] = []

    def of(**how: bool) -> Keyboard:
        keyboard = Keyboard(**how)
        made.append(keyboard)
        monkeypatch.setattr("drivers.transports.key_events.evdev.InputDevice", lambda _path: keyboard)
        return keyboard

    yield of
    for keyboard in made:
        os.close(keyboard.kernel)
        keyboard.close()


async def test_keys_that_another_program_has_are_link_lost(plug: Callable[..., Keyboard]) -> None:
    keyboard = plug(grabbed=True)
    with pytest.raises(LinkLost, match="another program"):
        await make_transport("evdev", {"path": "/dev/input/event9"}).open()
    assert keyboard.closed


async def test_keys_are_taken_and_the_light_is_switched_off(plug: Callable[..., Keyboard]) -> None:
    keyboard = plug(lit=True)
    transport = make_transport("evdev", {"path": "/dev/input/event9"})
    await transport.open()
    assert (keyboard.taken, keyboard.lit) == (True, False)
    await transport.close()
    assert keyboard.closed


async def test_light_that_comes_on_later_is_switched_off_and_told(plug: Callable[..., Keyboard]) -> None:
    keyboard = plug()
    transport = make_transport("evdev", {"path": "/dev/input/event9"})
    await transport.open()
    keyboard.lit = True
    os.write(keyboard.kernel, KERNEL.pack(0, 0, EV_LED, 1, 1))
    assert await transport.read() == Message("keys", EVENT.pack(EV_LED, 1, 1)).to_bytes()
    assert not keyboard.lit
    await transport.close()


async def test_only_keys_lights_and_lost_events_are_passed_on(plug: Callable[..., Keyboard]) -> None:
    keyboard = plug()
    transport = make_transport("evdev", {"path": "/dev/input/event9"})
    await transport.open()
    sent = [(EV_MSC, 4, 7), (EV_KEY, 30, 1), (EV_SYN, 0, 0), (EV_LED, 0, 1), (EV_SYN, 3, 0), (EV_KEY, 30, 0)]
    data = b"".join(KERNEL.pack(1_700_000_000, 999, *event) for event in sent)
    os.write(keyboard.kernel, data[:5])
    os.write(keyboard.kernel, data[5:])
    kept = [(EV_KEY, 30, 1), (EV_SYN, 3, 0), (EV_KEY, 30, 0)]
    assert await transport.read() == Message("keys", b"".join(EVENT.pack(*event) for event in kept)).to_bytes()
    with pytest.raises(LinkLost):
        await transport.write(b"x")
    await transport.close()
    await transport.close()
    with pytest.raises(LinkLost):
        await transport.read()
