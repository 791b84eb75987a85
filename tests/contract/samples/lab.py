"""Frames and arguments of the drivers in the area `lab`."""

SAMPLES: dict[str, list[bytes]] = {
    "mt-sics": [b"S S     100.00 g\r\n", b"S D 1.5 kg\r\n", b"S +\r\n", b"ES\r\n", b'I4 A "1"\r\n', b"Z A\r\n"],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {("mt-sics", "preset_tare"): "12.5 g"}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
