"""What a POST does to a receipt: an action of its table, a weight, a picture, a supervisor's word."""

from typing import Protocol

from fastapi import Request

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.routing import tell_next
from edge.kiosk.actions import ACTIONS, Asked
from edge.kiosk.answers import asked_by
from edge.kiosk.deps import KioskDeps
from edge.kiosk.photos import kept_photo
from edge.kiosk.sessions import Sessions, SignInRefused
from edge.kiosk.shot_routes import SHOTS, act_on_shot, used


class KioskParts(Protocol):
    """The application's parts that these actions need."""

    @property
    def deps(self) -> KioskDeps: ...

    @property
    def sessions(self) -> Sessions: ...


async def act_on_receipt(
    kiosk: KioskParts, request: Request, job: str, action: str, asked: Asked, *, by: str, cmd: str
) -> None:
    """Carry out one action. Raises JobRefused or JournalFault; OSError when the disk does not take a picture."""
    desk = kiosk.deps.desk
    if action in SHOTS:
        await act_on_shot(kiosk.deps, job, action, asked.subject, asked.line)
        return
    if action == "take":
        await desk.take(by=by, cmd=cmd, job=job)
    elif action == "photo":
        sha256 = asked.sha256 or await kept_photo(request, kiosk.deps.photos, about={"job": job})
        await desk.do(c.AddPhoto(sha256, asked.subject, asked.line), by=by, cmd=cmd, job=job)
        used(kiosk.deps, job)
    elif action == "approve":
        await desk.do(await _word(kiosk.sessions, asked), by=by, cmd=cmd, job=job)
    elif action in ACTIONS:
        await desk.do(ACTIONS[action](asked), by=by, cmd=cmd, job=job)
    else:
        raise JobRefused("no_such_action", action=asked_by(action))
    tell_next(desk)


async def _word(sessions: Sessions, asked: Asked) -> c.ApproveCheck:
    if asked.decision is None or not asked.reason:
        raise JobRefused("missing", field="reason" if asked.decision else "decision")
    try:
        person = await sessions.prove(asked.login or "", asked.pin or "")
    except SignInRefused as exc:
        if exc.wait_s is not None:
            raise JobRefused("too_many_tries", wait_s=str(exc.wait_s)) from exc
        raise JobRefused("wrong_pin") from exc
    return c.ApproveCheck(person.login, asked.decision, asked.reason)
