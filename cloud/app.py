"""The application that boxes talk to: frames up, master data down. Served with mutual TLS; the staff pages are another one."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.blobs.routes import blob_refused, blob_router
from cloud.blobs.store import BlobFault
from cloud.blobs.uploads import Blobs
from cloud.deps import SyncDeps
from cloud.errors import BoxFault
from cloud.ingest.branches import leases_alternate
from cloud.ingest.routes import BodyTooLarge, WrongType, ingest_router, problem
from cloud.kernel.actor import Actor, Taken
from cloud.mirror.routes import mirror_router
from cloud.push.routes import push_router
from cloud.push.watch import Watch

log = structlog.get_logger()

RETRY_AFTER_S = 2
"""A lock is held for milliseconds, a database restarts in seconds."""

Handler = Callable[[Request, Exception], Awaitable[Response]]


def create_sync_app(deps: SyncDeps, *, watch: Watch | None = None, blobs: Blobs | None = None) -> FastAPI:
    """Routes `POST /sync/v1/batches`, `GET /down/v1/{scope}` and `GET /health`; no pages, no API description.

    With `watch` (somebody must run it) also the routes of sessions and pushes, with `blobs` those of files.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(ingest_router(deps))
    app.include_router(mirror_router(deps))
    if watch is not None:
        app.include_router(push_router(deps, watch, alternate))
    if blobs is not None:
        app.include_router(blob_router(deps, blobs))
    for fault, handler in HANDLERS.items():
        app.add_exception_handler(fault, handler)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


async def alternate(session: AsyncSession, box: str, now: datetime) -> None:
    await leases_alternate(session, box, now=now, taken=Taken(Actor.system("sessions"), now))


async def _box_refused(_request: Request, exc: Exception) -> Response:
    # Not an answer of the protocol, which would stop the box's run for good: it may be registered in a minute.
    return problem(403, exc.code if isinstance(exc, BoxFault) else "box_refused")


async def _too_large(_request: Request, _exc: Exception) -> Response:
    return problem(413, "frame_too_large")


async def _wrong_type(_request: Request, _exc: Exception) -> Response:
    return problem(415, "not_a_frame")


async def _database_away(_request: Request, exc: Exception) -> Response:
    log.warning("database_unavailable", reason=type(exc).__name__)
    return problem(503, "database_unavailable", **{"Retry-After": str(RETRY_AFTER_S)})


HANDLERS: dict[type[Exception], Handler] = {
    BoxFault: _box_refused,
    BlobFault: blob_refused,
    BodyTooLarge: _too_large,
    WrongType: _wrong_type,
    OperationalError: _database_away,
    PoolTimeout: _database_away,
    InterfaceError: _database_away,
    IntegrityError: _database_away,
}
"""An error inside the database (lock, restart, full disk) is answered as `come again`: nothing was committed or answered."""
