"""Frames and arguments of the drivers in the area `scanners`."""

from drivers.envelope import Message


def report(identifier: bytes, data: bytes, *, more: bool = False) -> bytes:
    """Input report 2 of a HID POS reader, in its envelope."""
    head = bytes([2, len(data)]) + identifier + data
    return Message("report", head.ljust(63, b"\x00") + bytes([more])).to_bytes()


def keys(*codes: int) -> bytes:
    """Key codes pressed and released one after the other, in their envelope."""
    events = b"".join(
        (1).to_bytes(2, "big") + code.to_bytes(2, "big") + value.to_bytes(4, "big") for code in codes for value in (1, 0)
    )
    return Message("keys", events).to_bytes()


SAMPLES: dict[str, list[bytes]] = {
    "serial-scanner": [b"]E07290001234563\r", b"]C110AB\x1d21C\r", b"NR\r", b"plain\r"],
    "hid-pos-scanner": [
        report(b"]E0", b"7290001234563"),
        report(b"]C1", b"10AB\x1d21C"),
        report(b"\x00\x00\x00", b"plain"),
        report(b"]Q1", b"x" * 56, more=True) + report(b"]Q1", b"end"),
        Message("report", (b"\x01\x05PLAIN").ljust(64, b"\x00")).to_bytes(),
    ],
    "keyboard-scanner": [
        keys(*(8, 3, 10, 11, 11, 11, 2, 3, 4, 5, 6, 7, 4), 28),  # 7290001234563 Enter
        keys(30, 48, 15),  # ab Tab
        keys(2, 66, 3, 28),  # 1 F8 2 Enter
    ],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
