"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import CaptureFault, Decoder, settings_of, wire_bytes
from drivers.envelope import MARK, Message
from drivers.modbus.adu import READS, Query, rtu_answers
from drivers.modbus.driver import GENERIC, driver_of, shipped
from drivers.modbus.mapping import RegisterMap
from drivers.modbus.registers import TYPE_NAMES
from drivers.vocabulary import Described, describe, fault

SHIPPED: Mapping[str, Driver] = {name: driver_of(one) for name, one in shipped().items()}
"""Drivers by the names of their maps."""

DRIVERS: tuple[Driver, ...] = (*SHIPPED.values(), GENERIC)

_PLAIN = {name.replace("-", ""): name for name in SHIPPED}


def _rtu(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    """Answers as they were on the line, one or many; what was asked is taken from the map and `first_register`."""
    data = wire_bytes(wire)
    driver, name = _driver_of(params)
    values = settings_of(driver, params)
    if name is None and driver is GENERIC and "map" in params:
        values["map"] = params["map"]
    if data[:1] == bytes([MARK]):
        return [describe(item) for item in driver.decode(data, values)] or [fault("no frame")]
    found: list[Described] = []
    for frame, whole in rtu_answers(data):
        if not whole:
            found.append(fault("bytes that are no answer: a wrong check, or another protocol"))
            continue
        envelope = _envelope(frame, name, params)
        found += [describe(item) for item in driver.decode(envelope, {**values, "unit_id": frame[0]})]
    return found or [fault("no frame")]


def _driver_of(params: Mapping[str, object]) -> tuple[Driver, str | None]:
    """The driver that `map` or `type` names, and its map; the one for a single register for the type of a number."""
    for key in ("map", "type"):
        wanted = params.get(key)
        if not isinstance(wanted, str):
            continue
        name = _PLAIN.get(wanted.replace("-", ""))
        if name is not None:
            return SHIPPED[name], name
        if key == "map" or wanted.lower() not in TYPE_NAMES:
            raise CaptureFault(f"no map {wanted[:40]!r}: {', '.join(SHIPPED)}")
    return GENERIC, None


def _envelope(frame: bytes, name: str | None, params: Mapping[str, object]) -> bytes:
    first = params.get("first_register")
    if first is not None and not (isinstance(first, int) and 0 <= first <= 165_535):
        raise CaptureFault("first_register is a number")
    register_map: RegisterMap | None = None if name is None else shipped()[name].map_
    function = frame[1] & 0x7F
    zero = 0 if register_map is None else register_map.zero
    start = (register_map.blocks[0].start if register_map is not None else 0) if first is None else first
    count = len(frame[3:-2]) // 2 if function in READS and frame[1] == function else 1
    if start < zero:
        raise CaptureFault(f"first_register: the device's registers begin at {zero}")
    return Message(Query(frame[0], function, start - zero, max(count, 1)).to_origin(), frame).to_bytes()


DECODERS: Mapping[str, Decoder] = {"modbus-rtu": _rtu}
