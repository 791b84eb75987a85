"""The simulated devices of the area `gauges`."""

from firmware_sim.gauges_mahr import MahrOptions, Millimar
from firmware_sim.gauges_mitutoyo import DigimaticBox, Idh, IdhOptions, SpcOptions
from firmware_sim.gauges_sylvac import SylvacInstrument, SylvacOptions
from firmware_sim.kinds import SimulatorKind

SIMULATORS: tuple[SimulatorKind, ...] = (
    SimulatorKind(
        "mitutoyo-spc",
        "Mitutoyo gauge at a Digimatic box",
        "any byte or the data button: 01A+0000.123; 91n without a value",
        "none",
        lambda building: DigimaticBox(SpcOptions.model_validate(building.options), building.now_ns),
        SpcOptions,
    ),
    SimulatorKind(
        "mitutoyo-idh",
        "Mitutoyo ID-H indicator",
        "GA CR CN CX CM CW CL DJ with an identifier; GN GX GM GW, CH, DH",
        "none",
        lambda building: Idh(IdhOptions.model_validate(building.options), building.now_ns),
        IdhOptions,
    ),
    SimulatorKind(
        "sylvac-serial",
        "Sylvac dial gauge",
        "? PRI UNI? ID? MOD? BAT? SET? MM IN SET NOR MAX MIN DEL CLE KEY0 KEY1; ERR0 ERR1 ERR3",
        "none",
        lambda building: SylvacInstrument(SylvacOptions.model_validate(building.options), building.now_ns),
        SylvacOptions,
    ),
    SimulatorKind(
        "mahr",
        "Mahr Millimar C1202 amplifier",
        "? M1? M2? M3? ID?; tolerance marks, ERR6 for features that are off",
        "none",
        lambda building: Millimar(MahrOptions.model_validate(building.options), building.now_ns),
        MahrOptions,
    ),
)
