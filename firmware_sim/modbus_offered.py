"""The simulated devices of the area `modbus`."""

from firmware_sim.kinds import SimulatorKind

SIMULATORS: tuple[SimulatorKind, ...] = ()
