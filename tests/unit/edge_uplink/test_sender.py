"""The sender: everything arrives once and in order, whatever the cloud answers, and nobody is asked without a pause."""

import asyncio
import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge.errors import JournalFull
from edge.uplink.backoff import ASKED_CAP_S, Backoff
from edge.uplink.binding import CloudAway
from sync_protocol.answers import Ack, Need, Refused
from sync_protocol.entries import parse
from sync_protocol.outbox import LONG_BACKLOG

HEX = "0" * 64


def arrived(inbox: Any, run: str) -> list[str]:
    return [entry.name for entry in map(parse, inbox.entries.get(run, [])) if entry.t == "note"]


def kinds(inbox: Any, run: str) -> list[str]:
    return [entry.t for entry in map(parse, inbox.entries.get(run, []))]


async def earlier_runs(open_journal: Any, note: Any, *names: str) -> list[str]:
    runs = []
    for name in names:
        async with open_journal() as journal:
            await journal.append(note(name))
            runs.append(journal.run)
    return runs


async def test_runs_arrive_oldest_first_one_frame_at_a_time(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    old = await earlier_runs(open_journal, note, "a", "b")
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await asyncio.gather(*(journal.append(note(f"n{n}")) for n in range(700)))
        await until(lambda: running.sender.waiting() == 0)
        order = list(dict.fromkeys(batch.run for batch in cloud_inbox.batches))
        assert order == [*old, journal.run]
        assert (cloud_inbox.most_at_once, running.pauses) == (1, [])
        assert arrived(cloud_inbox, journal.run) == [f"n{n}" for n in range(700)]
        assert [arrived(cloud_inbox, run) for run in old] == [["a"], ["b"]]
        # A quiet journal asks nobody.
        asked = len(cloud_inbox.batches)
        await asyncio.sleep(0.05)
        assert len(cloud_inbox.batches) == asked
        await journal.append(note("late"))
        await until(lambda: arrived(cloud_inbox, journal.run)[-1] == "late")
    assert (running.sender.facts.up, running.sender.facts.alarm) == (True, None)


async def test_positions_survive_a_restart_and_a_lost_one_costs_a_harmless_resend(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, tmp_path: Path
) -> None:
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await journal.append(note("a"))
        await until(lambda: running.sender.waiting() == 0)
        first = journal.run
    sent = len(cloud_inbox.batches)
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.waiting() == 0 and journal.run in cloud_inbox.entries)
        assert first not in {batch.run for batch in cloud_inbox.batches[sent:]}
    connection = sqlite3.connect(tmp_path / "journal.db")
    with connection:
        connection.execute("UPDATE run SET acked = 0")
    connection.close()
    before = list(cloud_inbox.entries[first])
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.waiting() == 0 and journal.run in cloud_inbox.entries)
    assert cloud_inbox.entries[first] == before
    assert running.pauses == []


