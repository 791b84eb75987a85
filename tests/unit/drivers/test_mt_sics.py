"""MT-SICS: what each line says, and what is asked when."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Flag, Identity, Kind, Malformed, Reading, Refused, SettingsFault
from drivers.scales.mt_sics import (
    ANSWER_TIMEOUT_NS,
    COMMANDS,
    DRIVER,
    MAX_LINE,
    STABLE_TIMEOUT_NS,
    STREAM_SILENCE_NS,
    MtSicsCodec,
    MtSicsSettings,
)
from drivers.scales.mt_sics_lines import UNITS
from drivers.settings import read_settings

MS = 1_000_000
WEIGHT = b"S S     100.00 g\r\n"


def polling(**settings: object) -> MtSicsCodec:
    return MtSicsCodec(MtSicsSettings.model_validate(settings))


def streaming() -> MtSicsCodec:
    return polling(mode="stream")


def one(line: bytes) -> Decoded:
    (decoded,) = polling().receive(line, 0)
    return decoded


@pytest.mark.parametrize(
    ("line", "value", "unit", "flags"),
    [
        (b"S S     100.00 g\r\n", "100.00", "g", {Flag.NET, Flag.STABLE}),
        (b"SI D 1.5 kg\r\n", "1.5", "kg", {Flag.NET, Flag.MOTION}),
        (b"SIR S -0.010 kg\r\n", "-0.010", "kg", {Flag.NET, Flag.STABLE}),
        (b"S S +00012.50 lb\r\n", "12.50", "[lb_av]", {Flag.NET, Flag.STABLE}),
        (b"T S      12.50 kg\r\n", "12.50", "kg", {Flag.TARE, Flag.STABLE}),
        (b"TI D 3 g\r\n", "3", "g", {Flag.TARE, Flag.MOTION}),
        (b"TA A 2.486 g\r\n", "2.486", "g", {Flag.TARE}),
        (b"S S 5 ozt\n", "5", "[oz_tr]", {Flag.NET, Flag.STABLE}),
    ],
)
def test_weight_line_keeps_digits_unit_and_state(line: bytes, value: str, unit: str, flags: set[Flag]) -> None:
    decoded = one(line)
    assert isinstance(decoded, Reading)
    assert (str(decoded.value), decoded.unit, decoded.flags, decoded.raw) == (value, unit, flags, line)
    assert isinstance(decoded.value, Decimal)


def test_pieces_and_percent_are_no_mass() -> None:
    pieces, percent = one(b"S S 12 PCS\r\n"), one(b"S S 99.5 %\r\n")
    assert isinstance(pieces, Reading)
    assert isinstance(percent, Reading)
    assert (pieces.kind, pieces.unit) == (Kind.COUNT, "{pcs}")
    assert (percent.kind, percent.unit) == (Kind.PERCENT, "%")


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        (b"S +\r\n", Flag.OVERLOAD),
        (b"S -\r\n", Flag.UNDERLOAD),
        (b"SIX1 + 0 N N R 0 0 0 1 N 999.99 999.99 0.00 kg\r\n", Flag.OVERLOAD),
        (b"SIX1 - 0 N N R 0 0 0 1 N 0.00 0.00 0.00 kg\r\n", Flag.UNDERLOAD),
        (b"SIX1 +\r\n", Flag.OVERLOAD),
    ],
)
def test_range_flag_leaves_no_value_whatever_the_digits(line: bytes, flag: Flag) -> None:
    decoded = one(line)
    assert isinstance(decoded, Reading)
    assert (decoded.value, decoded.unit, decoded.stable) == (None, None, None)
    assert decoded.flags == {Flag.NET, flag}


def test_six1_gives_net_gross_and_tare() -> None:
    decoded = one(b"SIX1 S 0 Z R R 0 0 0 1 P     12.50      10.00      2.50 kg\r\n")
    assert isinstance(decoded, Reading)
    assert (str(decoded.value), decoded.unit) == ("10.00", "kg")
    assert decoded.flags == {Flag.NET, Flag.STABLE, Flag.ZERO}
    assert decoded.details == {"gross": "12.50", "net": "10.00", "tare": "2.50", "preset_tare": "true"}


@pytest.mark.parametrize("word", ["S", "Z", "ZI", "T", "TI", "TA", "TAC", "D", "K", "I4", "SIX1", "@"])
@pytest.mark.parametrize("status", ["I", "L"])
def test_refusal_names_command_and_status(word: str, status: str) -> None:
    decoded = one(f"{word} {status}\r\n".encode())
    assert isinstance(decoded, Refused)
    assert decoded.code == f"{word} {status}"
    assert decoded.reason


@pytest.mark.parametrize("line", [b"Z +\r\n", b"Z -\r\n", b"T +\r\n", b"TI -\r\n", b"ES\r\n", b"ET\r\n", b"EL\r\n", b"EI\r\n"])
def test_other_refusals(line: bytes) -> None:
    decoded = one(line)
    assert isinstance(decoded, Refused)
    assert decoded.code == line.decode().strip()


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"Z A\r\n", "zero"),
        (b"ZI S\r\n", "zero_now"),
        (b"ZI D\r\n", "zero_now"),
        (b"TAC A\r\n", "clear_tare"),
        (b"D A\r\n", "display"),
        (b"DW A\r\n", "display_weight"),
        (b"K A\r\n", "keys"),
        (b"K C 3\r\n", "key C 3"),
        (b"@ A\r\n", "reset"),
    ],
)
def test_done_names_the_command(line: bytes, command: str) -> None:
    assert one(line) == Acknowledged(command, line)


@pytest.mark.parametrize(
    ("line", "what", "text"),
    [
        (b'I2 A "XS204 Excellence 220.0090 g"\r\n', "model", "XS204 Excellence 220.0090 g"),
        (b'I1 A "01" "2.30" "2.20" "" ""\r\n', "level", "01 2.30 2.20"),
        (b'I0 B 0 "I0"\r\n', "commands", "0 I0"),
        (b'I10 A "Lab 3"\r\n', "device_id", "Lab 3"),
        (b'@ A "0123"\r\n', "serial", "0123"),
    ],
)
def test_identity_says_what_it_is_of(line: bytes, what: str, text: str) -> None:
    assert one(line) == Identity(text, line, what=what)


def test_identity_text_is_cleaned() -> None:
    assert one(b'I2 A "a\x07b\x1b[31m"\r\n') == Identity("a␇b␛[31m", b'I2 A "a\x07b\x1b[31m"\r\n', what="model")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"079\r\n", "not an MT-SICS line"),
        (b"100.00 g\r\n", "not an MT-SICS line"),
        (b"S     100.00 g\r\n", "not an answer to S"),
        (b"S S 100.00\r\n", "a value and a unit"),
        (b"S S 1,5 g\r\n", "not a number"),
        (b"S S - 5 g\r\n", "a value and a unit"),
        (b"S S 1e3 g\r\n", "not a number"),
        (b"S S " + b"9" * 40 + b" g\r\n", "not a number"),
        (b"S S NaN g\r\n", "not a number"),
        (b"S S 5 tlh\r\n", "unknown unit 'tlh'"),
        (b"S S 5 Mg\r\n", "unknown unit 'Mg'"),
        (b"S S 5 k\xe9\r\n", "outside ASCII"),
        (b"S X\r\n", "not an answer to S"),
        (b"Z A 1\r\n", "not an answer to Z"),
        (b'I4 A "0123\r\n', "without its end"),
        (b"SIX1 S 0 Z R R 0 0 0 1 P 12.50 10.00 kg\r\n", "not a SIX1 answer"),
        (b"\r\n", "empty line"),
        (b"S S 1 g\rS S 2 g\r\n", "CR alone"),
        (b"s s 1 g\r\n", "not an MT-SICS line"),
    ],
)
def test_unreadable_line_is_malformed_with_its_reason(line: bytes, reason: str) -> None:
    decoded = one(line)
    assert isinstance(decoded, Malformed)
    assert reason in decoded.reason
    assert decoded.raw == line


@pytest.mark.parametrize("parity", [0, 1])
def test_seven_bit_device_read_with_eight_bits_is_a_line_setting(parity: int) -> None:
    sent = bytes(byte | 0x80 if byte.bit_count() % 2 != parity else byte for byte in WEIGHT)
    found = polling().receive(sent + sent, 0)
    assert len(found) == 2
    assert all(isinstance(item, Malformed) and "line setting" in item.reason for item in found)


def test_attach_in_the_middle_of_a_stream_drops_the_cut_line_only() -> None:
    cut, whole = polling().receive(b"0.079 g\r\n" + WEIGHT, 0)
    assert isinstance(cut, Malformed)
    assert isinstance(whole, Reading)


def test_line_longer_than_the_cap_is_dropped_and_the_next_one_read() -> None:
    codec = polling()
    found = codec.receive(b"S S " + b"1" * MAX_LINE + b" g\r\n" + WEIGHT, 0)
    assert [type(item) for item in found] == [Malformed, Malformed, Reading]
    assert str(MAX_LINE) in getattr(found[0], "reason", "")


def test_line_ends_may_be_cr_alone_when_set_so() -> None:
    codec = polling(end_of_line="cr")
    assert [type(item) for item in codec.receive(b"S S 1 g\rS S 2 g\r", 0)] == [Reading, Reading]


def test_what_is_left_at_the_end_is_malformed_once() -> None:
    codec = polling()
    codec.receive(b"S S 1 g", 0)
    assert [type(item) for item in codec.finish()] == [Malformed]
    assert codec.finish() == []


def test_poll_asks_at_the_interval_and_waits_for_the_answer() -> None:
    codec = polling(interval_ms=100)
    assert codec.poll(0) == b"SI\r\n"
    assert codec.poll(50 * MS) is None
    assert codec.poll(150 * MS) is None, "one question at a time"
    codec.receive(WEIGHT, 160 * MS)
    assert codec.poll(170 * MS) == b"SI\r\n"
    codec.receive(WEIGHT, 180 * MS)
    assert codec.poll(269 * MS) is None
    assert codec.poll(270 * MS) == b"SI\r\n"


def test_silence_is_overdue_after_the_time_out_until_a_valid_line() -> None:
    codec = polling(interval_ms=100)
    codec.poll(0)
    assert not codec.overdue(ANSWER_TIMEOUT_NS)
    assert codec.overdue(ANSWER_TIMEOUT_NS + 1)
    late = ANSWER_TIMEOUT_NS + 1
    assert codec.poll(late) == b"SI\r\n", "it keeps asking"
    assert codec.poll(late + 99 * MS) is None
    assert codec.poll(late + 100 * MS) == b"SI\r\n"
    codec.receive(b"079\r\n\xff\xff", late + 110 * MS)
    assert codec.overdue(late + 110 * MS), "noise is no answer"
    codec.receive(b"\r\n" + WEIGHT, late + 120 * MS)
    assert not codec.overdue(late + 120 * MS)


def test_refused_weight_is_an_answer_too() -> None:
    codec = polling()
    codec.poll(0)
    codec.receive(b"S I\r\n", 10 * MS)
    assert not codec.overdue(10 * ANSWER_TIMEOUT_NS)


def test_command_that_waits_for_rest_holds_the_polling_for_its_own_time_out() -> None:
    codec = polling()
    assert codec.command("zero") == b"Z\r\n"
    assert codec.poll(0) is None
    assert codec.poll(STABLE_TIMEOUT_NS) is None
    assert not codec.overdue(STABLE_TIMEOUT_NS)
    assert codec.overdue(STABLE_TIMEOUT_NS + 1)
    assert codec.poll(STABLE_TIMEOUT_NS + 1) == b"SI\r\n"


def test_polling_goes_on_after_the_answer_to_a_command() -> None:
    codec = polling()
    codec.command("tare")
    assert codec.poll(0) is None
    (tare,) = codec.receive(b"T S 2.50 kg\r\n", 5 * MS)
    assert isinstance(tare, Reading)
    assert tare.details == {"command": "tare"}
    assert codec.poll(6 * MS) == b"SI\r\n"


def test_zero_now_answered_with_the_short_prefix_keeps_its_name() -> None:
    codec = polling()
    codec.command("zero_now")
    assert codec.receive(b"Z A\r\n", 0) == [Acknowledged("zero_now", b"Z A\r\n")]


def test_stable_weight_is_not_answered_by_the_poll_before_it() -> None:
    codec = polling()
    codec.poll(0)
    assert codec.command("stable") == b"S\r\n"
    codec.receive(WEIGHT, 5 * MS)
    assert codec.poll(400 * MS) is None, "that was the answer to SI: S itself is still owed"
    codec.receive(b"S D 1.0 g\r\n", 500 * MS)
    assert codec.poll(600 * MS) is None
    codec.receive(WEIGHT, 3_000 * MS)
    assert codec.poll(3_001 * MS) == b"SI\r\n"


def test_serial_number_unasked_is_a_restart_and_asked_is_not() -> None:
    codec = polling()
    line = b'I4 A "0123"\r\n'
    assert codec.receive(line, 0) == [Identity("0123", line, power_up=True)]
    codec.command("identify")
    assert codec.receive(line, 1) == [Identity("0123", line)]
    codec.command("reset")
    assert codec.receive(line, 2) == [Identity("0123", line)]
    assert codec.receive(line, 3) == [Identity("0123", line, power_up=True)]


def test_restart_is_asked_again_at_once() -> None:
    codec = polling(interval_ms=60_000)
    codec.poll(0)
    codec.receive(b'I4 A "0123"\r\n', 1)
    assert codec.poll(2) == b"SI\r\n"
    stream = streaming()
    stream.poll(0)
    stream.receive(b'I4 A "0123"\r\n', 1)
    assert stream.poll(2) == b"SIR\r\n"


def test_stream_is_asked_once_and_again_when_silent() -> None:
    codec = streaming()
    assert codec.poll(0) == b"SIR\r\n"
    for at in range(1, 100):
        codec.receive(WEIGHT, at * 100 * MS)
        assert codec.poll(at * 100 * MS) is None
    last = 9_900 * MS
    assert codec.poll(last + STREAM_SILENCE_NS) is None
    assert not codec.overdue(last + STREAM_SILENCE_NS)
    assert codec.overdue(last + STREAM_SILENCE_NS + 1)
    assert codec.poll(last + STREAM_SILENCE_NS + 1) == b"SIR\r\n"
    codec.receive(WEIGHT, last + 2 * STREAM_SILENCE_NS)
    assert not codec.overdue(last + 2 * STREAM_SILENCE_NS)


def test_command_in_a_stream_cancels_it_and_the_stream_comes_back() -> None:
    codec = streaming()
    codec.poll(0)
    codec.receive(WEIGHT, 10 * MS)
    assert codec.command("tare") == b"SI\r\nT\r\n"
    codec.receive(WEIGHT, 20 * MS)
    assert codec.poll(21 * MS) is None
    (tare,) = codec.receive(b"T S 2.50 kg\r\n", 22 * MS)
    assert isinstance(tare, Reading)
    assert codec.poll(30 * MS) == b"SIR\r\n"


def test_no_command_but_reset_sends_what_may_clear_the_tare() -> None:
    for name in COMMANDS:
        sent = streaming().command(name, "1 g" if name == "preset_tare" else None)
        assert (b"@" in sent) is (name == "reset")
    codec = streaming()
    codec.poll(0)
    assert codec.command("identify") == b"SI\r\nI4\r\n"
    line = b'I4 A "0123"\r\n'
    codec.receive(WEIGHT, 1)
    assert codec.poll(2) is None
    assert codec.receive(line, 3) == [Identity("0123", line)]
    assert codec.poll(4) == b"SIR\r\n"
    assert codec.receive(line, 5) == [Identity("0123", line, power_up=True)]
    assert codec.command("stable") == b"S\r\n"
    codec.receive(b"S D 1 g\r\n", 6)
    assert codec.poll(7) is None, "a moving weight is no answer to S"
    codec.receive(WEIGHT, 8)
    assert codec.poll(9) == b"SIR\r\n"


@pytest.mark.parametrize(
    ("argument", "sent"),
    [
        ("12.5 g", b"TA 12.5 g\r\n"),
        ("0.500 kg", b"TA 0.500 kg\r\n"),
        ("1 [lb_av]", b"TA 1 lb\r\n"),
        ("3 {pcs}", b"TA 3 PCS\r\n"),
    ],
)
def test_preset_tare_speaks_the_device_units(argument: str, sent: bytes) -> None:
    assert polling().command("preset_tare", argument) == sent


@pytest.mark.parametrize("argument", [None, "", "12.5", "12,5 g", "-1 g", "5 mm", "1 g\r\nZ"])
def test_preset_tare_refuses_what_is_no_weight(argument: str | None) -> None:
    with pytest.raises(SettingsFault):
        polling().command("preset_tare", argument)


@pytest.mark.parametrize(("name", "argument"), [("calibrate", None), ("zero", "1"), ("identify", "C3"), ("identify", "@")])
def test_unknown_command_or_argument_is_refused(name: str, argument: str | None) -> None:
    with pytest.raises(SettingsFault):
        polling().command(name, argument)


def test_identify_asks_for_what_is_named() -> None:
    codec = polling()
    assert codec.command("identify", "I2") == b"I2\r\n"
    codec.receive(b'I2 A "XS204"\r\n', 1)
    assert codec.poll(2) == b"SI\r\n"


def test_list_of_commands_is_answered_by_its_last_line_only() -> None:
    codec = polling()
    codec.command("identify", "I0")
    codec.receive(b'I0 B 0 "I0"\r\n', 1)
    assert codec.poll(2) is None
    codec.receive(b'I0 A 1 "SR"\r\n', 3)
    assert codec.poll(4) == b"SI\r\n"


@given(st.integers(-(10**9), 10**9), st.integers(0, 5), st.sampled_from(sorted(UNITS)), st.sampled_from("SD"))
def test_weight_round_trip(digits: int, places: int, unit: str, status: str) -> None:
    value = Decimal(digits).scaleb(-places)
    decoded = one(f"S {status} {value:>10f} {unit}\r\n".encode())
    assert isinstance(decoded, Reading)
    assert (decoded.value, decoded.unit, decoded.stable) == (value, UNITS[unit], status == "S")


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([WEIGHT, b"S D 1 g\r\n", b'I4 A "1"\r\n', b"T S 1 g\r\n", b"ES\r\n", b"Z A\r\n"]),
            st.sampled_from(sorted(COMMANDS)),
            st.integers(0, 3 * STABLE_TIMEOUT_NS),
        ),
        max_size=30,
    ),
    st.sampled_from(["poll", "stream"]),
)
def test_any_course_of_events_ends_asking_again(course: list[bytes | str | int], mode: str) -> None:
    codec = polling(mode=mode)
    now = 0
    for step in course:
        if isinstance(step, bytes):
            codec.receive(step, now)
        elif isinstance(step, int):
            now += step
            codec.poll(now)
        else:
            codec.command(step, "1 g" if step == "preset_tare" else None)
    codec.poll(now)
    now += STABLE_TIMEOUT_NS + 1
    codec.poll(now)
    assert codec.poll(now + STABLE_TIMEOUT_NS) is not None, "never stuck, whatever happened"
    codec.receive(b"\r\n" + b"x" * MAX_LINE + b"\r\n" + WEIGHT, now + STABLE_TIMEOUT_NS)
    assert not codec.overdue(now + STABLE_TIMEOUT_NS)


def test_six1_gives_gross_net_and_tare_at_once() -> None:
    codec = polling(weight_command="SIX1")
    assert codec.poll(0) == b"SIX1\r\n"
    (got,) = codec.receive(b"SIX1 S 0 N R R 0 0 0 1 M     1.500     1.250     0.250 kg\r\n", 1)
    assert isinstance(got, Reading)
    assert (str(got.value), got.details["gross"], got.details["tare"]) == ("1.250", "1.500", "0.250")
    assert codec.poll(200_000_000) == b"SIX1\r\n"
    assert codec.receive(b"ES\r\n", 200_000_001)
    assert codec.poll(400_000_000) == b"SIX1\r\n", "a terminal without it says so, and is asked again"


def test_six1_has_no_stream() -> None:
    with pytest.raises(SettingsFault):
        read_settings(MtSicsSettings, {"weight_command": "SIX1", "mode": "stream"})


def test_probe_changes_no_measurement() -> None:
    assert DRIVER.info.probe is not None
    assert DRIVER.info.probe.send == b"SI\r\n"
    assert DRIVER.info.probe.recognises(b"S D     12.5 g\r\n")
    assert not DRIVER.info.probe.recognises(b"ES\r\n")
