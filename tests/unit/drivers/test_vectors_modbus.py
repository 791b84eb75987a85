"""Captures of Modbus answers: whole, in pieces, glued, dirty and torn."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drivers import registry
from drivers.api import Decoded, Malformed
from drivers.decoding import decode
from drivers.envelope import Message
from drivers.settings import read_settings
from drivers.vocabulary import describe

ROOT = Path(__file__).resolve().parents[3]

QUERIES = {
    "ft112": ("modbus-ft-112", "read:1:3:0:8"),
    "laumas": ("modbus-laumas", "read:1:3:6:5"),
    "float32": ("modbus", "read:240:3:0:2"),
}
"""What was asked, which the captures do not hold."""

AT_LEAST = 8
"""Captures that there are; fewer would mean that they are no longer found."""


def _vectors() -> list[Any]:
    file = Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors")) / "scales.jsonl"
    if not file.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no vectors in {file.parent} (set TALLYBOX_VECTORS)"))]
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return [pytest.param(line, id=str(number)) for number, line in enumerate(lines) if line["protocol"] == "modbus-rtu"]


every_vector = pytest.mark.parametrize("capture", _vectors())


def is_as_expected(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """The reason of an error is ours to word."""
    return {name: value for name, value in found.items() if name != "reason"} == expected


def read_in_pieces(capture: dict[str, Any], pieces: list[bytes]) -> list[Decoded]:
    name, _ = QUERIES[capture["params"]["type"]]
    driver = registry.get(name)
    fields = driver.settings.model_fields
    params = {key: value for key, value in capture["params"].items() if key in fields and key != "first_register"}
    unit_id = bytes.fromhex(capture["hex"])[0]
    codec = driver.make_codec(read_settings(driver.settings, {**params, "unit_id": unit_id}))
    return [item for piece in pieces for item in codec.receive(piece, 0)] + codec.finish()


def envelope(capture: dict[str, Any]) -> bytes:
    return Message(QUERIES[capture["params"]["type"]][1], bytes.fromhex(capture["hex"])).to_bytes()


def test_all_captures_are_there() -> None:
    params = _vectors()
    assert len(params) >= AT_LEAST or params[0].marks


@every_vector
def test_capture_means_what_its_source_says(capture: dict[str, Any]) -> None:
    (found,) = decode("modbus-rtu", {"hex": capture["hex"]}, capture["params"])
    assert is_as_expected(found, capture["expect"])


@every_vector
def test_capture_means_the_same_byte_by_byte_and_twice(capture: dict[str, Any]) -> None:
    data = envelope(capture)
    for pieces in ([data], [bytes([byte]) for byte in data]):
        (item,) = read_in_pieces(capture, pieces)
        assert is_as_expected(describe(item), capture["expect"])
        assert item.raw == data
    assert [is_as_expected(describe(item), capture["expect"]) for item in read_in_pieces(capture, [data * 2])] == [True, True]


@every_vector
@pytest.mark.parametrize("noise", [b"\x00", b"\x01\x03", b"\xff" * 40, b"weighing\r\n"])
def test_noise_before_and_between_is_named_and_costs_nothing(capture: dict[str, Any], noise: bytes) -> None:
    wire = {"hex": (noise + bytes.fromhex(capture["hex"]) + noise + bytes.fromhex(capture["hex"]) + noise).hex()}
    found = decode("modbus-rtu", wire, capture["params"])
    assert [set(item) == {"error", "reason"} for item in found] == [True, False, True, False, True]
    assert all(is_as_expected(item, capture["expect"]) for item in found[1::2])
    items = read_in_pieces(capture, [noise + envelope(capture) + noise + envelope(capture)])
    assert [isinstance(item, Malformed) for item in items] == [True, False, True, False]
    assert all(is_as_expected(describe(item), capture["expect"]) for item in items[1::2])


@every_vector
def test_torn_or_spoilt_capture_never_gives_a_value(capture: dict[str, Any]) -> None:
    whole = bytes.fromhex(capture["hex"])
    spoilt = [whole[:at] for at in range(1, len(whole))]
    spoilt += [whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :] for at in range(len(whole))]
    for data in spoilt:
        for found in decode("modbus-rtu", {"hex": data.hex()}, capture["params"]):
            assert found.get("error") is True
            assert "value" not in found
