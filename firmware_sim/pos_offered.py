"""The simulated devices of the area `pos`."""

from firmware_sim.kinds import SimulatorKind
from firmware_sim.pos_cas import CasOptions, CasScale
from firmware_sim.pos_dialog import DialogOptions, DialogScale
from firmware_sim.pos_nci import NciOptions, NciScale
from firmware_sim.pos_penn import PennOptions, PennScale
from firmware_sim.pos_sma import SmaOptions, SmaScale
from firmware_sim.pos_toledo import ToledoOptions, ToledoScale

SIMULATORS: tuple[SimulatorKind, ...] = (
    SimulatorKind(
        "toledo-8217",
        "Till's scale, Toledo 8217 or 8213",
        "W H Z T C A B E F; model 8217, 8213 or a clone of it; tare can be switched off",
        "scale",
        lambda building: ToledoScale(building.balance(), building.terminal(), building.options),
        options=ToledoOptions,
    ),
    SimulatorKind(
        "nci",
        "Scale with NCI (SCP-01)",
        "W H S Z T U; status with or without its letter, pounds with ounces",
        "scale",
        lambda building: NciScale(building.balance(), building.terminal(), building.options),
        options=NciOptions,
    ),
    SimulatorKind(
        "sma",
        "Scale with SMA SCP-0499",
        "W H P Q Z D, level 2 also T M C R A B; ESC",
        "scale",
        lambda building: SmaScale(building.balance(), building.terminal(), building.options),
        options=SmaOptions,
    ),
    SimulatorKind(
        "cas-enq",
        "CAS scale asked with ENQ and DC1",
        "ENQ, DC1; CAS blocks or the cousin's, which are confirmed",
        "scale",
        lambda building: CasScale(building.balance(), building.terminal(), building.options),
        options=CasOptions,
    ),
    SimulatorKind(
        "dialog06",
        "Price-computing scale, Checkout-Dialog 06",
        "records 01 08 10, answers 02 09 11; log-on with checksums where a polynomial is given",
        "scale",
        lambda building: DialogScale(building.balance(), building.terminal(), building.options),
        options=DialogOptions,
    ),
    SimulatorKind(
        "penn",
        "Pennsylvania 7600 counting scale",
        "SGW SNW STW SCO SVN ZRO ATW ITW; echo off, on, or without its first letters",
        "scale",
        lambda building: PennScale(building.balance(), building.terminal(), building.options),
        options=PennOptions,
    ),
)
