"""How a recorded capture is given: bytes as hex or text, with the parameters that the wire does not carry."""

from collections.abc import Callable, Mapping

from drivers.api import Decoded, Driver
from drivers.envelope import Message
from drivers.framing import without_parity
from drivers.vocabulary import Described, describe, fault

Decoder = Callable[[Mapping[str, object], Mapping[str, object]], list[Described]]
"""`(wire, params)` of one protocol to at least one description. May raise CaptureFault, and the drivers' SettingsFault."""

MAX_WIRE = 1 << 20
"""Bytes or characters of one capture. A day of a busy scale is split into lines by whoever recorded it."""


class CaptureFault(ValueError):
    """The capture cannot be read as what it says it is; never leaves `drivers.decoding`."""


def wire_bytes(wire: Mapping[str, object]) -> bytes:
    """The bytes of `hex` or `text` (ISO-8859-1, else UTF-8). Raises CaptureFault."""
    match wire.get("hex"), wire.get("text"):
        case str(digits), None:
            try:
                data = bytes.fromhex(digits)
            except ValueError as exc:
                raise CaptureFault("hex holds something other than pairs of hex digits") from exc
        case None, str(text):
            data = _encoded(text)
        case _:
            raise CaptureFault("one of hex and text is expected, as a string")
    if len(data) > MAX_WIRE:
        raise CaptureFault(f"more than {MAX_WIRE} bytes")
    return data


def line_bytes(wire: Mapping[str, object], params: Mapping[str, object]) -> bytes:
    """As `wire_bytes`; with the parameter `parity_bit7` the parity bit is checked and taken off. Raises CaptureFault."""
    data = wire_bytes(wire)
    parity = params.get("parity_bit7")
    if parity is None:
        return data
    if parity not in {"even", "odd"}:
        raise CaptureFault("parity_bit7 is even or odd")
    stripped = without_parity(data, str(parity))
    if stripped is None:
        raise CaptureFault(f"a byte does not carry {parity} parity in bit 7")
    return stripped


def frames(driver: Driver, fixed: Mapping[str, object] | None = None) -> Decoder:
    """A decoder of a driver's byte stream. Parameters that are settings of the driver are handed to it; `fixed` comes first."""

    def run(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
        found: list[Decoded] = list(driver.decode(line_bytes(wire, params), {**(fixed or {}), **settings_of(driver, params)}))
        return [describe(decoded) for decoded in found] or [fault("no frame")]

    return run


def messages(driver: Driver, origin: str, fixed: Mapping[str, object] | None = None) -> Decoder:
    """A decoder of one message's payload, for drivers of message links: the capture is put into an envelope of that origin.

    A capture that is an envelope already is taken as it is.
    """

    def run(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
        data = wire_bytes(wire)
        if not data:
            raise CaptureFault("an empty capture")
        try:
            Message.from_bytes(data)
        except ValueError:
            if len(data) > 65_536:
                raise CaptureFault("more than one message holds") from None
            data = Message(origin, data).to_bytes()
        found = list(driver.decode(data, {**(fixed or {}), **settings_of(driver, params)}))
        return [describe(decoded) for decoded in found] or [fault("no frame")]

    return run


def settings_of(driver: Driver, params: Mapping[str, object]) -> dict[str, object]:
    """Those parameters that are settings of the driver."""
    return {name: value for name, value in params.items() if name in driver.settings.model_fields}


def _encoded(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
