"""Profiles: what their lines mean, what they may not hold, and in which words that is told."""

import contextlib
import json
import os
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Acknowledged, Flag, Kind, Malformed, Reading, Refused, SettingsFault, Status
from drivers.profiles import ProfileFault, decode_with
from drivers.profiles.driving import talk_of
from drivers.profiles.loading import MAX_TEXT, load, read_text
from drivers.profiles.offered import SHIPPED
from drivers.profiles.own import EXAMPLE
from drivers.profiles.patterns import PatternFault, compiled
from drivers.settings import read_settings
from drivers.talk import QUIET_NS, TalkCodec, decode_frames

ROOT = Path(__file__).resolve().parents[3]
MS = 1_000_000

HEAD = """
name = "x"
title = "X"
kind = "mass"
models = ["X1"]
sources = ["X1 manual, page 1"]
"""
PLAIN = """
[reading]
pattern = 'V (?P<value>-?[0-9.]{1,9}) (?P<unit>kg|g)'

[[examples]]
line = "V 1.50 kg\\r\\n"
value = "1.50"
unit = "kg"
"""


def read(text: str, capture: bytes) -> list[Any]:
    return decode_frames(talk_of(load(text, "x.toml")), capture)


def fault_of(text: str) -> str:
    with pytest.raises(ProfileFault) as caught:
        load(text, "x.toml")
    return str(caught.value)


def numbers(text: str, capture: bytes) -> list[tuple[str | None, str | None, set[str]]]:
    found = read(text, capture)
    assert all(isinstance(item, Reading) for item in found), found
    return [
        (None if item.value is None else format(item.value, "f"), item.unit, {flag.value for flag in item.flags})
        for item in found
    ]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(a+)+b", "repeated a fixed number"),
        ("(a|aa){1,30}b", "repeated a fixed number"),
        ("(?:a*)*", "repeated a fixed number"),
        ("(a|a)*b", "repeated a fixed number"),
        (".*.*.*=", "ways"),
        (r"\s*[+-]?\s*\d+\.?\d*\s*\S+\s*", "ways"),
        ("a?" * 25 + "a" * 25, "ways"),
        ("(?:a?b?){20}c", "ways"),
        ("(?:a[ab]|[ab]a)" * 20 + "c", "ways"),
        ("(?:ab)?" * 20 + "(?:ab){20}", "ways"),
        ("(?:(?:(?:(?:a{1,2}){20}){20}){20}){20}", "written? out|ways|write"),
        (r"(a)\1", "back references"),
        ("(?=a)a", "looking ahead"),
        ("(?<!a)b", "looking ahead"),
        ("(?i)kg", r"\[Kk\]\[Gg\]"),
        ("(?i:kg)", r"\[Kk\]\[Gg\]"),
        ("(", "no regular expression"),
        ("[[]", "no regular expression"),
        ("a" * 501, "at most 500"),
    ],
)
def test_expressions_that_could_hold_up_the_box_are_refused(pattern: str, told: str) -> None:
    with pytest.raises(PatternFault, match=told):
        compiled(pattern, 128)


@pytest.mark.parametrize(
    "pattern",
    [
        r" *[0-9]+\.[0-9]+ *[a-z]{1,3}",
        "(?:[0-9]{2}:){2}[0-9]{2}",
        "[0-9]+(?:,[0-9]+)?(?:,[0-9]+)?",
        ".*",
        "(?:ST|US|OL),.{1,30}",
        " {0,9}[+-]? {0,9}[0-9]{1,8} {0,9}",
        "a++b*+",
        "(?>[0-9]{1,5})x?",
        "^V [0-9]+$",
    ],
)
def test_expressions_of_ordinary_lines_are_taken(pattern: str) -> None:
    assert compiled(pattern, 128).pattern == pattern


@given(st.text(alphabet="ab0. ()?*+{}|,-[]12", max_size=14))
@example("(?:a|b)?[ab]{1,2}a")
@example("a*a*")
def test_what_is_taken_ends_soon_on_the_worst_of_lines(pattern: str) -> None:
    try:
        taken = compiled(pattern, 24)
    except PatternFault:
        return
    for line in ("a" * 24, "ab" * 12, "a" * 23 + "!", "0" * 23 + "!", "a.0 " * 6):
        taken.fullmatch(line)


