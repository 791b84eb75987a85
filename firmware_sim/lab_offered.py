"""The simulated devices of the area `lab`."""

from firmware_sim.kinds import SimulatorKind

SIMULATORS: tuple[SimulatorKind, ...] = ()