async def test_a_gap_is_filled_from_where_the_cloud_says(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        for number in range(4):
            await journal.append(note(f"n{number}"))
        await until(lambda: running.sender.waiting() == 0)
        cloud_inbox.restored({journal.run: 2})
        with capture_logs() as logs:
            await journal.append(note("next"))
            await until(lambda: arrived(cloud_inbox, journal.run)[-1:] == ["next"])
        assert arrived(cloud_inbox, journal.run) == ["n0", "n1", "n2", "n3", "next"]
        assert [line["acked"] for line in logs if line["event"] == "cloud_went_back"] == [2]
        assert len(running.pauses) == 1


async def test_a_restored_cloud_is_asked_about_every_run_again(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    old = await earlier_runs(open_journal, note, "a", "b", "c")
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.waiting() == 0 and journal.run in cloud_inbox.entries)
        cloud_inbox.restored({old[0]: 2, old[1]: 1})
        await journal.append(note("news"))
        await until(lambda: [arrived(cloud_inbox, run) for run in old] == [["a"], ["b"], ["c"]])
        await until(lambda: arrived(cloud_inbox, journal.run) == ["news"] and running.sender.waiting() == 0)
    assert running.sender.facts.alarm is None


@pytest.mark.parametrize(("err", "again"), [("fork", ["a"]), ("schema", [])])
async def test_a_refused_run_stops_and_the_others_go_on(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, err: str, again: list[str]
) -> None:
    """For good, so also after a restart. What a forked run held is said again, in another."""
    (old,) = await earlier_runs(open_journal, note, "a")
    cloud_inbox.script = [Refused(err=err)]
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: "cloud_refused" in arrived(cloud_inbox, journal.run))
        await until(lambda: running.sender.waiting() == 2 and arrived(cloud_inbox, journal.run)[1:] == again)
        assert [batch.run for batch in cloud_inbox.batches].count(old) == 1
    notes = [entry for entry in map(parse, cloud_inbox.entries[journal.run]) if entry.t == "note"]
    assert [(entry.name, entry.data, entry.was) for entry in notes] == [
        ("cloud_refused", {"reason": err, "run": old}, None),
        *((name, {}, f"{old}:1") for name in again),
    ]
    assert (running.sender.facts.alarm, running.pauses) == (err, [1.0])
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.waiting() == 2 and journal.run in cloud_inbox.entries)
    assert [batch.run for batch in cloud_inbox.batches].count(old) == 1


async def test_an_ack_with_another_hash_than_ours_is_a_fork(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    (old,) = await earlier_runs(open_journal, note, "a")
    cloud_inbox.script = [Ack(run=old, acked=2, hash=HEX, gen=0, srv_time="2026-05-01T10:00:00Z")]
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.facts.alarm == "fork" and journal.run in cloud_inbox.entries)
        assert (await journal.reader.outbox()).runs[0].acked == 0


@pytest.mark.parametrize("err", ["sig", "quarantine", "revoked"])
async def test_a_barred_box_asks_seldom_says_so_once_and_goes_on_when_it_is_let_in(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, err: str
) -> None:
    cloud_inbox.script = [Refused(err=err, retry_s=500)] * 3
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await journal.append(note("kept"))
        await until(lambda: running.sender.waiting() == 0)
        assert [pause for pause in running.pauses if pause >= 500] == running.pauses[:3]
        notes = [entry for entry in map(parse, cloud_inbox.entries[journal.run]) if entry.t == "note"]
        assert [entry.data for entry in notes if entry.name == "cloud_refused"] == [{"reason": err, "run": None}]
        assert running.sender.facts.alarm is None


async def test_what_is_gone_from_the_journal_is_told_once_and_holds_up_nobody(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, tmp_path: Path
) -> None:
    async with open_journal() as journal:
        old = journal.run
        await many(journal, note, 3)
    (whole,) = await earlier_runs(open_journal, note, "b")
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.waiting() == 0 and journal.run in cloud_inbox.entries)
    connection = sqlite3.connect(tmp_path / "journal.db")
    with connection:
        connection.execute("DELETE FROM entry WHERE seq < 2 AND run = (SELECT id FROM run WHERE run = ?)", (old,))
    connection.close()
    cloud_inbox.restored({})
    asked = len(cloud_inbox.batches)
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: "cloud_refused" in arrived(cloud_inbox, journal.run))
        await until(lambda: arrived(cloud_inbox, whole) == ["b"] and running.sender.waiting() == 4)
        assert not running.task.done()
        # Once, with what comes behind the cloud's old position; what it asks for then is gone.
        assert [batch.first for batch in cloud_inbox.batches[asked:] if batch.run == old] == [3]
    assert running.sender.facts.alarm == "pruned"