def test_line_with_columns_signs_comma_and_missing_point() -> None:
    columns = """
[framing]
end = "\\r"
[reading]
columns = { what = [1, 2], sign = [3, 3], value = [4, 9], unit = [10, 12] }
decimal_comma = true
[marks.what]
"ST" = "stable"
"US" = "motion"
"OL" = "overload"
[[examples]]
line = "ST-  1,50 kg\\r"
value = "-1.50"
unit = "kg"
flags = ["stable"]
"""
    capture = b"ST-  1,50 kg\rUS+  2,00  g\rOL 999999 kg\r"
    assert numbers(HEAD + columns, capture) == [
        ("-1.50", "kg", {"stable"}),
        ("2.00", "g", {"motion"}),
        (None, None, {"overload"}),
    ]
    for bad, reason in [
        (b"XX   1,50 kg\r", "unknown mark 'XX'"),
        (b"ST   1,50 kq\r", "unknown unit 'kq'"),
        (b"ST   1,50   \r", "without a unit"),
        (b"ST         g\r", "no number"),
        (b"ST- -1,50  g\r", "unknown sign"),
        (b"ST 1\r", "not a line"),
    ]:
        (found,) = read(HEAD + columns, bad)
        assert isinstance(found, Malformed)
        assert reason in found.reason

    without_point = (
        HEAD
        + """
[reading]
pattern = '=(?P<value>[0-9.]{6})'
unit = "kg"
decimals = 2
[[examples]]
line = "=001250\\r\\n"
value = "12.50"
unit = "kg"
"""
    )
    assert numbers(without_point, b"=000005\r\n") == [("0.05", "kg", set())]
    (found,) = read(without_point, b"=12.500\r\n")
    assert isinstance(found, Malformed)


def test_marks_that_forbid_a_value_win_over_its_digits() -> None:
    text = (
        HEAD
        + PLAIN.replace("kg|g)", "kg|g) ?(?P<state>[A-Z]?)")
        + '[marks.state]\n"O" = ["overload", "gross"]\n"S" = "stable"\n'
    )
    assert numbers(text, b"V 99.9 kg O\r\nV 1 g S\r\nV 2 g\r\n") == [
        (None, None, {"overload", "gross"}),
        ("1", "g", {"stable"}),
        ("2", "g", set()),
    ]


def test_pieces_and_details_beside_the_value() -> None:
    text = (
        HEAD
        + """
[reading]
pattern = '(?P<time>[0-9:]{8}) (?P<value>[0-9.]{1,8})(?P<unit>kg|PCS) T(?P<tare>[0-9.]{1,8}) (?P<device_id>[0-9]{2})'
units = { "kg" = "kg", "PCS" = "{pcs}" }
[[examples]]
line = "12:00:01 12PCS T0.50 07\\r\\n"
value = "12"
unit = "{pcs}"
"""
    )
    (found,) = read(text, b"12:00:01 12PCS T0.50 07\r\n")
    assert (found.kind, found.instrument_time, found.details) == (Kind.COUNT, "12:00:01", {"tare": "0.50", "device_id": "07"})


def test_states_refusals_answers_and_lines_that_say_nothing() -> None:
    text = HEAD + "ignore = ['-{1,40}']\n" + PLAIN + STATES
    found = read(text, b"OVER\r\nE07\r\nE\r\nOK\r\n-----\r\n\r\nnonsense\r\n")
    over, seven, plain, done, nothing, blank, nonsense = found
    assert isinstance(over, Reading)
    assert (over.value, over.flags) == (None, {Flag.OVERLOAD})
    assert (seven, plain) == (Refused("07", "it could not", b"E07\r\n"), Refused("E", "it could not", b"E\r\n"))
    assert done == Acknowledged("zero", b"OK\r\n")
    assert (nothing, blank) == (Status("-----", b"-----\r\n"), Status("blank line", b"\r\n"))
    assert isinstance(nonsense, Malformed)


