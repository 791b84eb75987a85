"""People: the list, one account, and what somebody may do. For whoever may configure users."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import BIGGEST
from cloud.errors import NotFound
from cloud.errors import Refused as CoreRefused
from cloud.kernel.access import CONFIGURE
from cloud.kernel.actor import Taken
from cloud.people import changing, linking, passkeys, roles, sessions
from cloud.people.accounts import NewUser, create_user
from cloud.web.access import Visitor, needs, proved, taken_by
from cloud.web.reads.grants import read_may
from cloud.web.reads.people import labels, list_people, read_person, sites
from cloud.web.rendering import Renderer
from cloud.web.routes.passkeys import origin_of
from cloud.web.routes.sign_in import RESET, refusal_words
from cloud.web.settings import StaffDeps

router = APIRouter(prefix="/people")

Login = Annotated[str, Path(max_length=64)]
Short = Annotated[str, Form(max_length=200)]
Secret = Annotated[str, Form(max_length=256)]
Locale = Annotated[Literal["he", "en"], Form()]


@router.get("")
async def page(request: Request, q: str = "") -> Response:
    """Everybody, or those whose login, name or mail holds `q`."""
    _may(request)
    return await _list(request, q[:100])


@router.post("")
async def create(
    request: Request,
    login: Short,
    name: Short,
    role: Short,
    locale: Locale,
    mail: Short = "",
    pin: Annotated[str, Form(max_length=12)] = "",
) -> Response:
    """Add somebody; they get their password by a link of their own page."""
    _may(request)
    proved(request)
    new = NewUser(login.strip().lower(), name, role, pin=pin or None, locale=locale, mail=mail)
    try:
        async with _deps(request).sessions.write() as session:
            user = await create_user(session, new, taken_by(request))
    except CoreRefused as exc:
        return await _list(request, "", refused=exc, given=new)
    return _to(user.login)


@router.get("/{login}")
async def one(request: Request, login: Login) -> Response:
    """One account."""
    _may(request)
    return await _one(request, login)


@router.get("/{login}/may")
async def may(request: Request, login: Login) -> Response:
    """What this person may do, with which role each permission comes."""
    _may(request)
    deps = _deps(request)
    async with deps.sessions.read() as session:
        user, rows = await read_may(session, login, await deps.registry.current(session))
    return _renderer(request).page(request, "may.html", here="people", person=user, rows=rows)


@router.post("/{login}/profile")
async def profile(request: Request, login: Login, name: Short, locale: Locale, mail: Short = "", phone: Short = "") -> Response:
    """Name, language, mail, phone."""
    given = changing.Profile(name, locale, mail, phone)
    return await _change(request, login, lambda session, taken: changing.set_profile(session, login, given, taken))


@router.post("/{login}/main-role")
async def main_role(request: Request, login: Login, role: Short) -> Response:
    """Which role boxes and state machines go by."""

    async def work(session: AsyncSession, taken: Taken) -> None:
        await roles.set_main_role(session, await changing.locked_user(session, login), role, taken)

    return await _change(request, login, work)


@router.post("/{login}/roles/{verb}")
async def held(request: Request, login: Login, verb: Literal["give", "take"], role: Short, site: Short = "") -> Response:
    """Give a role at a site or everywhere, or take it away."""

    async def work(session: AsyncSession, taken: Taken) -> None:
        if verb == "give" and site and site not in await sites(session):
            raise NotFound("site", site)
        change = roles.give_role if verb == "give" else roles.take_role
        await change(session, await changing.locked_user(session, login), role, taken, site=site)

    return await _change(request, login, work)


@router.post("/{login}/link")
async def link(request: Request, login: Login) -> Response:
    """A link under which they choose a password, shown this once."""
    _may(request)
    proved(request)
    try:
        async with _deps(request).sessions.write() as session:
            secret = await changing.offer_new_password(session, login, taken_by(request))
    except CoreRefused as exc:
        return await _one(request, login, refused=exc)
    return await _one(request, login, link=f"{origin_of(request)}{RESET}/{secret}")


@router.post("/{login}/password")
async def password(request: Request, login: Login, new: Secret) -> Response:
    """A password for the first time only: they have to change it."""
    return await _change(request, login, lambda session, taken: changing.set_password(session, login, new, taken))


@router.post("/{login}/pin")
async def pin(request: Request, login: Login, pin: Annotated[str, Form(max_length=12)] = "") -> Response:
    """A PIN for the boxes; an empty one takes it away."""
    return await _change(request, login, lambda session, taken: changing.set_pin(session, login, pin or None, taken))


@router.post("/{login}/badge")
async def badge(request: Request, login: Login, code: Annotated[str, Form(max_length=128)] = "") -> Response:
    """A badge by its code; an empty one takes it away."""
    return await _change(request, login, lambda session, taken: changing.set_badge(session, login, code or None, taken))


@router.post("/{login}/{verb}")
async def act(request: Request, login: Login, verb: Literal["unlock", "shut", "open", "sign-out", "unlink"]) -> Response:
    """What needs no more than a button."""
    acts: dict[str, Callable[[AsyncSession, Taken], Awaitable[object]]] = {
        "unlock": lambda session, taken: changing.unlock(session, login, taken),
        "shut": lambda session, taken: changing.set_active(session, login, taken, active=False),
        "open": lambda session, taken: changing.set_active(session, login, taken, active=True),
        "sign-out": lambda session, taken: changing.sign_out_everywhere(session, login, taken),
        "unlink": lambda session, taken: linking.unlink(session, login, taken),
    }
    return await _change(request, login, acts[verb])


@router.post("/{login}/sessions/{name}/end")
async def end_session(request: Request, login: Login, name: str) -> Response:
    """Sign one of their browsers out."""

    async def work(session: AsyncSession, taken: Taken) -> None:
        await sessions.end_session(session, await changing.managed_user(session, login, taken), name, taken)

    return await _change(request, login, work)


@router.post("/{login}/passkeys/{number}/remove")
async def remove_passkey(request: Request, login: Login, number: Annotated[int, Path(ge=1, le=BIGGEST)]) -> Response:
    """Forget one of their passkeys."""

    async def work(session: AsyncSession, taken: Taken) -> None:
        await passkeys.remove_passkey(session, await changing.managed_user(session, login, taken), number, taken)

    return await _change(request, login, work)


async def _change(request: Request, login: str, work: Callable[[AsyncSession, Taken], Awaitable[object]]) -> Response:
    """Do it in a transaction; a refusal is told on the person's page."""
    _may(request)
    proved(request)
    try:
        async with _deps(request).sessions.write() as session:
            await work(session, taken_by(request))
    except CoreRefused as exc:
        return await _one(request, login, refused=exc)
    return _to(login)


