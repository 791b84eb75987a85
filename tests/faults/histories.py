"""What a journal holds, looked at without the product's own reader: for comparing with what was confirmed."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from sync_protocol import chain
from sync_protocol.entries import Clk, Encoded, ReadingFields, StampFields, encode_reading
from sync_protocol.ids import RunId

Key = tuple[str, int]
"""Run and sequence number."""

DEVICE = "counter"


def reading(n: int, mono_ns: int) -> Encoded:
    """The reading with number `n`: a history holds each number once or never."""
    stamp = StampFields(boot_id="0f0e0d0c-0b0a-4908-8706-050403020100", mono_ns=mono_ns, wall_ns=0, clk=Clk(s="none"))
    fields = ReadingFields(
        device=DEVICE, driver="none", kind="count", value=str(n), unit="1", op=None, flags=[], instrument_time=None,
        details={}, raw="",
    )  # fmt: skip
    return encode_reading(stamp, fields)


def numbers(entries: dict[Key, bytes]) -> list[int]:
    """The numbers of all readings among the entries, sorted; one that is there twice is in the list twice."""
    found = (json.loads(data) for data in entries.values())
    return sorted(int(entry["value"]) for entry in found if entry["t"] == "reading" and entry["device"] == DEVICE)


def entries_of(path: Path) -> dict[Key, bytes]:
    """Every entry of the journal, after its chain was checked: each run from its seed, numbers without a gap, parents there.

    A journal from which entries were let go does not pass.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute(
            "SELECT r.run, e.seq, e.bytes, e.hash FROM entry e JOIN run r ON r.id = e.run ORDER BY e.run, e.seq"
        ).fetchall()
    hashes: dict[Key, str] = {}
    before: tuple[Key, bytes] | None = None
    for run, seq, data, digest in rows:
        key = (run, seq)
        if seq == 0:
            _check_parent(json.loads(data), hashes)
            previous = chain.seed(RunId(run))
        else:
            assert before is not None
            assert before[0] == (run, seq - 1), f"{run}:{seq} stands behind {before[0]}"
            previous = before[1]
        assert chain.link(previous, seq, data) == digest, f"the chain breaks at {run}:{seq}"
        hashes[key] = digest.hex()
        before = (key, digest)
    return {(run, seq): data for run, seq, data, _ in rows}


def _check_parent(first: dict[str, object], hashes: dict[Key, str]) -> None:
    assert first["t"] == "run"
    parent = first.get("parent")
    if parent is None:
        assert not hashes, "a run without a parent in a journal that has one"
        return
    assert isinstance(parent, dict)
    assert hashes[parent["run"], parent["seq"]] == parent["hash"]
