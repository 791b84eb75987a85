"""Puts the staff application together: gate, routes, files, errors."""

import re
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from cloud.errors import CloudError
from cloud.imports.table import MAX_BYTES
from cloud.papers.kinds import papers_of
from cloud.papers.making import Office
from cloud.papers.typesetting import Typesetter
from cloud.people.keys import Rates
from cloud.web import faults
from cloud.web.access import gate, public
from cloud.web.assets import Assets
from cloud.web.errors import DatabaseAway, NotThere, WebFault
from cloud.web.i18n import Locale
from cloud.web.objects.routes import admin, boards, forms, lists, records
from cloud.web.programs import CAPPED_ITSELF, add_interface
from cloud.web.reads.around import UPLOAD
from cloud.web.rendering import Renderer
from cloud.web.routes import (
    api,
    around,
    blobs,
    boxes,
    decisions,
    figures,
    found,
    home,
    hooks,
    imports,
    jobs,
    keys,
    me,
    merging,
    papers,
    passkeys,
    people,
    provider,
    queue,
    receipts,
    roles,
    sign_in,
    stock,
    suppliers,
    verify_paper,
)
from cloud.web.settings import StaffDeps
from cloud.web.shield import MAX_BODY, MAX_FORM, Shield

log = structlog.get_logger()

SUBJECTS = (
    sign_in,
    passkeys,
    provider,
    home,
    queue,
    figures,
    stock,
    suppliers,
    receipts,
    decisions,
    boxes,
    blobs,
    jobs,
    hooks,
    imports,
    me,
    merging,
    papers,
    verify_paper,
    people,
    roles,
    keys,
    found,
    api,
)
# In this order: a record's own address takes what the others leave.
OBJECTS = (admin, lists, boards, forms, around, records)
_VERSION = re.compile(r"[0-9a-f]{16}")


def create_staff_app(deps: StaffDeps) -> FastAPI:
    """The staff pages and their JSON. Raises SetupFault when a file they need is missing."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, dependencies=[Depends(gate)])
    assets = Assets.load(deps.browser_libs)
    app.state.deps = deps
    app.state.rates = Rates()
    app.state.renderer = Renderer.build(assets, deps.settings)
    app.state.paper_rates = Rates()
    office = app.state.office = _office(deps, app.state.renderer)
    app.state.renderer.environment.globals |= {
        "papers_of": papers_of,
        "paper_words": partial(_paper_words, office),
    }
    for routes in (*SUBJECTS, *OBJECTS):
        app.include_router(routes.router)
    add_interface(app, deps, app.state.renderer.catalogues, app.state.rates)

    @app.get("/static/{version}/{name}")
    @public
    async def static(version: str, name: str) -> Response:
        data = assets.files.get(name)
        if data is None or not _VERSION.fullmatch(version):
            raise NotThere
        # An address of another version is answered too, but only our own may be kept for good.
        keep = "public, max-age=31536000, immutable" if version == assets.version else "no-store"
        return Response(data, media_type=Assets.media_type(name), headers={"Cache-Control": keep})

    @app.get("/health")
    @public
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    for fault in (WebFault, CloudError, HTTPException, RequestValidationError):
        app.add_exception_handler(fault, faults.answer)
    for trouble in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(trouble, _database_away)
    app.add_middleware(
        Shield,
        hosts=deps.settings.hosts,
        capped_itself=CAPPED_ITSELF,
        larger={
            "/o/": MAX_FORM,
            "/admin/objects": MAX_FORM,
            f"{UPLOAD}/": deps.settings.max_file + MAX_BODY,
            imports.UPLOAD: MAX_BYTES + MAX_BODY,
            verify_paper.UPLOAD: verify_paper.MAX_PDF + MAX_BODY,
        },
    )
    return app


def _paper_words(office: Office, locale: Locale, key: str) -> str:
    return str(office.words(locale).say(key))


def _office(deps: StaffDeps, renderer: Renderer) -> Office:
    settings = deps.settings
    return Office(
        Typesetter(deps.browser_libs),
        ZoneInfo(settings.zone),
        organisation=settings.organisation,
        address=settings.public_address,
        more={str(locale): words for locale, words in renderer.catalogues.texts.items()},
        blobs=deps.blobs,
    )


async def _database_away(request: Request, exc: Exception) -> Response:
    log.warning("database_unavailable", reason=type(exc).__name__)
    response = await faults.answer(request, DatabaseAway())
    response.headers["Retry-After"] = "2"
    return response
