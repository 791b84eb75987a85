"""A damaged journal: set aside as it was found, what can be read and proven is said again, the box goes on."""

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.clock import BoxClock
from edge.errors import JournalFault
from edge.journal import aside, opening, salvage, store
from edge.journal.service import Journal
from sync_protocol import chain
from sync_protocol.entries import Clk, NoteEntry, parse
from sync_protocol.ids import run_id

RUN, SECOND = run_id("ab" * 16), run_id("cd" * 16)
CLOCK = BoxClock("boot", Clk(s="none"))
ACKED = 40


def note(name: str) -> NoteEntry:
    return NoteEntry(**CLOCK.stamp(), name=name)


def opened(path: Path, **more: Any) -> Any:
    return Journal.open(path, clock=CLOCK, firmware="0", **more)


async def _fill(folder: Path) -> None:
    """Two runs; then copies of the open files, as a power cut leaves them, and of the closed one."""
    path = folder / "open" / "journal.db"
    path.parent.mkdir()
    async with opened(path, run=RUN) as journal:
        for n in range(5):
            await asyncio.gather(*(journal.append(note(f"a{n}.{k} {'x' * 150}")) for k in range(20)))
        journal.mark_acked(RUN, ACKED)
    async with opened(path, run=SECOND) as journal:
        for n in range(6):
            await asyncio.gather(*(journal.append(note(f"b{n}.{k} {'x' * 150}")) for k in range(20)))
        await journal.append(note("long " + "x" * 20_000))
        await journal.begin_command("01A")
        cut = folder / "cut"
        cut.mkdir()
        for file in path.parent.glob("journal.db*"):
            shutil.copy(file, cut)
    (folder / "closed").mkdir()
    shutil.copy(path, folder / "closed")


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journals")
    asyncio.run(_fill(folder))
    return folder


