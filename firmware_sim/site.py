"""A running site: its devices on their wires, what an operator can do with them, and its scenario."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from firmware_sim import actions
from firmware_sim.actions import Action, read_action
from firmware_sim.config import DeviceConfig, LineConfig, SiteConfig
from firmware_sim.control import serve_control
from firmware_sim.device import Simulated
from firmware_sim.errors import SiteFault
from firmware_sim.offered import kind_of
from firmware_sim.plugged import Clock, Plug, PluggedDevice
from firmware_sim.scenario import play
from firmware_sim.wires import PtyWire, TcpWire, Wire

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SiteDevice:
    """One device with its operator. Methods that do not fit the kind of device raise ActionRefused."""

    name: str
    kind: str
    device: Simulated
    plugged: Plug
    clock: Clock

    @property
    def address(self) -> str:
        """The path of the pseudo-terminal, host:port, or a web address."""
        return self.plugged.address

    async def put(self, grams: str) -> None:
        await self.act({"action": "put", "grams": grams})

    async def remove(self, grams: str | None = None) -> None:
        await self.act({"action": "remove"} if grams is None else {"action": "remove", "grams": grams})

    async def press(self, key: str) -> None:
        await self.act({"action": "press", "key": key})

    async def press_zero(self) -> None:
        await self.press("zero")

    async def power_cycle(self) -> None:
        await self.act({"action": "power_cycle"})

    async def scan(self, text: str, symbology_id: str | None = None) -> None:
        await self.act({"action": "scan", "text": text, "symbology_id": symbology_id})

    async def trigger(self) -> None:
        await self.act({"action": "trigger"})

    async def no_read(self) -> None:
        await self.act({"action": "no_read"})

    async def unplug(self) -> None:
        await self.act({"action": "unplug"})

    async def replug(self) -> None:
        await self.act({"action": "replug"})

    async def faults(self, faults: LineConfig) -> None:
        await self.perform(actions.Faults(device=self.name, action="faults", faults=faults))

    async def state(self) -> Mapping[str, object]:
        return await self.act({"action": "state"})

    async def act(self, request: Mapping[str, object]) -> Mapping[str, object]:
        """Do an action given as data. Raises SiteFault when it is badly described, ActionRefused when it cannot be done."""
        return await self.perform(read_action({"device": self.name, **request}))

    async def perform(self, action: Action) -> Mapping[str, object]:
        match action:
            case actions.Unplug():
                self.plugged.unplug()
            case actions.Replug():
                await self.plugged.replug()
            case actions.Faults():
                self.plugged.set_faults(action.faults.faults())
            case actions.State():
                whole = {"kind": self.kind, "address": self.address, "plugged": self.plugged.is_plugged}
                return whole | dict(self.device.state(self.clock()))
            case _:
                self.plugged.say(self.device.act(action, self.clock()))
        return {}


class Site:
    """The devices of a running site by name; `control_port` is where other processes can act, None where that is off."""

    def __init__(self, config: SiteConfig, devices: Mapping[str, SiteDevice]) -> None:
        self.config = config
        self.devices = devices
        self.control_port: int | None = None
        self._played = asyncio.Event()

    def device(self, name: str) -> SiteDevice:
        try:
            return self.devices[name]
        except KeyError as exc:
            raise SiteFault(f"there is no device {name[:40]!r}, only {', '.join(self.devices)}", key="device") from exc

    async def perform(self, request: Mapping[str, object]) -> Mapping[str, object]:
        """Do what a scenario's step or a control request says; gives what there is to tell. Raises SiteFault, ActionRefused."""
        if request.get("action") == "list":
            return {"devices": {name: await device.state() for name, device in self.devices.items()}}
        action = read_action(request)
        return await self.device(action.device).perform(action)

    async def played(self) -> None:
        """Wait for the end of the scenario."""
        await self._played.wait()

    async def play(self, clock: Clock) -> None:
        """Play the scenario. A step that cannot be done is logged, and the day goes on."""
        await play(self.config.steps, self.perform, clock=clock, speed=self.config.speed)
        self._played.set()


@asynccontextmanager
async def run_site(config: SiteConfig, *, directory: Path, clock: Clock = time.monotonic_ns) -> AsyncIterator[Site]:
    """Run a site while the block runs: links of pseudo-terminals are made in `directory`.

    Raises WireTaken when an address is not free, and SiteFault when a device or a step of the scenario is badly described.
    """
    _check_steps(config)
    devices = {
        device.name: _placed(number, device, directory, config.seed, clock) for number, device in enumerate(config.devices)
    }
    site = Site(config, devices)
    try:
        for device in devices.values():
            await device.plugged.start()
        async with serve_control(site.perform, config.control_port) as site.control_port, asyncio.TaskGroup() as group:
            tasks = [group.create_task(device.plugged.run()) for device in devices.values()]
            tasks.append(group.create_task(site.play(clock)))
            log.info("site_started", title=config.title, devices=len(devices), control_port=site.control_port)
            yield site
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failures:
        # What the block raised comes out as it was, not as the task group wraps it.
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0] from None
        raise
    finally:
        for device in devices.values():
            device.plugged.close()
        # One turn of the loop, in which aborted connections are closed for good.
        await asyncio.sleep(0)


def _check_steps(config: SiteConfig) -> None:
    """Everything a scenario will do is read before anything starts."""
    names = [device.name for device in config.devices]
    for number, step in enumerate(config.steps):
        if step.device not in names:
            raise SiteFault(f"there is no device {step.device[:40]!r}, only {', '.join(names)}", key=f"steps.{number}.device")
        try:
            read_action(step.request())
        except SiteFault as exc:
            raise SiteFault(exc.message, key=f"steps.{number}.{exc.key}") from exc


def _placed(number: int, config: DeviceConfig, directory: Path, seed: int, clock: Clock) -> SiteDevice:
    try:
        return _make_device(config, directory, seed + number, clock)
    except SiteFault as exc:
        raise SiteFault(exc.message, key=f"devices.{number}.{exc.key}") from exc


def _make_device(config: DeviceConfig, directory: Path, seed: int, clock: Clock) -> SiteDevice:
    kind = kind_of(config.kind)
    device = kind.make(config, seed, clock())
    if kind.plug is not None:
        return SiteDevice(config.name, config.kind, device, kind.plug(device, config, directory, clock), clock)
    plugged = PluggedDevice(device, _make_wire(config, directory), clock=clock, seed=seed, faults=config.faults.faults())
    return SiteDevice(config.name, config.kind, device, plugged, clock)


def _make_wire(config: DeviceConfig, directory: Path) -> Wire:
    if config.pty is not None:
        link = directory / config.pty
        link.parent.mkdir(parents=True, exist_ok=True)
        return PtyWire(link)
    return TcpWire(config.host, config.tcp or 0)
