"""Captures from manuals and devices: whole, in pieces, glued and dirty."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Codec, Decoded, Malformed, Reading
from drivers.decoding import decode, protocols
from drivers.settings import read_settings
from drivers.vocabulary import WORDS, describe

STEP_NS = 1_000_000


def wire(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"]) if "hex" in vector else vector["text"].encode("latin-1")


def make(vector: dict[str, Any]) -> Codec:
    driver = registry.get(vector["protocol"])
    return driver.make_codec(read_settings(driver.settings, vector.get("params", {})))


def run(codec: Codec, pieces: list[bytes]) -> list[Decoded]:
    found: list[Decoded] = []
    for number, piece in enumerate(pieces):
        found += codec.receive(piece, number * STEP_NS)
    return found + codec.finish()


def described(found: list[Decoded]) -> list[dict[str, Any]]:
    # Only a codec that talks to the device can know that nobody asked for its number.
    return [{name: value for name, value in describe(item).items() if name != "power_up"} for item in found]


def assert_as_expected(got: list[dict[str, Any]], expect: dict[str, Any]) -> None:
    assert len(got) == 1
    assert {name: got[0].get(name) for name in expect} == expect
    assert set(got[0]) <= WORDS
    assert set(got[0]) - set(expect) <= {"reason", "warning"}


def test_vector_means_what_its_source_says(vector: dict[str, Any]) -> None:
    assert_as_expected(decode(vector["protocol"], vector, vector.get("params")), vector["expect"])


def test_description_is_plain_json(vector: dict[str, Any]) -> None:
    got = decode(vector["protocol"], vector, vector.get("params"))
    assert json.loads(json.dumps(got)) == got


def test_vector_one_byte_at_a_time(framed_vector: dict[str, Any]) -> None:
    pieces = [bytes([byte]) for byte in wire(framed_vector)]
    assert_as_expected(described(run(make(framed_vector), pieces)), framed_vector["expect"])


def test_garbage_in_front_costs_itself_only(framed_vector: dict[str, Any]) -> None:
    vector = framed_vector
    suffix = vector.get("params", {}).get("suffix", "\r\n").encode("latin-1")
    *garbage, last = run(make(vector), [b"\x00079 0.5 k" + suffix + wire(vector)])
    assert garbage
    assert all(isinstance(item, Malformed) or vector["protocol"] == "serial-scanner" for item in garbage)
    assert_as_expected(described([last]), vector["expect"])


def test_tail_of_a_frame_is_never_another_weight(all_framed: list[dict[str, Any]]) -> None:
    for vector in all_framed:
        if vector["protocol"] != "mt-sics":
            continue
        data = wire(vector)
        for cut in range(1, len(data)):
            whole = run(make(vector), [data])
            tail = [item for item in run(make(vector), [data[cut:]]) if isinstance(item, Reading)]
            assert not tail, (data[cut:], whole)


def test_glued_frames_come_apart(all_framed: list[dict[str, Any]]) -> None:
    frames = [vector for vector in all_framed if vector["protocol"] == "mt-sics"]
    for first, second in zip(frames, [*frames[1:], frames[0]], strict=True):
        got = described(run(make(first), [wire(first) + wire(second)]))
        assert len(got) == 2
        assert_as_expected(got[:1], first["expect"])
        assert_as_expected(got[1:], second["expect"])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_split_does_not_change_the_meaning(all_framed: list[dict[str, Any]], data: st.DataObject) -> None:
    vector = data.draw(st.sampled_from(all_framed))
    capture = wire(vector) * data.draw(st.integers(1, 3))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(capture)), max_size=8)))
    bounds = [0, *cuts, len(capture)]
    pieces = [capture[start:stop] for start, stop in itertools.pairwise(bounds)]
    assert run(make(vector), pieces) == run(make(vector), [capture])


@pytest.mark.parametrize("protocol", protocols())
@pytest.mark.parametrize(
    "wire_keys",
    [
        {},
        {"hex": "0"},
        {"hex": "zz"},
        {"hex": 5},
        {"text": None},
        {"hex": "00", "text": ""},
        {"raw": 7},
        {"hex": ""},
        {"text": "\ud800"},
    ],
)
def test_broken_input_is_one_error_with_its_reason(protocol: str, wire_keys: dict[str, Any]) -> None:
    got = decode(protocol, wire_keys, {})
    assert len(got) == 1
    assert got[0]["error"] is True
    assert got[0]["reason"]


@pytest.mark.parametrize(
    ("protocol", "params"),
    [
        ("no-such", {}),
        ("mt-sics", {"no_such": 1}),
        ("mt-sics", {"parity_bit7": "sideways"}),
        ("serial-scanner", {"encoding": "rot13"}),
        ("serial-scanner", {"suffix": 7}),
        ("gs1-element-string", {"separators": "ab"}),
        ("gs1-element-string", {"separators": ["ab"]}),
    ],
)
def test_unknown_protocol_or_parameter_is_an_error(protocol: str, params: dict[str, Any]) -> None:
    got = decode(protocol, {"text": "x", "raw": "x"}, params)
    if protocol == "gs1-element-string" and params["separators"] == "ab":
        assert got[0]["error"] is True  # two separators, and still no element string
    assert got[0]["error"] is True
    assert "reason" in got[0]


def test_parity_that_the_capture_declares_is_taken_off() -> None:
    plain = b"S S     100.00 g\r\n"
    sent = bytes(byte | 0x80 if byte.bit_count() % 2 else byte for byte in plain)
    assert decode("mt-sics", {"hex": sent.hex()}, {"parity_bit7": "even"})[0]["value"] == "100.00"
    assert decode("mt-sics", {"hex": sent.hex()}, {"parity_bit7": "odd"})[0]["error"] is True
    assert decode("mt-sics", {"hex": sent.hex()}, {})[0]["error"] is True