def entries_of(path: Path) -> dict[str, bytes]:
    """Bytes of every entry by its id."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        sql = "SELECT r.run, seq, bytes, hash, was FROM entry e JOIN run r ON r.id = e.run ORDER BY r.id, seq"
        before: dict[str, bytes] = {}
        found = {}
        for run, seq, data, digest, _ in connection.execute(sql):
            # What the cloud has is not proved at every start.
            assert acked(f"{run}:{seq}") or chain.link(before.get(run, chain.seed(run)), seq, data) == digest
            before[run] = digest
            found[f"{run}:{seq}"] = data
        return found
    finally:
        connection.close()


def without_was(data: bytes) -> dict[str, Any]:
    return {name: value for name, value in json.loads(data).items() if name != "was"}


def check_nothing_readable_stayed_behind(path: Path, before: dict[str, bytes]) -> set[str]:
    """Every entry of before is there under its id, or said again with the same content, or acked, or in the list that is
    returned."""
    after = entries_of(path)
    # What was acked may be damaged so that it is no JSON any more.
    entries = [(data, json.loads(data)) for name, data in after.items() if name not in before]
    again = {entry["was"]: data for data, entry in entries if "was" in entry}
    assert len(again) == sum("was" in entry for _, entry in entries)
    lost = set()
    for name, data in before.items():
        if name in again:
            assert without_was(again[name]) == without_was(data)
            assert name not in after
        elif name in after:
            assert after[name] == data or acked(name)
        else:
            lost.add(name)
    # Nothing is made up: what is said again was there.
    assert again.keys() <= before.keys()
    return lost


def acked(name: str) -> bool:
    run, seq = name.split(":")
    return (run == RUN and int(seq) < ACKED) or seq == "0"


async def test_a_good_journal_is_left_as_it_is(journals: Path, tmp_path: Path) -> None:
    for kind in ("open", "cut", "closed"):
        folder = shutil.copytree(journals / kind, tmp_path / kind)
        before = entries_of(journals / "closed" / "journal.db")
        async with opened(folder / "journal.db"):
            pass
        assert check_nothing_readable_stayed_behind(folder / "journal.db", before) == set()
        assert not aside.folders(folder / "journal.db")
        assert not any("was" in json.loads(data) for data in entries_of(folder / "journal.db").values())


PLACES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["cut", "closed"]),
    places=PLACES,
    log=st.booleans(),
    keep=st.one_of(st.none(), st.none(), st.floats(0, 1)),
    width=st.sampled_from([1, 1, 16, 600]),
)
def test_a_journal_damaged_anywhere_opens_and_loses_at_most_what_was_hit(
    journals: Path, tmp_path_factory: Any, kind: str, places: Any, log: bool, keep: float | None, width: int
) -> None:
    folder = shutil.copytree(journals / kind, tmp_path_factory.mktemp("damage") / "box")
    path = folder / "journal.db"
    file = path.with_name("journal.db-wal") if log and kind == "cut" else path
    data = bytearray(file.read_bytes())
    for place, flip in places:
        at = int(place * len(data))
        for byte in range(at, min(at + width, len(data))):
            data[byte] ^= flip
    file.write_bytes(bytes(data[: len(data) if keep is None else int(keep * len(data))]))
    damaged = {each.name: each.read_bytes() for each in folder.glob("journal.db*")}
    before = entries_of(journals / "closed" / "journal.db")
    asyncio.run(_reopen(path, before, damaged, hit=len(places) * (width // 200 + 2), cut=keep is not None))
    shutil.rmtree(folder.parent)


async def _reopen(path: Path, before: dict[str, bytes], damaged: dict[str, bytes], *, hit: int, cut: bool) -> None:
    try:
        async with opened(path) as journal:
            placed = await journal.append(note("on"))
    except JournalFault as exc:
        assert "schema" in str(exc)  # noqa: PT017 - the version itself was hit: a newer program's journal is left alone
        return
    lost = {name for name in check_nothing_readable_stayed_behind(path, before) if not acked(name)}
    assert str(placed) in entries_of(path)
    for folder in aside.folders(path):
        # Looking at a journal without a log leaves an empty one.
        kept = {each.name: data for each in folder.iterdir() if not each.name.endswith("-shm") and (data := each.read_bytes())}
        assert kept == {name: data for name, data in damaged.items() if data and not name.endswith("-shm")}
        assert (path.parent / f"salvage-{aside.number_of(folder)}.jsonl").exists()
    if not cut:
        # A page has about ten entries, and the overflow of a long one nothing else.
        assert len(lost) <= 14 * hit, lost


async def test_a_schema_that_is_no_text_is_damage_too(journals: Path, tmp_path: Path) -> None:
    path = shutil.copytree(journals / "closed", tmp_path / "box") / "journal.db"
    before = entries_of(path)
    data = bytearray(path.read_bytes())
    # The name of a table in the schema's own row: SQLite's message has it, and Python takes messages for UTF-8.
    at = data.index(b"CREATE ")
    data[at - 8 : at] = bytes([0xCB]) * 8
    data[at] = 0xCB
    path.write_bytes(bytes(data))
    async with opened(path) as journal:
        await journal.append(note("on"))
    assert aside.folders(path)
    assert {name for name in check_nothing_readable_stayed_behind(path, before) if not acked(name)} == set()


async def test_the_new_journal_says_what_was_lost(journals: Path, tmp_path: Path) -> None:
    path = shutil.copytree(journals / "closed", tmp_path / "box") / "journal.db"
    data = bytearray(path.read_bytes())
    at = data.index(b"b5.7 ")
    data[at] = ord("c")
    path.write_bytes(bytes(data))
    async with opened(path) as journal:
        run = journal.run
        assert await journal.unfinished_commands() == ["01A"]
        assert not await journal.begin_command("01A")
    after = [parse(data) for data in entries_of(path).values()]
    assert after[0].parent is None
    lost = after[1]
    assert (lost.name, lost.data["n"], lost.data["file"]) == ("journal_lost", 1, "salvage-1.jsonl")
    assert "broken at entry 108" in lost.data["reason"]
    assert lost.data["runs"] == [
        {"run": RUN, "tip": 101, "acked": ACKED, "found": 101, "proven": 101},
        {"run": SECOND, "tip": 122, "acked": 0, "found": 122, "proven": 121},
    ]
    again = [entry.was for entry in after if entry.was]
    wanted = [f"{RUN}:{seq}" for seq in range(ACKED, 101)] + [f"{SECOND}:{seq}" for seq in range(1, 122) if seq != 108]
    assert again == wanted
    lines = [json.loads(line) for line in (path.parent / "salvage-1.jsonl").read_text().splitlines()]
    assert len(lines) == 223
    assert [(line["run"], line["seq"]) for line in lines if not line["proven"]] == [(SECOND, 108)]
    assert run not in {RUN, SECOND}


async def test_entries_behind_a_damaged_frame_of_the_log_are_said_again(journals: Path, tmp_path: Path) -> None:
    path = shutil.copytree(journals / "cut", tmp_path / "box") / "journal.db"
    log = path.with_name("journal.db-wal")
    data = bytearray(log.read_bytes())
    # In the middle of the log: SQLite ends there without a word.
    data[len(data) // 2] ^= 0xFF
    log.write_bytes(bytes(data))
    before = entries_of(journals / "closed" / "journal.db")
    async with opened(path) as journal:
        found = [parse(entry) for entry in await journal.reader.page(journal.run, 0)]
    assert len([entry for entry in found if entry.was]) > 10
    lost = check_nothing_readable_stayed_behind(path, before)
    assert len(lost) <= 1 + len([name for name in lost if acked(name)])
    assert not aside.folders(path)


@pytest.mark.parametrize("moment", ["marked", "half moved", "moved", "salvaged", "opened", "run begun", "half said again"])
async def test_cut_off_at_any_moment_the_work_is_completed_at_the_next_start(
    journals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = shutil.copytree(journals / "closed", tmp_path / "box") / "journal.db"
    path.write_bytes(path.read_bytes().replace(b"b5.7 ", b"c5.7 "))
    before = entries_of(journals / "closed" / "journal.db")

    class Cut(BaseException):
        pass

    def cut(*_: object, **__: object) -> None:
        raise Cut

    def cut_second_rename(self: Path, target: Path) -> Path:
        raise Cut

    places: dict[str, Any] = {
        "marked": lambda: monkeypatch.setattr(aside, "move", cut),
        "half moved": lambda: monkeypatch.setattr(Path, "rename", cut_second_rename),
        "moved": lambda: monkeypatch.setattr(salvage, "salvage", cut),
        "salvaged": lambda: monkeypatch.setattr(store, "open_for_writing", cut),
        "opened": lambda: monkeypatch.setattr("edge.journal.writer.JournalWriter._begin_run", cut),
        "run begun": lambda: monkeypatch.setattr(aside, "finish", cut),
        "half said again": lambda: monkeypatch.setattr(Journal, "know", cut),
    }
    places[moment]()
    with pytest.raises(Cut):
        async with opened(path):
            pass
    monkeypatch.undo()
    async with opened(path) as journal:
        assert not [key for key, name in journal._writer.known.items() if key.startswith(opening.SALVAGE) and name]
    lost = check_nothing_readable_stayed_behind(path, before)
    assert {name for name in lost if not acked(name)} == {f"{SECOND}:108"}
    assert len(aside.folders(path)) == 1
    assert aside.unfinished(path) is None


async def test_a_salvage_file_is_offered_until_somebody_takes_charge_of_it(journals: Path, tmp_path: Path) -> None:
    path = shutil.copytree(journals / "closed", tmp_path / "box") / "journal.db"
    path.write_bytes(b"x" * 5000)
    for _ in range(2):
        async with opened(path) as journal:
            (file,) = journal.salvage_files()
    async with opened(path) as journal:
        await journal.salvage_taken(file)
        assert journal.salvage_files() == []
    async with opened(path) as journal:
        assert journal.salvage_files() == []
    assert file.name == "salvage-1.jsonl"