async def test_a_run_that_was_let_go_whole_does_not_count_against_what_waits(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, tmp_path: Path
) -> None:
    (old,) = await earlier_runs(open_journal, note, "a")
    connection = sqlite3.connect(tmp_path / "journal.db")
    with connection:
        connection.execute("UPDATE run SET acked = 2")
        connection.execute("DELETE FROM entry")
    connection.close()
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.waiting() == 0 and journal.run in cloud_inbox.entries)
        assert old not in {batch.run for batch in cloud_inbox.batches}


async def test_a_cloud_that_was_away_gets_everything_when_it_is_back(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, clock: Any
) -> None:
    cloud_inbox.always = CloudAway("no network")
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        with capture_logs() as logs:
            await journal.append(note("while away"))
            await until(lambda: len(running.pauses) > 6)
            assert running.pauses[:6] == [1, 2, 4, 8, 8, 8]
            assert (running.sender.facts.up, running.sender.waiting()) == (False, 2)
            cloud_inbox.always = None
            await until(lambda: running.sender.waiting() == 0)
            clock.turn(5)
            cloud_inbox.always = CloudAway("again")
            pauses = len(running.pauses)
            await journal.append(note("x"))
            await until(lambda: len(running.pauses) > pauses + 1)
        assert running.pauses[pauses : pauses + 2] == [1, 2]
    assert [line["event"] for line in logs] == ["cloud_lost", "cloud_answered", "cloud_lost"]
    assert arrived(cloud_inbox, journal.run) == ["while away"]


STATES = {
    "away": CloudAway("no network"),
    "slow down": Refused(err="slow_down"),
    "slow down at no pace": Refused(err="slow_down", retry_s=0),
    "slow down at nonsense": Refused(err="slow_down", retry_s=-5),
    "another run's answer": Ack(run="f" * 32, acked=3, hash=HEX, gen=0, srv_time=""),
}


@pytest.mark.parametrize("state", STATES)
async def test_no_state_is_a_busy_loop(open_journal: Any, cloud_inbox: Any, sending: Any, until: Any, state: str) -> None:
    cloud_inbox.always = STATES[state]
    async with open_journal() as journal, sending(journal, cloud_inbox, stop_after=8) as running:
        await until(lambda: len(running.pauses) == 8)
        assert len(cloud_inbox.batches) == 8
    assert running.pauses == [1, 2, 4, 8, 8, 8, 8, 8]


async def test_a_cloud_that_goes_to_and_fro_is_asked_ever_more_slowly(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    async with open_journal() as journal:
        for number in range(5):
            await journal.append(note(f"n{number}"))
        hashes = [await journal.reader.hash_at(journal.run, seq) for seq in range(6)]

        def swing(_batch: Any) -> Any:
            at = 2 + 2 * (len(cloud_inbox.batches) % 2)
            return {"run": journal.run, "need": at, "hash": hashes[at - 1].hex(), "gen": 0}

        cloud_inbox.always = lambda batch: Need(**swing(batch))
        async with sending(journal, cloud_inbox, stop_after=6) as running:
            await until(lambda: len(running.pauses) == 6)
            assert len(cloud_inbox.batches) == 6
    assert running.pauses == [1, 2, 4, 8, 8, 8]


async def test_the_cloud_is_given_the_time_it_asks_for(open_journal: Any, cloud_inbox: Any, sending: Any, until: Any) -> None:
    cloud_inbox.script = [Refused(err="slow_down", retry_s=42), CloudAway("503", 17.0)]
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: journal.run in cloud_inbox.entries)
    assert running.pauses == [42, 17]


async def many(journal: Any, note: Any, count: int, name: str = "n") -> None:
    await asyncio.gather(*(journal.append(note(f"{name}{number}")) for number in range(count)))


