"""Readers in keyboard mode: keys to codes, separators, Caps Lock, lost events, and layouts that a reader is set to."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.api import Decoded, Malformed, Reading
from drivers.envelope import Message
from drivers.scanners.keyboard_reader import MAX_EVENTS, KeyboardCodec, KeyboardSettings
from drivers.scanners.keys import EV_KEY, EV_LED, EV_SYN, EVENT, KEY_NAMES, KEYPAD, LED_CAPSL, SYN_DROPPED
from drivers.scanners.layouts import KEY_CODES, LAYOUTS, NAMES, NONE, LayoutName

MS = 1_000_000
GS = "\x1d"
LIGHT_ON = EVENT.pack(EV_LED, LED_CAPSL, 1)
LIGHT_OFF = EVENT.pack(EV_LED, LED_CAPSL, 0)
LOST = EVENT.pack(EV_SYN, SYN_DROPPED, 0)


def codec(**settings: object) -> KeyboardCodec:
    return KeyboardCodec(KeyboardSettings.model_validate(settings))


def key(name: str, *values: int) -> bytes:
    """A key pressed and released, or as `values` say."""
    return b"".join(EVENT.pack(EV_KEY, KEY_NAMES[f"KEY_{name}"], value) for value in values or (1, 0))


def held(name: str, *inside: bytes) -> bytes:
    return key(name, 1) + b"".join(inside) + key(name, 0)


def keypad(digits: str) -> bytes:
    return b"".join(key(f"KP{digit}") for digit in digits)


ENTER = key("ENTER")


def typed(text: str, layout: LayoutName = "us") -> bytes:
    """Events of a reader set to a layout; what its keys do not give becomes an Alt code."""
    found = b""
    for char in text:
        for modifier, level in zip((None, "LEFTSHIFT", "RIGHTALT"), LAYOUTS[layout].levels(), strict=False):
            if char in level and char != NONE:
                press = b"".join(EVENT.pack(EV_KEY, KEY_CODES[level.index(char)], value) for value in (1, 0))
                found += held(modifier, press) if modifier else press
                if char in LAYOUTS[layout].dead and modifier != "RIGHTALT":
                    found += key("SPACE")
                break
        else:
            found += key("SPACE") if char == " " else held("LEFTALT", keypad(f"{ord(char):04}"))
    return found


def read(events: bytes, **settings: object) -> list[Decoded]:
    reader = codec(**settings)
    return reader.receive(Message("keys", events).to_bytes(), 0) + reader.finish()


def read_raw(raw: bytes) -> list[Decoded]:
    reader = codec()
    return reader.receive(raw, 0) + reader.finish()


def texts(found: list[Decoded]) -> list[object]:
    return [item.value if isinstance(item, Reading) else type(item) for item in found]


@pytest.mark.parametrize(
    "separator",
    [
        held("LEFTCTRL", key("RIGHTBRACE")),
        held("RIGHTCTRL", key("RIGHTBRACE")),
        held("LEFTALT", keypad("029")),
        held("LEFTALT", keypad("0029")),
        held("LEFTALT", keypad("29")),
        held("RIGHTALT", keypad("029")),
        key("F8"),
    ],
)
def test_group_separator_arrives_however_the_reader_sends_it(separator: bytes) -> None:
    (found,) = read(typed("]C110AB") + separator + typed("21X") + ENTER)
    assert isinstance(found, Reading)
    assert found.value == f"10AB{GS}21X"
    assert (found.details["ai.10"], found.details["ai.21"]) == ("AB", "X")


def test_configured_key_and_character_stand_for_the_separator() -> None:
    assert texts(read(typed("]C110AB") + key("F9") + typed("21X") + ENTER, separator_keys=["KEY_F9"])) == [f"10AB{GS}21X"]
    assert texts(read(typed("]C110AB~21X") + ENTER, separators="~")) == [f"10AB{GS}21X"]
    with pytest.raises(ValidationError):
        codec(separator_keys=["KEY_NONE"])


def test_code_is_given_when_its_terminator_is_released_or_the_next_key_comes() -> None:
    reader = codec()
    assert reader.receive(Message("keys", typed("ab") + key("ENTER", 1)).to_bytes(), 0) == []
    assert texts(reader.receive(Message("keys", key("ENTER", 0)).to_bytes(), MS)) == ["ab"]
    reader.receive(Message("keys", typed("cd") + key("ENTER", 1)).to_bytes(), 2 * MS)
    assert texts(reader.receive(Message("keys", typed("e")).to_bytes(), 3 * MS)) == ["cd"]


def test_release_that_never_comes_is_not_waited_for_long() -> None:
    reader = codec()
    reader.receive(Message("keys", typed("ab") + key("ENTER", 1)).to_bytes(), 0)
    assert reader.due_ns(0) == 100 * MS
    assert texts(reader.receive(b"", 100 * MS)) == ["ab"]
    assert reader.due_ns(100 * MS) is None


@pytest.mark.parametrize(
    ("terminator", "events", "expected"),
    [
        ("any", typed("a") + ENTER + typed("b") + key("TAB"), ["a", "b"]),
        ("any", typed("a") + key("KPENTER"), ["a"]),
        ("any", typed("a") + held("LEFTCTRL", key("M")), ["a"]),
        ("any", typed("a") + held("LEFTALT", keypad("013")), ["a"]),
        ("enter", typed("a") + key("TAB") + typed("b") + ENTER, ["a\tb"]),
        ("tab", typed("a") + ENTER + typed("b") + key("TAB"), ["a\rb"]),
        ("none", typed("a"), ["a"]),
        ("any", typed("a") + key("TAB") + ENTER + typed("b") + ENTER, ["a", "b"]),
    ],
)
def test_terminator_ends_a_code(terminator: str, events: bytes, expected: list[str]) -> None:
    assert texts(read(events, terminator=terminator)) == expected


def test_keys_without_a_terminator_are_given_up_after_silence() -> None:
    reader = codec(idle_ms=60)
    reader.receive(Message("keys", typed("72900")).to_bytes(), 0)
    assert reader.receive(b"", 59 * MS) == []
    (found,) = reader.receive(b"", 60 * MS)
    assert isinstance(found, Malformed)
    assert "terminator" in found.reason
    assert texts(reader.receive(Message("keys", typed("ab") + ENTER).to_bytes(), 70 * MS)) == ["ab"]


def test_code_that_ends_by_silence_is_one_where_that_is_set() -> None:
    reader = codec(terminator="none")
    reader.receive(Message("keys", typed("7290001234563")).to_bytes(), 0)
    (found,) = reader.receive(b"", 100 * MS)
    assert isinstance(found, Reading)
    assert found.details["gtin"] == "07290001234563"


def test_caps_lock_light_turns_letters_round_and_nothing_else() -> None:
    assert texts(read(LIGHT_ON + typed("aB-1_") + ENTER)) == ["Ab-1_"]
    assert texts(read(LIGHT_ON + LIGHT_OFF + typed("aB") + ENTER)) == ["aB"]
    assert texts(read(LIGHT_ON + typed("aB") + ENTER, caps_lock=False)) == ["aB"]
    assert texts(read(typed("aB") + ENTER, caps_lock=True)) == ["Ab"]


def test_bytes_of_a_code_hold_the_light_and_keys_that_were_down_before() -> None:
    reader = codec()
    events = LIGHT_ON + key("LEFTSHIFT", 1) + key("A") + ENTER + key("B") + key("MINUS") + key("LEFTSHIFT", 0) + ENTER
    first, second = reader.receive(Message("keys", events).to_bytes(), 0)
    assert texts([first, second]) == ["a", "b_"]
    assert codec().receive(second.raw, 0) == [second]


@pytest.mark.parametrize(
    "spoiled",
    [
        LOST + typed("12"),
        typed("1") + LOST + typed("2"),
        typed("12") + LOST,
        key("LEFTSHIFT", 1) + key("A") + LOST + typed("2"),
    ],
)
def test_lost_events_discard_the_code_and_say_so(spoiled: bytes) -> None:
    found = read(spoiled + ENTER + typed("ab") + ENTER)
    assert isinstance(found[0], Malformed)
    assert "lost" in found[0].reason
    assert texts(found[1:]) == ["ab"]


def test_lost_terminator_spoils_no_later_code() -> None:
    reader = codec()
    reader.receive(Message("keys", typed("12") + LOST).to_bytes(), 0)
    assert texts(reader.receive(Message("keys", typed("ab") + ENTER).to_bytes(), 100 * MS)) == [Malformed, "ab"]


def test_key_without_a_character_is_said_and_never_swallowed_silently() -> None:
    (found,) = read(typed("12") + key("F5") + typed("34") + ENTER)
    assert isinstance(found, Reading)
    assert found.value == "1234"
    assert "63" in found.details["warning"]
    (alone,) = read(key("F5") + ENTER)
    assert isinstance(alone, Malformed)


def test_repeats_and_locks_add_nothing() -> None:
    assert texts(read(key("A", 1, 2, 2, 0) + key("CAPSLOCK") + key("NUMLOCK") + ENTER)) == ["a"]


def test_stray_keys_between_codes_are_forgotten_in_silence() -> None:
    reader = codec()
    assert reader.receive(Message("keys", key("LEFTSHIFT", 0) + ENTER + LIGHT_OFF).to_bytes(), 0) == []
    assert reader.receive(b"", 100 * MS) == []
    assert reader.finish() == []


def test_alt_codes_give_whole_texts_of_either_code_page() -> None:
    events = b"".join(held("LEFTALT", keypad(digits)) for digits in ("065", "0233", "130", "0032", "66"))
    assert texts(read(events + ENTER)) == ["Aéé B"]
    (found,) = read(typed("a") + held("LEFTALT", keypad("999")) + ENTER)
    assert isinstance(found, Reading)
    assert "no character" in found.details["warning"]


def test_control_keys_give_the_characters_of_industry_envelopes() -> None:
    record, end = held("LEFTCTRL", key("6")), held("LEFTCTRL", key("D"))
    group = held("LEFTCTRL", key("RIGHTBRACE"))
    (found,) = read(typed("[)>") + record + typed("06") + group + typed("9N1") + record + end + ENTER)
    assert isinstance(found, Reading)
    assert found.value == "[)>\x1e06\x1d9N1\x1e\x04"
    assert found.details["content"] == "iso15434"


def test_code_that_never_ends_is_given_up_at_the_cap() -> None:
    reader = codec()
    found: list[Decoded] = []
    for _ in range(40):
        found += reader.receive(Message("keys", key("A") * 400).to_bytes(), 0)
    assert any(isinstance(item, Malformed) and "without a terminator" in item.reason for item in found)
    endless = codec()
    for _ in range(20):
        found = endless.receive(Message("keys", key("A", 2) * 8000).to_bytes(), 0)
        if found:
            break
    assert [type(item) for item in found] == [Malformed]
    assert len(found[0].raw) <= (MAX_EVENTS + 8192) * EVENT.size


@pytest.mark.parametrize("layout", NAMES)
def test_reader_set_to_another_layout_is_read_by_that_one(layout: LayoutName) -> None:
    if layout == "il":
        return  # no reader has it: Hebrew letters are not in codes' own character sets
    text = "]C0Lot_42:a/B@zy{|}~#\\^`'"
    (found,) = read(typed(text, layout) + ENTER, scanner_layout=layout)
    assert isinstance(found, Reading)
    assert (found.value, found.details.get("warning")) == (text[3:], None)


def test_reader_set_to_a_layout_nobody_told_is_suspected_and_not_repaired() -> None:
    (found,) = read(typed("7290001234563", "fr") + ENTER)
    assert isinstance(found, Reading)
    assert "gtin" not in found.details
    assert "layout fr" in found.details["warning"]


@pytest.mark.parametrize("payload", [b"", b"\x00" * 7, b"\x00" * 9])
def test_message_that_holds_no_whole_events_is_malformed(payload: bytes) -> None:
    (found,) = codec().receive(Message("keys", payload).to_bytes(), 0)
    assert isinstance(found, Malformed)


ANY_EVENT = st.builds(
    EVENT.pack,
    st.sampled_from([EV_KEY, EV_KEY, EV_KEY, EV_LED, EV_SYN, 4]),
    st.sampled_from([*KEY_NAMES.values(), 1, 3, 240, 767]),
    st.sampled_from([0, 1, 2, -1]),
)


@given(st.lists(ANY_EVENT, max_size=60))
def test_any_events_are_codes_that_read_back_from_their_own_bytes(events: list[bytes]) -> None:
    for item in read(b"".join(events)):
        assert isinstance(item, Reading | Malformed)
        if isinstance(item, Reading):
            assert [again for again in read_raw(item.raw) if isinstance(again, Reading)] == [item]


@given(events=st.lists(ANY_EVENT, max_size=40), cuts=st.sets(st.integers(0, 40), max_size=8))
def test_envelopes_between_events_do_not_matter(events: list[bytes], cuts: set[int]) -> None:
    reader = codec()
    bounds = [0, *sorted(cut for cut in cuts if cut < len(events)), len(events)]
    parts = [b"".join(events[start:stop]) for start, stop in itertools.pairwise(bounds)]
    apart = [item for part in parts if part for item in reader.receive(Message("keys", part).to_bytes(), 0)]
    assert apart + reader.finish() == (read(b"".join(events)) if events else [])


@given(
    text=st.text(alphabet=st.sampled_from(LAYOUTS["us"].plain + LAYOUTS["us"].shifted + " " + GS), min_size=1, max_size=40),
    layout=st.sampled_from([name for name in NAMES if name != "il"]),
)
def test_any_text_of_a_reader_comes_through_unchanged(text: str, layout: LayoutName) -> None:
    (found,) = read(typed(text, layout) + ENTER, scanner_layout=layout, aim_prefix=False, no_read="")
    assert isinstance(found, Reading)
    assert found.value == text


def test_every_key_name_is_one_of_the_kernels() -> None:
    ecodes = pytest.importorskip("evdev", reason="evdev is not installed").ecodes
    assert {name: getattr(ecodes, name) for name in KEY_NAMES} == KEY_NAMES
    assert set(KEYPAD) <= set(KEY_NAMES.values())
