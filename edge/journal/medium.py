"""Which file system the journal lies on, so that a moved or copied card can be told from the one it was."""

from pathlib import Path

_BY_UUID = Path("/dev/disk/by-uuid")


def of(folder: Path, links: Path = _BY_UUID) -> str | None:
    """The UUID of the file system that holds `folder`, None where the machine does not say."""
    device = folder.stat().st_dev
    if not links.is_dir():
        return None
    for link in sorted(links.iterdir()):
        try:
            if link.stat().st_rdev == device:
                return link.name
        except OSError:
            continue
    return None
