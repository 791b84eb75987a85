"""Who asks: a program with a key, or a person's browser with its session. One gate before every route."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from urllib.parse import urlsplit

from fastapi import Request

from cloud.api.deps import LOCALES, ApiDeps
from cloud.api.errors import MustChange, NotRecognised, TooOften, WrongOrigin
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.objects.caller import Caller, caller
from cloud.people.access import access_of
from cloud.people.keys import key_of, note_use
from cloud.people.models import WebSession
from cloud.people.sessions import is_due, same_csrf, session_of, touch
from sync_protocol.wiretext import clean

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_REQUEST_ID = 64
MAX_WISHES = 8
"""Languages that are looked at of one header."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is behind a request, and what they may do. `mark` is the key's prefix, "" for a browser."""

    actor: Actor
    access: Access
    locale: str | None = None
    mark: str = ""


async def gate(request: Request) -> None:
    """Leaves the asker on the request. Raises NotRecognised, TooOften, WrongOrigin or MustChange."""
    deps: ApiDeps = request.app.state.deps
    now = deps.clock()
    if "authorization" in request.headers:
        # Another site can make a browser send its cookie, but not this header: whoever sends it is judged by it alone.
        request.state.asker = await _by_key(request, deps, now)
    else:
        request.state.asker = await _by_cookie(request, deps, now)


def asker_of(request: Request) -> Asker:
    """Who asks. Raises NotRecognised."""
    found = getattr(request.state, "asker", None)
    if not isinstance(found, Asker):
        raise NotRecognised
    return found


def locale_of(request: Request) -> str:
    """The language asked for, else the person's, else the house's."""
    for wish in request.headers.get("accept-language", "").split(",")[:MAX_WISHES]:
        code = wish.partition(";")[0].strip().lower().partition("-")[0]
        if code in LOCALES:
            return code
    found = getattr(request.state, "asker", None)
    deps: ApiDeps = request.app.state.deps
    return (found.locale if isinstance(found, Asker) else None) or deps.locale


def taken_by(request: Request, reason: str | None = None) -> Taken:
    """An action that the asker takes now, with all that they may do."""
    asker = asker_of(request)
    deps: ApiDeps = request.app.state.deps
    given = clean(request.headers.get("x-request-id", ""), MAX_REQUEST_ID)
    request_id = " ".join(filter(None, [f"key:{asker.mark}" if asker.mark else "", given])) or None
    return Taken(asker.actor, deps.clock(), reason=reason, request_id=request_id, access=asker.access)


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Caller]:
    """The asker in a transaction that only reads."""
    deps: ApiDeps = request.app.state.deps
    async with deps.sessions.read() as session:
        yield await caller(session, deps.registry, taken_by(request), zone=deps.zone, hooks=deps.hooks)


@asynccontextmanager
async def writing(request: Request, reason: str | None = None) -> AsyncIterator[Caller]:
    """The asker in a transaction that is committed at its end."""
    deps: ApiDeps = request.app.state.deps
    async with deps.sessions.write() as session:
        yield await caller(session, deps.registry, taken_by(request, reason), zone=deps.zone, hooks=deps.hooks)


async def _by_key(request: Request, deps: ApiDeps, now: datetime) -> Asker:
    async with deps.sessions.read() as session:
        holder = await key_of(session, request.headers["authorization"], now)
    if holder is None:
        raise NotRecognised
    wait = deps.rates.take(holder.row.prefix, holder.row.rate, now)
    if wait:
        raise TooOften(ceil(wait))
    await note_use(deps.sessions, holder.row, now)
    return Asker(holder.actor, holder.access, mark=holder.row.prefix)


async def _by_cookie(request: Request, deps: ApiDeps, now: datetime) -> Asker:
    token = request.cookies.get(deps.cookie) if deps.cookie else None
    if not token:
        raise NotRecognised
    async with deps.sessions.read() as session:
        row = await session_of(session, token, now)
        if row is None:
            raise NotRecognised
        access = await access_of(session, row.user)
    if request.method not in SAFE_METHODS:
        _own_page(request, row)
    if row.user.must_change_password:
        raise MustChange
    if is_due(row, now):
        await touch(deps.sessions, row, now)
    return Asker(Actor.user(row.user.login, row.user.role), access, row.user.locale)


def _own_page(request: Request, row: WebSession) -> None:
    origin = request.headers.get("origin")
    foreign = request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}
    if foreign or (origin is not None and urlsplit(origin).netloc != request.headers.get("host")):
        raise WrongOrigin
    if not same_csrf(row, request.headers.get("x-csrf-token", "")):
        raise WrongOrigin
