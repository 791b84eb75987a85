"""The conversation that most instruments share, with a device that says `W<digits>` and CR."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from drivers.api import Acknowledged, Decoded, Flag, Kind, Malformed, Reading, Refused, SettingsFault
from drivers.framing import FrameBuffer
from drivers.talk import JOINED_NS, QUIET_NS, STREAM_SILENCE_NS, Command, Talk, TalkCodec

MS = 1_000_000


def read(frame: bytes, asked: str | None) -> Sequence[Decoded]:
    if frame.startswith(b"W"):
        return [Reading(Kind.MASS, Decimal(frame[1:-1].decode()), "kg", frozenset(), frame)]
    if frame.startswith(b"T"):
        return [Reading(Kind.MASS, Decimal(frame[1:-1].decode()), "kg", frozenset({Flag.TARE}), frame)]
    if frame == b"OK\r":
        return [Acknowledged(asked or "", frame)]
    return [Refused("NO", "not now", frame)] if frame == b"NO\r" else [Malformed("no frame", frame)]


def argument(given: str | None) -> bytes:
    if given is None:
        raise SettingsFault("an argument is needed", setting="argument")
    return f"P{given}\r".encode()


TALK = Talk(
    framer=lambda: FrameBuffer((b"\r",), 32),
    read=read,
    ask=b"?\r",
    commands={
        "zero": Command(b"Z\r"),
        "tare": Command(b"T\r"),
        "beep": Command(b"B\r", answered=False),
        "preset_tare": Command(argument),
    },
)
STREAM = replace(TALK, ask=None, start=b"GO\r", silence_ns=STREAM_SILENCE_NS)


def test_one_question_at_a_time_and_the_next_at_its_interval() -> None:
    codec = TalkCodec(TALK)
    assert codec.poll(0) == b"?\r"
    assert codec.poll(50 * MS) is None
    assert [type(item) for item in codec.receive(b"W1.5\r", 60 * MS)] == [Reading]
    assert codec.due_ns(60 * MS) == 100 * MS
    assert codec.poll(99 * MS) is None
    assert codec.poll(100 * MS) == b"?\r"


def test_no_answer_is_overdue_until_the_next_one_and_it_is_asked_on() -> None:
    codec = TalkCodec(TALK)
    codec.poll(0)
    due_ns = codec.due_ns(0)
    assert due_ns is not None
    assert codec.overdue(due_ns)
    assert codec.poll(due_ns) == b"?\r"
    assert codec.overdue(due_ns)
    codec.receive(b"noise\r", due_ns + MS)
    assert codec.overdue(due_ns + MS), "what is no frame answers nothing"
    codec.receive(b"W1\r", due_ns + 2 * MS)
    assert not codec.overdue(due_ns + 2 * MS)


def test_a_command_holds_the_questions_and_its_answer_bears_its_name() -> None:
    codec = TalkCodec(TALK)
    assert codec.command("zero") == b"Z\r"
    assert codec.due_ns(0) == 0, "its clock starts when somebody looks"
    assert codec.poll(0) is None
    (done,) = codec.receive(b"OK\r", MS)
    assert isinstance(done, Acknowledged)
    assert done.command == "zero"
    assert codec.poll(2 * MS) == b"?\r"


def test_a_late_weight_does_not_answer_a_command() -> None:
    codec = TalkCodec(TALK)
    codec.poll(0)
    codec.command("tare")
    codec.receive(b"W1\r", MS)
    assert codec.poll(2 * MS) is None
    codec.receive(b"T1\r", 3 * MS)
    assert codec.poll(4 * MS) is None, "not before its interval"
    assert codec.poll(100 * MS) == b"?\r"


def test_a_command_without_an_answer_is_acknowledged_by_the_sending() -> None:
    codec = TalkCodec(TALK)
    codec.command("beep")
    assert codec.due_ns(5) == 0
    assert codec.receive(b"", 5) == []
    assert codec.poll(6) is None, "nothing is asked meanwhile"
    due_ns = codec.due_ns(6)
    assert due_ns == 5 + QUIET_NS + 1
    assert not codec.overdue(due_ns)
    assert codec.receive(b"", due_ns) == [Acknowledged("beep", b"B\r")]
    assert codec.poll(due_ns) == b"?\r"


def test_a_device_that_is_silent_when_it_obeys_may_still_refuse() -> None:
    codec = TalkCodec(TALK)
    codec.command("beep")
    said = [*codec.receive(b"W1\r", 5), *codec.receive(b"NO\r", 6), *codec.receive(b"", 10 * QUIET_NS)]
    assert [type(item) for item in said] == [Reading, Refused]


@pytest.mark.parametrize(("name", "given"), [("dance", None), ("zero", "1"), ("preset_tare", None)])
def test_commands_that_do_not_fit_are_refused_before_anything_is_sent(name: str, given: str | None) -> None:
    with pytest.raises(SettingsFault):
        TalkCodec(TALK).command(name, given)


def test_a_stream_is_started_again_after_silence_and_silence_is_overdue() -> None:
    codec = TalkCodec(STREAM)
    assert codec.poll(0) == b"GO\r"
    now_ns = 0
    for _ in range(50):
        now_ns += 100 * MS
        codec.receive(b"W1\r", now_ns)
        assert codec.poll(now_ns) is None
    assert not codec.overdue(now_ns + STREAM_SILENCE_NS)
    assert codec.overdue(now_ns + STREAM_SILENCE_NS + 1)
    assert codec.poll(now_ns + STREAM_SILENCE_NS) == b"GO\r"


@pytest.mark.parametrize(
    ("talk", "at_ns", "kept"),
    [
        (replace(STREAM, start=None), JOINED_NS, False),
        (replace(STREAM, start=None), JOINED_NS + 1, True),
        (replace(STREAM, start=None, torn_first=False), 0, True),
        (TALK, 0, True),
    ],
)
def test_the_tail_of_a_line_that_was_under_way_is_no_weight(talk: Talk, at_ns: int, kept: bool) -> None:
    codec = TalkCodec(talk)
    codec.poll(0)
    first, second = [*codec.receive(b"W79\r", at_ns), *codec.receive(b"W1079\r", at_ns + 500 * MS)]
    assert isinstance(first, Reading if kept else Malformed)
    assert isinstance(second, Reading)
    assert second.value == 1079
