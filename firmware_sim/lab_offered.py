"""The simulated devices of the area `lab`."""

from collections.abc import Callable

from firmware_sim.kinds import Building, SimulatorKind
from firmware_sim.lab_adam import Adam, AdamOptions
from firmware_sim.lab_and import AndOptions, AndStandard
from firmware_sim.lab_kern import KernOptions, KernPrint
from firmware_sim.lab_ohaus import OhausPrint
from firmware_sim.lab_radwag import Radwag
from firmware_sim.lab_sartorius import SartoriusSbi, SbiOptions
from firmware_sim.lab_xbpi import SartoriusXbpi
from firmware_sim.weighing import WeighingDevice


def _scale(device: type[WeighingDevice]) -> Callable[[Building], WeighingDevice]:
    return lambda building: device(building.balance(), building.terminal(), building.options)


SIMULATORS: tuple[SimulatorKind, ...] = (
    SimulatorKind(
        "sartorius-sbi",
        "Sartorius balance",
        "ESC P T U V S x1_ x2_ x3_; 16 or 22 characters, automatic output",
        "scale",
        build=_scale(SartoriusSbi),
        options=SbiOptions,
    ),
    SimulatorKind(
        "sartorius-xbpi",
        "Sartorius balance in binary mode",
        "xBPI questions: net, gross, tare, status, tare, zero, factory number, model",
        "scale",
        build=_scale(SartoriusXbpi),
    ),
    SimulatorKind(
        "and-standard",
        "A&D balance",
        "Q S SI SIR C R T Z, with AK and EC where switched on",
        "scale",
        build=_scale(AndStandard),
        options=AndOptions,
    ),
    SimulatorKind("ohaus-print", "Ohaus scale", "P IP SP CP 0P Z T V", "scale", build=_scale(OhausPrint)),
    SimulatorKind("radwag", "Radwag balance", "S SI SU SUI C1 C0 CU1 CU0 Z T OT UT NB BN", "scale", build=_scale(Radwag)),
    SimulatorKind(
        "kern-print",
        "Kern balance or platform scale",
        "letters w s t, or W S T Z with ST,GS lines",
        "scale",
        build=_scale(KernPrint),
        options=KernOptions,
    ),
    SimulatorKind(
        "adam",
        "Adam balance",
        "CPWplus (Z N G T), AZExtra (P Z T), PGL (!KT !KP) and 16-character lines",
        "scale",
        build=_scale(Adam),
        options=AdamOptions,
    ),
)
