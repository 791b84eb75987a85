"""Who is asking. One gate before every route: what is not marked public needs a session, and a change needs its token."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from fastapi import Request, Response

from cloud.people.models import Role, WebSession
from cloud.people.sessions import is_due, same_csrf, session_of, touch
from cloud.web.errors import NotAllowed, NotSignedIn, WrongOrigin
from cloud.web.i18n import Locale, is_locale
from cloud.web.settings import StaffDeps

SESSION_COOKIE = "tallybox_staff"
VISIT_COOKIE = "tallybox_visit"
LANGUAGE_COOKIE = "tallybox_language"
LANGUAGE_KEPT_S = 365 * 24 * 3600

SAFE_METHODS = frozenset({"GET", "HEAD"})
DECIDERS = frozenset({Role.ADMIN.value, Role.SUPERVISOR.value})

SEEN_HEADER = "x-seen"
"""Sent by a page that refreshes itself. Such requests do not keep a session alive: nobody need be there."""

_PUBLIC = "_tallybox_public"
F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in person behind a request."""

    login: str
    name: str
    role: str
    locale: Locale
    csrf: str

    @property
    def may_decide(self) -> bool:
        return self.role in DECIDERS


def public(route: F) -> F:
    """Mark a route as open to people who are not signed in. Its changes still need the browser's own token."""
    setattr(route, _PUBLIC, True)
    return route


def is_public(route: object) -> bool:
    """Whether an endpoint was marked so."""
    return getattr(route, _PUBLIC, False) is True


async def gate(request: Request) -> None:
    """Runs before every route. Raises NotSignedIn or WrongOrigin; leaves the visitor on the request."""
    deps: StaffDeps = request.app.state.deps
    now = deps.clock()
    row = await _session(request, deps)
    request.state.visitor = None if row is None else _visitor(row)
    if row is None and not is_public(request.scope["endpoint"]):
        raise NotSignedIn
    if request.method not in SAFE_METHODS:
        await _own_page(request, row)
    if row is not None and is_due(row, now) and SEEN_HEADER not in request.headers:
        await touch(deps.sessions, row, now)


def visitor(request: Request) -> Visitor:
    """The signed-in person; for routes that are not public."""
    found = visitor_or_none(request)
    if found is None:
        raise NotSignedIn
    return found


def visitor_or_none(request: Request) -> Visitor | None:
    """The signed-in person, if there is one."""
    found = getattr(request.state, "visitor", None)
    return found if isinstance(found, Visitor) else None


def decider(request: Request) -> Visitor:
    """The signed-in person, who may decide and post. Raises NotAllowed."""
    found = visitor(request)
    if not found.may_decide:
        raise NotAllowed
    return found


def locale_of(request: Request) -> Locale:
    """The language: the person's own, else what was chosen on this browser, else the browser's wish, else the house's."""
    found = visitor_or_none(request)
    if found is not None:
        return found.locale
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if is_locale(chosen):
        return chosen
    for wish in request.headers.get("accept-language", "").split(",")[:8]:
        code = wish.partition(";")[0].strip().lower().partition("-")[0]
        if is_locale(code):
            return code
    deps: StaffDeps = request.app.state.deps
    return deps.settings.locale


def form_token(request: Request) -> str:
    """What a form of this browser must send back: the session's secret, or before sign-in the visit cookie's."""
    found = visitor_or_none(request)
    return found.csrf if found else visit_token(request)


def visit_token(request: Request) -> str:
    """The random mark of a browser that is not signed in; drawn once a request when there is none."""
    if not getattr(request.state, "visit", None):
        request.state.visit = request.cookies.get(VISIT_COOKIE) or secrets.token_urlsafe(32)
    return str(request.state.visit)


def keep_visit(request: Request, response: Response) -> None:
    """Set the visit cookie where a form was given out that rests on it."""
    if getattr(request.state, "visit", None) and VISIT_COOKIE not in request.cookies:
        set_cookie(request, response, VISIT_COOKIE, request.state.visit)


def set_cookie(request: Request, response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
    """A cookie that scripts cannot read and other sites' forms do not send; `Secure` wherever the page came over TLS."""
    response.set_cookie(
        name, value, max_age=max_age, httponly=True, samesite="lax", secure=request.url.scheme == "https", path="/"
    )


def local_path(text: str) -> str:
    """`text` if it is an address on this site, else the front page: a link must not lead people elsewhere."""
    parts = urlsplit(text)
    outside = parts.scheme or parts.netloc or not text.startswith("/") or text.startswith("//") or "\\" in text
    return "/" if outside or any(char < " " for char in text) else text


async def _session(request: Request, deps: StaffDeps) -> WebSession | None:
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    async with deps.sessions.read() as session:
        return await session_of(session, token, deps.clock())


def _visitor(row: WebSession) -> Visitor:
    locale = row.user.locale
    return Visitor(row.user.login, row.user.name, row.user.role, locale if is_locale(locale) else "en", row.csrf)


async def _own_page(request: Request, row: WebSession | None) -> None:
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise WrongOrigin
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise WrongOrigin
    if row is None and request.headers.get("content-type", "").partition(";")[0] == "application/json":
        # No form of another site can send this type without asking first, and we never answer such a question.
        return
    given = request.headers.get("x-csrf-token") or str((await request.form()).get("csrf", ""))
    right = same_csrf(row, given) if row is not None else _same_visit(request, given)
    if not right:
        raise WrongOrigin


def _same_visit(request: Request, given: str) -> bool:
    mark = request.cookies.get(VISIT_COOKIE, "")
    return bool(mark) and hmac.compare_digest(mark.encode(), given.encode())
