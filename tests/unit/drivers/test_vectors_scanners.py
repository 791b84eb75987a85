"""Every shared capture of barcodes, through `decode`; those that come as bytes also in pieces, glued and dirty."""

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.api import Codec, Decoded, Malformed
from drivers.captures import settings_of
from drivers.decoding import decode
from drivers.envelope import Message
from drivers.scanners.keys import EV_KEY, EVENT, KEY_NAMES
from drivers.scanners.offered import DRIVERS
from drivers.settings import read_settings
from drivers.vocabulary import WORDS, describe

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors"))
FILE = FOLDER / "barcodes.jsonl"
BY_KEY = {"evdev-keys": "keyboard-scanner", "hid-pos-scanner": "hid-pos-scanner"}
KNOWN = {driver.info.name: driver for driver in DRIVERS}
MS = 1_000_000

VECTORS: list[dict[str, Any]] = (
    [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines() if line] if FILE.is_file() else []
)

pytestmark = pytest.mark.skipif(not VECTORS, reason=f"no vectors in {FOLDER} (set TALLYBOX_VECTORS)")


def some(*protocols: str) -> Any:
    chosen = [
        pytest.param(vector, id=f"{vector['protocol']}-{number}")
        for number, vector in enumerate(VECTORS)
        if not protocols or vector["protocol"] in protocols
    ]
    return pytest.mark.parametrize("barcode", chosen)


def wire(vector: dict[str, Any]) -> list[bytes]:
    """The envelopes in which a transport would bring it."""
    if "hex_reports" in vector:
        return [Message("report", bytes.fromhex(one)).to_bytes() for one in vector["hex_reports"]]
    return [Message("keys", EVENT.pack(EV_KEY, KEY_NAMES[key], value)).to_bytes() for key, value in vector["keys"]]


def make(vector: dict[str, Any]) -> Codec:
    driver = KNOWN[BY_KEY[vector["protocol"]]]
    return driver.make_codec(read_settings(driver.settings, settings_of(driver, vector.get("params", {}))))


def run(codec: Codec, pieces: list[bytes]) -> list[Decoded]:
    return [item for number, piece in enumerate(pieces) for item in codec.receive(piece, number * MS)] + codec.finish()


def assert_as_expected(got: list[dict[str, Any]], expect: dict[str, Any]) -> None:
    assert len(got) == 1
    assert {name: got[0].get(name) for name in expect} == expect
    assert set(got[0]) <= WORDS
    assert set(got[0]) - set(expect) <= {"reason", "warning", "repaired"}


@some()
def test_capture_means_what_its_source_says(barcode: dict[str, Any]) -> None:
    got = decode(barcode["protocol"], barcode, barcode.get("params"))
    assert_as_expected(got, barcode["expect"])
    assert json.loads(json.dumps(got)) == got


@some("evdev-keys", "hid-pos-scanner")
def test_capture_one_byte_at_a_time(barcode: dict[str, Any]) -> None:
    data = b"".join(wire(barcode))
    found = run(make(barcode), [bytes([byte]) for byte in data[:2000]] + [data[2000:]])
    assert_as_expected([describe(item) for item in found], barcode["expect"])


@some("evdev-keys", "hid-pos-scanner")
def test_capture_reads_back_from_its_own_raw(barcode: dict[str, Any]) -> None:
    (first,) = run(make(barcode), wire(barcode))
    assert run(make(barcode), [first.raw]) == [first]


@some("evdev-keys", "hid-pos-scanner")
def test_garbage_before_and_between_costs_itself_only(barcode: dict[str, Any]) -> None:
    if barcode["expect"] == {"error": True} and barcode["protocol"] == "evdev-keys":
        return  # keys without a terminator are glued to those that follow, as they must be
    data = b"".join(wire(barcode))
    noise = b"\x00\xff079 0.5 k" + Message("somewhere", b"else").to_bytes()
    found = run(make(barcode), [noise + data + noise + data])
    codes = [item for item in found if not isinstance(item, Malformed)]
    if barcode["expect"] == {"error": True}:
        assert codes == []
        return
    assert [describe(item) for item in codes] == [describe(item) for item in run(make(barcode), [data])] * 2
    assert len(found) == 2 + 4


@some("evdev-keys", "hid-pos-scanner")
def test_two_captures_glued_come_apart(barcode: dict[str, Any]) -> None:
    data = b"".join(wire(barcode))
    alone = run(make(barcode), [data])
    glued = run(make(barcode), [data + data])
    if "error" not in barcode["expect"]:
        assert [item.raw for item in glued] == [alone[0].raw] * 2
    else:
        assert all(isinstance(item, Malformed) for item in glued)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_split_does_not_change_the_meaning(data: st.DataObject) -> None:
    vector = data.draw(st.sampled_from([one for one in VECTORS if one["protocol"] in BY_KEY]))
    capture = b"".join(wire(vector)) * data.draw(st.integers(1, 3))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(capture)), max_size=8)))
    pieces = [capture[start:stop] for start, stop in itertools.pairwise([0, *cuts, len(capture)])]
    assert run(make(vector), pieces) == run(make(vector), [capture])
