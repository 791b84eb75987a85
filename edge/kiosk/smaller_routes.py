"""What a POST does to the smaller jobs: begin, act, take up, and a supervisor's word at the gate."""

from typing import Protocol

from fastapi import Request

from edge.errors import JobRefused
from edge.jobs.desk import JobDesk
from edge.jobs.movement import commands as m
from edge.jobs.movement.routing import tell_asked
from edge.jobs.receive import ReceiveJob
from edge.kiosk.answers import read_fields
from edge.kiosk.deps import KioskDeps
from edge.kiosk.photos import kept_photo
from edge.kiosk.sessions import Sessions, SignInRefused
from edge.kiosk.shot_routes import SHOTS, act_on_shot, used
from edge.kiosk.smaller_actions import SmallerAsked, beginning_of, command_of


class KioskParts(Protocol):
    """The application's parts that these actions need."""

    @property
    def deps(self) -> KioskDeps: ...

    @property
    def sessions(self) -> Sessions: ...


def is_smaller(desk: JobDesk, job: str) -> bool:
    """Whether the id is that of an open or just closed job that is no receipt."""
    found = next((held.job for held in desk.open_jobs if held.job.id == job), None) or desk.closed(job)
    return found is not None and not isinstance(found, ReceiveJob)


async def begin_smaller(desk: JobDesk, request: Request, *, by: str, cmd: str) -> bool:
    """Begin the job that the request names; False when it names no kind, for then it is a receipt. Raises JobRefused."""
    asked = await read_fields(request, SmallerAsked)
    if asked.kind is None:
        return False
    station = desk.masters().station()
    if station is None or asked.kind not in station.flows:
        raise JobRefused("not_here")
    kind, command = beginning_of(asked)
    await desk.begin(kind, command, by=by, cmd=cmd)
    tell_asked(desk)
    return True


async def act_on_smaller(kiosk: KioskParts, request: Request, job: str, action: str, *, by: str, cmd: str) -> None:
    """Carry out one action. Raises JobRefused or JournalFault; OSError when the disk does not take a picture."""
    desk = kiosk.deps.desk
    asked = await read_fields(request, SmallerAsked)
    if action == "resume":
        await desk.take_up(job)
        return
    if action in SHOTS:
        await act_on_shot(kiosk.deps, job, action, "other", None)
        return
    if action == "take":
        await desk.take(by=by, cmd=cmd, job=job)
    elif action == "photo":
        sha256 = asked.sha256 or await kept_photo(request, kiosk.deps.photos, about={"job": job})
        await desk.do(m.AddPicture(sha256), by=by, cmd=cmd, job=job)
        used(kiosk.deps, job)
    elif action == "release":
        supervisor = await _supervisor(kiosk.sessions, asked)
        await desk.do(m.Pass(supervisor, asked.reason or "hold_lifted"), by=by, cmd=cmd, job=job)
    else:
        await desk.do(command_of(action, asked, desk.masters()), by=by, cmd=cmd, job=job)
    tell_asked(desk)


async def _supervisor(sessions: Sessions, asked: SmallerAsked) -> str:
    try:
        person = await sessions.prove(asked.login or "", asked.pin or "")
    except SignInRefused as exc:
        if exc.wait_s is not None:
            raise JobRefused("too_many_tries", wait_s=str(exc.wait_s)) from exc
        raise JobRefused("wrong_pin") from exc
    if person.role != "supervisor":
        raise JobRefused("not_a_supervisor")
    return person.login
