"""One record: what it holds, where it can go, and what leads to it."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup
from starlette.datastructures import FormData

from cloud.around.records import opened
from cloud.errors import Conflict, Forbidden, GuardFailed, ReasonMissing, Refused, WrongState
from cloud.kernel.access import ARCHIVE, WRITE
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.objects.faults import Invalid
from cloud.objects.permits import reach
from cloud.objects.rows import Rows
from cloud.objects.service import Item
from cloud.web import marks
from cloud.web.errors import NotAllowed, NotThere
from cloud.web.objects.detail import sections_of
from cloud.web.objects.entry import changed, place, reading, writing
from cloud.web.objects.given import onward, version_of
from cloud.web.objects.moves import OWN_PAGES, asked_fields, moves_of
from cloud.web.objects.pages import page, shower
from cloud.web.objects.related import related
from cloud.web.objects.saving import sent
from cloud.web.objects.values import Shower
from cloud.web.routes.around import around_of
from cloud.web.routes.merging import new_place

router = APIRouter()

MAX_REASON = 256


@router.get("/o/{kind}/{ref:path}/do/{action}")
async def ask(request: Request, kind: str, ref: str, action: str) -> Response:
    """What a transition needs before it can be taken."""
    return await _ask(request, (kind, ref, action))


@router.post("/o/{kind}/{ref:path}/do/{action}")
async def do(request: Request, kind: str, ref: str, action: str) -> Response:
    """Take the transition, or say why it cannot be taken and keep what was typed."""
    form = await request.form()
    reason = str(form.get("reason", "")).strip()[:MAX_REASON]
    try:
        async with writing(request, reason or None) as caller:
            definition = caller.objects.get(kind)
            given = sent(request, form, definition)
            item = await service.do(caller, kind, ref, action, version=version_of(form), given=given)
    except Forbidden as exc:
        raise NotAllowed from exc
    except (Conflict, WrongState, ReasonMissing, GuardFailed, Invalid) as exc:
        return await _ask(request, (kind, ref, action), form, exc)
    changed(request)
    return RedirectResponse(onward(form, place(kind, item.ref)), 303)


@router.post("/o/{kind}/{ref:path}/archive")
async def archive(request: Request, kind: str, ref: str) -> Response:
    """Out of the lists, or back into them."""
    form = await request.form()
    async with writing(request) as caller:
        await service.archive(caller, kind, ref, version=version_of(form), back=bool(form.get("back")))
    changed(request)
    return RedirectResponse(onward(form, place(kind, ref)), 303)


@router.get("/o/{kind}/{ref:path}")
async def record(request: Request, kind: str, ref: str) -> Response:
    """The record's page. 404 also for what the visitor may not see."""
    show = shower(request)
    async with reading(request) as caller:
        moved = await new_place(caller, kind, ref)
        if moved is not None:
            return RedirectResponse(moved, 308)
        item = await service.get(caller, kind, ref)
        rows = caller.rows(kind)
        own = OWN_PAGES.get(kind)
        leading = await related(caller, item, show)
        kinds = [one.definition.key for one in leading]
        lying_around = await around_of(request, caller, await opened(caller, kind, ref, locale=show.locale))
        return page(
            request,
            "record.html",
            here=f"o/{kind}",
            definition=rows.definition,
            item=item,
            sections=sections_of(item, rows.definition, show),
            moves=await moves_of(caller, rows, item),
            related=leading,
            doubled={one for one in kinds if kinds.count(one) > 1},
            may_write=await _may(caller, rows, item, WRITE),
            may_archive=await _may(caller, rows, item, ARCHIVE),
            around=lying_around,
            own_page=own.format(ref=ref) if own else "",
        )


async def _may(caller: Caller, rows: Rows, item: Item, action: str) -> bool:
    return not rows.definition.read_only and bool(await reach(caller, rows, item.row, action))


async def _ask(
    request: Request, which: tuple[str, str, str], form: FormData | None = None, refused: Refused | None = None
) -> Response:
    kind, ref, action = which
    show = shower(request)
    async with reading(request) as caller:
        item = await service.get(caller, kind, ref)
        rows = caller.rows(kind)
        move = next((one for one in await moves_of(caller, rows, item) if one.key == action), None)
        if move is None and refused is None:
            raise NotThere
        given: Mapping[str, object] = sent(request, form, rows.definition) if form is not None else {}
        faults = refused.faults if isinstance(refused, Invalid) else ()
        told = form is not None
        fields = [] if move is None else await asked_fields(caller, show, item, action, given, told=told, faults=faults)
        return page(
            request,
            "do.html",
            status=200 if refused is None else 409 if isinstance(refused, Conflict) else 422,
            here=f"o/{kind}",
            definition=rows.definition,
            item=item,
            move=move,
            fields=fields,
            reason=str(form.get("reason", "")) if form is not None else "",
            problem=None if refused is None else why(refused, show, known={one.field.key for one in fields}),
            next_url=str(form.get("next", "")) if form is not None else request.query_params.get("next", ""),
        )


def why(refused: Refused, show: Shower, known: set[str]) -> Markup | None:
    """Why a transition cannot be taken now; None where the fields below say it."""
    said = refused.values.get(show.locale) or refused.values.get("en")
    if isinstance(refused, GuardFailed) and said:
        return marks.words(said)
    if isinstance(refused, Invalid):
        others = [one for one in refused.faults if one.field not in known]
        return show.say("o.fields_missing") if others else None
    if isinstance(refused, Conflict):
        return show.say("o.moved_on")
    return show.renderer.said(show.locale, "fault", refused.code, refused.values)
