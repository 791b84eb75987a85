"""News of udev, once a node has its owner and rights: something was plugged in. Links that wait try at once."""

import asyncio
from collections.abc import Callable

import pyudev
import structlog

log = structlog.get_logger()

SUBSYSTEMS = ("tty", "hidraw", "input", "video4linux")
"""What devices of a box appear as."""

AT_ONCE = 64
"""Events read in one go; a hub with everything on it makes about 30."""


class HotPlug:
    """Calls `appeared(node)` for each device node that udev announces, from `run` until it is cancelled.

    Where udev's messages cannot be had (a container without them), links find their devices by trying again each second.
    """

    def __init__(self, appeared: Callable[[str], None]) -> None:
        self._appeared = appeared

    async def run(self) -> None:
        try:
            monitor = pyudev.Monitor.from_netlink(pyudev.Context())
            for subsystem in SUBSYSTEMS:
                monitor.filter_by(subsystem)
            monitor.start()
        except OSError as exc:
            log.warning("hotplug_not_heard", reason=str(exc))
            await asyncio.get_running_loop().create_future()
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(monitor.fileno(), self._read, monitor)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            loop.remove_reader(monitor.fileno())

    def _read(self, monitor: pyudev.Monitor) -> None:
        for _ in range(AT_ONCE):
            device = monitor.poll(timeout=0)
            if device is None:
                return
            if device.action == "add" and device.device_node is not None:
                log.info("device_node_appeared", node=device.device_node)
                self._appeared(device.device_node)
