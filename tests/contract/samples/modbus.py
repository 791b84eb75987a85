"""Frames and arguments of the drivers in the area `modbus`."""

SAMPLES: dict[str, list[bytes]] = {}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
