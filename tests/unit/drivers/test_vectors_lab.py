"""Captures of laboratory and bench balances: whole, in pieces, glued, dirty and torn."""

import json
import os
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from drivers import registry
from drivers.api import Decoded, Malformed, Reading
from drivers.decoding import decode
from drivers.scales.lab.offered import DRIVERS
from drivers.settings import read_settings
from drivers.vocabulary import WORDS, describe

ROOT = Path(__file__).resolve().parents[3]
NAMES = frozenset(driver.info.name for driver in DRIVERS) - {"mt-sics"}  # its captures are in test_vectors.py

LIBRARY_NAMES = {
    "mt-lab-print": 3,
    "sartorius-sbi": 21,
    "sartorius-xbpi": 3,
    "and-standard": 17,
    "ohaus-print": 10,
    "adam-16": 3,
    "kern-print": 6,
    "radwag": 10,
}
"""How many captures there are at least; fewer would mean that they are no longer found."""

SIGN_LOST = {b"-    1.25 lb    NET\r\n": Decimal("1.25"), b"-    0.750 kg   NET\r\n": Decimal("0.750")}
"""Ohaus has a column for the sign, and columns that differ by family: a line torn right behind its sign looks whole."""


def _vectors() -> list[Any]:
    file = Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors")) / "scales.jsonl"
    if not file.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no vectors in {file.parent} (set TALLYBOX_VECTORS)"))]
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return [
        pytest.param(line, id=f"{line['protocol']}-{number}") for number, line in enumerate(lines) if line["protocol"] in NAMES
    ]


every_vector = pytest.mark.parametrize("capture", _vectors())


def wire(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"]) if "hex" in vector else vector["text"].encode("latin-1")


def run(vector: dict[str, Any], pieces: list[bytes]) -> list[Decoded]:
    driver = registry.get(vector["protocol"])
    codec = driver.make_codec(read_settings(driver.settings, vector.get("params", {})))
    found: list[Decoded] = []
    for number, piece in enumerate(pieces):
        found += codec.receive(piece, number * 1_000_000)
    return found + codec.finish()


def assert_as_expected(got: dict[str, Any], expect: dict[str, Any]) -> None:
    assert {name: got.get(name) for name in expect} == expect
    assert set(got) <= WORDS
    assert set(got) - set(expect) <= {"reason"}


@every_vector
def test_vector_means_what_its_source_says(capture: dict[str, Any]) -> None:
    (got,) = decode(capture["protocol"], capture, capture.get("params"))
    assert_as_expected(got, capture["expect"])


@every_vector
def test_vector_one_byte_at_a_time(capture: dict[str, Any]) -> None:
    (got,) = run(capture, [bytes([byte]) for byte in wire(capture)])
    assert_as_expected(describe(got), capture["expect"])


@every_vector
def test_glued_vectors_come_apart(capture: dict[str, Any]) -> None:
    got = run(capture, [wire(capture) * 2])
    assert len(got) == 2
    for item in got:
        assert_as_expected(describe(item), capture["expect"])


@every_vector
def test_garbage_before_and_between_costs_itself_only(capture: dict[str, Any]) -> None:
    garbage = b"\x00079 0.5 k\r\n"
    noise, first, *between, second = run(capture, [garbage + wire(capture) + garbage + wire(capture)])
    assert isinstance(noise, Malformed)
    assert between
    assert all(isinstance(item, Malformed) for item in between)
    assert_as_expected(describe(first), capture["expect"])
    assert_as_expected(describe(second), capture["expect"])


@every_vector
def test_torn_frame_is_never_another_weight(capture: dict[str, Any]) -> None:
    data = wire(capture)
    (whole,) = run(capture, [data])
    for cut in range(1, len(data)):
        for item in run(capture, [data[cut:]]):
            if isinstance(item, Reading) and item.value is not None:
                assert isinstance(whole, Reading)
                assert (item.value, item.unit) in {(whole.value, whole.unit), (SIGN_LOST.get(data), whole.unit)}, data[cut:]


def test_all_captures_are_there() -> None:
    counts = dict.fromkeys(LIBRARY_NAMES, 0)
    for param in _vectors():
        if param.values[0] is None:
            pytest.skip("no vectors (set TALLYBOX_VECTORS)")
        counts[param.values[0]["protocol"]] += 1
    assert all(counts[name] >= number for name, number in LIBRARY_NAMES.items())


def test_glued_captures_of_one_protocol_come_apart() -> None:
    vectors = [param.values[0] for param in _vectors()]
    if vectors == [None]:
        pytest.skip("no vectors (set TALLYBOX_VECTORS)")
    for first, second in pairwise(vectors):
        if first["protocol"] == second["protocol"]:
            got = run(first, [wire(first) + wire(second)])
            assert len(got) == 2
            assert_as_expected(describe(got[0]), first["expect"])
            assert_as_expected(describe(got[1]), second["expect"])
