"""What a POST does with the station's camera, for jobs of every kind."""

from typing import Final

from edge.errors import JobRefused
from edge.jobs.commands import Subject
from edge.jobs.news import Sound
from edge.kiosk.deps import KioskDeps
from edge.kiosk.shots import Shots

SHOTS: Final = frozenset({"shoot", "unshoot"})


async def act_on_shot(deps: KioskDeps, job: str, action: str, subject: Subject, line: int | None) -> None:
    """Take a picture to look at, or look at it no longer. Raises JobRefused or JournalFault."""
    shots, held = _camera(deps), deps.desk.in_hand
    if held is None or held.job.id != job:
        raise JobRefused("other_job")
    if action == "shoot":
        shot = await shots.shoot(job, subject, line)
        deps.desk.tell(Sound.LOOK_HERE if shot.findings else Sound.ACCEPTED, "photo.taken")
    else:
        shots.drop(job)
        deps.desk.tell(Sound.ACCEPTED, "photo.left")
    deps.desk.news.changed()


async def scan_with_camera(deps: KioskDeps) -> None:
    """Let the codes before the camera count as scans. Raises JobRefused when there are none."""
    if await _camera(deps).scan() == 0:
        raise JobRefused("camera_no_code")


def used(deps: KioskDeps, job: str) -> None:
    """The job names its picture now: it is looked at no longer."""
    if deps.shots is not None and deps.shots.of(job) is not None:
        deps.shots.drop(job)
        deps.desk.news.changed()


def _camera(deps: KioskDeps) -> Shots:
    if deps.shots is None:
        raise JobRefused("camera_no_camera")
    return deps.shots
