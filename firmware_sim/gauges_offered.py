"""The simulated devices of the area `gauges`."""

from firmware_sim.kinds import SimulatorKind

SIMULATORS: tuple[SimulatorKind, ...] = ()
