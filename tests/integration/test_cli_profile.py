"""`tallybox decode --profile FILE`: what a technician sees who tries a profile on a recording."""

from pathlib import Path

import pytest

from drivers.profiles.own import EXAMPLE
from tests.integration.commanding import tallybox


def test_a_profile_is_tried_on_a_capture() -> None:
    ended = tallybox("decode", "--profile", str(EXAMPLE), stdin=b"W   12.340 kg S\r\nW   OVER\r\nE02\r\nrubbish\r\n")
    assert (ended.code, ended.err) == (0, "")
    weight, over, refused, rubbish = ended.lines
    assert (weight["value"], weight["unit"], weight["stable"], weight["kind"]) == ("12.340", "kg", True, "gross")
    assert (over["value"], over["overload"]) == (None, True)
    assert (refused["error"], refused["device_error"]) == (True, "02")
    assert rubbish == {"error": True, "reason": "not a line of this profile"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("longest", "longst"), "framing.longst: is no key here; there are end, start, length, idle_ms, longest"),
        (("(?P<rest>[SM])", "(?P<rest>(S|M)+)"), "repeated a fixed number of times"),
        (('value = "12.340"', 'value = "12.34"'), "reads as: value = '12.340'"),
    ],
)
def test_a_profile_that_cannot_be_used_exits_with_3_and_its_place(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(EXAMPLE.read_text().replace(*change))
    ended = tallybox("decode", "--profile", str(path), stdin=b"W   12.340 kg S\r\n")
    assert (ended.code, ended.out) == (3, "")
    assert "tallybox: mine.toml, line " in ended.err
    assert told in ended.err


def test_a_file_that_is_not_there_exits_with_3(tmp_path: Path) -> None:
    ended = tallybox("decode", "--profile", str(tmp_path / "none.toml"), stdin=b"")
    assert (ended.code, ended.out) == (3, "")
    assert "cannot be read" in ended.err
