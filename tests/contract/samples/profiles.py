"""Frames and arguments of the drivers in the area `profiles`: the lines of their own examples."""

from drivers.profiles.loading import load, read_text
from drivers.profiles.offered import SHIPPED
from drivers.profiles.own import EXAMPLE

SAMPLES: dict[str, list[bytes]] = {
    name: [example.line.encode("latin-1") for example in load(read_text(path), path.name).profile.examples]
    for name, path in [("profile", EXAMPLE), *((path.stem, path) for path in sorted(SHIPPED.glob("*.toml")))]
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
