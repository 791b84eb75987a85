"""Which device node belongs to which USB device: identity by serial number, else by socket, never by order of appearance.

`/dev/ttyUSB0` is whichever came first. FTDI and CP210x adapters carry serial numbers; CH340 and most PL2303 carry none, and are
known by the socket they are in (kernel documentation, Documentation/ABI/stable/sysfs-bus-usb: `busnum-port[.port...]`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import pyudev
from pydantic import Field, model_validator

from drivers.api import LinkLost, Settings

MAX_PLUGGED = 256
"""Nodes of one subsystem that are looked at: a Raspberry Pi has 64 virtual terminals and a handful of USB devices."""


class UsbMatch(Settings):
    """Which USB device is meant: its serial number, or the socket it is in. `vid` and `pid` narrow both."""

    serial: str | None = Field(default=None, min_length=1, max_length=128, description="Serial number of the USB device.")
    vid: str | None = Field(default=None, pattern=r"^[0-9a-f]{4}$", description="Vendor id, four hexadecimal digits.")
    pid: str | None = Field(default=None, pattern=r"^[0-9a-f]{4}$", description="Product id, four hexadecimal digits.")
    path: str | None = Field(default=None, pattern=r"^[0-9]+-[0-9]+(\.[0-9]+)*$", description="USB socket, such as 1-1.2.")
    interface: int | None = Field(default=None, ge=0, le=255, description="Interface number, for devices with several ports.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.serial is None and self.path is None:
            raise ValueError(
                "a serial number or a path (USB socket) is needed: vid and pid alone do not tell two of a kind apart"
            )
        return self

    def fits(self, one: "Plugged") -> bool:
        """Whether this device is the one."""
        wanted = (self.serial, self.vid, self.pid, self.path, self.interface)
        has = (one.serial, one.vid, one.pid, one.path, one.interface)
        return all(want is None or want == got for want, got in zip(wanted, has, strict=True))

    def __str__(self) -> str:
        return " ".join(f"{name} {value}" for name, value in self.model_dump(exclude_none=True).items())


@dataclass(frozen=True, slots=True)
class Plugged:
    """One device node and the USB device behind it."""

    node: str
    vid: str
    pid: str
    serial: str | None
    path: str
    interface: int | None
    maker: str
    product: str

    def twins(self, others: Sequence["Plugged"]) -> list["Plugged"]:
        """Others that their serial number does not tell apart from this one: none has one, or it is the same."""
        return [
            one
            for one in others
            if one.node != self.node
            and (one.vid, one.pid, one.serial, one.interface) == (self.vid, self.pid, self.serial, self.interface)
        ]

    def match(self, others: Sequence["Plugged"]) -> UsbMatch:
        """How to name this one so that it is found again: by serial number where that tells it apart, else by socket."""
        if self.serial is not None and not self.twins(others):
            return UsbMatch(serial=self.serial, vid=self.vid, pid=self.pid, interface=self._interface(others))
        return UsbMatch(vid=self.vid, pid=self.pid, path=self.path, interface=self._interface(others))

    def _interface(self, others: Sequence["Plugged"]) -> int | None:
        several = any(one.path == self.path and one.node != self.node for one in others)
        return self.interface if several else None


def plugged(subsystem: str) -> list[Plugged]:
    """All USB devices with a node of that subsystem (`tty`, `hidraw`, `input`), by socket. Reads sysfs; may block briefly."""
    found = [one for device in pyudev.Context().list_devices(subsystem=subsystem) if (one := _plugged(device)) is not None]
    return sorted(found[:MAX_PLUGGED], key=lambda one: (one.path, one.interface or 0, one.node))


def find(subsystem: str, match: UsbMatch) -> str:
    """The node of the device that is meant. Raises LinkLost when it is not plugged in, or when two cannot be told apart."""
    every = plugged(subsystem)
    fitting = [one for one in every if match.fits(one)]
    if len(fitting) == 1:
        return fitting[0].node
    if fitting:
        where = ", ".join(one.path for one in fitting)
        raise LinkLost(f"several devices are {match} (in {where}): name the USB socket with path")
    if match.path is not None and (there := [one for one in every if one.path == match.path]):
        raise LinkLost(
            f"another device is in USB socket {match.path}: {there[0].vid}:{there[0].pid} {there[0].product}".rstrip()
        )
    raise LinkLost(f"not plugged in: {match}")


def _plugged(device: pyudev.Device) -> Plugged | None:
    node = device.device_node
    usb = device.find_parent("usb", "usb_device")
    if node is None or usb is None:
        return None
    interface = device.find_parent("usb", "usb_interface")
    number = _attribute(interface, "bInterfaceNumber") if interface is not None else None
    return Plugged(
        node=node,
        vid=(_attribute(usb, "idVendor") or "").lower(),
        pid=(_attribute(usb, "idProduct") or "").lower(),
        serial=_attribute(usb, "serial"),
        path=usb.sys_name,
        interface=int(number, 16) if number else None,
        maker=_attribute(usb, "manufacturer") or "",
        product=_attribute(usb, "product") or "",
    )


def _attribute(device: pyudev.Device, name: str) -> str | None:
    raw = device.attributes.get(name)
    text = raw.decode("utf-8", "replace").strip() if isinstance(raw, bytes) else None
    return text or None
