"""Work in the background: what runs, waits and failed, and what comes by the clock."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from cloud.jobs import queue, schedules
from cloud.jobs.models import JobStatus
from cloud.jobs.reading import all_schedules, counts, newest
from cloud.kernel.access import CONFIGURE
from cloud.web.access import needs, taken_by
from cloud.web.reads.listing import waiting
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps

router = APIRouter()

SHOWN = 100
"""Of jobs, newest first: older ones are asked for by status, and by the command."""

GROUPS = ("all", *JobStatus)

Reason = Annotated[str, Form(max_length=256)]


@router.get("/jobs")
async def page(request: Request, status: str = "all") -> Response:
    """The newest jobs of a status, and every schedule."""
    needs(request, queue.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    group = status if status in GROUPS else "all"
    async with deps.sessions.read() as session:
        jobs = await newest(session, None if group == "all" else group, SHOWN)
        many = await counts(session)
        plans = await all_schedules(session)
        wait = await waiting(session)
    many["all"] = sum(many.values())
    return renderer.live(
        request, "jobs.html", here="jobs", waiting=wait, jobs=jobs, counts=many, groups=GROUPS, group=group, schedules=plans
    )


@router.post("/jobs/{uid}/{act}")
async def act_on_job(request: Request, uid: str, act: Literal["cancel", "again"], reason: Reason = "") -> Response:
    """Stop a job, or open an ended one anew."""
    needs(request, queue.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    taken = taken_by(request, reason or None)
    async with deps.sessions.write() as session:
        await (queue.cancel if act == "cancel" else queue.try_again)(session, uid, taken)
    return RedirectResponse("/jobs", 303)


@router.post("/schedules/{key}/now")
async def run_now(request: Request, key: str) -> Response:
    """Do a schedule's work now, besides its times."""
    needs(request, queue.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    async with deps.sessions.write() as session:
        await schedules.run_now(session, key, taken_by(request))
    return RedirectResponse("/jobs", 303)


@router.post("/schedules/{key}")
async def change(
    request: Request,
    key: str,
    cron: Annotated[str, Form(max_length=60)],
    zone: Annotated[str, Form(max_length=60)],
    enabled: Annotated[bool, Form()] = False,
) -> Response:
    """Change when a schedule comes, or let it rest."""
    needs(request, queue.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    taken = taken_by(request)
    async with deps.sessions.write() as session:
        row = await schedules.schedule_of(session, key)
        if (row.cron, row.zone) != (cron, zone):
            await schedules.save_plan(session, schedules.Plan(key, row.kind, cron, zone, row.args), taken)
        await schedules.switch(session, key, taken, enabled=enabled)
    return RedirectResponse("/jobs", 303)
