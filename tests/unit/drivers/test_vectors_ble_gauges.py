"""Captures of Bluetooth devices and gauges: whole, in pieces, glued and dirty."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drivers import registry
from drivers.api import Codec, Decoded, Malformed
from drivers.ble import acaia, decent, services, skale, sylvac_sds, xiaomi
from drivers.captures import settings_of
from drivers.decoding import decode
from drivers.envelope import Message
from drivers.settings import read_settings
from drivers.vocabulary import WORDS, describe

ROOT = Path(__file__).resolve().parents[3]
ORIGINS = {
    "ble-weight-scale": services.WEIGHT,
    "ble-body-composition": services.BODY,
    "ble-thermometer": services.THERMOMETER,
    "xiaomi-scale-v1": xiaomi.V1_ORIGIN,
    "xiaomi-scale-v2": xiaomi.V2_ORIGIN,
    "atomax-skale": skale.ORIGIN,
    "acaia": acaia.ORIGIN,
    "decent-scale": decent.NOTIFY,
    "sylvac-sds": sylvac_sds.VALUE,
}
GAUGES = {"mitutoyo-spc", "mitutoyo-idh"}
ADVERTISED = {"xiaomi-scale-v1", "xiaomi-scale-v2"}

OUTSIDE = [
    ("ble-body-composition", {"hex": "0624b2070101002e3800004c04"}, {"value": "5.500", "unit": "kg"}),
    ("ble-body-composition", {"hex": "02a4b2070101023a38fdfff03c"}, {"value": "78.000", "removed": True}),
    ("ble-body-composition", {"hex": "02a4b2070213063335fdffec09"}, {"value": "12.700"}),
    ("mitutoyo-spc", {"text": "01A+0000.123\r"}, {"value": "0.123", "unit": "mm", "kind": "length"}),
    ("mitutoyo-spc", {"text": "01A+0000.125\r"}, {"value": "0.125"}),
    ("mitutoyo-spc", {"text": "01A+00.12345\r", "unit": "in"}, {"value": "0.12345", "unit": "in"}),
    ("mitutoyo-spc", {"text": "01A+000.1234\r", "unit": "in"}, {"value": "0.1234", "unit": "in"}),
    ("mitutoyo-idh", {"text": "GX07,+0016.2345\r\n"}, {"value": "16.2345", "mode": "max"}),
]
"""Protocol, capture and meaning: people's captures of Mi scales, and the examples of the QM-Height and ID-H manuals."""


def _vectors() -> list[Any]:
    file = Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors")) / "scales.jsonl"
    if not file.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no vectors in {file.parent} (set TALLYBOX_VECTORS)"))]
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return [
        pytest.param(line, id=f"{line['protocol']}-{number}")
        for number, line in enumerate(lines)
        if line["protocol"] in ORIGINS or line["protocol"] in GAUGES
    ]


every_vector = pytest.mark.parametrize("case", _vectors())


def wire(vector: dict[str, Any]) -> bytes:
    """What the codec is given: the bytes of the line, or the envelope of the message."""
    payload = bytes.fromhex(vector["hex"]) if "hex" in vector else vector["text"].encode()
    origin = ORIGINS.get(vector["protocol"])
    return payload if origin is None else Message(origin, payload).to_bytes()


def make(vector: dict[str, Any]) -> Codec:
    driver = registry.get(vector["protocol"])
    return driver.make_codec(read_settings(driver.settings, settings_of(driver, vector.get("params", {}))))


def run(codec: Codec, pieces: list[bytes]) -> list[Decoded]:
    found = [item for number, piece in enumerate(pieces) for item in codec.receive(piece, number)]
    return found + codec.finish()


def assert_as_expected(found: list[Decoded], expect: dict[str, Any]) -> None:
    assert len(found) == 1
    got = describe(found[0])
    assert {name: got.get(name) for name in expect} == expect
    assert set(got) - set(expect) <= {"reason", "warning"}
    assert set(got) <= WORDS


@every_vector
def test_vector_means_what_its_source_says(case: dict[str, Any]) -> None:
    got = decode(case["protocol"], case, case.get("params"))
    assert [{name: one.get(name) for name in case["expect"]} for one in got] == [case["expect"]]
    assert_as_expected(run(make(case), [wire(case)]), case["expect"])


@every_vector
def test_vector_one_byte_at_a_time(case: dict[str, Any]) -> None:
    assert_as_expected(run(make(case), [bytes([byte]) for byte in wire(case)]), case["expect"])


@every_vector
def test_vector_twice_glued_is_the_same_twice_or_said_once(case: dict[str, Any]) -> None:
    found = run(make(case), [wire(case) * 2])
    assert len(found) == (1 if case["protocol"] in ADVERTISED else 2)
    for item in found:
        assert_as_expected([item], case["expect"])


@every_vector
def test_garbage_before_and_between_costs_itself_only(case: dict[str, Any]) -> None:
    garbage = b"\x00079 0.5 m\r\n"
    found = run(make(case), [garbage + wire(case) + garbage + wire(case)])
    good = [item for item in found if not (isinstance(item, Malformed) and b"079" in item.raw)]
    assert len(found) > len(good)
    for item in good:
        if not (isinstance(item, Malformed) and item.raw == b"\n"):
            assert_as_expected([item], case["expect"])


@pytest.mark.parametrize(("protocol", "capture", "expect"), OUTSIDE)
def test_captures_and_manuals_from_elsewhere(protocol: str, capture: dict[str, str], expect: dict[str, Any]) -> None:
    wire_keys = {name: value for name, value in capture.items() if name != "unit"}
    params = {"unit": capture["unit"]} if "unit" in capture else {}
    (got,) = decode(protocol, wire_keys, params)
    assert {name: got.get(name) for name in expect} == expect


@pytest.mark.parametrize(("protocol", "capture", "expect"), [one for one in OUTSIDE if "text" in one[1]])
def test_tail_of_a_line_is_never_another_value(protocol: str, capture: dict[str, str], expect: dict[str, Any]) -> None:
    for cut in range(1, len(capture["text"])):
        got = decode(protocol, {"text": capture["text"][cut:]}, {})
        assert all(one.get("value") is None for one in got), capture["text"][cut:]
