"""The simulated devices of the area `camera`."""

from firmware_sim.kinds import SimulatorKind

SIMULATORS: tuple[SimulatorKind, ...] = ()
