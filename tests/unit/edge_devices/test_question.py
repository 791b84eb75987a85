"""What counts as a device's answer to a command that somebody waits for."""

from decimal import Decimal

import pytest

from drivers.api import Acknowledged, DeviceRefused, Flag, Identity, Kind, Malformed, Reading, Refused
from edge.devices.question import Answer, Question


def weight(*flags: Flag) -> Reading:
    return Reading(Kind.MASS, Decimal("1.5"), "kg", frozenset(flags), b"x")


TARE, STABLE, MOTION = weight(Flag.TARE), weight(Flag.STABLE), weight(Flag.MOTION)
WHO, CAME_UP = Identity("B1", b"x"), Identity("B1", b"x", power_up=True)


@pytest.mark.parametrize(
    ("command", "answer", "answers"),
    [
        ("zero", Acknowledged("zero", b"x"), True),
        ("zero", Acknowledged("tare", b"x"), False),
        ("zero", STABLE, False),
        ("tare", TARE, True),
        ("tare", STABLE, False),
        ("preset_tare", TARE, True),
        ("stable", STABLE, True),
        ("stable", weight(), True),
        ("stable", MOTION, False),
        ("stable", TARE, False),
        ("print", MOTION, True),
        ("identify", WHO, True),
        ("identify", CAME_UP, False),
        ("zero", WHO, False),
        ("print", Malformed("noise", b"x"), False),
    ],
)
async def test_only_the_word_to_the_command_answers_it(command: str, answer: Answer, answers: bool) -> None:
    question = Question(command)
    question.sent = True
    question.hear(answer)
    assert question.answer.done() is answers
    question.answer.cancel()


async def test_what_is_heard_before_the_command_was_sent_is_no_answer() -> None:
    question = Question("stable")
    question.hear(STABLE)
    assert not question.answer.done()
    assert question.settled.is_set()
    question.answer.cancel()


async def test_a_refusal_is_raised_with_the_devices_own_word() -> None:
    question = Question("zero")
    question.sent = True
    question.hear(Refused("Z +", "above the zero range", b"x"))
    with pytest.raises(DeviceRefused) as caught:
        await question.answer
    assert caught.value.code == "Z +"
