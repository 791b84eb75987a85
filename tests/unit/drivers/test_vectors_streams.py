"""Captures of industrial terminals and HID scales: whole, one byte at a time, glued, and with garbage before and between."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drivers import registry
from drivers.api import Decoded, Malformed, Reading
from drivers.decoding import decode
from drivers.envelope import Message
from drivers.scales.streams import offered
from drivers.settings import read_settings
from drivers.vocabulary import WORDS, describe

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors"))
OWN = set(offered.DECODERS)
GARBAGE = b"\x00079 0.5 k\r\n"


def vectors() -> list[Any]:
    file = FOLDER / "scales.jsonl"
    if not file.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no vectors in {FOLDER} (set TALLYBOX_VECTORS)"))]
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return [pytest.param(one, id=f"{one['protocol']}-{number}") for number, one in enumerate(lines) if one["protocol"] in OWN]


every_capture = pytest.mark.parametrize("capture", vectors())


def wire(capture: dict[str, Any]) -> bytes:
    """The bytes as a codec gets them: with 7 bits where the port is set so, and messages in their envelopes."""
    data = bytes.fromhex(capture["hex"]) if "hex" in capture else capture["text"].encode("latin-1")
    if capture.get("params", {}).get("parity_bit7"):
        data = bytes(byte & 0x7F for byte in data)
    return Message("report", data).to_bytes() if capture["protocol"] == "hid-pos-scale" else data


def run(capture: dict[str, Any], pieces: list[bytes]) -> list[Decoded]:
    driver = registry.get(capture["protocol"])
    own = {name: value for name, value in capture.get("params", {}).items() if name in driver.settings.model_fields}
    codec = driver.make_codec(read_settings(driver.settings, own))
    return [item for piece in pieces for item in codec.receive(piece, 0)] + codec.finish()


def assert_means(got: dict[str, Any], expect: dict[str, Any]) -> None:
    assert {name: got.get(name) for name in expect} == expect
    assert set(got) <= WORDS
    assert set(got) - set(expect) <= {"reason"}


@every_capture
def test_capture_means_what_its_source_says(capture: dict[str, Any]) -> None:
    (got,) = decode(capture["protocol"], capture, capture.get("params"))
    assert_means(got, capture["expect"])


@every_capture
def test_capture_one_byte_at_a_time(capture: dict[str, Any]) -> None:
    (item,) = run(capture, [bytes([byte]) for byte in wire(capture)])
    assert_means(describe(item), capture["expect"])
    assert item.raw == wire(capture)


@every_capture
def test_glued_captures_come_apart(capture: dict[str, Any]) -> None:
    found = run(capture, [wire(capture) * 3])
    assert [item.raw for item in found] == [wire(capture)] * 3
    for item in found:
        assert_means(describe(item), capture["expect"])


@every_capture
def test_garbage_before_and_between_costs_itself_only(capture: dict[str, Any]) -> None:
    data = wire(capture)
    found = run(capture, [GARBAGE + data + GARBAGE + data])
    assert b"".join(item.raw for item in found) == GARBAGE + data + GARBAGE + data
    wanted = [item for item in found if item.raw == data]
    assert len(wanted) == 2
    for item in wanted:
        assert_means(describe(item), capture["expect"])
    assert all(isinstance(item, Malformed) for item in found if item.raw != data)


@every_capture
def test_tail_of_a_capture_is_no_weight(capture: dict[str, Any]) -> None:
    data = wire(capture)
    for cut in range(1, len(data)):
        tail = [item for item in run(capture, [data[cut:]]) if isinstance(item, Reading)]
        # The two digits of an address are the only thing in front whose loss leaves a whole line; it is refused all the same.
        assert not tail, data[cut:]


@every_capture
def test_tail_in_front_of_a_stream_is_no_weight(capture: dict[str, Any]) -> None:
    data = wire(capture)
    for cut in range(1, len(data)):
        found = run(capture, [data[cut:] + data * 2])
        assert [item.raw for item in found if isinstance(item, Reading) and item.raw != data] == []
        assert [item.raw for item in found][-1] == data
