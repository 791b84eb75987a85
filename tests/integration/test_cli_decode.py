"""`tallybox decode`: captures of every known protocol through the real command, and what it says to broken ones."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drivers.decoding import protocols
from tests.integration.commanding import tallybox

SOME = {"mt-sics", "serial-scanner", "gs1-element-string", "ean-upc", "sscc", "modbus-rtu", "evdev-keys", "toledo-8217"}
"""Protocols whose captures are run through the command; all of them run through the function it calls, elsewhere."""

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def vectors() -> list[dict[str, Any]]:
    folder = Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors"))
    if not folder.exists():
        pytest.skip(f"no captures in {folder}: set TALLYBOX_VECTORS")
    rows = [
        json.loads(line)
        for name in ("scales", "barcodes")
        for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    return [row for row in rows if row["protocol"] in SOME]


def test_every_capture_of_some_protocols_means_what_its_source_says(vectors: list[dict[str, Any]]) -> None:
    asked = [{name: value for name, value in row.items() if name not in {"expect", "source", "note"}} for row in vectors]
    ended = tallybox("decode", "--jsonl", stdin="\n".join(map(json.dumps, asked)).encode())
    assert (ended.code, ended.err) == (0, "")
    assert {row["protocol"] for row in vectors} == SOME
    for row, got in zip(vectors, ended.lines, strict=True):
        assert {name: got.get(name) for name in row["expect"]} == row["expect"], row


def test_raw_bytes_on_standard_input_give_one_line_for_each_frame() -> None:
    capture = b"S S     100.00 g\r\nS D     -12.30 g\r\nS +\r\nES\r\n"
    ended = tallybox("decode", "--protocol", "mt-sics", stdin=capture)
    assert (ended.code, ended.err) == (0, "")
    stable, moving, over, unknown = ended.lines
    assert (stable["value"], stable["unit"], stable["stable"]) == ("100.00", "g", True)
    assert (moving["value"], moving["stable"]) == ("-12.30", False)
    assert (over["overload"], over.get("value")) == (True, None)
    assert unknown["error"] is True


def test_parameters_say_what_the_wire_does_not() -> None:
    ended = tallybox("decode", "--protocol", "serial-scanner", "--params", '{"suffix": "\\n"}', stdin=b"]C10107290001234563\n")
    assert ended.code == 0
    assert len(ended.lines) == 1
    assert "07290001234563" in ended.out


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("--protocol", "morse"), b"... --- ..."),
        (("--protocol", "mt-sics"), b""),
        (("--protocol", "mt-sics"), b"\xff\x00\xfe"),
        (("--protocol", "sscc"), b"106141411234567890"),
        (("--protocol", "mt-sics", "--params", '{"no_such": 1}'), b"S S 1 g\r\n"),
    ],
)
def test_unknown_protocol_and_broken_input_are_told_as_an_error_with_its_reason(
    arguments: tuple[str, ...], stdin: bytes
) -> None:
    ended = tallybox("decode", *arguments, stdin=stdin)
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines
    assert all(line["error"] is True and line["reason"] for line in ended.lines)


def test_broken_lines_do_not_stop_the_lines_behind_them() -> None:
    broken = [
        "{",
        "[]",
        "7",
        '{"hex": "00"}',
        '{"protocol": 5}',
        '{"protocol": "mt-sics", "params": []}',
        '{"protocol": "mt-sics"}',
    ]
    good = '{"protocol": "mt-sics", "text": "S S     100.00 g\\r\\n"}'
    ended = tallybox("decode", "--jsonl", stdin="\n".join([*broken, "", good]).encode() + b"\n\xff\xfe\n" + good.encode())
    assert (ended.code, ended.err) == (0, "")
    assert [line.get("value") for line in ended.lines] == [*[None] * len(broken), "100.00", None, "100.00"]
    assert all(line["error"] is True and line["reason"] for line in ended.lines if "value" not in line)


@pytest.mark.parametrize(
    "arguments", [(), ("--protocol", "mt-sics", "--params", "{"), ("--protocol", "mt-sics", "--params", "[]")]
)
def test_wrong_call_exits_with_2_and_says_nothing_on_standard_output(arguments: tuple[str, ...]) -> None:
    ended = tallybox("decode", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err


def test_list_names_the_protocols() -> None:
    assert set(tallybox("decode", "--list").out.split()) == set(protocols())