def _may(request: Request) -> Visitor:
    return needs(request, "user", CONFIGURE)


def _to(login: str) -> Response:
    return RedirectResponse(f"/people/{quote(login)}", 303)


async def _list(request: Request, text: str, *, refused: CoreRefused | None = None, given: NewUser | None = None) -> Response:
    deps = _deps(request)
    async with deps.sessions.read() as session:
        people = await list_people(session, text, deps.clock())
        names = await labels(session)
    return _renderer(request).page(
        request,
        "people.html",
        status=200 if refused is None else 422,
        here="people",
        people=people,
        roles=names.values(),
        q=text,
        given=given,
        problem=None if refused is None else refusal_words(request, refused),
    )


async def _one(request: Request, login: str, *, refused: CoreRefused | None = None, link: str | None = None) -> Response:
    deps = _deps(request)
    async with deps.sessions.read() as session:
        person = await read_person(session, login, deps.clock())
        names = await labels(session)
        places = await sites(session)
    return _renderer(request).page(
        request,
        "person.html",
        status=200 if refused is None else 422,
        here="people",
        person=person,
        roles=names.values(),
        places=places,
        link=link,
        link_hours=int(changing.RESET_LIFE.total_seconds() // 3600),
        problem=None if refused is None else refusal_words(request, refused),
    )


def _deps(request: Request) -> StaffDeps:
    deps: StaffDeps = request.app.state.deps
    return deps


def _renderer(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer
