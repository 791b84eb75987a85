"""Signing in and out, and the language."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from markupsafe import Markup
from pydantic import BaseModel, Field

from cloud.errors import Refused as CoreRefused
from cloud.errors import SignInRefused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import UNKNOWN_ACTOR, append_event
from cloud.people import changing, sessions, tickets
from cloud.people.accounts import user_by_login
from cloud.web import marks
from cloud.web.access import (
    LANGUAGE_COOKIE,
    LANGUAGE_KEPT_S,
    SESSION_COOKIE,
    browser_of,
    local_path,
    locale_of,
    public,
    set_cookie,
    taken_by,
    visitor_or_none,
)
from cloud.web.errors import Refused, WebFault
from cloud.web.faults import problem
from cloud.web.i18n import is_locale
from cloud.web.rendering import Renderer
from cloud.web.routes.passkeys import site_of
from cloud.web.settings import StaffDeps

router = APIRouter()

PROVIDER_SAID = frozenset({"provider_away", "provider_refused", "provider_wrong", "provider_unknown"})
"""What somebody is told who came back from the provider with nothing."""

RESET = "/new-password"


class Credentials(BaseModel):
    """The body of a program's sign-in."""

    login: str = Field(max_length=64)
    password: str = Field(max_length=256)


@router.get("/sign-in")
@public
async def page(request: Request) -> Response:
    """The form; who is signed in already goes on."""
    target = local_path(request.query_params.get("next", "/"))
    if visitor_or_none(request):
        return RedirectResponse(target, 303)
    code = request.query_params.get("problem")
    return _form(request, login="", target=target, refused=SignInRefused(code) if code in PROVIDER_SAID else None)


@router.post("/sign-in")
@public
async def sign_in(
    request: Request,
    login: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=256)],
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - the field's name on the page
) -> Response:
    """A session, or the form again saying what was wrong."""
    target = local_path(next)
    name = login.strip().lower()
    try:
        signed = await _open(request, name, password)
    except SignInRefused as exc:
        return _form(request, login=name, target=target, refused=exc)
    response = RedirectResponse(target, 303)
    set_cookie(request, response, SESSION_COOKIE, signed.token)
    return response


@router.post("/api/sign-in")
@public
async def sign_in_json(request: Request, given: Credentials) -> Response:
    """The same for programs: sets the session cookie, and answers the token that changes must carry as X-CSRF-Token."""
    try:
        signed = await _open(request, given.login, given.password)
    except SignInRefused as exc:
        fault: WebFault = Refused(f"sign_in_{exc.code}", exc.values)
        fault.status = 429 if exc.code == "locked" else 401
        return problem(fault)
    response = JSONResponse({"login": signed.user.login, "role": signed.user.role, "csrf": signed.csrf})
    set_cookie(request, response, SESSION_COOKIE, signed.token)
    return response


@router.post("/sign-out")
@public
async def sign_out(request: Request) -> Response:
    """Ends the session, here and in the database. Signing out twice is no error."""
    deps: StaffDeps = request.app.state.deps
    token = request.cookies.get(SESSION_COOKIE)
    if token:
        await sessions.sign_out(deps.sessions, token)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
    return response


@router.post("/language")
@public
async def language(
    request: Request,
    locale: Annotated[str, Form(max_length=2)],
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - the field's name on the page
) -> Response:
    """Another language from now on: for the person where somebody is signed in, and for this browser's sign-in page."""
    response = RedirectResponse(local_path(next), 303)
    if not is_locale(locale):
        return response
    found = visitor_or_none(request)
    deps: StaffDeps = request.app.state.deps
    if found is not None and found.locale != locale:
        async with deps.sessions.write() as session:
            user = await user_by_login(session, found.login)
            if user is not None:
                changes = {"locale": [user.locale, locale]}
                user.locale = locale
                await append_event(
                    session, taken_by(request), action="set_locale", kind="user", ref=found.login, changes=changes
                )
    set_cookie(request, response, LANGUAGE_COOKIE, locale, max_age=LANGUAGE_KEPT_S)
    return response


@router.get(RESET + "/{secret}")
@public
async def new_password_form(request: Request, secret: Annotated[str, Path(max_length=100)]) -> Response:
    """Where a link leads that an admin handed over. Looking at it does not use it up."""
    deps: StaffDeps = request.app.state.deps
    async with deps.sessions.read() as session:
        if await tickets.peek(session, "new_password", secret, deps.clock()) is None:
            raise CoreRefused("link_over")
    return _new_password(request, secret)


@router.post(RESET + "/{secret}")
@public
async def new_password(
    request: Request,
    secret: Annotated[str, Path(max_length=100)],
    new: Annotated[str, Form(max_length=256)],
    again: Annotated[str, Form(max_length=256)],
) -> Response:
    """The password is set, and all sessions of the person end."""
    deps: StaffDeps = request.app.state.deps
    taken = Taken(
        Actor("user", UNKNOWN_ACTOR, ""), deps.clock(), request_id=request.headers.get("x-request-id", "")[:64] or None
    )
    try:
        check_twice(new, again)
        async with deps.sessions.write() as session:
            await changing.take_new_password(session, secret, new, taken)
    except CoreRefused as exc:
        if exc.code == "link_over":
            raise
        return _new_password(request, secret, refused=exc)
    return RedirectResponse("/sign-in", 303)


def _new_password(request: Request, secret: str, *, refused: CoreRefused | None = None) -> Response:
    renderer: Renderer = request.app.state.renderer
    problem = None if refused is None else refusal_words(request, refused)
    status = 200 if refused is None else 422
    return renderer.page(request, "new_password.html", status=status, action=f"{RESET}/{secret}", problem=problem)


async def _open(request: Request, login: str, password: str) -> sessions.SignedIn:
    deps: StaffDeps = request.app.state.deps
    return await sessions.sign_in(deps.sessions, login=login, password=password, now=deps.clock(), browser=browser_of(request))


def check_twice(new: str, again: str) -> None:
    """Raises Refused `password_differs` when what was typed twice is not the same."""
    if new != again:
        raise CoreRefused("password_differs")


def refusal_words(request: Request, refused: CoreRefused) -> Markup:
    """What a person is told of a refusal to sign in, or of a password."""
    renderer: Renderer = request.app.state.renderer
    locale = locale_of(request)
    if isinstance(refused, SignInRefused):
        minutes = _minutes_left(refused, request.app.state.deps.clock())
        return renderer.catalogues.say(locale, f"sign_in.{refused.code}", minutes=marks.ltr(minutes))
    isolated = {name: marks.ltr(value) for name, value in refused.values.items()}
    return renderer.catalogues.say(locale, f"fault.{refused.code}", **isolated)


def _form(request: Request, *, login: str, target: str, refused: SignInRefused | None = None) -> Response:
    renderer: Renderer = request.app.state.renderer
    status = 200 if refused is None else 429 if refused.code == "locked" else 401
    return renderer.page(
        request,
        "sign_in.html",
        status=status,
        login=login,
        next_url=target,
        problem=None if refused is None else refusal_words(request, refused),
        can_passkey=site_of(request) is not None,
        can_provider=request.app.state.deps.settings.provider is not None,
    )


def _minutes_left(refused: SignInRefused, now: dt.datetime) -> int:
    until = refused.values.get("until")
    left = dt.datetime.fromisoformat(until) - now if until else dt.timedelta()
    return max(1, -(-int(left.total_seconds()) // 60))
