"""Papers and labels of records: made with a press of a button, looked at as often as wanted."""

import asyncio
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from cloud.around.documents import download_headers
from cloud.errors import Forbidden, NotFound
from cloud.kernel.access import READ
from cloud.objects import service
from cloud.papers import making
from cloud.papers.kinds import LABELS
from cloud.papers.labels.contents import SOURCES
from cloud.papers.labels.pdf import labels_pdf
from cloud.papers.labels.zpl import labels_zpl
from cloud.papers.making import Office
from cloud.papers.models import Paper
from cloud.papers.reads.common import Reading
from cloud.web.access import locale_of, taken_by
from cloud.web.i18n import Locale, is_locale
from cloud.web.objects.entry import reading, writing, zone_of
from cloud.web.settings import StaffDeps

router = APIRouter()

MAX_COPIES = 99
DOTS = {203: 8, 300: 12}
"""Dots a millimetre of printers that call themselves so many an inch."""

Lang = Annotated[str, Query(max_length=2)]


@router.post("/papers/{kind}/{ref}.pdf")
async def make(request: Request, kind: str, ref: str, lang: Annotated[str, Form(max_length=2)] = "") -> Response:
    """Freeze what the record says now, and lead to it. Where nothing changed since it is a copy of the paper that there is."""
    language = _language(request, lang)
    async with writing(request) as caller:
        paper = await making.make(caller, _office(request), kind, ref, language)
    await _typeset(request, paper, given_out=True)
    return RedirectResponse(f"/papers/{kind}/{quote(ref, safe='')}.pdf?lang={language}", 303)


@router.get("/papers/{kind}/{ref}.pdf")
async def show(request: Request, kind: str, ref: str, lang: Lang = "") -> Response:
    """The last paper of this kind that was made in a language. 404 where none was."""
    async with reading(request) as caller:
        paper = await making.newest(caller, kind, ref, _language(request, lang))
    data = await _typeset(request, paper, given_out=False)
    mime, headers = download_headers(making.file_name(paper), "application/pdf", inline=True)
    return Response(data, media_type=mime, headers=headers)


@router.get("/labels/{kind}/{ref}.{form}")
async def labels(
    request: Request,
    kind: str,
    ref: str,
    form: str,
    lang: Lang = "",
    copies: Annotated[int, Query(ge=1, le=MAX_COPIES)] = 1,
    dpi: Annotated[int, Query()] = 203,
) -> Response:
    """Labels of a record as a file: `pdf`, or `zpl` for label printers of 203 or 300 dots an inch."""
    if kind not in LABELS or form not in {"pdf", "zpl"} or dpi not in DOTS:
        raise NotFound("label", f"{kind}.{form}")
    office, language = _office(request), _language(request, lang)
    template, read = SOURCES[kind]
    async with reading(request) as caller:
        item = await service.get(caller, LABELS[kind], ref)
        if not item.reach.whole:
            raise Forbidden("forbidden", action=READ, role=caller.taken.actor.role)
        today = caller.taken.at.astimezone(zone_of(request)).date()
        one = Reading(caller.session, office.organisation)
        found = [label for label in await read(one, office.words(language), item.row, today) for _ in range(copies)]
    name = f"{kind}-{ref}.{form}".replace("_", "-")
    if form == "zpl":
        data = await asyncio.to_thread(labels_zpl, office.typesetter, template, found, dots=DOTS[dpi])
        _, headers = download_headers(name, "text/plain", inline=False)
        return Response(data, media_type="application/zpl", headers=headers)
    title = f"{office.words(language).say('title.labels')} {ref}"
    data = await labels_pdf(office.typesetter, template, found, title=title, made_at=caller.taken.at)
    mime, headers = download_headers(name, "application/pdf", inline=True)
    return Response(data, media_type=mime, headers=headers)


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


def _language(request: Request, asked: str) -> Locale:
    return asked if is_locale(asked) else locale_of(request)


async def _typeset(request: Request, paper: Paper, *, given_out: bool) -> bytes:
    deps: StaffDeps = request.app.state.deps
    data = await making.typeset(_office(request), paper)
    async with deps.sessions.write() as session:
        await making.count_copy(session, paper.id, data, taken_by(request), given_out=given_out)
    return data
