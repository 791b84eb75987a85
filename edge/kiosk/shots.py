"""Pictures by the station's own camera: taken when the operator asks, looked at, then used, taken again or left alone.

Every one of them is kept and in the journal as soon as it is taken; what is decided here is whether the job names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from edge.cameras.taken import Taken
from edge.errors import JobRefused, PictureFailed
from edge.jobs.commands import Subject

MAX_SHOTS: Final = 16
"""Pictures that are being looked at, one a job: more jobs than that are never open at once."""


class Cameras(Protocol):
    """What is asked of the box's cameras."""

    async def take(self, camera: str, about: Mapping[str, str], *, scan: bool = False) -> Taken: ...


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture that the operator looks at."""

    sha256: str
    media: str
    width: int
    height: int
    subject: Subject
    line: int | None
    findings: tuple[str, ...]
    codes: tuple[str, ...]


class Shots:
    """One station's camera. `folder` is where the box keeps its files."""

    def __init__(self, cameras: Cameras, camera: str, folder: Path, *, scans: bool = False) -> None:
        self._cameras = cameras
        self._camera = camera
        self._folder = folder
        self.scans = scans
        """Whether codes before the camera may count as scans."""
        self._looked_at: dict[str, Shot] = {}

    async def shoot(self, job: str, subject: Subject, line: int | None) -> Shot:
        """Take a picture for a job; it is looked at from now on. Raises JobRefused(`camera_...`) or JournalFault."""
        taken = await self._take({"job": job, "subject": subject})
        codes = tuple(str(code.value) for code in taken.codes)
        found = tuple(finding.code for finding in taken.findings)
        shot = Shot(taken.sha256, taken.media, taken.width, taken.height, subject, line, found, codes)
        self._looked_at.pop(job, None)
        self._looked_at[job] = shot
        while len(self._looked_at) > MAX_SHOTS:
            del self._looked_at[next(iter(self._looked_at))]
        return shot

    async def scan(self) -> int:
        """Take a picture whose codes count as scans; how many there were. Raises as `shoot`."""
        return len((await self._take({}, scan=True)).codes)

    def of(self, job: str) -> Shot | None:
        """The picture that is looked at in a job."""
        return self._looked_at.get(job)

    def drop(self, job: str) -> None:
        """It is looked at no longer; the picture stays."""
        self._looked_at.pop(job, None)

    def file(self, sha256: str) -> tuple[Path, str] | None:
        """Where a picture that is looked at lies, and its media type; None for any other: this is no way to all pictures."""
        shot = next((one for one in self._looked_at.values() if one.sha256 == sha256), None)
        return (self._folder / shot.sha256, shot.media) if shot is not None else None

    async def _take(self, about: Mapping[str, str], *, scan: bool = False) -> Taken:
        try:
            return await self._cameras.take(self._camera, about, scan=scan)
        except PictureFailed as exc:
            raise JobRefused(f"camera_{exc.code}") from exc
