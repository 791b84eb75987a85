"""One's own account: password, passkeys, signed-in browsers, and showing again who one is."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import BIGGEST
from cloud.errors import Refused as CoreRefused
from cloud.errors import SignInRefused
from cloud.people import changing, passkeys, sessions
from cloud.people.accounts import check_password
from cloud.people.models import User, WebSession
from cloud.web.access import Visitor, local_path, proved, taken_by, visitor, while_changing
from cloud.web.errors import NotSignedIn
from cloud.web.reads.people import read_person
from cloud.web.rendering import Renderer
from cloud.web.routes.passkeys import site_of
from cloud.web.routes.sign_in import check_twice, refusal_words
from cloud.web.settings import StaffDeps

router = APIRouter(prefix="/me")

Secret = Annotated[str, Form(max_length=256)]


@router.get("")
async def page(request: Request) -> Response:
    """The account as its owner sees it."""
    deps, renderer = _deps(request), _renderer(request)
    _, row = _mine(request)
    async with deps.sessions.read() as session:
        person = await read_person(session, row.user.login, deps.clock(), here=row.token_hash)
    return renderer.page(request, "me.html", here="me", person=person, can_passkey=site_of(request) is not None)


@router.get("/password")
@while_changing
async def password_form(request: Request) -> Response:
    """The form for a new password."""
    return _password_form(request)


@router.post("/password")
@while_changing
async def password(request: Request, old: Secret, new: Secret, again: Secret) -> Response:
    """A new password: the old one has to be right. All other sessions end."""
    deps = _deps(request)
    person, row = _mine(request)
    try:
        check_twice(new, again)
        taken = taken_by(request)
        await changing.change_own_password(deps.sessions, person.login, old, new, taken, keep=row.token_hash)
    except CoreRefused as exc:
        return _password_form(request, refused=exc)
    return RedirectResponse("/me", 303)


@router.get("/prove")
async def prove_form(request: Request) -> Response:
    """Asks who one is, before something dangerous."""
    return await _prove_form(request, local_path(request.query_params.get("next", "/")))


@router.post("/prove")
async def prove(
    request: Request,
    password: Secret,
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - the field's name on the page
) -> Response:
    """The session is as good as new for ten minutes."""
    deps = _deps(request)
    person, row = _mine(request)
    target = local_path(next)
    try:
        await check_password(deps.sessions, login=person.login, password=password, now=deps.clock(), action="prove")
    except SignInRefused as exc:
        return await _prove_form(request, target, refused=exc)
    async with deps.sessions.write() as session:
        await sessions.note_proof(session, row, deps.clock())
    return RedirectResponse(target, 303)


@router.post("/passkeys/{number}/remove")
async def remove_passkey(request: Request, number: Annotated[int, Path(ge=1, le=BIGGEST)]) -> Response:
    """Forget one of one's passkeys."""
    deps = _deps(request)
    proved(request)
    async with deps.sessions.write() as session:
        await passkeys.remove_passkey(session, await _user(request, session), number, taken_by(request))
    return RedirectResponse("/me", 303)


@router.post("/sessions/others/end")
async def end_others(request: Request) -> Response:
    """Sign out everywhere but here."""
    deps = _deps(request)
    person, row = _mine(request)
    async with deps.sessions.write() as session:
        await changing.sign_out_everywhere(session, person.login, taken_by(request), keep=row.token_hash)
    return RedirectResponse("/me", 303)


@router.post("/sessions/{name}/end")
async def end_session(request: Request, name: str) -> Response:
    """Sign one browser out."""
    deps = _deps(request)
    async with deps.sessions.write() as session:
        await sessions.end_session(session, await _user(request, session), name, taken_by(request))
    return RedirectResponse("/me", 303)


def _deps(request: Request) -> StaffDeps:
    deps: StaffDeps = request.app.state.deps
    return deps


def _renderer(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer


def _mine(request: Request) -> tuple[Visitor, WebSession]:
    person = visitor(request)
    if person.session is None:
        raise NotSignedIn
    return person, person.session


async def _user(request: Request, session: AsyncSession) -> User:
    return await changing.locked_user(session, visitor(request).login)


def _password_form(request: Request, *, refused: CoreRefused | None = None) -> Response:
    renderer = _renderer(request)
    problem = None if refused is None else refusal_words(request, refused)
    _, row = _mine(request)
    status = 200 if refused is None else 422
    return renderer.page(request, "password.html", status=status, must=row.user.must_change_password, problem=problem)


async def _prove_form(request: Request, target: str, *, refused: SignInRefused | None = None) -> Response:
    deps, renderer = _deps(request), _renderer(request)
    _, row = _mine(request)
    async with deps.sessions.read() as session:
        known = await passkeys.passkeys_of(session, row.user)
    return renderer.page(
        request,
        "prove.html",
        status=200 if refused is None else 401,
        next_url=target,
        has_password=row.user.password_hash is not None,
        has_passkey=bool(known) and site_of(request) is not None,
        has_provider=row.user.oidc_subject is not None and deps.settings.provider is not None,
        problem=None if refused is None else refusal_words(request, refused),
    )
