"""Captures of tills' and counters' scales: whole, byte by byte, glued and dirty."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drivers import registry
from drivers.api import Codec, Decoded, Malformed
from drivers.captures import settings_of
from drivers.decoding import decode
from drivers.framing import without_parity
from drivers.scales.pos import offered
from drivers.settings import read_settings
from drivers.vocabulary import WORDS, describe

ROOT = Path(__file__).resolve().parents[3]
NAMES = {driver.info.name for driver in offered.DRIVERS}

GARBAGE = b"\x00079 0.5 k\r\n"


def _vectors() -> list[Any]:
    file = Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors")) / "scales.jsonl"
    if not file.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {file} (set TALLYBOX_VECTORS)"))]
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return [pytest.param(line, id=f"{line['protocol']}-{at}") for at, line in enumerate(lines) if line["protocol"] in NAMES]


every_vector = pytest.mark.parametrize("captured", _vectors())


def wire(captured: dict[str, Any]) -> bytes:
    data = bytes.fromhex(captured["hex"]) if "hex" in captured else captured["text"].encode("latin-1")
    parity = captured.get("params", {}).get("parity_bit7")
    if parity is None:
        return data
    stripped = without_parity(data, parity)
    assert stripped is not None
    return stripped


def make(captured: dict[str, Any]) -> Codec:
    driver = registry.get(captured["protocol"])
    return driver.make_codec(read_settings(driver.settings, settings_of(driver, captured.get("params", {}))))


def run(codec: Codec, pieces: list[bytes]) -> list[Decoded]:
    return [item for piece in pieces for item in codec.receive(piece, 0)] + codec.finish()


def assert_as_expected(got: dict[str, Any], expect: dict[str, Any]) -> None:
    assert {name: got.get(name) for name in expect} == expect
    assert set(got) <= WORDS
    assert set(got) - set(expect) <= {"reason"}


@every_vector
def test_capture_means_what_its_source_says(captured: dict[str, Any]) -> None:
    (got,) = decode(captured["protocol"], captured, captured.get("params"))
    assert_as_expected(got, captured["expect"])


@every_vector
def test_capture_one_byte_at_a_time(captured: dict[str, Any]) -> None:
    (got,) = run(make(captured), [bytes([byte]) for byte in wire(captured)])
    assert_as_expected(describe(got), captured["expect"])


@every_vector
def test_capture_glued_to_itself(captured: dict[str, Any]) -> None:
    found = run(make(captured), [wire(captured) * 2])
    assert len(found) == 2
    for item in found:
        assert_as_expected(describe(item), captured["expect"])


@every_vector
def test_garbage_before_and_between_costs_itself_only(captured: dict[str, Any]) -> None:
    data = wire(captured)
    found = run(make(captured), [GARBAGE + data + GARBAGE + data])
    assert b"".join(item.raw for item in found) == GARBAGE + data + GARBAGE + data
    good = [item for item in found if item.raw == data]
    assert len(good) == 2
    for item in good:
        assert_as_expected(describe(item), captured["expect"])
    assert all(isinstance(item, Malformed) for item in found if item.raw != data)


@every_vector
def test_a_cut_off_head_is_never_another_weight(captured: dict[str, Any]) -> None:
    data = wire(captured)
    for cut in range(1, len(data)):
        for item in run(make(captured), [data[cut:]]):
            # A status of two bytes, or an empty line, may be the whole tail of a frame; a value never is.
            assert describe(item).get("value") is None, data[cut:]
