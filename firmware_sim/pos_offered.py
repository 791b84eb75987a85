"""The simulated devices of the area `pos`."""

from firmware_sim.kinds import SimulatorKind

SIMULATORS: tuple[SimulatorKind, ...] = ()
