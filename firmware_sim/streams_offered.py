"""The simulated devices of the area `streams`."""

from firmware_sim.kinds import SimulatorKind
from firmware_sim.streams_dini import DiniOptions, DiniTerminal
from firmware_sim.streams_rice_lake import RiceLakeIndicator
from firmware_sim.streams_toledo import ToledoOptions, ToledoTerminal
from firmware_sim.streams_yaohua import A9Options, A9Terminal, A12Terminal

SIMULATORS: tuple[SimulatorKind, ...] = (
    SimulatorKind(
        "mt-continuous",
        "Terminal with Toledo continuous output",
        "17 or 11 bytes a frame, with or without a check byte; takes Z T C P",
        "scale",
        lambda building: ToledoTerminal(building.balance(), building.terminal(), building.options),
        options=ToledoOptions,
    ),
    SimulatorKind(
        "dini-argeo",
        "Dini Argeo terminal",
        "READ REXT TARE ZERO CLEAR TMAN VER, R T Z C; on demand or continuous, with or without an address",
        "scale",
        lambda building: DiniTerminal(building.balance(), building.terminal(), building.options),
        options=DiniOptions,
    ),
    SimulatorKind(
        "yaohua-a9",
        "Yaohua XK3190-A9 terminal",
        "continuous frames, = formats in both directions, commands A to D with an address",
        "scale",
        lambda building: A9Terminal(building.balance(), building.terminal(), building.options),
        options=A9Options,
    ),
    SimulatorKind(
        "yaohua-a12e",
        "Yaohua XK3190-A12E terminal",
        "WG and WN lines with check digits, OL and LO",
        "scale",
        lambda building: A12Terminal(building.balance(), building.terminal(), building.options),
    ),
    SimulatorKind(
        "rice-lake",
        "Rice Lake indicator",
        "continuous output; KZERO KTARE KCLRTAR KPRINT",
        "scale",
        lambda building: RiceLakeIndicator(building.balance(), building.terminal(), building.options),
    ),
)
