"""A stream goes on while the box cannot listen: what it shows afterwards is what the terminal says now, not minutes ago."""

import asyncio
import fcntl
import os
import sys
import termios
import time
import tty
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge.devices.hub import DeviceHub
from edge.settings import DeviceSettings

FRAME_BYTES = 17


class Line:
    """A terminal that writes frames into a real pseudo-terminal, whether or not anybody reads them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        path.symlink_to(os.ttyname(self._slave))

    def say(self, number: int) -> bool:
        """One frame; False where the line's buffer had no room for all of it, so that the rest is lost as on a cable."""
        frame = b"\x02-0 " + f"{number:06d}000000\r".encode("ascii")
        try:
            return os.write(self.master, frame) == len(frame)
        except BlockingIOError:
            return False

    def wait_for(self, size: int) -> None:
        """Block until so many bytes have arrived at the far end: the kernel carries them over in its own time."""
        while self._arrived() < size:
            time.sleep(0.001)

    def wait_until_still(self) -> None:
        """Block until nothing more arrives at the far end."""
        seen = -1
        while seen != (seen := self._arrived()):
            time.sleep(0.2)

    def _arrived(self) -> int:
        return int.from_bytes(fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)), sys.byteorder)

    def close(self) -> None:
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    opened = Line(tmp_path / "terminal")
    yield opened
    opened.close()


@pytest.fixture
def hub(line: Line, memory: Any, clock: Any) -> DeviceHub:
    transport = {"kind": "serial", "port": str(line.path)}
    return DeviceHub([DeviceSettings(id="scale", driver="mt-continuous", transport=transport)], journal=memory, clock=clock)


def shown(hub: DeviceHub, number: int) -> Any:
    def there() -> bool:
        reading = hub.live("scale").reading
        return reading is not None and reading.value == Decimal(number) / 1000

    return there


async def first_live(hub: DeviceHub) -> Decimal:
    async with hub.events() as events:
        async for event in events:
            if event.live.at_ns is not None:
                return event.live.reading.value
    raise AssertionError("the events ended")


async def heard(hub: DeviceHub, line: Line, number: int) -> Decimal:
    """The first live value while the terminal goes on with this number."""
    talking = asyncio.create_task(first_live(hub))
    while not talking.done():
        line.say(number)
        await asyncio.sleep(0.01)
    return talking.result()


async def test_newest_frame_is_shown_first_after_a_short_stall(hub: DeviceHub, line: Line, running: Any, until: Any) -> None:
    async with running(hub):
        await until(lambda: hub.live("scale").link == "up")
        line.say(1)
        await until(shown(hub, 1))
        # Nothing else of this process runs between these lines: the box is stalled for as long as they take.
        frames = 3000 // FRAME_BYTES
        assert all(line.say(number) for number in range(2, frames))
        line.wait_for((frames - 2) * FRAME_BYTES)
        assert await asyncio.wait_for(first_live(hub), 20) == Decimal(frames - 1) / 1000


async def test_what_overflowed_while_nobody_read_is_never_shown_as_live(
    hub: DeviceHub, line: Line, running: Any, until: Any
) -> None:
    async with running(hub):
        await until(lambda: hub.live("scale").link == "up")
        line.say(1)
        await until(shown(hub, 1))
        with capture_logs() as logs:
            number = 2
            while line.say(number):
                number += 1
            line.wait_until_still()
            assert number > 4000 // FRAME_BYTES, "the line takes a whole buffer before it loses anything"
            # Minutes later the terminal is heard again, and says each moment what lies on it now.
            assert await asyncio.wait_for(heard(hub, line, 999_000), 20) == Decimal(999)
        assert [entry["event"] for entry in logs] == ["backlog_dropped"]
