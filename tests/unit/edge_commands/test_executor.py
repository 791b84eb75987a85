"""What the box does with commands: once each, never under an older lease, and always told."""

import asyncio
from typing import Any

import pytest

from edge.commands.cloud_time import CloudTime
from edge.commands.executor import MAX_QUEUE
from edge.commands.outcomes import CommandFailed, CommandRefused, Result
from sync_protocol.commands import Session
from tests.unit.edge_commands.conftest import FAR, SECOND, OpenBox, TurnClock, command, until

NOON = "2026-11-22T12:00:00+00:00"


async def test_command_is_carried_out_once_however_often_it_comes(open_box: OpenBox) -> None:
    async with open_box() as box:
        for _ in range(3):
            box.executor.give(command(1))
        box.executor.give(command(2))
        assert [outcome for _, outcome in await box.until_told(2)] == ["done", "done"]
        assert box.done == ["pull_mirror"] * 2
    async with open_box() as box:
        box.executor.give(command(1))
        box.executor.give(command(1, lease=9))
        box.executor.give(command(3, lease=9))
        assert len(await box.until_told(3)) == 3
        assert box.done == ["pull_mirror"]


async def test_crash_while_carrying_out_is_told_as_interrupted_and_never_repeated(open_box: OpenBox) -> None:
    async with open_box() as box:
        box.executor.give(command(1, lease=4, op="fresh_run"))
        await until(lambda: box.done)
        assert await box.told() == []
    async with open_box() as box:
        assert await box.until_told(1) == [(command(1).cmd_id, "interrupted")]
        box.gate.set()
        box.executor.give(command(1, lease=5, op="fresh_run"))
        box.executor.give(command(2, lease=5))
        assert [outcome for _, outcome in await box.until_told(2)] == ["interrupted", "done"]
        assert box.done == ["pull_mirror"]
    async with open_box() as box:
        box.executor.give(command(3, lease=5))
        assert len(await box.until_told(3)) == 3


async def test_crash_between_the_result_and_its_mark_tells_nothing_twice(open_box: OpenBox, monkeypatch: Any) -> None:
    async def power_cut(_cmd_id: str) -> None:
        await asyncio.Event().wait()

    async with open_box() as box:
        monkeypatch.setattr(box.journal, "finish_command", power_cut)
        box.executor.give(command(1))
        await box.until_told(1)
    async with open_box() as box:
        box.executor.give(command(2))
        assert await box.until_told(2) == [(command(1).cmd_id, "done"), (command(2).cmd_id, "done")]


async def test_older_lease_is_fenced_also_after_a_restart(open_box: OpenBox) -> None:
    async with open_box() as box:
        box.executor.give(command(1, lease=7))
        await box.until_told(1)
        box.executor.give(command(2, lease=6))
        box.executor.give(command(2, lease=6))
        assert await box.until_told(2) == [(command(1).cmd_id, "done"), (command(2).cmd_id, "fenced")]
    async with open_box() as box:
        assert box.executor.highest_lease == 7
        box.executor.give(command(3, lease=6))
        assert (await box.until_told(3))[-1] == (command(3).cmd_id, "fenced")
        assert box.done == []
        # The same command under the newest lease is no longer an old one.
        box.executor.give(command(2, lease=8))
        assert (await box.until_told(4))[-1] == (command(2).cmd_id, "done")


async def test_what_was_taken_is_not_told_again_under_an_older_lease(open_box: OpenBox) -> None:
    async with open_box() as box:
        box.executor.give(command(1, lease=7))
        box.executor.give(command(1, lease=6))
        box.executor.give(command(2, lease=7))
        assert await box.until_told(2) == [(command(1).cmd_id, "done"), (command(2).cmd_id, "done")]


async def test_session_fences_before_any_command_of_it_came(open_box: OpenBox) -> None:
    async with open_box() as box:
        await box.executor.opened(Session(lease=12, srv_time=NOON), rtt_ns=SECOND)
        box.executor.give(command(1, lease=11))
        assert await box.until_told(1) == [(command(1).cmd_id, "fenced")]
        await box.executor.opened(Session(lease=3, srv_time=NOON), rtt_ns=SECOND)
        assert box.executor.highest_lease == 12


async def test_command_is_late_only_where_the_clouds_time_proves_it(open_box: OpenBox, clock: TurnClock) -> None:
    async with open_box() as box:
        box.executor.give(command(1, not_after="2020-01-01T00:00:00+00:00"))
        assert (await box.until_told(1))[-1][1] == "done"
        await box.executor.opened(Session(lease=2, srv_time=NOON), rtt_ns=SECOND)
        box.executor.give(command(2, lease=2, not_after="2026-11-22T12:00:00.500+00:00"))
        assert (await box.until_told(2))[-1][1] == "done"
        clock.ns += 2 * SECOND
        box.executor.give(command(3, lease=2, not_after="2026-11-22T12:00:00.500+00:00"))
        assert (await box.until_told(3))[-1][1] == "expired"
        box.executor.give(command(4, lease=2, not_after="no time at all"))
        assert (await box.until_told(4))[-1][1] == "done"


def test_time_of_another_boot_proves_nothing(clock: TurnClock) -> None:
    time = CloudTime(clock)
    assert not time.passed("1999-01-01T00:00:00+00:00")
    time.heard("yesterday", rtt_ns=0)
    assert not time.passed("1999-01-01T00:00:00+00:00")
    time.heard(NOON, rtt_ns=0)
    assert time.passed("2026-11-22T11:59:59+00:00")
    assert not time.passed(NOON)
    assert not time.passed(FAR)


@pytest.mark.parametrize(
    ("op", "args", "outcome", "detail"),
    [
        ("format_disk", {}, "refused", "unknown_op"),
        ("pull_mirror", {"now": True}, "refused", "bad_arguments"),
        ("zero", {}, "refused", "bad_arguments"),
        ("zero", {"device": "scale"}, "refused", "I"),
        ("tare", {"device": "scale"}, "failed", "lost"),
    ],
)
async def test_what_is_not_done_says_why(open_box: OpenBox, op: str, args: Any, outcome: str, detail: str) -> None:
    async def refuse(_args: Any) -> Result:
        raise CommandRefused("I", "not executable now")

    async def fail(_args: Any) -> Result:
        raise CommandFailed("lost")

    async with open_box(zero=refuse, tare=fail) as box:
        box.executor.give(command(1, op=op, **args))
        assert await box.until_told(1) == [(command(1).cmd_id, outcome)]
        box.executor.give(command(1, op=op, **args))
        box.executor.give(command(2))
        await box.until_told(2)
        (data,) = await box.journal.housekeeping(
            lambda db: [row[0] for row in db.execute("SELECT bytes FROM entry WHERE kind='command' LIMIT 1").fetchall()]
        )
        assert f'"detail":"{detail}"'.encode() in data


async def test_line_of_commands_is_bounded(open_box: OpenBox) -> None:
    async with open_box() as box:
        box.executor.give(command(0, op="fresh_run"))
        await until(lambda: box.done)
        for number in range(1, MAX_QUEUE + 10):
            box.executor.give(command(number))
        box.gate.set()
        assert len(await box.until_told(MAX_QUEUE + 1)) == MAX_QUEUE + 1
        box.executor.give(command(MAX_QUEUE + 5))
        assert len(await box.until_told(MAX_QUEUE + 2)) == MAX_QUEUE + 2
