"""Programs that are told what happens: how each is, what it was told, and what is sent once more."""

import secrets
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import BIGGEST
from cloud.hooks import endpoints
from cloud.hooks.models import Endpoint, Outcome
from cloud.hooks.owners import check_owner
from cloud.hooks.reading import deliveries, health
from cloud.kernel.access import CONFIGURE
from cloud.people.models import User
from cloud.web.access import needs, taken_by
from cloud.web.reads.listing import waiting
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps

router = APIRouter()

SHOWN = 50
"""Deliveries of a page."""

GROUPS = ("all", *Outcome)

Name = Annotated[str, Form(max_length=endpoints.MAX_NAME)]
Url = Annotated[str, Form(max_length=endpoints.MAX_URL)]
Patterns = Annotated[str, Form(max_length=4000)]
Login = Annotated[str, Form(max_length=64)]
EventId = Annotated[int | None, Form(ge=1, le=BIGGEST)]


@router.get("/webhooks")
async def page(request: Request) -> Response:
    """Every program with its health, and a form for a new one."""
    visitor = needs(request, endpoints.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    async with deps.sessions.read() as session:
        found = await health(session)
        people = await _people(session)
        wait = await waiting(session)
    return renderer.live(
        request, "webhooks.html", here="webhooks", waiting=wait, endpoints=found, people=people, owner=visitor.login
    )


@router.post("/webhooks")
async def add(request: Request, name: Name, url: Url, patterns: Patterns, owner: Login) -> Response:
    """Tell a program from now on, and show its secret this once."""
    needs(request, endpoints.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    taken = taken_by(request)
    async with deps.sessions.write() as session:
        await check_owner(session, owner, taken)
        row = await endpoints.create_endpoint(session, _target(name, url, patterns, owner), taken, draw=secrets.token_bytes)
    return _secret(request, row)


@router.get("/webhooks/{uid}")
async def one(
    request: Request, uid: str, status: str = "all", before: Annotated[int | None, Query(ge=1, le=BIGGEST)] = None
) -> Response:
    """One program with its newest deliveries."""
    needs(request, endpoints.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    group = status if status in GROUPS else "all"
    wanted = None if group == "all" else group
    async with deps.sessions.read() as session:
        endpoint = await endpoints.endpoint_of(session, uid)
        rows = await deliveries(session, endpoint, status=wanted, before=before, limit=SHOWN + 1)
        people = await _people(session)
        wait = await waiting(session)
    return renderer.live(
        request,
        "webhook.html",
        here="webhooks",
        waiting=wait,
        endpoint=endpoint,
        rows=rows[:SHOWN],
        next=rows[SHOWN - 1].event_id if len(rows) > SHOWN else None,
        before=before,
        groups=GROUPS,
        group=group,
        people=people,
    )


@router.post("/webhooks/{uid}")
async def change(request: Request, uid: str, name: Name, url: Url, patterns: Patterns, owner: Login) -> Response:
    """Change what a program is told, where, and by whose rights."""
    needs(request, endpoints.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    taken = taken_by(request)
    async with deps.sessions.write() as session:
        await check_owner(session, owner, taken)
        await endpoints.change_endpoint(session, uid, _target(name, url, patterns, owner), taken)
    return _to(uid)


@router.post("/webhooks/{uid}/secret")
async def new_secret(request: Request, uid: str) -> Response:
    """A new secret, shown this once; for a day the old one signs, too."""
    needs(request, endpoints.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    async with deps.sessions.write() as session:
        row = await endpoints.rotate_secret(session, uid, taken_by(request), draw=secrets.token_bytes)
    return _secret(request, row)


@router.post("/webhooks/{uid}/remove")
async def remove(request: Request, uid: str) -> Response:
    """Tell it nothing any more, and forget what it was told."""
    needs(request, endpoints.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    async with deps.sessions.write() as session:
        await endpoints.remove_endpoint(session, uid, taken_by(request))
    return RedirectResponse("/webhooks", 303)


@router.post("/webhooks/{uid}/replay")
async def replay(request: Request, uid: str, event: EventId = None, first: EventId = None) -> Response:
    """Send once more: one delivery, everything from an event on, or all that was given up."""
    needs(request, endpoints.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    taken = taken_by(request)
    async with deps.sessions.write() as session:
        if event is not None:
            await endpoints.replay_one(session, uid, event, taken)
        elif first is not None:
            await endpoints.replay_from(session, uid, first, taken)
        else:
            await endpoints.replay_given_up(session, uid, taken)
    return _to(uid)


@router.post("/webhooks/{uid}/{act}")
async def turn(request: Request, uid: str, act: Literal["pause", "resume"]) -> Response:
    """Leave it alone for a while, or go on."""
    needs(request, endpoints.KIND, CONFIGURE)
    deps: StaffDeps = request.app.state.deps
    async with deps.sessions.write() as session:
        await (endpoints.pause if act == "pause" else endpoints.resume)(session, uid, taken_by(request))
    return _to(uid)


def _target(name: str, url: str, patterns: str, owner: str) -> endpoints.Target:
    return endpoints.Target(name, url, patterns.replace(",", " ").split(), owner)


def _secret(request: Request, row: Endpoint) -> Response:
    renderer: Renderer = request.app.state.renderer
    return renderer.page(request, "webhook_secret.html", here="webhooks", endpoint=row)


def _to(uid: str) -> Response:
    return RedirectResponse(f"/webhooks/{quote(uid)}", 303)


async def _people(session: AsyncSession) -> list[tuple[str, str]]:
    rows = await session.execute(select(User.login, User.name).where(User.active).order_by(User.name))
    return [(login, name) for login, name in rows]
