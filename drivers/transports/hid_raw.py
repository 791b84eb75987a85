"""USB HID devices by their reports (/dev/hidrawN): scales and readers that are no keyboards. Envelopes of origin `report`.

Source: Linux kernel documentation, hid/hidraw.rst; linux/hidraw.h for the ioctl.
"""

import asyncio
import fcntl
import os
from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from drivers.api import LinkLost, Settings, Transport
from drivers.envelope import EnvelopeBuffer, Message
from drivers.settings import read_settings
from drivers.transports import usb
from drivers.transports.descriptor import Descriptor
from drivers.transports.shared import Shared
from drivers.transports.usb import UsbMatch

REPORT = "report"
"""Origin of what the device reports, and of output reports for it. The payload begins with the report's id where the device
numbers its reports; what is written always begins with one (0 where they are not numbered)."""

FEATURE = "feature"
"""Origin of feature reports for the device; the payload begins with the report's id. They are never read back."""

READ_SIZE = 4096
"""Bytes: the kernel's HID_MAX_BUFFER_SIZE when hidraw came to be; one read gives one report, and known ones have 6 to 64."""

WRITE_TIMEOUT_S = 2.0
"""An output report goes out within the endpoint's interval (at most 255 ms); the kernel itself gives up after 5 s."""

MAX_FEATURE = 4096
"""Bytes of one feature report; 14 bits of the ioctl's number hold the size."""


class HidRawSettings(Settings):
    """Where the device is: `path`, or `usb` for the device wherever its node is now. udev makes no lasting links of its own."""

    path: str | None = Field(
        default=None, min_length=1, max_length=4096, description="A link of your own udev rule to the device's node."
    )
    usb: UsbMatch | None = Field(
        default=None, description="The USB device instead of a path: `serial`, or `path` for the USB socket; `vid`, `pid`."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.usb is None):
            raise ValueError("either path or usb is needed")
        return self

    def where(self) -> str:
        """The device in words."""
        return self.path or f"usb {self.usb}"


class HidRaw:
    """One device. Others may read it too (hidraw gives each reader every report), so nothing is locked."""

    def __init__(self, settings: HidRawSettings) -> None:
        self._settings = settings
        self._device: Descriptor | None = None

    async def open(self) -> None:
        """Open where it is now, so that a device plugged in again is found. Raises LinkLost."""
        if self._device is None:
            wanted = self._settings
            path = wanted.path if wanted.usb is None else await asyncio.to_thread(usb.find, "hidraw", wanted.usb)
            self._device = Descriptor.opened(str(path), os.O_RDWR)

    async def read(self) -> bytes:
        """One report in its envelope. Raises LinkLost when the device is gone."""
        return Message(REPORT, await self._opened().read(READ_SIZE)).to_bytes()

    async def write(self, data: bytes) -> None:
        """Envelopes of origin `report` or `feature`, one report each. Raises LinkLost when the device does not take one."""
        device = self._opened()
        envelopes = EnvelopeBuffer()
        for one in [*envelopes.feed(data), *envelopes.flush()]:
            match one:
                case Message(origin="report", payload=payload):
                    await device.write(payload, WRITE_TIMEOUT_S)
                case Message(origin="feature", payload=payload) if len(payload) <= MAX_FEATURE:
                    _set_feature(device, payload, self._settings.where())
                case _:
                    raise LinkLost(f"{self._settings.where()} takes reports only")

    async def close(self) -> None:
        """Never raises; a reader that waits meanwhile gets LinkLost."""
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def _opened(self) -> Descriptor:
        if self._device is None:
            raise LinkLost(f"{self._settings.where()} is not open")
        return self._device


def _set_feature(device: Descriptor, payload: bytes, path: str) -> None:
    # HIDIOCSFEATURE(len) of linux/hidraw.h: read and write, the size, group H, number 6.
    request = 3 << 30 | len(payload) << 16 | ord("H") << 8 | 0x06
    try:
        fcntl.ioctl(device.fd, request, bytearray(payload))
    except OSError as exc:
        raise LinkLost(f"{path} does not take a feature report: {exc}") from exc


def make(settings: Mapping[str, object], shared: Shared) -> Transport:  # noqa: ARG001 - nothing of it is shared
    """A closed device. Raises SettingsFault."""
    return HidRaw(read_settings(HidRawSettings, settings))
