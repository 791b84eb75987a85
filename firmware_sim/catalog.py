"""The simulated devices by name, and how to serve one by itself to anyone who connects."""

import asyncio
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from firmware_sim.config import SiteConfig, make_site, read_site
from firmware_sim.errors import SiteFault
from firmware_sim.offered import SIMULATORS
from firmware_sim.plugged import Clock
from firmware_sim.site import Site, run_site

__all__ = ["SCENARIOS", "SIMULATORS", "scenario", "serve"]

SCENARIOS = ("demo", "receipt")


def scenario(name: str) -> SiteConfig:
    """A site that comes with the package; raises SiteFault for an unknown name."""
    if name not in SCENARIOS:
        raise SiteFault(f"unknown scenario {name[:40]!r}: one of {', '.join(SCENARIOS)}", key="scenario")
    return read_site((files("firmware_sim") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8"))


async def serve(
    name: str,
    *,
    tcp_port: int | None = None,
    pty_path: Path | None = None,
    seed: int = 0,
    load_grams: str = "0",
    control_port: int | None = None,
    clock: Clock = time.monotonic_ns,
    announce: Callable[[Site], None] = lambda _site: None,
) -> None:
    """Serve one simulated device on a TCP port of the loopback address or on a pseudo-terminal, until cancelled.

    `announce` is called once it can be reached. Raises SiteFault for an unknown name or setting, WireTaken for a taken address.
    """
    known = {simulator.name: simulator for simulator in SIMULATORS}
    if name not in known:
        raise SiteFault(f"unknown simulator {name[:40]!r}: one of {', '.join(known)}", key="name")
    if (tcp_port is None) == (pty_path is None):
        raise SiteFault("give either a TCP port or a path for a pseudo-terminal", key="")
    device: dict[str, object] = {"name": name, "kind": name}
    device |= {"tcp": tcp_port} if pty_path is None else {"pty": pty_path.name}
    if known[name].settings == "scale":
        device["scale"] = {"load": load_grams}
    config = make_site({"title": name, "seed": seed, "control_port": control_port, "devices": [device]})
    directory = Path() if pty_path is None else pty_path.parent
    async with run_site(config, directory=directory, clock=clock) as site:
        announce(site)
        await asyncio.get_running_loop().create_future()
