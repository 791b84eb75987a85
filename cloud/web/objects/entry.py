"""How a request comes to the records: one caller in one transaction, with the visitor's permissions and the house's zone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Request

from cloud.objects.caller import Caller, caller
from cloud.web.access import locale_of, taken_by
from cloud.web.i18n import Locale
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps


def deps_of(request: Request) -> StaffDeps:
    deps: StaffDeps = request.app.state.deps
    return deps


def renderer_of(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer


def zone_of(request: Request) -> ZoneInfo:
    return ZoneInfo(deps_of(request).settings.zone)


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Caller]:
    """The visitor at the records, to look."""
    deps = deps_of(request)
    async with deps.sessions.read() as session:
        yield await caller(session, deps.registry, taken_by(request), zone=zone_of(request), hooks=deps.hooks)


@asynccontextmanager
async def writing(request: Request, reason: str | None = None) -> AsyncIterator[Caller]:
    """The visitor at the records, to change: what is raised inside undoes everything."""
    deps = deps_of(request)
    async with deps.sessions.write() as session:
        taken = taken_by(request, reason)
        yield await caller(session, deps.registry, taken, zone=zone_of(request), hooks=deps.hooks)


def changed(request: Request) -> None:
    """Wake whoever follows the records."""
    deps_of(request).wake.set()


def language(request: Request) -> Locale:
    return locale_of(request)


def place(*parts: str, **query: str) -> str:
    """An address below `/o/`; `query` without what is empty."""
    path = "/o/" + "/".join(quote(one, safe="") for one in parts)
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path