STATES = """
[[states]]
pattern = 'OVER'
means = "overload"
[[refusals]]
pattern = 'E(?P<code>[0-9]{2})?'
reason = "it could not"
[commands.zero]
send = "Z\\r\\n"
answer = 'OK'
[commands.print]
send = "P\\r\\n"
"""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_of_a_fixed_length_are_found_behind_noise_in_any_split(size: int) -> None:
    text = (
        HEAD
        + """
[framing]
start = "\\u0002"
length = 9
[reading]
pattern = '(?P<value>[0-9.]{5})(?P<unit>kg|\\s\\s)(?P<check>.)'
[marks.check]
"#" = "stable"
[[examples]]
line = "\\u000201.50kg#"
value = "1.50"
unit = "kg"
flags = ["stable"]
"""
    )
    capture = b"kg#" + b"\x0201.50kg#" + b"?" * 600 + b"\x0202.50kg#\x0203.50"
    whole = read(text, capture)
    codec = TalkCodec(talk_of(load(text, "x.toml")))
    found = [item for at in range(0, len(capture), size) for item in codec.receive(capture[at : at + size], 0)] + codec.finish()
    assert [item.value for item in found if isinstance(item, Reading)] == [Decimal("1.50"), Decimal("2.50")]
    assert b"".join(item.raw for item in found) == capture
    assert found == whole


def test_lines_that_end_in_silence() -> None:
    text = HEAD + PLAIN.replace("\\r\\n", "") + '[framing]\nend = ""\nidle_ms = 50\n'
    codec = TalkCodec(talk_of(load(text, "x.toml")))
    assert codec.receive(b"V 1.5", 0) == []
    assert codec.receive(b"0 kg", 40 * MS) == []
    assert codec.due_ns(41 * MS) == 90 * MS
    (found,) = codec.receive(b"", 90 * MS)
    assert isinstance(found, Reading)
    assert found.raw == b"V 1.50 kg"


def test_noise_in_front_of_a_start_is_kept_apart() -> None:
    text = HEAD + PLAIN.replace('line = "V', 'line = "\\u0002V') + '[framing]\nstart = "\\u0002"\n'
    noise, reading, cut = read(text, b"0 kg\x02V 1.50 kg\r\nV 1.50 kg\r\n")
    assert isinstance(noise, Malformed)
    assert isinstance(reading, Reading)
    assert (noise.raw, reading.raw) == (b"0 kg", b"\x02V 1.50 kg\r\n")
    assert isinstance(cut, Malformed)


