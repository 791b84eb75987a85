"""The core put together in one process: boxes' routes, staff pages, projector."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from cloud import catalogue
from cloud.app import alternate, create_sync_app
from cloud.around.catching_up import catch_up_forever
from cloud.blobs.place import blob_folder, open_blobs
from cloud.clock import system_clock
from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import check_migrated
from cloud.deps import SyncDeps
from cloud.hooks.endpoints import ensure_following
from cloud.hooks.reach import Reach
from cloud.hooks.records import by_records
from cloud.imports.work import ImportWork
from cloud.ingest.broker_link import Broker
from cloud.ingest.intake import Intake
from cloud.ingest.mqtt import frame_handlers, work_forever
from cloud.jobs.worker import Worker
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.transition import RULES
from cloud.metrics import Metrics, create_metrics_app
from cloud.objects.caller import Hooks, caller
from cloud.objects.changing import make_indexes, refresh_statistics
from cloud.objects.machines import CustomersRules
from cloud.objects.registry import Registry
from cloud.people.provider import Provider
from cloud.push.mqtt import MqttSessions
from cloud.push.watch import Watch
from cloud.receiving.projection import project_forever
from cloud.takers import JOB_TAKERS, TAKERS
from cloud.web.app import create_staff_app
from cloud.web.settings import LOOPBACK, StaffDeps, StaffSettings
from cloud.web_server import Listener, listen, serve
from cloud.work import handlers, plans

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """Where things are. The staff side is plain HTTP on loopback: a TLS front belongs before it (docs/OPERATIONS.md)."""

    database_url: str
    browser_libs: Path
    host: str = "127.0.0.1"
    sync_port: int = 8443
    staff_port: int = 8091
    organisation: str = ""
    hosts: frozenset[str] = frozenset()
    zone: str = "Asia/Jerusalem"
    time_limit_ms: int = 2000
    """Of a time's error: a time that is less certain is marked on the pages."""
    blobs: Path | None = None
    """Folder of the files that boxes send; None: `blobs` beside a SQLite file, and with PostgreSQL no files are taken."""
    reuse_port: bool = False
    """Whether other processes of the core listen on the same ports."""
    metrics_port: int | None = None
    """Where Prometheus may ask, on the same host; None: nowhere. Its figures are about every box."""
    webhook_networks: tuple[str, ...] = ()
    """Networks of the house to which webhooks may go besides the open one, as `10.1.0.0/16`."""
    provider: Provider | None = None
    """Where staff may sign in besides; None: here only."""
    public_address: str = ""
    """Under which the world reaches the staff pages: codes on papers lead there; empty: nowhere."""


@dataclass(frozen=True, slots=True)
class SyncTls:
    """The server's context (it must demand client certificates) and the uvicorn protocol that tells the app whose came."""

    context: ssl.SSLContext
    protocol: Any


async def run_cloud(
    settings: CloudSettings, tls: SyncTls, *, announce: Callable[[str, str], None], broker: Broker | None = None
) -> None:
    """Run until cancelled; `announce(sync_url, staff_url)` is called once both listen. With `broker` boxes may come that way.

    Raises SettingsFault or DatabaseNewer when the database is not migrated for this program.
    """
    opened = open_sessions(settings.database_url)
    registry, hooks, zone = catalogue.registry(), catalogue.hooks(), ZoneInfo(settings.zone)
    sessions = opened.marked(**{RULES: CustomersRules(registry, zone, hooks)})
    try:
        await check_migrated(sessions)
        await _prepare(sessions, registry)
        await _serve(sessions, settings, tls, announce, Records(registry, hooks, broker))
    finally:
        await sessions.engine.dispose()


@dataclass(frozen=True, slots=True)
class Records:
    """What the process adds to the settings: definitions, what is told of changes, and the broker, if any."""

    registry: Registry
    hooks: Hooks
    broker: Broker | None = None


async def _prepare(sessions: Sessions, registry: Registry) -> None:
    """Indexes of the fields that a new release's definitions want; a start without any takes milliseconds."""
    async with sessions.write() as session:
        made = await make_indexes(await caller(session, registry, Taken(Actor.system("start"), system_clock())))
        await refresh_statistics(session)
    if made:
        log.info("indexes_made", count=made)


async def _serve(
    sessions: Sessions,
    settings: CloudSettings,
    tls: SyncTls,
    announce: Callable[[str, str], None],
    records: Records,
) -> None:
    wake = asyncio.Event()
    metrics = Metrics()
    deps = SyncDeps(sessions=sessions, wake=wake, metrics=metrics)
    watch = Watch(sessions, deps.clock)
    blobs = open_blobs(sessions, blob_folder(settings.database_url, settings.blobs), deps.clock)
    sync_app = create_sync_app(deps, watch=watch, blobs=blobs)
    hosts = LOOPBACK | settings.hosts
    staff_settings = StaffSettings(
        organisation=settings.organisation,
        hosts=hosts,
        zone=settings.zone,
        time_limit_ms=settings.time_limit_ms,
        provider=settings.provider,
        public_address=settings.public_address,
    )
    staff_app = create_staff_app(
        StaffDeps(
            sessions=sessions,
            browser_libs=settings.browser_libs,
            settings=staff_settings,
            wake=wake,
            blobs=blobs.store if blobs is not None else None,
            registry=records.registry,
            hooks=records.hooks,
        )
    )
    sync = Listener(sync_app, listen(settings.host, settings.sync_port, shared=settings.reuse_port), tls.context, tls.protocol)
    staff = Listener(staff_app, listen(settings.host, settings.staff_port, shared=settings.reuse_port))
    worker = await _worker(sessions, settings, records)
    async with asyncio.TaskGroup() as tasks:
        if settings.metrics_port is not None:
            figures = Listener(create_metrics_app(sessions, metrics), listen(settings.host, settings.metrics_port))
            log.info("metrics_served", metrics=figures.url)
            tasks.create_task(serve(figures))
        tasks.create_task(serve(sync))
        tasks.create_task(serve(staff))
        tasks.create_task(watch.run())
        if records.broker is not None:
            sessions_there = MqttSessions(deps, watch, alternate)
            handlers = {**frame_handlers(Intake(deps)), **sessions_there.handlers}
            tasks.create_task(work_forever(records.broker, handlers, sessions_there))
        if blobs is not None:
            tasks.create_task(blobs.sweep_forever())
        tasks.create_task(project_forever(sessions, wake, TAKERS, job_takers=JOB_TAKERS))
        tasks.create_task(catch_up_forever(sessions, records.registry))
        tasks.create_task(worker.run())
        log.info("cloud_served", sync=sync.url, staff=staff.url)
        announce(sync.url, staff.url)


async def _worker(sessions: Sessions, settings: CloudSettings, records: Records) -> Worker:
    """Who does the work in the background. Raises SettingsFault."""
    zone = ZoneInfo(settings.zone)
    masks = by_records(records.registry, system_clock, zone)
    work = handlers(Reach.of(settings.webhook_networks), masks, ImportWork(records.registry, zone, records.hooks))
    async with sessions.write() as session:
        await ensure_following(session, Taken(Actor.system("start"), system_clock()))
    name = f"{socket.gethostname()}:{os.getpid()}"
    return Worker(sessions, work, name=name, plans=plans(settings.zone))
