"""A new configuration from the cloud: checked whole, laid beside the one in use, and taken at the next start.

`FILE.next` waits, `FILE.previous` is what was in use before. What cannot be read when the box starts is put aside as
`FILE.refused`, and the box starts with what it had.
"""

import os
import tempfile
from pathlib import Path

import structlog

from edge.cameras.book import check_cameras
from edge.devices.hub import check_devices
from edge.errors import SettingsFault
from edge.settings import BoxSettings, read

log = structlog.get_logger()

MODE = 0o600
"""A configuration may hold what a device wants as a password."""

FIXED = ("data_dir", "browser_libs")
"""Settings that a command does not change: with another folder the box would leave unsent entries behind."""


def beside(config: Path, what: str) -> Path:
    """`next`, `previous` or `refused` of a configuration file."""
    return config.with_name(f"{config.name}.{what}")


def lay_down(config: Path, text: str, now: BoxSettings) -> Path:
    """Check a configuration as the start of the box would, and lay it beside the one in use; durable when this returns.

    Raises SettingsFault that names the setting, OSError when it cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=config.parent, prefix=".config-") as folder:
        # Read from a file of the same name beside it: messages then name the file, and relative paths are checked as they are.
        draft = Path(folder) / config.name
        draft.write_text(text, encoding="utf-8")
        wanted = read(draft, relative_to=config.parent)
    for name in FIXED:
        if getattr(wanted, name).resolve() != getattr(now, name).resolve():
            raise SettingsFault(f"{name}: it cannot be changed by a command")
    check_devices(wanted.devices)
    check_cameras(wanted.cameras)
    waiting = beside(config, "next")
    write_durably(waiting, text.encode())
    return waiting


def adopt(config: Path) -> bool:
    """Take the configuration that waits, if one does; called before the box reads its own. Whether it was taken."""
    waiting = beside(config, "next")
    if not waiting.exists():
        return False
    try:
        wanted = read(waiting)
        check_devices(wanted.devices)
        check_cameras(wanted.cameras)
    except SettingsFault as exc:
        log.warning("configuration_refused", reason=str(exc))
        waiting.replace(beside(config, "refused"))
        sync_folder(config.parent)
        return False
    if config.exists():
        write_durably(beside(config, "previous"), config.read_bytes())
    waiting.replace(config)
    sync_folder(config.parent)
    log.info("configuration_taken")
    return True


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file as a whole: a power cut leaves the old one or the new one."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(MODE)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