def test_parity_bits_are_named() -> None:
    (found,) = read(
        HEAD + PLAIN + '[framing]\nend = ["\\r\\n", "\\u008d\\n"]\n',
        bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in b"V 1.50 kg\r\n"),
    )
    assert isinstance(found, Malformed)
    assert "even parity" in found.reason


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("", ""), None),
        (('name = "x"', 'name = "X 1"'), r"x.toml, line 2: name: .*Small letters"),
        (('name = "x"\n', ""), r"x.toml: name: is missing"),
        (('kind = "mass"', 'kind = "weight"'), r"line 4: kind: .*'mass'"),
        (('kind = "mass"', 'kind = "code"'), r"line 4: kind: .*measures"),
        (('kind = "mass"', "kind = mass"), r"not TOML.*line 4"),
        (("[reading]", "[readin]"), r"readin: is no key here; there are .*reading"),
        (("pattern =", "patern ="), r"reading.patern: is no key here; there are pattern, columns"),
        (("(?P<value>", "(?P<number>"), r"line 9: reading.pattern: nothing is called `value`"),
        (("(?P<unit>", "(?P<what>"), r"line 9: reading.pattern: what does what mean\? Give it a table \[marks.what\]"),
        (("(?P<value>", "(?P<value>(a+)+"), r"line 9: reading.pattern: a group in brackets"),
        (('value = "1.50"', 'value = "1.5"'), r"line 12: examples: .* reads as: value = '1.50'"),
        (("V 1.50 kg", "V 1.50 lb"), r"examples: .*not a line of this profile"),
        (("V (", "(?:V )?("), r"reading: a line of which the front is missing, '.50 kg"),
        (("[[examples]]", '[framing]\nlength = 12\nend = ""\n[[examples]]'), r"framing: .*need a `start`"),
        (("[[examples]]", "[framing]\nidle_ms = 100\n[[examples]]"), r"framing: .*a line ends in one way"),
        (("[[examples]]", "[framing]\nlongest = 5000\n[[examples]]"), r"line 12: framing.longest: .*1024"),
        (("[[examples]]", '[marks.rest]\n"S" = "stable"\n[[examples]]'), r"marks.rest: no part of the line is called rest"),
        (("[[examples]]", '[marks.unit]\n"S" = "still"\n[[examples]]'), r"line 12: marks.unit.S.*'stable'"),
        (("[[examples]]", '[commands.reboot]\nsend = "x"\n[[examples]]'), r"commands.reboot.*'zero'"),
        (("[[examples]]", '[poll]\nask = ""\n[[examples]]'), r"line 12: poll.ask: .*What is sent"),
        (("[[examples]]", '[poll]\nask = "R"\n[stream]\n[[examples]]'), r"either \[poll\] or \[stream\]"),
        (
            ("[[examples]]", "[[states]]\npattern = 'x('\nmeans = \"motion\"\n[[examples]]"),
            r"line 12: states.pattern: no regular",
        ),
        (("[reading]", '[reading]\nunits = { "kg" = "kilo" }'), r"'kilo' is no unit here; there are g ug"),
        (("[reading]", "[reading]\ncolumns = { value = [5, 2] }"), r"either `pattern` or `columns`"),
        (("[reading]", '[reading]\nunit = "Cel"'), r'kind = "mass" is not measured in Cel'),
    ],
    ids=lambda given: None if given is None else re.sub(r"[^a-z]+", "-", str(given).lower())[:40],
)
def test_faults_name_place_and_what_belongs_there(change: tuple[str, str], told: str | None) -> None:
    text = (HEAD + PLAIN).replace(*change, 1) if change[0] else HEAD + PLAIN
    if told is None:
        load(text, "x.toml")
    else:
        assert re.search(told, fault_of(text), re.DOTALL), fault_of(text)


EXAMPLE_LINES = EXAMPLE.read_text().splitlines()
PIECES = st.sampled_from(
    [*EXAMPLE_LINES, "x = 1", "[x]", "[[x]]", "", "=", "[marks]", "columns = 5", "poll = 7", "examples = []"]
)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_change_of_a_profile_is_taken_or_told(data: st.DataObject) -> None:
    lines = list(EXAMPLE_LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, data.draw(PIECES))
            case 2:
                lines[at] = (
                    lines[at].partition("=")[0]
                    + "= "
                    + data.draw(st.sampled_from(["1", "true", "[]", "{}", "'('", "1979-05-27"]))
                )
            case _:
                lines[at] = lines[at][: data.draw(st.integers(0, 20))]
    with contextlib.suppress(ProfileFault):
        load("\n".join(lines), "x.toml")


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    for content, told in [(None, "cannot be read"), (b"\xff", "not UTF-8"), (b"#" * (MAX_TEXT + 1), "at most")]:
        path = tmp_path / "p.toml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ProfileFault, match=told):
            read_text(path)
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)  # opening one waits for somebody who writes
    for path in (tmp_path, pipe, Path("a\0b")):
        with pytest.raises(ProfileFault, match="cannot be read"):
            read_text(path)
    with pytest.raises(ProfileFault, match="too deep"):
        load(f"a = {'[' * 10_000}", "x.toml")


def test_own_profile_travels_with_its_settings(tmp_path: Path) -> None:
    driver = registry.get("profile")
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + PLAIN)
    used = read_settings(driver.settings, {"file": str(path)}).model_dump(mode="json")
    path.unlink()
    (found,) = driver.decode(b"V 1.50 kg\r\n", used)
    assert isinstance(found, Reading)
    with pytest.raises(SettingsFault, match=r"mine\.toml.*cannot be read"):
        driver.decode(b"", {"file": str(path)})
    path.write_text(HEAD)
    with pytest.raises(SettingsFault, match=r"mine\.toml: reading: is missing"):
        driver.make_codec(read_settings(driver.settings, {"file": str(path)}))


