"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import CaptureFault, Decoder, settings_of, wire_bytes
from drivers.envelope import MARK, Message
from drivers.modbus.adu import READ_BITS, READS, Query, rtu_answers
from drivers.modbus.driver import GENERIC, driver_of, shipped
from drivers.modbus.mapping import RegisterMap, read_map
from drivers.modbus.registers import TYPE_NAMES
from drivers.vocabulary import Described, describe, fault

SHIPPED: Mapping[str, Driver] = {name: driver_of(one) for name, one in shipped().items()}
"""Drivers by the names of their maps."""

DRIVERS: tuple[Driver, ...] = (*SHIPPED.values(), GENERIC)

_PLAIN = {name.replace("-", ""): name for name in SHIPPED}


def _rtu(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    """Answers as they were on the line, one or many; what was asked is taken from the map and `first_register`."""
    data = wire_bytes(wire)
    driver, register_map = _chosen(params)
    values = settings_of(driver, params)
    if data[:1] == bytes([MARK]):
        return [describe(item) for item in driver.decode(data, values)] or [fault("no frame")]
    first = params.get("first_register")
    if first is not None and not (isinstance(first, int) and 0 <= first <= 165_535):
        raise CaptureFault("first_register is a number")
    if register_map is not None and first is not None:
        begins = next((block for block in register_map.blocks if block.start <= first < block.start + block.count), None)
        if begins is not None:
            # Where the capture begins inside of what the map reads; the list itself is where the map says.
            values.pop("first_register", None)
    found: list[Described] = []
    for frame, whole in rtu_answers(data):
        if whole:
            envelope = Message(_query(frame, register_map, first).to_origin(), frame).to_bytes()
            found += [describe(item) for item in driver.decode(envelope, {**values, "unit_id": frame[0]})]
        else:
            found.append(fault("bytes that are no answer: a wrong check, or another protocol"))
    return found or [fault("no frame")]


def _chosen(params: Mapping[str, object]) -> tuple[Driver, RegisterMap | None]:
    """The driver that `map` or `type` names, with its map; the one for a single register for the type of a number."""
    own = params.get("map")
    if isinstance(own, Mapping):
        return GENERIC, read_map(own)
    for key in ("map", "type"):
        wanted = params.get(key)
        if not isinstance(wanted, str):
            continue
        name = _PLAIN.get(wanted.replace("-", ""))
        if name is not None:
            return SHIPPED[name], shipped()[name].map_
        if key == "map" or wanted.lower() not in TYPE_NAMES:
            raise CaptureFault(f"no map {wanted[:40]!r}: {', '.join(SHIPPED)}")
    return GENERIC, None


def _query(frame: bytes, register_map: RegisterMap | None, first: int | None) -> Query:
    """What was asked, as far as an answer and its map tell."""
    function = frame[1] & 0x7F
    count = 1
    if frame[1] in READS:
        count = max(frame[2] * 8 if function in READ_BITS else frame[2] // 2, 1)
    if register_map is None:
        return Query(frame[0], function, first or 0, count)
    block = next((block for block in register_map.blocks if block.function == function), register_map.blocks[0])
    start = (block.start if first is None else first) - register_map.zero
    if start < 0:
        raise CaptureFault(f"first_register: the device's registers begin at {register_map.zero}")
    return Query(frame[0], function, start, count)


DECODERS: Mapping[str, Decoder] = {"modbus-rtu": _rtu}
