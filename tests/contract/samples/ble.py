"""Frames and arguments of the drivers in the area `ble`."""

from drivers.envelope import Message

BASE = "-0000-1000-8000-00805f9b34fb"


def _gatt(number: str, payload: str) -> bytes:
    return Message(f"0000{number}{BASE}", bytes.fromhex(payload)).to_bytes()


def _at(origin: str, *payloads: str) -> list[bytes]:
    return [Message(origin, bytes.fromhex(payload)).to_bytes() for payload in payloads]


SAMPLES: dict[str, list[bytes]] = {
    "ble-weight-scale": [
        _gatt("2a9d", "005046"),
        _gatt("2a9d", "0ef435e6070b160a1e0001f6000607"),
        _gatt("2a9d", "00ffff"),
        _gatt("2a9e", "00000000"),
        _gatt("2a19", "64"),
        *_at(f"absent:00002a9e{BASE}", ""),
        *_at(f"absent:00002a9d{BASE}", ""),
    ],
    "ble-body-composition": [_gatt("2a9c", "0004fa005046"), _gatt("2a9c", "0624b2070101002e3800004c04")],
    "ble-environment": [_gatt("2a6e", "2909"), _gatt("2a6f", "8813"), _gatt("2a6d", "50760f00"), _gatt("2a6e", "0080")],
    "ble-thermometer": [_gatt("2a1c", "006e0100ff"), _gatt("2a1c", "00ffff7f00"), _gatt("2a1e", "006e0100ff")],
    "ble-battery": [_gatt("2a19", "63")],
    "xiaomi-scale-v1": _at(f"adv:0000181d{BASE}", "223e30e607020e10293a", "a23e30e607020e10293a", "023e30e607020e102900"),
    "xiaomi-scale-v2": _at(f"adv:0000181b{BASE}", "0226e607020e10293af7019a38", "0324e607020e10293a0000f136"),
    "atomax-skale": _at("adv:manufacturer:33263", "ef81b900", "ef814effaabb"),
    "acaia": _at(
        "49535343-1e4d-4bd9-ba61-23c647249616",
        "efdd0c0805d20400000100db09",
        "efdd08095d020201000101000d60",
        "efdd0c0306646706",
    ),
    "decent-scale": _at(
        f"0000fff4{BASE}", "03ce00b9000074", "03cafff40000c2", "030a0101000108", "03aa01020000aa", "03ce00b9010203000074"
    ),
    "sylvac-sds": [
        _gatt("5020", "ffffff7f"),
        _gatt("5021", "0013"),
        *_at(f"00005020{BASE}/00002904{BASE}", "10f70127010000"),
        _gatt("2a19", "50"),
    ],
    "sylvac-sms": [
        *_at("c1b25010-caaf-6d0e-4c33-7dae30052840", b"+012.345\r".hex(), b"-000.500".hex()),
        *_at("c1b25013-caaf-6d0e-4c33-7dae30052840", b"MM\r".hex(), b"ERR3\r".hex()),
        *_at("absent:c1b25010-caaf-6d0e-4c33-7dae30052840", ""),
    ],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
