"""How Bluetooth names things, as the origins of envelopes: characteristics, advertisements, and what is asked of a link."""

_BASE = "-0000-1000-8000-00805f9b34fb"
"""The Bluetooth base UUID (Bluetooth Core Specification 5.4, vol. 3, part B, 2.5.1)."""

NOTIFY = "notify:"
"""Origin of an empty envelope to the link: `notify:<characteristic>` asks for its notifications or indications."""

READ = "read:"
"""As NOTIFY; `read:<characteristic>` or `read:<characteristic>/<descriptor>` asks for the value; it comes under that name."""

ABSENT = "absent:"
"""Origin of an empty envelope from the link: the device has nothing of that name."""

ADVERTISED = "adv:"
"""Origin of service data in an advertisement: `adv:<service>`."""

MANUFACTURER = "adv:manufacturer:"
"""Origin of manufacturer data: `adv:manufacturer:<company number>`; the payload starts with that number, as on the air."""


def full(number: int) -> str:
    """The 128-bit form of an assigned 16-bit number, in lower case."""
    return f"{number:08x}{_BASE}"


def short(origin: str) -> str:
    """A name for people: the 16-bit number where it is an assigned one."""
    return origin[4:8] if origin.endswith(_BASE) and origin.startswith("0000") else origin
