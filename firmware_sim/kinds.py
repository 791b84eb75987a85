"""What kinds of simulated devices are made of: how one is built from its part of a site file, and how it is plugged in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from firmware_sim.balance import Balance
from firmware_sim.config import DeviceConfig, ReaderConfig, ScaleConfig, as_site_fault
from firmware_sim.device import Simulated
from firmware_sim.errors import SiteFault
from firmware_sim.plugged import Clock, Plug
from firmware_sim.specs import ReaderSpec, TerminalSpec


@dataclass(frozen=True, slots=True)
class Building:
    """What a device is built from. `options` holds the kind's own settings with every default filled in."""

    config: DeviceConfig
    seed: int
    now_ns: int
    options: Mapping[str, object]

    def balance(self) -> Balance:
        """The physics of a scale, with its starting load."""
        scale = self.config.scale or ScaleConfig()
        balance = Balance(scale.balance(), self.seed)
        if scale.load:
            balance.put(scale.load, self.now_ns)
        return balance

    def terminal(self) -> TerminalSpec:
        return (self.config.scale or ScaleConfig()).terminal()

    def reader(self) -> ReaderSpec:
        return (self.config.reader or ReaderConfig()).spec()


PlugMaker = Callable[[Simulated, DeviceConfig, Path, Clock], Plug]
"""Plugs a device in that is not a stream of bytes (a Modbus server, a web camera); the path is the site's folder."""


@dataclass(frozen=True, slots=True)
class SimulatorKind:
    """One kind of simulated device. `settings` names the table of a site file that sets it up, beside `options`."""

    name: str
    title: str
    speaks: str
    settings: Literal["scale", "reader", "none"]
    build: Callable[[Building], Simulated]
    options: type[BaseModel] | None = None
    plug: PlugMaker | None = None

    def make(self, config: DeviceConfig, seed: int, now_ns: int) -> Simulated:
        """A device. Raises SiteFault with the key of what does not fit."""
        for table in ("scale", "reader"):
            if getattr(config, table) is not None and table != self.settings:
                raise SiteFault(f"a {self.name} has no [{table}]", key=table)
        return self.build(Building(config, seed, now_ns, self._options(config)))

    def _options(self, config: DeviceConfig) -> Mapping[str, object]:
        if self.options is None:
            if config.options:
                raise SiteFault(f"a {self.name} has no options", key="options")
            return {}
        try:
            return self.options.model_validate(dict(config.options)).model_dump()
        except ValidationError as exc:
            fault = as_site_fault(exc)
            raise SiteFault(fault.message, key=f"options.{fault.key}") from exc
