"""Writes to the disk: never over a key, whole or not at all, private from the first moment."""

import os
import stat
import threading
from pathlib import Path

import pytest

from provisioning.box_identity import make_key
from provisioning.errors import AlreadyThere, FileFault, NotThere
from provisioning.files import READ_LIMIT, move_over, private_directory, read, remove, sweep, write_new, write_over
from provisioning.keys import key_id


def test_new_file_never_replaces_one(tmp_path: Path) -> None:
    write_new(tmp_path / "key", b"first")
    with pytest.raises(AlreadyThere):
        write_new(tmp_path / "key", b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_bytes() == b"first"


def test_new_file_does_not_follow_a_planted_link(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AlreadyThere):
        write_new(tmp_path / "key", b"secret")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        private_directory(tmp_path / "d")
        write_new(tmp_path / "d" / "key", b"secret")
        write_over(tmp_path / "d" / "crt", b"public")
    finally:
        os.umask(before)
    found = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("d", "d/key", "d/crt")]
    assert found == [0o700, 0o600, 0o644]


def test_keys_made_at_the_same_time_are_one_key(tmp_path: Path) -> None:
    together, made = threading.Barrier(8), list[bytes]()

    def make() -> None:
        together.wait(20)
        made.append(key_id(make_key(tmp_path / "box")))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(made) == 8
    assert len(set(made)) == 1
    assert [path.name for path in (tmp_path / "box").iterdir()] == ["box.key"]


def test_leftovers_of_cut_off_writes_are_swept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".tallybox-abc").write_bytes(b"half a key")
    (tmp_path / ".profile").write_bytes(b"mine")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".profile"]


def test_reading_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * READ_LIMIT)
    assert len(read(tmp_path / "f")) == READ_LIMIT
    (tmp_path / "f").write_bytes(b"x" * (READ_LIMIT + 1))
    with pytest.raises(FileFault):
        read(tmp_path / "f")


def test_trouble_with_the_disk_names_the_file(tmp_path: Path) -> None:
    for missing in (lambda: read(tmp_path / "none"), lambda: move_over(tmp_path / "none", tmp_path / "to")):
        with pytest.raises(NotThere):
            missing()
    with pytest.raises(NotThere):
        write_over(tmp_path / "none" / "file", b"")
    with pytest.raises(FileFault, match="directory"):
        read(tmp_path)
    remove(tmp_path / "none")
