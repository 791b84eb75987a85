"""`tallybox cloud jobs`: work in the background, looked at, stopped and tried again; and what comes by the clock."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cloud.cli.session import Database, Json, within

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from cloud.jobs.models import Job, Schedule
    from cloud.kernel.actor import Taken

jobs_app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Status = Literal["all", "waiting", "running", "done", "failed", "cancelled"]
Uid = Annotated[str, typer.Argument(help="As `tallybox cloud jobs ls` shows it.")]
Reason = Annotated[str | None, typer.Option(help="Why; it is kept in the event log.")]


@jobs_app.command()
def ls(
    db: Database,
    status: Annotated[Status, typer.Option(help="Only jobs that are so.")] = "all",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: Json = False,
) -> None:
    """The newest jobs: what they do, how far they are, and why they failed."""
    from cloud.jobs.reading import newest

    rows = within(db, lambda session: newest(session, None if status == "all" else status, limit))
    if as_json:
        print(json.dumps([_job(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        far = f"{row.done} of {row.total}" if row.total is not None else str(row.done or "")
        print(f"{row.uid}  {row.created_at:%Y-%m-%d %H:%M:%S}  {row.status:9} {row.kind:20} {far}".rstrip())
        if row.error:
            print(f"  {row.attempts} of {row.max_attempts} tries: {row.error}")


@jobs_app.command()
def cancel(uid: Uid, db: Database, reason: Reason = None) -> None:
    """Stop a job: one that waits at once, one that runs at its next step. What it did stays."""
    from cloud.jobs import queue

    row = within(db, lambda session: queue.cancel(session, uid, _taken(reason)), write=True)
    print(f"job {uid}: {'stops at its next step' if row.status == 'running' else row.status}")


@jobs_app.command()
def again(uid: Uid, db: Database, reason: Reason = None) -> None:
    """Open an ended job anew; it goes on behind its last step."""
    from cloud.jobs import queue

    within(db, lambda session: queue.try_again(session, uid, _taken(reason)), write=True)
    print(f"job {uid} waits")


@jobs_app.command()
def schedules(db: Database, as_json: Json = False) -> None:
    """What comes by the clock, and when next."""
    from cloud.jobs.reading import all_schedules

    rows = within(db, all_schedules)
    if as_json:
        print(json.dumps([_schedule(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        following = f"next {row.next_at:%Y-%m-%d %H:%M}" if row.next_at else "rests"
        print(f"{row.key:20} {row.cron:16} {row.zone:20} {following}  {row.kind}")


@jobs_app.command()
def schedule(
    key: str,
    db: Database,
    cron: Annotated[str | None, typer.Option(help="Five fields: minute, hour, day, month, weekday.")] = None,
    zone: Annotated[str | None, typer.Option(help="In which they are read, as Asia/Jerusalem.")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Let it go on, or rest.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Besides its times, do the work now.")] = False,
) -> None:
    """Change the times of a schedule, let it rest, or have its work done now."""
    from cloud.jobs import schedules as services

    async def change(session: "AsyncSession") -> "Schedule":
        taken = _taken(None)
        row = await services.schedule_of(session, key)
        if cron is not None or zone is not None:
            plan = services.Plan(key, row.kind, cron or row.cron, zone or row.zone, row.args)
            row = await services.save_plan(session, plan, taken)
        if on is not None:
            row = await services.switch(session, key, taken, enabled=on)
        if now:
            await services.run_now(session, key, taken)
        return row

    row = within(db, change, write=True)
    print(f"{key}: {f'next {row.next_at:%Y-%m-%d %H:%M} UTC' if row.next_at else 'rests'}")


def _taken(reason: str | None) -> "Taken":
    from cloud.clock import system_clock
    from cloud.kernel.actor import Actor, Taken

    return Taken(Actor.system("command line"), system_clock(), reason)


def _job(row: "Job") -> dict[str, Any]:
    facts = {
        name: getattr(row, name) for name in ("uid", "kind", "key", "status", "attempts", "done", "total", "note", "error")
    }
    times = {name: getattr(row, name) for name in ("created_at", "run_at", "started_at", "finished_at")}
    return {**facts, "by": row.created_by, "result": row.result, **{name: at and at.isoformat() for name, at in times.items()}}


def _schedule(row: "Schedule") -> dict[str, Any]:
    times = {"next_at": row.next_at, "last_at": row.last_at}
    facts = {name: getattr(row, name) for name in ("key", "kind", "cron", "zone", "enabled")}
    return {**facts, **{name: at and at.isoformat() for name, at in times.items()}}
