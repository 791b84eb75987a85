"""The simulated devices of the area `modbus`."""

from pydantic import Field

from firmware_sim.kinds import Building, SimulatorKind
from firmware_sim.modbus import UnitOptions, plug
from firmware_sim.modbus_logger import ClimateLogger
from firmware_sim.modbus_scales import Ft112, Laumas


class Ft112Options(UnitOptions):
    """What an FT-112 can be set to do wrong."""

    stuck: bool = Field(default=False)
    """Its weighing part has stopped: it answers, and nothing changes any more."""


def _laumas(building: Building) -> Laumas:
    return Laumas(building.balance(), building.terminal(), building.options)


def _ft112(building: Building) -> Ft112:
    return Ft112(building.balance(), building.terminal(), building.options)


SIMULATORS: tuple[SimulatorKind, ...] = (
    SimulatorKind(
        "modbus-laumas",
        "Laumas weight transmitter",
        "Modbus RTU (pty) or TCP: 40001-40014, commands 7 8 9 in 40006, 32 registers a read",
        "scale",
        _laumas,
        options=UnitOptions,
        plug=plug,
    ),
    SimulatorKind(
        "modbus-ft112",
        "Flintec FT-112 indicator",
        "Modbus RTU (pty) or TCP: 40001-40012 with heartbeat, commands 1 2 3 in 40025, exception 4 for what it cannot do",
        "scale",
        _ft112,
        options=Ft112Options,
        plug=plug,
    ),
    SimulatorKind(
        "modbus-logger",
        "Climate transmitter",
        "Modbus RTU (pty) or TCP: temperature and humidity in tenths, 0x8000 for no sensor",
        "none",
        lambda building: ClimateLogger(building.options),
        options=UnitOptions,
        plug=plug,
    ),
)
