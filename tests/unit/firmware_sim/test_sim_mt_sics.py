"""The MT-SICS interpreter: command lines in, answer lines out, in virtual time."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from firmware_sim.balance import Reach, Weight
from firmware_sim.errors import ActionRefused
from firmware_sim.mt_sics import MAX_WAITING
from firmware_sim.mt_sics_lines import LEVELS, MAX_LINE, weight_line

SERIAL = 'I4 A "B214507731"'
MakeBench = Callable[..., Any]


def test_a_weight_line_is_laid_out_as_the_manual_shows() -> None:
    weight = Weight(Decimal("100.00"), Decimal("100.00"), Decimal(0), stable=True, reach=Reach.IN)
    assert weight_line(weight, "g") == "S S     100.00 g"  # AL/AT operating instructions, example of command S


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("S", ["S S      0.000 kg"]),
        ("SI", ["S S      0.000 kg"]),
        ("Z", ["Z A"]),
        ("ZI", ["ZI S"]),
        ("T", ["T S      0.000 kg"]),
        ("TI", ["TI S      0.000 kg"]),
        ("TA", ["TA A      0.000 kg"]),
        ("TA 1.250 kg", ["TA A      1.250 kg"]),
        ("TA 1.2 g", ["TA L"]),
        ("TA x", ["TA L"]),
        ("TA -1 kg", ["TA L"]),
        ("TA 61 kg", ["TA L"]),
        ("TAC", ["TAC A"]),
        ("TAC 1", ["TAC L"]),
        ('D "hello"', ["D A"]),
        ("D hello", ["D L"]),
        ("D", ["D L"]),
        ("DW", ["DW A"]),
        ("K 4", ["K A"]),
        ("K 5", ["K L"]),
        ("K", ["K L"]),
        ("S 1", ["S L"]),
        ("SR 0 kg", ["S L"]),
        ("SR 1 g", ["S L"]),
        ("SNR 61 kg", ["S L"]),
        ("@", [SERIAL]),
        ("@ 1", ["ES"]),
        ("I1", ['I1 A "012" "2.30" "2.22" "1.00" ""']),
        ("I2", ['I2 A "TBX-60 60 kg"']),
        ("I3", ['I3 A "1.20 18.6.4.1361.772"']),
        ("I4", [SERIAL]),
        ("I5", ['I5 A "30117425A"']),
        ("SIX1", ["SIX1 S 0 Z R R 0 0 0 1 N     0.000     0.000     0.000 kg"]),
        ("s", ["ES"]),
        ("si", ["ES"]),
        ("XYZ", ["ES"]),
        ("I9", ["ES"]),
        ("", ["ES"]),
        (" S", ["ES"]),
        ("S\x11", ["ES"]),
    ],
)
def test_an_empty_balance_at_rest_answers(bench, command: str, answer: list[str]) -> None:
    assert bench.send(command) == answer


def test_the_command_list_is_whole_and_only_its_last_line_says_so(bench) -> None:
    lines = bench.send("I0")
    assert [line.split()[3].strip('"') for line in lines] == list(LEVELS)
    assert [line[3] for line in lines] == ["B"] * (len(LEVELS) - 1) + ["A"]
    assert bench.send(*(name for name in LEVELS if name not in {"D", "K"})), "each listed command is known"


def test_a_listed_command_is_never_unknown(make_bench: MakeBench) -> None:
    for name in LEVELS:
        assert make_bench().send(name)[:1] != ["ES"]


def test_a_model_without_six1_neither_lists_nor_knows_it(make_bench: MakeBench) -> None:
    bench = make_bench(terminal={"six1": False})
    assert not any("SIX1" in line for line in bench.send("I0"))
    assert bench.send("SIX1") == ["ES"]


def test_s_waits_until_stable_and_si_does_not(bench) -> None:
    bench.send("SI")
    bench.put("12340")
    assert bench.send("SI") == ["S D      0.000 kg"]
    assert bench.send("S") == []
    [(after_ms, line)] = bench.timed(20)
    assert line == "S S     12.340 kg"
    assert 1_000 < after_ms < 4_000


def test_s_gives_up_after_its_time(make_bench: MakeBench) -> None:
    bench = make_bench(noise=5.0)
    bench.send("SI")
    bench.wait(1)
    assert bench.send("S") == []
    assert bench.timed(30) == [(10_000, "S I")]


@pytest.mark.parametrize(("command", "answer"), [("Z", "Z I"), ("T", "T I")])
def test_zero_and_tare_give_up_like_s(make_bench: MakeBench, command: str, answer: str) -> None:
    bench = make_bench(noise=5.0, terminal={"stable_wait_ns": 3_000_000_000})
    assert bench.send(command) + bench.wait(30) == [answer]


def test_overload_and_underload_are_said_at_once(bench) -> None:
    bench.load("70000")
    assert bench.send("S", "SI", "T", "TI") == ["S +", "S +", "T +", "TI +"]
    assert bench.send("Z", "ZI", "SIX1") == ["Z +", "ZI +", "SIX1 +"]
    bench.remove()
    bench.wait(5)
    bench.load("1000")
    assert bench.send("Z") == ["Z A"]
    bench.remove()
    bench.wait(5)
    assert bench.send("S", "SI", "T") == ["S -", "S -", "T -"]


def test_tare_takes_the_load_and_net_goes_on_from_there(bench) -> None:
    bench.load("4500")
    assert bench.send("T", "SI") == ["T S      4.500 kg", "S S      0.000 kg"]
    bench.load("12340")
    assert bench.send("S", "TA") == ["S S     12.340 kg", "TA A      4.500 kg"]
    assert bench.send("SIX1") == ["SIX1 S 0 N R R 0 0 0 1 M    16.840    12.340     4.500 kg"]
    assert bench.send("TA 4 kg", "SI") == ["TA A      4.000 kg", "S S     12.840 kg"]
    assert bench.send("SIX1") == ["SIX1 S 0 N R R 0 0 0 1 P    16.840    12.840     4.000 kg"]
    assert bench.send("TAC", "SI") == ["TAC A", "S S     16.840 kg"]


def test_tare_and_zero_at_once_say_that_the_load_was_moving(bench) -> None:
    bench.send("SI")
    bench.put("100")
    assert bench.send("TI")[0].startswith("TI D ")
    assert bench.send("ZI") == ["ZI D"]


def test_commands_behind_a_waiting_one_are_done_in_order(bench) -> None:
    bench.put("1000")
    assert bench.send("S", "I4", "T", "SI") == []
    assert bench.wait(20) == ["S S      1.000 kg", SERIAL, "T S      1.000 kg", "S S      0.000 kg"]


def test_a_full_input_buffer_says_so(bench) -> None:
    bench.put("1000")
    assert bench.send("S", *["I4"] * (MAX_WAITING + 2)) == ["EL", "EL"]
    assert bench.wait(20) == ["S S      1.000 kg"] + [SERIAL] * MAX_WAITING


def test_reset_cancels_what_waits_and_clears_the_tare(bench) -> None:
    bench.send("TA 1 kg", "K 3", 'D "x"')
    bench.put("1000")
    assert bench.send("S", "I2", "@") == [SERIAL]
    assert bench.wait(20) == []
    assert bench.send("TA") == ["TA A      0.000 kg"]
    assert bench.device.shown_text is None
    assert bench.device.press_zero(bench.now_ns) == b""


def test_sir_sends_at_the_models_rate(bench) -> None:
    assert bench.send("SIR") == ["S S      0.000 kg"]
    heard = bench.timed(1)
    assert [at for at, _ in heard] == list(range(100, 1_001, 100))
    bench.put("12340")
    states = [line[2] for line in bench.wait(5)]
    assert states[0] == "D"
    assert states[-1] == "S"


def test_sir_does_not_make_up_for_missed_values(bench) -> None:
    bench.send("SIR")
    bench.now_ns += 60_000_000_000
    assert len(bench.device.tick(bench.now_ns).splitlines()) == 1
    assert len(bench.wait(1)) in (10, 11)


@pytest.mark.parametrize(("command", "answers"), [("@", 1), ("S", 1), ("SI", 1), ("SR", 1), ("SNR", 1)])
@pytest.mark.parametrize("repeat", ["SIR", "SR", "SNR"])
def test_repeating_is_stopped_by(bench, repeat: str, command: str, answers: int) -> None:
    bench.send(repeat)
    bench.wait(1)
    assert len(bench.send(command)) == answers
    assert bench.wait(5) == []


@pytest.mark.parametrize("command", ["I4", "Z", "T", "TA", "nonsense"])
def test_repeating_goes_on_beside(bench, command: str) -> None:
    bench.send("SIR")
    bench.send(command)
    assert len(bench.wait(1)) == 10


def test_sr_says_that_a_change_begins_and_where_it_ends(bench) -> None:
    assert bench.send("SR") == ["S S      0.000 kg"]
    assert bench.wait(5) == []
    bench.put("12340")
    begin, end = bench.wait(10)
    assert begin.startswith("S D ")
    assert end == "S S     12.340 kg"
    bench.put("1000")
    assert bench.wait(10) == [], "8 % are less than the default change"
    bench.remove("5000")
    assert [line[2] for line in bench.wait(10)] == ["D", "S"]


def test_sr_with_a_preset_reports_smaller_changes(bench) -> None:
    bench.load("12340")
    assert bench.send("SR 0.5 kg") == ["S S     12.340 kg"]
    bench.put("1000")
    assert bench.wait(10)[-1] == "S S     13.340 kg"


def test_snr_says_stable_weights_only(bench) -> None:
    bench.send("SNR")
    bench.put("12340")
    assert bench.wait(10) == ["S S     12.340 kg"]
    bench.put("70000")
    assert bench.wait(10) == ["S +"]
    bench.remove("70000")
    assert bench.wait(10) == ["S S     12.340 kg"]


def test_sr_gives_up_waiting_once_and_goes_on(bench) -> None:
    bench.device.balance.spec = type(bench.device.balance.spec)(
        capacity=Decimal(60), increment=Decimal("0.005"), unit="kg", noise=5.0
    )
    bench.wait(1)
    assert bench.send("SR") == []
    assert bench.timed(60) == [(10_000, "S I")]


@pytest.mark.parametrize(
    ("mode", "heard", "done"), [(1, b"", True), (2, b"", False), (3, b"K C 6\r\n", False), (4, b"K C 6\r\n", True)]
)
def test_key_modes_decide_what_a_key_does_and_who_hears_of_it(bench, mode: int, heard: bytes, done: bool) -> None:
    bench.load("100")
    bench.send(f"K {mode}")
    assert bench.device.press_zero(bench.now_ns) == heard
    assert bench.send("SI") == [f"S S      {'0.000' if done else '0.100'} kg"]


def test_a_key_that_is_not_there_is_refused(bench) -> None:
    with pytest.raises(ActionRefused, match="zero, tare"):
        bench.device.press("print", bench.now_ns)


def test_the_display_text_stays_until_the_weight_is_wanted_back(bench) -> None:
    bench.send('D "Lot A41"')
    assert bench.device.shown_text == "Lot A41"
    bench.send("DW")
    assert bench.device.shown_text is None


def test_after_power_on_the_serial_number_comes_unasked_and_commands_before_it_are_lost(bench) -> None:
    bench.send("SIR")
    bench.device.power_cycle(bench.now_ns)
    assert bench.send("SI") == []
    assert bench.timed(10) == [(2_000, SERIAL)]
    assert bench.send("SI") == ["S S      0.000 kg"]


def test_a_command_that_arrives_just_after_the_start_finds_the_greeting_first(bench) -> None:
    bench.device.power_cycle(bench.now_ns)
    bench.now_ns += 2_000_000_000
    assert bench.send("I3")[0] == SERIAL


def test_switched_on_with_too_much_on_it_there_is_no_weight_until_it_is_empty(bench) -> None:
    bench.load("12340")
    bench.device.power_cycle(bench.now_ns)
    bench.wait(5)
    assert bench.send("S", "SI", "Z", "T") == ["S I", "S I", "Z I", "T I"]
    bench.remove()
    bench.wait(5)
    assert bench.send("S") == ["S S      0.000 kg"]


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_command_may_arrive_in_pieces(bench, cut: int) -> None:
    data = b"I4\r\nSI\r\n"
    assert bench.raw(data[:cut]) + bench.raw(data[cut:]) == [SERIAL, "S S      0.000 kg"]


def test_a_line_ends_with_cr_lf_and_nothing_less(bench) -> None:
    assert bench.raw(b"SI\n") == ["ES"]
    assert bench.raw(b"SI\r") == []
    assert bench.raw(b"\n") == ["S S      0.000 kg"]


def test_parity_bits_are_a_transmission_error(bench) -> None:
    assert bench.raw(b"\xd3\xc9\r\n") == ["ET"]


@pytest.mark.parametrize("pieces", [1, 7, 1_000])
def test_an_overlong_line_is_one_syntax_error_and_is_not_kept(bench, pieces: int) -> None:
    flood = b'D "' + b"x" * (MAX_LINE * 20) + b'"\r\n'
    answers: list[str] = []
    for start in range(0, len(flood), pieces):
        answers += bench.raw(flood[start : start + pieces])
        assert len(bench.device._buffer) <= MAX_LINE + pieces
    assert answers == ["ES"]
    assert bench.send("I4") == [SERIAL]


def test_the_end_of_an_overlong_line_is_not_a_command(bench) -> None:
    assert bench.raw(b"x" * (MAX_LINE + 1)) == []
    assert bench.raw(b"SI\r\n") == ["ES"]
    assert bench.raw(b"SI\r\n") == ["S S      0.000 kg"]


def test_the_longest_allowed_line_is_accepted(bench) -> None:
    text = "x" * (MAX_LINE - 4)
    assert bench.send(f'D "{text}"') == ["D A"]
    assert bench.send(f'D "{text}x"') == ["ES"]


def test_an_idle_balance_wants_no_wake_up(bench) -> None:
    assert bench.device.due_ns(bench.now_ns) is None
    bench.load("1000")
    bench.send("S", "T", "@")
    assert bench.device.due_ns(bench.now_ns) is None
