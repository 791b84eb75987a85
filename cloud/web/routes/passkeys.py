"""Passkeys: signing in with one, making one, and showing with one again who one is."""

import ipaddress
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from cloud.errors import SignInRefused
from cloud.kernel.actor import Actor, Taken
from cloud.people import passkeys
from cloud.people.accounts import user_by_login
from cloud.people.models import User
from cloud.people.passkeys import Site
from cloud.people.sessions import note_proof, open_session
from cloud.web.access import (
    SESSION_COOKIE,
    VISIT_COOKIE,
    Visitor,
    browser_of,
    local_path,
    proved,
    public,
    set_cookie,
    taken_by,
    visitor,
)
from cloud.web.errors import NotSignedIn, NotThere, Refused
from cloud.web.faults import problem
from cloud.web.settings import StaffDeps
from cloud.web.shield import host_name

router = APIRouter()

Given = Annotated[dict[str, Any], Body()]


def site_of(request: Request) -> Site | None:
    """Where we are, as passkeys see it; None at a bare address, to which no passkey can belong (Level 3, 5.1.3)."""
    host = host_name(request.headers.get("host", ""))
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        settings = request.app.state.deps.settings
        return Site(host, origin_of(request), settings.organisation or "Tallybox")
    return None


def origin_of(request: Request) -> str:
    """Scheme, host and port under which the browser knows us."""
    return f"{request.url.scheme}://{request.headers.get('host', '').lower()}"


@router.post("/sign-in/passkey/begin")
@public
async def begin(request: Request) -> Response:
    """What the browser asks its devices."""
    site, visit, deps = _site(request), _visit(request), _deps(request)
    async with deps.sessions.write() as session:
        return JSONResponse(await passkeys.begin_using(session, site, visit, deps.clock()))


@router.post("/sign-in/passkey/finish")
@public
async def finish(request: Request, given: Given) -> Response:
    """A session for whoever's passkey signed; `{next}` is where to go on."""
    site, visit, deps = _site(request), _visit(request), _deps(request)
    stranger = Taken(Actor("user", "", ""), deps.clock(), request_id=request.headers.get("x-request-id", "")[:64] or None)
    async with deps.sessions.write() as session:
        user = await passkeys.finish_using(session, site, visit, _credential(given), stranger)
        if isinstance(user, User):
            signed = await open_session(session, user, deps.clock(), method="passkey", browser=browser_of(request))
    if isinstance(user, SignInRefused):
        return _refused(user)
    response = JSONResponse({"next": local_path(str(given.get("next", "/"))[:2000])})
    set_cookie(request, response, SESSION_COOKIE, signed.token)
    return response


@router.post("/me/prove/passkey/begin")
async def begin_proof(request: Request) -> Response:
    """The same for somebody who is signed in, with their own passkeys."""
    site, deps = _site(request), _deps(request)
    person, secret = _person(request)
    async with deps.sessions.write() as session:
        user = await user_by_login(session, person.login)
        return JSONResponse(await passkeys.begin_using(session, site, secret, deps.clock(), user=user))


@router.post("/me/prove/passkey/finish")
async def finish_proof(request: Request, given: Given) -> Response:
    """The session is as good as new for what is dangerous."""
    site, deps = _site(request), _deps(request)
    person, secret = _person(request)
    async with deps.sessions.write() as session:
        user = await passkeys.finish_using(session, site, secret, _credential(given), taken_by(request), action="prove")
        if isinstance(user, User) and person.session is not None:
            await note_proof(session, person.session, deps.clock())
    if isinstance(user, SignInRefused):
        return _refused(user)
    return JSONResponse({"next": local_path(str(given.get("next", "/"))[:2000])})


@router.post("/me/passkeys/begin")
async def begin_making(request: Request) -> Response:
    """What the browser asks the device that is to keep the new passkey."""
    site, deps = _site(request), _deps(request)
    proved(request)
    person, secret = _person(request)
    async with deps.sessions.write() as session:
        user = await user_by_login(session, person.login)
        if user is None:
            raise NotSignedIn
        return JSONResponse(await passkeys.begin_making(session, user, site, secret, deps.clock()))


@router.post("/me/passkeys/finish")
async def finish_making(request: Request, given: Given) -> Response:
    """The passkey is kept under the name that was given."""
    site, deps = _site(request), _deps(request)
    proved(request)
    person, secret = _person(request)
    async with deps.sessions.write() as session:
        user = await user_by_login(session, person.login)
        if user is None:
            raise NotSignedIn
        name = str(given.get("name", ""))
        await passkeys.finish_making(session, user, site, secret, _credential(given), taken_by(request), name=name)
    return JSONResponse({"next": "/me"})


def _site(request: Request) -> Site:
    found = site_of(request)
    if found is None:
        raise NotThere
    return found


def _deps(request: Request) -> StaffDeps:
    deps: StaffDeps = request.app.state.deps
    return deps


def _visit(request: Request) -> str:
    found = request.cookies.get(VISIT_COOKIE)
    if not found:
        raise NotSignedIn
    return found


def _person(request: Request) -> tuple[Visitor, str]:
    """Who it is, and what ties the ceremony to the browser's sign-in."""
    person = visitor(request)
    if person.session is None:
        raise NotSignedIn
    return person, person.session.token_hash


def _credential(given: dict[str, Any]) -> dict[str, Any]:
    found = given.get("credential")
    return found if isinstance(found, dict) else {}


def _refused(refusal: SignInRefused) -> Response:
    fault = Refused(f"sign_in_{refusal.code}")
    fault.status = 401
    return problem(fault)
