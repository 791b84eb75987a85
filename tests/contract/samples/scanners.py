"""Frames and arguments of the drivers in the area `scanners`."""

SAMPLES: dict[str, list[bytes]] = {
    "serial-scanner": [b"]E07290001234563\r", b"]C110AB\x1d21C\r", b"NR\r", b"plain\r"],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