def test_decode_with_says_what_a_capture_means(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + PLAIN)
    good, bad = decode_with(path, b"V 1.50 kg\r\n???\r\n")
    assert (good["value"], good["unit"]) == ("1.50", "kg")
    assert bad["error"] is True
    assert decode_with(path, b"") == [{"error": True, "reason": "no line"}]


def test_polled_profile_asks_at_its_interval_and_commands_wait_for_their_answer() -> None:
    driver = registry.get("profile")
    codec = driver.make_codec(read_settings(driver.settings, {"interval_ms": 500}))
    assert codec.poll(0) == b"R\r\n"
    assert codec.poll(600 * MS) is None
    (reading,) = codec.receive(b"W   12.340 kg S\r\n", 610 * MS)
    assert isinstance(reading, Reading)
    assert codec.poll(611 * MS) == b"R\r\n"
    codec.receive(b"W   12.340 kg S\r\n", 620 * MS)
    assert codec.command("tare") == b"T\r\n"
    assert codec.receive(b"OK\r\n", 630 * MS) == [Acknowledged("tare", b"OK\r\n")]
    codec.command("zero")
    (refused,) = codec.receive(b"E02\r\n", 640 * MS)
    assert isinstance(refused, Refused)
    codec.command("print")
    assert codec.receive(b"", 650 * MS) == []
    assert codec.receive(b"", 650 * MS + QUIET_NS + 1) == [Acknowledged("print", b"P\r\n")]


def test_unit_of_an_instrument_that_does_not_say_it_can_be_set() -> None:
    driver = registry.get("omega-iseries")
    (found,) = driver.decode(b"X01072.5\r", {"unit": "[degF]"})
    assert isinstance(found, Reading)
    assert (found.value, found.unit) == (Decimal("72.5"), "[degF]")
    for wrong in ("kg", "degC"):
        with pytest.raises(SettingsFault, match="unit"):
            driver.decode(b"", {"unit": wrong})


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_profiles_are_named_as_their_files_and_read_their_examples(path: Path) -> None:
    profile = load(read_text(path), path.name).profile
    assert profile.name == path.stem
    assert profile.examples


@pytest.fixture
def vectors() -> Callable[[str, str], list[dict[str, Any]]]:
    folder = Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors"))

    def of(file: str, protocol: str) -> list[dict[str, Any]]:
        if not (folder / file).exists():
            pytest.skip(f"no captures in {folder}: set TALLYBOX_VECTORS")
        rows = [json.loads(line) for line in (folder / file).read_text("utf-8").splitlines()]
        return [row for row in rows if row["protocol"] == protocol]

    return of


def test_lines_of_other_peoples_captures(vectors: Any) -> None:
    """Highland lines are numbers and units; Atago and Fluke lines come from recorded and published answers."""
    plain = registry.get("number-and-unit")
    for row in vectors("scales.jsonl", "adam-16"):
        if row["text"].startswith("-"):
            continue  # its sign stands apart from its digits: of such a line the front could be missing unseen
        (found,) = plain.decode(row["text"].encode(), {})
        assert isinstance(found, Reading)
        assert format(found.value, "f") == row["expect"]["value"]
    (atago,) = vectors("lab.jsonl", "refractometer")
    (found,) = registry.get("atago-prm").decode(bytes.fromhex(atago["hex"]), {})
    assert isinstance(found, Reading)
    assert format(found.value, "f") == next(
        one["value"] for one in atago["expect"]["samples"][0]["results"] if one["test"] == "Brix1"
    )
    (bath,) = [row for row in vectors("lab.jsonl", "scpi") if row["instrument"] == "Fluke 7341"]
    driver = registry.get("fluke-7341")
    for exchange in bath["dialogue"]:
        (found,) = driver.decode(exchange["recv"].encode(), {})
        if exchange["send"] == "t\r\n":
            assert driver.make_codec(driver.settings()).poll(0) == exchange["send"].encode()
            assert isinstance(found, Reading)
            assert (format(found.value, "f"), found.unit) == ("55.69", "Cel")
        else:
            assert isinstance(found, Malformed), "a set-point is no temperature"
