"""The ballast: real blocks, gone at once when given away, made only whole."""

import errno
import os
from pathlib import Path

import pytest

from edge.disk.ballast import NAME, Ballast, usage_of

SIZE = 256 * 1024


def blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_it_takes_real_blocks_and_gives_them_back(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, SIZE)
    assert ballast.missing == SIZE
    assert ballast.make()
    assert (ballast.missing, blocks(tmp_path / NAME) >= SIZE) == (0, True)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert ballast.release()
    assert not ballast.release()
    assert ballast.missing == SIZE


def test_a_file_system_without_allocation_is_written_to(tmp_path: Path) -> None:
    def unable(_fd: int, _offset: int, _length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not here")

    assert Ballast(tmp_path, SIZE, allocate=unable).make()
    assert blocks(tmp_path / NAME) >= SIZE


def test_a_sparse_file_of_its_name_is_no_ballast(tmp_path: Path) -> None:
    with (tmp_path / NAME).open("wb") as file:
        os.ftruncate(file.fileno(), SIZE)
    ballast = Ballast(tmp_path, SIZE)
    assert ballast.missing == SIZE
    assert ballast.make()
    assert ballast.missing == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_without_room_nothing_half_made_stays(tmp_path: Path, code: int) -> None:
    def full(fd: int, _offset: int, _length: int) -> None:
        os.write(fd, b"some")
        raise OSError(code, "no room")

    assert not Ballast(tmp_path, SIZE, allocate=full).make()
    assert not (tmp_path / NAME).exists()


def test_another_failure_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    def failing(_fd: int, _offset: int, _length: int) -> None:
        raise OSError(errno.EIO, "the disk fails")

    with pytest.raises(OSError, match="fails"):
        Ballast(tmp_path, SIZE, allocate=failing).make()
    assert not (tmp_path / NAME).exists()


def test_none_is_wanted_with_size_zero(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, 0)
    assert ballast.missing == 0
    assert ballast.make()
    assert not (tmp_path / NAME).exists()


def test_what_is_kept_for_root_is_not_there_for_the_box(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    usage = usage_of(tmp_path)
    assert 0 < usage.total <= found.f_blocks * found.f_frsize
    assert 0 <= usage.share <= 1
