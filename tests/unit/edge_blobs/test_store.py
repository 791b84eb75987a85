"""Files of the box: under their own hash, durable before they are named, dropped only when the cloud holds them."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.blobs.store import BlobChanged, BlobNeeded, BlobStore, BlobTooLong, Kept
from sync_protocol.entries import BlobEntry, Clk

PHOTO = b"\xff\xd8 a picture"
NAME = hashlib.sha256(PHOTO).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", max_bytes=1000)


def put(store: BlobStore, data: bytes = PHOTO) -> str:
    return store.put([data[:3], data[3:]], media="image/jpeg", name="pallet.jpg", about={"job": "j-1"}).sha256


def test_file_lies_under_its_hash_and_gives_what_the_journal_takes(store: BlobStore) -> None:
    fields = store.put([PHOTO], media="image/jpeg", name="pallet.jpg", about={"job": "j-1"})
    entry = BlobEntry(boot_id="b", mono_ns=1, wall_ns=1, clk=Clk(s="none"), **fields.json())
    assert (entry.sha256, entry.size, entry.about) == (NAME, len(PHOTO), {"job": "j-1"})
    assert store.path(NAME).read_bytes() == PHOTO
    assert store.path(NAME).stat().st_mode & 0o777 == 0o600
    assert store.waiting() == [Kept(NAME, len(PHOTO))]


def test_copy_of_a_file_is_the_same_file(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    assert store.put_file(tmp_path / "photo.jpg", media="image/jpeg").name == "photo.jpg"
    assert put(store) == NAME
    assert len(store.waiting()) == 1


def test_state_of_the_upload_outlives_the_process(store: BlobStore, tmp_path: Path) -> None:
    put(store)
    store.note(Kept(NAME, len(PHOTO), "/blobs/v1/u"))
    again = BlobStore(tmp_path / "blobs")
    assert again.waiting() == [Kept(NAME, len(PHOTO), "/blobs/v1/u")]
    again.note(replace(again.get(NAME), uploaded=True))
    assert (again.waiting(), [one.sha256 for one in again.prunable()]) == ([], [NAME])
    again.ask_again()
    assert again.waiting() == [Kept(NAME, len(PHOTO), "/blobs/v1/u")]


def test_what_is_not_up_cannot_be_dropped(store: BlobStore) -> None:
    put(store)
    with pytest.raises(BlobNeeded):
        store.drop(NAME)
    store.note(Kept(NAME, len(PHOTO), uploaded=True))
    assert store.drop(NAME) == len(PHOTO)
    assert store.drop(NAME) == 0
    assert store.prunable() == []


def test_spoiled_mark_is_no_mark(store: BlobStore) -> None:
    put(store)
    store.path(f"{NAME}.json").write_text("{")
    assert store.waiting() == [Kept(NAME, len(PHOTO))]


def test_file_that_changed_is_found_out(store: BlobStore) -> None:
    put(store)
    store.check(NAME)
    store.path(NAME).write_bytes(PHOTO + b"!")
    with pytest.raises(BlobChanged):
        store.check(NAME)


def test_too_long_a_file_and_a_broken_source_leave_nothing(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(BlobTooLong):
        put(store, bytes(1001))

    def source() -> Iterator[bytes]:
        yield PHOTO
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        store.put(source(), media="image/jpeg", name="x", about={})
    assert list((tmp_path / "blobs").iterdir()) == []


def test_drafts_of_a_process_that_ended_are_swept(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "blobs" / ".draft-x").write_bytes(b"half")
    assert BlobStore(tmp_path / "blobs").waiting() == []
    assert list((tmp_path / "blobs").iterdir()) == []


def test_name_is_given_out_only_behind_the_disk(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr("edge.blobs.store.os.fsync", lambda fd: (calls.append("fsync"), real_fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (calls.append("replace"), real_replace(self, to))[1])
    put(store)
    assert calls == ["fsync", "replace", "fsync"]
