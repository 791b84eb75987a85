"""The route that gives a station's master data."""

from fastapi import APIRouter, Request, Response

from cloud.boxes.models import Box, BoxStatus
from cloud.boxes.peer import calling_box
from cloud.boxes.registry import saw
from cloud.deps import SyncDeps
from cloud.ingest.routes import as_json, problem
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import record_refusal
from cloud.mirror.patches import pull
from sync_protocol.routes import DOWN


def mirror_router(deps: SyncDeps) -> APIRouter:
    """`GET /down/v1/{scope}?cookie=`: the patch; 304 when `If-None-Match` names the state there is; 403 for another station."""
    router = APIRouter()

    @router.get(DOWN)
    async def down(request: Request, scope: str, cookie: str = "") -> Response:
        box = await calling_box(request, deps.sessions, deps.clock, deps.peer_certificate)
        if box.status != BoxStatus.ACTIVE or box.station_code != scope:
            code = "foreign_scope" if box.status == BoxStatus.ACTIVE else f"box_{box.status}"
            await _refuse(deps, box, code, scope)
            return problem(403, code)
        await _seen(deps, box)
        patch = await pull(deps.sessions, scope=scope, cookie=cookie)
        tag = f'"{patch.cookie}"'
        if not patch.patch and request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        response = as_json(patch)
        response.headers["ETag"] = tag
        response.headers["Cache-Control"] = "no-store"
        return response

    return router


async def _refuse(deps: SyncDeps, box: Box, code: str, scope: str) -> None:
    async with deps.sessions.write() as session:
        taken = Taken(Actor.box(box.id), deps.clock())
        await record_refusal(session, taken, action=code, kind="station", ref=scope)


async def _seen(deps: SyncDeps, box: Box) -> None:
    if not saw(box, deps.clock()):
        return
    async with deps.sessions.write() as session:
        stored = await session.get(Box, box.id)
        if stored is not None:
            saw(stored, deps.clock())