async def test_after_an_outage_new_entries_do_not_stand_behind_the_backlog(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    cloud_inbox.always = CloudAway("no network")
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        old = journal.run
        await many(journal, note, LONG_BACKLOG + 500)
        await until(lambda: len(running.pauses) > 2)
        assert journal.run == old
        live: list[int] = []

        def answer(batch: Any) -> Any:
            if batch.run != old and not live:
                live.append(len(cloud_inbox.entries[old]))
            return cloud_inbox.take(batch)

        cloud_inbox.always = answer
        await until(lambda: running.sender.waiting() == 0)
        assert journal.run != old
        # The link was known to be back with the first frame; what came next was the fresh run, not the rest of the line.
        assert live == [100]
        assert arrived(cloud_inbox, old) == [f"n{n}" for n in range(LONG_BACKLOG + 500)]
        await journal.append(note("live"))
        await until(lambda: arrived(cloud_inbox, journal.run)[-1:] == ["live"])


async def test_a_short_backlog_needs_no_fresh_run(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    cloud_inbox.script = [CloudAway("no network")]
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        run = journal.run
        await many(journal, note, 300)
        await until(lambda: running.sender.waiting() == 0)
        assert journal.run == run


async def test_frames_grow_while_exchanges_are_quick_and_shrink_when_one_is_not_answered(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    async with open_journal() as journal:
        await many(journal, note, 1900)
        cloud_inbox.script = [None, None, CloudAway("silence", unanswered=True), CloudAway("gone")]
        async with sending(journal, cloud_inbox) as running:
            await until(lambda: running.sender.waiting() == 0)
        # The third was made ready before the second had shown that the line is quick. It is not answered: 400 become 200, and
        # stay so on a line that is only cut.
        sizes = [len(batch.entries) for batch in cloud_inbox.batches]
        assert sizes[:6] == [100, 200, 200, 200, 200, 400]
        assert arrived(cloud_inbox, journal.run) == [f"n{n}" for n in range(1900)]


async def test_frames_shrink_on_a_line_that_is_slow(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, clock: Any
) -> None:
    def slowly(batch: Any) -> Any:
        clock.turn(6)
        return cloud_inbox.take(batch)

    cloud_inbox.always = slowly
    async with open_journal() as journal:
        await many(journal, note, 200)
        async with sending(journal, cloud_inbox) as running:
            await until(lambda: running.sender.waiting() == 0)
        assert [len(batch.entries) for batch in cloud_inbox.batches][:4] == [100, 50, 25, 12]
        assert running.sender.facts.batch_ms(50) == 6000


async def test_frames_are_packed_from_the_answer_on_that_says_they_may(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    cloud_inbox.enc = ("br", "zstd")
    async with open_journal() as journal:
        await many(journal, note, 900)
        async with sending(journal, cloud_inbox) as running:
            await until(lambda: running.sender.waiting() == 0)
            assert cloud_inbox.packed[:3] == [False, True, True]
            cloud_inbox.enc = ()
            await journal.append(note("a"))
            await until(lambda: running.sender.waiting() == 0)
            await journal.append(note("b"))
            await until(lambda: running.sender.waiting() == 0)
            assert cloud_inbox.packed[-2:] == [True, False]
            assert 0 < running.sender.facts.sent_bytes < 100_000
        assert arrived(cloud_inbox, journal.run) == [*(f"n{n}" for n in range(900)), "a", "b"]


async def test_the_next_frame_is_read_while_one_is_under_way_and_each_entry_once(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal() as journal:
        await many(journal, note, 1999)
        reads: list[int] = []
        stretch = journal.reader.stretch

        async def watched(run: Any, first: int, limit: int) -> Any:
            reads.append(first)
            return await stretch(run, first, limit)

        monkeypatch.setattr(journal.reader, "stretch", watched)
        under_way: list[int] = []

        post = cloud_inbox.post

        async def posting(data: bytes, *, packed: bool = False) -> Any:
            for _ in range(200):
                await asyncio.sleep(0.0005)
                if len(reads) > len(cloud_inbox.batches) + 1:
                    break
            under_way.append(len(reads))
            return await post(data, packed=packed)

        monkeypatch.setattr(cloud_inbox, "post", posting)
        async with sending(journal, cloud_inbox) as running:
            await until(lambda: running.sender.waiting() == 0)
        firsts = [batch.first for batch in cloud_inbox.batches]
        assert reads[: len(firsts)] == firsts[: len(reads)]
        assert len(reads) == len(set(reads))
        # Once the link is known to be up, the next frame has been read before the one under way is answered.
        assert under_way[2] == 4


async def test_a_frame_made_ready_is_thrown_away_when_the_answer_leads_elsewhere(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    def answer(batch: Any) -> Any:
        if len(cloud_inbox.batches) == 3:
            cloud_inbox.restored({batch.run: 5})
        return cloud_inbox.take(batch)

    cloud_inbox.always = answer
    async with open_journal() as journal:
        await many(journal, note, 1500)
        async with sending(journal, cloud_inbox) as running:
            await until(lambda: running.sender.waiting() == 0)
        # The third was answered with a gap, while the fourth lay ready to go on from it.
        assert [batch.first for batch in cloud_inbox.batches][:4] == [0, 100, 300, 5]
        assert [batch.header.gen for batch in cloud_inbox.batches][:4] == [0, 0, 0, 1]
        assert arrived(cloud_inbox, journal.run) == [f"n{n}" for n in range(1500)]


async def test_frames_that_vanish_three_times_in_a_row_are_told_once_until_one_is_answered(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    cloud_inbox.always = CloudAway("turned down", unanswered=True)
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: len(running.pauses) > 5)
        assert (running.sender.facts.alarm, len(cloud_inbox.batches) >= 3) == ("unanswered", True)
        cloud_inbox.always = None
        await until(lambda: running.sender.waiting() == 0)
        assert (running.sender.facts.alarm, running.sender.facts.unanswered) == (None, 0)
        notes = [entry for entry in map(parse, cloud_inbox.entries[journal.run]) if entry.t == "note"]
        assert [entry.data for entry in notes] == [{"reason": "unanswered", "run": None}]


async def test_a_line_that_is_down_is_no_alarm(open_journal: Any, cloud_inbox: Any, sending: Any, until: Any) -> None:
    cloud_inbox.always = CloudAway("no network")
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: len(running.pauses) > 8)
        assert (running.sender.facts.alarm, running.sender.facts.unanswered) == (None, 0)


async def test_a_box_that_stops_before_it_has_asked_a_restored_cloud_asks_after_its_start(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    """The generation must not be known before the positions that it calls in question."""
    old = await earlier_runs(open_journal, note, "a", "b", "c")
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.waiting() == 0 and journal.run in cloud_inbox.entries)
        await asyncio.sleep(0)
    async with open_journal() as journal:
        cloud_inbox.restored({old[0]: 0, old[1]: 2, old[2]: 2})
        answers = iter([None])

        def once(batch: Any) -> Any:
            return next(answers, CloudAway("the box stops here"))

        cloud_inbox.always = once
        async with sending(journal, cloud_inbox, stop_after=1) as running:
            await until(lambda: running.pauses)
        assert journal.known("gen") == "1"
    cloud_inbox.always = None
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.waiting() == 0 and journal.run in cloud_inbox.entries)
    assert [arrived(cloud_inbox, run) for run in old] == [["a"], ["b"], ["c"]]


async def test_a_newest_run_that_is_refused_is_left_for_a_fresh_one(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    """What is written afterwards must not stand behind entries that are not taken."""
    async with open_journal() as journal:
        refused = journal.run
        cloud_inbox.script = [Refused(err="schema")]
        async with sending(journal, cloud_inbox):
            await until(lambda: journal.run != refused)
            await journal.append(note("later"))
            await until(lambda: "later" in arrived(cloud_inbox, journal.run))
        assert "cloud_refused" in arrived(cloud_inbox, journal.run)
        assert refused not in cloud_inbox.entries


async def test_a_full_disk_does_not_keep_the_journal_from_draining(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the cloud has can be let go of: the way out of a full disk leads through the uplink."""
    (old,) = await earlier_runs(open_journal, note, "a")
    async with open_journal() as journal:
        await many(journal, note, LONG_BACKLOG + 100)

        async def refuse(*_more: Any) -> None:
            raise JournalFull("the disk is full")

        for name in ("append", "fresh_run", "stop_run"):
            monkeypatch.setattr(journal, name, refuse)
        cloud_inbox.script = [Refused(err="schema")]
        with capture_logs() as logs:
            async with sending(journal, cloud_inbox) as running:
                await until(lambda: running.sender.waiting() == 2)
                assert not running.task.done()
        assert [batch.run for batch in cloud_inbox.batches].count(old) == 1
        assert arrived(cloud_inbox, journal.run) == [f"n{n}" for n in range(LONG_BACKLOG + 100)]
    kinds = [line["what"] for line in logs if line["event"] == "not_kept"]
    assert kinds[:4] == ["fresh_run", "stop", "note", "anchor"]


async def test_what_the_cloud_holds_back_is_known(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    cloud_inbox.always = lambda batch: cloud_inbox.take(batch).model_copy(update={"hold": "overlap"})
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.sender.facts.hold == "overlap")
        cloud_inbox.always = None
        await journal.append(note("x"))
        await until(lambda: running.sender.facts.hold is None)


async def test_what_waits_is_counted_over_all_runs(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any
) -> None:
    await earlier_runs(open_journal, note, "a", "b")
    cloud_inbox.always = CloudAway("no network")
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:
        await until(lambda: running.pauses)
        assert running.sender.waiting() == 5
        await journal.append(note("c"))
        await journal.fresh_run()
        assert running.sender.waiting() == 7


@pytest.mark.parametrize(
    ("asked", "pause"),
    [(None, 1.0), (0.0, 1.0), (-3.0, 1.0), (30.0, 30.0), (1e300, ASKED_CAP_S), (math.inf, ASKED_CAP_S), (math.nan, 1.0)],
)
def test_no_number_silences_a_box_for_good(asked: float | None, pause: float) -> None:
    assert Backoff(300, lambda: 1.0).pause(asked) == pause


def test_jitter_spreads_between_a_fifth_and_the_whole_and_never_leaves_the_cap() -> None:
    for random in (0.0, 0.5, 0.999):
        backoff = Backoff(300, lambda random=random: random)
        pauses = [backoff.pause() for _ in range(100)]
        assert all(0.2 <= pause <= 300 for pause in pauses)
        assert pauses[-1] == pytest.approx(300 * (0.2 + 0.8 * random))
        backoff.reset()
        assert backoff.pause() == pytest.approx(0.2 + 0.8 * random)


async def test_time_is_anchored_at_most_every_ten_minutes_at_the_moment_of_the_answer(
    open_journal: Any, note: Any, cloud_inbox: Any, sending: Any, until: Any, clock: Any
) -> None:
    def slowly(batch: Any) -> Any:
        clock.turn(0.25)
        return cloud_inbox.take(batch)

    cloud_inbox.always = slowly
    async with open_journal() as journal, sending(journal, cloud_inbox) as running:

        async def appended(name: str) -> None:
            await journal.append(note(name))
            await until(lambda: arrived(cloud_inbox, journal.run)[-1:] == [name] and running.sender.waiting() == 0)

        for name in ("a", "b", "c"):
            await appended(name)
        assert kinds(cloud_inbox, journal.run).count("anchor") == 1
        clock.turn(598)
        await appended("d")
        assert kinds(cloud_inbox, journal.run).count("anchor") == 1
        clock.turn(10)
        await appended("e")
        await appended("f")
    anchors = [entry for entry in map(parse, cloud_inbox.entries[journal.run]) if entry.t == "anchor"]
    assert [(anchor.rtt_ns, anchor.srv_time) for anchor in anchors] == [(250_000_000, "2026-05-01T10:00:00.000Z")] * 2
    assert anchors[0].mono_ns == 1_000_250_000_000
