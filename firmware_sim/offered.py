"""All kinds of simulated devices, by name."""

from firmware_sim import camera_offered, gauges_offered, lab_offered, modbus_offered, pos_offered, streams_offered
from firmware_sim.errors import SiteFault
from firmware_sim.kinds import SimulatorKind
from firmware_sim.mt_sics import MtSicsBalance
from firmware_sim.serial_reader import SerialReader

SIMULATORS: tuple[SimulatorKind, ...] = (
    SimulatorKind(
        "mt-sics",
        "Balance or platform scale",
        "MT-SICS levels 0 and 1, SNR, SIX1: S SI SIR SR SNR Z ZI T TI TA TAC D DW K @ I0-I5",
        "scale",
        lambda building: MtSicsBalance(building.balance(), building.terminal()),
    ),
    SimulatorKind(
        "serial-reader",
        "Barcode reader on a serial line",
        "label text with prefix, suffix and AIM identifier; serial trigger SYN T CR; no-read message",
        "reader",
        lambda building: SerialReader(building.reader()),
    ),
    *lab_offered.SIMULATORS,
    *pos_offered.SIMULATORS,
    *streams_offered.SIMULATORS,
    *modbus_offered.SIMULATORS,
    *gauges_offered.SIMULATORS,
    *camera_offered.SIMULATORS,
)

_BY_NAME = {kind.name: kind for kind in SIMULATORS}


def kind_of(name: str) -> SimulatorKind:
    """The kind of that name. Raises SiteFault for an unknown one."""
    kind = _BY_NAME.get(name)
    if kind is None:
        raise SiteFault(f"unknown simulator {name[:40]!r}: one of {', '.join(_BY_NAME)}", key="kind")
    return kind
