"""USB trees as umockdev describes them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Adapter:
    """One USB-serial adapter: socket, ids, serial number, and the number that its node got."""

    path: str
    vid: str = "1a86"
    pid: str = "7523"
    serial: str | None = None
    tty: int = 0
    product: str = "USB Serial"


def tree(*adapters: Adapter) -> str:
    """A description for `umockdev-run -d`."""
    return "\n".join(
        ["P: /devices/pci/usb1\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nA: idVendor=1d6b\\n\n", *map(_adapter, adapters)]
    )


def hid_scales(*sockets: str) -> str:
    """Equal USB HID scales without serial numbers; the first has /dev/hidraw0."""
    parts = [tree()]
    for number, path in enumerate(sockets):
        usb = f"/devices/pci/usb1/{path}"
        parts.append(
            f"P: {usb}\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nA: idVendor=0922\\n\nA: idProduct=8003\\n\n\n"
            f"P: {usb}/{path}:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: bInterfaceNumber=00\\n\n\n"
            f"P: {usb}/{path}:1.0/0003:0922:8003.000{number}/hidraw/hidraw{number}\nN: hidraw{number}\n"
            f"E: DEVNAME=/dev/hidraw{number}\nE: SUBSYSTEM=hidraw\n"
        )
    return "\n".join(parts)


def _adapter(one: Adapter) -> str:
    usb = f"/devices/pci/usb1/{one.path}"
    serial = f"A: serial={one.serial}\\n\n" if one.serial else ""
    return (
        f"P: {usb}\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nA: idVendor={one.vid}\\n\nA: idProduct={one.pid}\\n\n"
        f"A: product={one.product}\\n\n{serial}\n"
        f"P: {usb}/{one.path}:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: bInterfaceNumber=00\\n\n\n"
        f"P: {usb}/{one.path}:1.0/ttyUSB{one.tty}/tty/ttyUSB{one.tty}\nN: ttyUSB{one.tty}\n"
        f"E: DEVNAME=/dev/ttyUSB{one.tty}\nE: SUBSYSTEM=tty\nE: MAJOR=188\nE: MINOR={one.tty}\n"
    )
