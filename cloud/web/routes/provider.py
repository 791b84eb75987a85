"""Signing in at the firm's own provider: there, and back with its word for it."""

import datetime as dt
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from cloud.errors import SignInRefused
from cloud.kernel.actor import Actor, Taken
from cloud.people import linking, provider, tickets
from cloud.people.models import User
from cloud.people.sessions import PROOF_LIFE, open_session
from cloud.web.access import SESSION_COOKIE, VISIT_COOKIE, browser_of, keep_visit, local_path, public, set_cookie, visit_token
from cloud.web.errors import NotThere
from cloud.web.routes.passkeys import origin_of
from cloud.web.settings import StaffDeps

router = APIRouter()

BACK = "/sign-in/provider/back"


@router.get("/sign-in/provider")
@public
async def leave(request: Request) -> Response:
    """Off to the provider; with `again` it is to ask anew who one is."""
    deps = _deps(request)
    if deps.settings.provider is None:
        raise NotThere
    target = local_path(request.query_params.get("next", "/"))
    again = request.query_params.get("again") == "1"
    try:
        begun = await provider.begin(deps.settings.provider, origin_of(request) + BACK, again=again)
    except SignInRefused as exc:
        return _refused(exc)
    now = deps.clock()
    data = {**begun.kept, "next": target, "again": again}
    async with deps.sessions.write() as session:
        secret = f"{begun.state}:{visit_token(request)}"
        await tickets.issue(session, "provider", secret, until=now + tickets.TEN_MINUTES, now=now, data=data)
    response = RedirectResponse(begun.url, 303)
    keep_visit(request, response)
    return response


@router.get(BACK)
@public
async def back(request: Request) -> Response:
    """A session, if the provider vouches for somebody who has an account here. Only the browser that left can come back."""
    deps = _deps(request)
    if deps.settings.provider is None:
        raise NotThere
    now = deps.clock()
    secret = f"{request.query_params.get('state', '')}:{request.cookies.get(VISIT_COOKIE, '')}"
    async with deps.sessions.write() as session:
        begun = await tickets.redeem(session, "provider", secret, now)
    if begun is None:
        return _refused(SignInRefused("provider_wrong"))
    try:
        claimed = await provider.finish(deps.settings.provider, begun.data, request.query_params, now)
    except SignInRefused as exc:
        return _refused(exc)
    proved = claimed.proved_at is not None and now - dt.datetime.fromtimestamp(claimed.proved_at, dt.UTC) < PROOF_LIFE
    if begun.data["again"] and not proved:
        return _refused(SignInRefused("provider_wrong"))
    taken = Taken(Actor("user", "", ""), now, request_id=request.headers.get("x-request-id", "")[:64] or None)
    async with deps.sessions.write() as session:
        user = await linking.user_of(session, claimed, taken)
        if isinstance(user, User):
            signed = await open_session(session, user, now, method="provider", browser=browser_of(request), proved=proved)
    if isinstance(user, SignInRefused):
        return _refused(user)
    response = RedirectResponse(begun.data["next"], 303)
    set_cookie(request, response, SESSION_COOKIE, signed.token)
    return response


def _deps(request: Request) -> StaffDeps:
    deps: StaffDeps = request.app.state.deps
    return deps


def _refused(refusal: SignInRefused) -> Response:
    return RedirectResponse(f"/sign-in?problem={quote(refusal.code)}", 303)
