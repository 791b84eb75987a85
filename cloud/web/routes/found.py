"""The search over everything, and what waits for a person because somebody told them."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from cloud.around.following import Waiting, feed, mark_read
from cloud.around.gate import RecordRef
from cloud.around.models import Notice
from cloud.around.records import find_records, readable_by
from cloud.around.search import Bit, Hit
from cloud.db.types import BIGGEST
from cloud.objects.caller import Caller
from cloud.web.access import locale_of, taken_by
from cloud.web.errors import NotThere
from cloud.web.objects.entry import deps_of, reading, renderer_of
from cloud.web.objects.values import is_uid
from cloud.web.reads.around import ACTION_WORDS, address

router = APIRouter()

SHOWN = 60
"""Of all kinds together: whoever wants more asks for one kind, or with another word."""


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with the address of its record."""

    address: str
    ref: str
    title: str
    part: str
    snippet: tuple[Bit, ...]
    archived: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of one kind, in their order."""

    kind: str
    label: str
    hits: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A notice in words."""

    notice: Notice
    title: str
    words: Markup
    address: str


@router.get("/search")
async def search(request: Request, q: str = "", kind: str = "", archived: bool = False) -> Response:
    """Records that hold the words, by kind; the kinds in the order of their best hit."""
    asked, locale = q[:200], locale_of(request)
    async with reading(request) as caller:
        kinds = [kind] if kind else None
        hits = await find_records(caller, asked, limit=SHOWN, kinds=kinds, archived=archived, locale=locale)
        groups = _groups(caller, hits.rows, locale)
    return renderer_of(request).page(
        request,
        "search.html",
        here="search",
        asked=asked,
        kind=kind,
        archived=archived,
        groups=groups,
        more=hits.more,
        is_uid=is_uid,
    )


def _groups(caller: Caller, hits: tuple[Hit, ...], locale: str) -> list[Group]:
    by_kind: dict[str, list[Found]] = {}
    for hit in hits:
        found = Found(address(hit.kind, hit.ref), hit.ref, hit.title, hit.part, hit.snippet, hit.archived)
        by_kind.setdefault(hit.kind, []).append(found)
    return [Group(kind, caller.objects.get(kind).plural.in_(locale), tuple(found)) for kind, found in by_kind.items()]


@router.get("/notices")
async def notices(request: Request, before: int | None = None) -> Response:
    """What people told this person, newest first, of what they may read now."""
    if before is not None and not 0 < before <= BIGGEST:
        raise NotThere
    async with reading(request) as caller:
        found = await feed(caller.session, caller.login, readable_by(caller, locale_of(request)), before=before)
        rows = [_line(request, one) for one in found.rows]
    return renderer_of(request).page(request, "notices.html", here="notices", rows=rows, next=found.next)


def _line(request: Request, waiting: Waiting) -> Line:
    renderer, locale, notice = renderer_of(request), locale_of(request), waiting.notice
    key = ACTION_WORDS.get(notice.action)
    words = renderer.said(locale, "event", notice.action) if key is None else renderer.catalogues.say(locale, key)
    return Line(notice, waiting.title, words, f"/notices/{notice.id}")


@router.get("/notices/{number}")
async def go_on(request: Request, number: int) -> Response:
    """To the record that a notice is about; what waited there was seen with it."""
    taken = taken_by(request)
    async with deps_of(request).sessions.write() as session:
        row = await session.get(Notice, number) if 0 < number <= BIGGEST else None
        if row is None or row.login != taken.actor.name:
            raise NotThere
        await mark_read(session, row.login, taken.at, record=RecordRef(row.kind, row.record_id, row.ref))
    return RedirectResponse(address(row.kind, row.ref), 303)


@router.post("/notices/read")
async def read_all(request: Request) -> Response:
    """Everything that waited was seen."""
    taken = taken_by(request)
    async with deps_of(request).sessions.write() as session:
        await mark_read(session, taken.actor.name, taken.at)
    return RedirectResponse("/notices", 303)
