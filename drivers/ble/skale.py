"""Atomax Skale: the weight in tenths of a gram stands in the manufacturer data of its advertisements.

Not published by the maker. Source: theengs/decoder, device SKALE and tests/BLE/test_ble.cpp.
"""

from collections.abc import Mapping, Sequence

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Reading, Settings, Tier
from drivers.ble.conversation import BleCodec, Conversation
from drivers.ble.fields import FieldFault, scaled, signed
from drivers.ble.uuids import MANUFACTURER
from drivers.settings import own_settings, read_settings

COMPANY = b"\xef\x81"
"""First two bytes of the manufacturer data; not a number that the Bluetooth SIG assigned."""

ORIGIN = f"{MANUFACTURER}{int.from_bytes(COMPANY, 'little')}"

MAX_SIZE = 29
"""Bytes: what a legacy advertisement leaves for manufacturer data (Bluetooth Core Specification 5.4, vol. 6, part B, 2.3.1)."""


class SkaleSettings(Settings):
    """An Atomax Skale; it has nothing to set."""


def read_skale(payload: bytes, raw: bytes) -> Sequence[Decoded]:
    """Manufacturer data: the mark, the weight, and bytes of unknown meaning."""
    if not payload.startswith(COMPANY) or len(payload) > MAX_SIZE:
        return [Malformed("not the manufacturer data of a Skale", raw)]
    try:
        value = scaled(signed(payload, 2), "0.1")
    except FieldFault as exc:
        return [Malformed(str(exc), raw)]
    return [Reading(Kind.MASS, value, "g", frozenset(), raw)]


def _codec() -> BleCodec:
    # No time stamp: two equal advertisements may be two equal weights, and rest is judged from their repetition.
    return BleCodec(Conversation({ORIGIN: read_skale}))


def _make_codec(settings: Settings) -> Codec:
    own_settings(SkaleSettings, settings)
    return _codec()


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    read_settings(SkaleSettings, values)
    codec = _codec()
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="atomax-skale",
        title="Atomax Skale",
        kinds=frozenset({Kind.MASS}),
        transports=("ble",),
        models=("Atomax Skale I, Skale II",),
        sources=("theengs/decoder, device SKALE",),
        modes=(Mode.STREAM,),
        tier=Tier.NONE,
        notes=("There is no stability flag: rest is judged from equal weights in a row.",),
        unofficial=True,
    ),
    settings=SkaleSettings,
    make_codec=_make_codec,
    decode=_decode,
)
