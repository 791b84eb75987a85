"""Who is asking. One gate before every route: what is not marked public needs a session, and a change needs its token.

Programs come to `/api/` with a key instead: no cookie is read then, and so no other site can make their browser do it.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

from fastapi import Request, Response

from cloud.kernel.access import OPEN, TRANSITION, Access
from cloud.kernel.actor import Actor, Taken
from cloud.people.access import Who, access_of
from cloud.people.keys import key_of, note_use
from cloud.people.models import WebSession
from cloud.people.sessions import Browser, is_due, recent_proof, same_csrf, session_of, touch
from cloud.web.errors import MustChange, NotAllowed, NotProved, NotSignedIn, TooOften, WrongOrigin
from cloud.web.i18n import Locale, is_locale
from cloud.web.reach import Reach, reach_of
from cloud.web.settings import StaffDeps

SESSION_COOKIE = "tallybox_staff"
VISIT_COOKIE = "tallybox_visit"
LANGUAGE_COOKIE = "tallybox_language"
LANGUAGE_KEPT_S = 365 * 24 * 3600

SAFE_METHODS = frozenset({"GET", "HEAD"})
SEEN_HEADER = "x-seen"
"""Sent by a page that refreshes itself. Such requests do not keep a session alive: nobody need be there."""

KEYS_UNDER = "/api/"
"""Where programs may come with a key: pages are for people."""

_PUBLIC = "_tallybox_public"
_WHILE_CHANGING = "_tallybox_while_changing"
F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in person, or the program, behind a request."""

    login: str
    name: str
    role: str
    locale: Locale
    csrf: str
    access: Access
    session: WebSession | None = None
    """None for programs."""
    key: str | None = None
    """The prefix of a program's key."""

    def may(self, kind: str, action: str) -> bool:
        """Whether the action is allowed on some record of this kind: enough to show a link."""
        return self.access.may(kind, action)

    def may_freely(self, kind: str, action: str) -> bool:
        """Whether it is allowed on every record and every field: what a page needs that does not look at single ones."""
        return any(not way.scopes and way.site is None and way.mask == OPEN for way in self.access.ways(kind, action))

    def reach(self, kind: str, action: str) -> Reach | None:
        """Where it is allowed on whole records; None: nowhere."""
        return reach_of(self.access, kind, action)

    def may_decide(self, site: str | None) -> bool:
        """Whether they decide about receipts of this site."""
        found = self.reach("receipt", f"{TRANSITION}decide")
        return found is not None and found.allows(site)


def public(route: F) -> F:
    """Mark a route as open to people who are not signed in. Its changes still need the browser's own token."""
    setattr(route, _PUBLIC, True)
    return route


def is_public(route: object) -> bool:
    """Whether an endpoint was marked so."""
    return getattr(route, _PUBLIC, False) is True


def while_changing(route: F) -> F:
    """Mark a route as open to somebody who must choose a new password first."""
    setattr(route, _WHILE_CHANGING, True)
    return route


async def gate(request: Request) -> None:
    """Runs before every route. Raises NotSignedIn, WrongOrigin, TooOften or MustChange; leaves the visitor on the request, and
    `who` for packages that know no pages."""
    deps: StaffDeps = request.app.state.deps
    now = deps.clock()
    if request.headers.get("authorization", "").startswith("Bearer "):
        await _by_key(request, deps, now)
        return
    row = await _by_cookie(request, deps, now)
    endpoint = request.scope["endpoint"]
    if row is None and not is_public(endpoint):
        raise NotSignedIn
    if request.method not in SAFE_METHODS:
        await _own_page(request, row)
    if row is not None:
        if row.user.must_change_password and not is_public(endpoint) and not getattr(endpoint, _WHILE_CHANGING, False):
            raise MustChange
        if is_due(row, now) and SEEN_HEADER not in request.headers:
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


def within(request: Request, kind: str, action: str) -> Reach:
    """Where the visitor may do this to whole records. Raises NotAllowed where it is nowhere."""
    found = visitor(request).reach(kind, action)
    if found is None:
        raise NotAllowed
    return found


def needs(request: Request, kind: str, action: str) -> Visitor:
    """The visitor, who may do this to every record of the kind. Raises NotAllowed."""
    found = visitor(request)
    if not found.may_freely(kind, action):
        raise NotAllowed
    return found


def proved(request: Request) -> Visitor:
    """The visitor, who showed within the last minutes who they are. Raises NotProved; a program never did."""
    found = visitor(request)
    if found.session is None or not recent_proof(found.session, request.app.state.deps.clock()):
        raise NotProved
    return found


def taken_by(request: Request, reason: str | None = None) -> Taken:
    """An action that the visitor takes now, with all that they may do."""
    found = visitor(request)
    mark = [f"key:{found.key}"] if found.key else []
    request_id = " ".join([*mark, request.headers.get("x-request-id", "")[:64]]).strip() or None
    actor = Actor.user(found.login, found.role)
    return Taken(actor, request.app.state.deps.clock(), reason=reason, request_id=request_id, access=found.access)


def browser_of(request: Request) -> Browser:
    """What is about to get a new session; the one that it has ends."""
    return Browser(request.headers.get("user-agent", ""), request.cookies.get(SESSION_COOKIE))


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


async def _by_cookie(request: Request, deps: StaffDeps, now: datetime) -> WebSession | None:
    request.state.visitor = request.state.who = None
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    async with deps.sessions.read() as session:
        row = await session_of(session, token, now)
        if row is None:
            return None
        access = await access_of(session, row.user)
    locale = row.user.locale if is_locale(row.user.locale) else "en"
    user = row.user
    request.state.visitor = Visitor(user.login, user.name, user.role, locale, row.csrf, access, session=row)
    request.state.who = Who(Actor.user(user.login, user.role), access)
    return row


async def _by_key(request: Request, deps: StaffDeps, now: datetime) -> None:
    request.state.visitor = request.state.who = None
    if not request.url.path.startswith(KEYS_UNDER):
        raise NotSignedIn
    async with deps.sessions.read() as session:
        holder = await key_of(session, request.headers["authorization"], now)
    if holder is None:
        raise NotSignedIn
    row, who = holder.row, holder.who
    wait = request.app.state.rates.take(row.prefix, row.rate, now)
    if wait:
        raise TooOften(wait)
    await note_use(deps.sessions, row, now)
    request.state.visitor = Visitor(who.actor.name, row.name, who.actor.role, "en", "", who.access, key=row.prefix)
    request.state.who = who


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
