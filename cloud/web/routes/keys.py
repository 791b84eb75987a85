"""Keys of programs. For whoever may configure them."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from cloud.errors import NotFound
from cloud.errors import Refused as CoreRefused
from cloud.kernel.access import CONFIGURE
from cloud.people import keys
from cloud.people.keys import NewKey
from cloud.web.access import needs, proved, taken_by
from cloud.web.reads.people import labels, sites
from cloud.web.rendering import Renderer
from cloud.web.routes.sign_in import refusal_words
from cloud.web.settings import StaffDeps

router = APIRouter(prefix="/keys")

Short = Annotated[str, Form(max_length=100)]


@router.get("")
async def page(request: Request) -> Response:
    """Every key."""
    needs(request, "api_key", CONFIGURE)
    return await _list(request)


@router.post("")
async def create(
    request: Request,
    name: Short,
    days: Annotated[int, Form(ge=1, le=keys.LONGEST_LIFE.days)],
    rate: Annotated[int, Form(ge=1, le=keys.MAX_RATE)] = keys.DEFAULT_RATE,
    login: Short = "",
    role: Short = "",
    site: Short = "",
) -> Response:
    """A new key, whose text is on the answer and nowhere else."""
    needs(request, "api_key", CONFIGURE)
    proved(request)
    taken = taken_by(request)
    own = ((role, site),) if role and not login.strip() else ()
    new = NewKey(name, taken.at + dt.timedelta(days=days), login.strip().lower() or None, own, rate)
    try:
        async with _deps(request).sessions.write() as session:
            if site and site not in await sites(session):
                raise NotFound("site", site)
            _, text = await keys.make_key(session, new, taken)
    except CoreRefused as exc:
        return await _list(request, refused=exc)
    return await _list(request, fresh=text)


@router.post("/{prefix}/revoke")
async def revoke(request: Request, prefix: Annotated[str, Path(max_length=20)]) -> Response:
    """Shut a key for good."""
    needs(request, "api_key", CONFIGURE)
    proved(request)
    async with _deps(request).sessions.write() as session:
        await keys.revoke_key(session, prefix, taken_by(request))
    return RedirectResponse("/keys", 303)


async def _list(request: Request, *, refused: CoreRefused | None = None, fresh: str | None = None) -> Response:
    deps = _deps(request)
    renderer: Renderer = request.app.state.renderer
    async with deps.sessions.read() as session:
        rows = await keys.all_keys(session)
        names = await labels(session)
        places = await sites(session)
    return renderer.page(
        request,
        "keys.html",
        status=200 if refused is None else 422,
        here="keys",
        rows=[(row, keys.is_live(row, deps.clock())) for row in rows],
        names=names,
        places=places,
        fresh=fresh,
        rate=keys.DEFAULT_RATE,
        longest=keys.LONGEST_LIFE.days,
        problem=None if refused is None else refusal_words(request, refused),
    )


def _deps(request: Request) -> StaffDeps:
    deps: StaffDeps = request.app.state.deps
    return deps
