"""New records and changed ones."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import FormData

from cloud.errors import Conflict, Forbidden
from cloud.objects import service
from cloud.objects.faults import Invalid
from cloud.web.errors import NotAllowed, NotThere
from cloud.web.objects.conflict import conflict_page
from cloud.web.objects.entry import changed, language, place, reading, writing, zone_of
from cloud.web.objects.formview import FormView
from cloud.web.objects.given import DROP, MORE, onward, tables_of, version_of
from cloud.web.objects.pages import page
from cloud.web.objects.references import offers
from cloud.web.objects.saving import TOUCHED, Opened, form_page, form_view, opened, prefilled, seen_text, sent, settled

router = APIRouter()


@router.get("/o/{kind}/new")
async def new(request: Request, kind: str) -> Response:
    """An empty form, with defaults and with what the address brings."""
    async with reading(request) as caller:
        found = await opened(caller, kind)
        given = prefilled(request, found.definition)
        view = await form_view(request, found, given, told=())
        return form_page(request, found, view)


@router.post("/o/{kind}/new")
async def create(request: Request, kind: str) -> Response:
    """Save it, or show the form again with all that is wrong. Sent twice it is made once."""
    form = await request.form()
    if _asks_for_rows(form):
        return await _again(request, kind, "", form)
    try:
        async with writing(request) as caller:
            found = await opened(caller, kind)
            given = await settled(request, found, form)
            item, _ = await service.create(caller, kind, given, uid=_uid(form))
    except (Invalid, Conflict, Forbidden) as exc:
        return await _refused(request, kind, "", form, exc)
    changed(request)
    return RedirectResponse(onward(form, place(kind, item.ref)), 303)


@router.post("/o/{kind}/check")
async def check(request: Request, kind: str) -> Response:
    """The fields of a form that is being filled in, as they would be now. Nothing is saved."""
    form = await request.form()
    ref = str(form.get("ref", ""))
    async with reading(request) as caller:
        found = await opened(caller, kind, ref)
        return page(request, "fields.html", form=await _as_typed(request, found, form))


@router.get("/o/{kind}/pick/{field}")
async def pick(request: Request, kind: str, field: str, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Records that a reference of this kind may lead to, for the list below the field; `field` may be `lines.product`."""
    async with reading(request) as caller:
        definition = caller.objects.get(kind)
        key, _, inner = field.partition(".")
        one = definition.by_key.get(key)
        if one is not None and inner:
            one = next((each for each in one.of if each.key == inner), None)
        if one is None or not one.target or not caller.access.may(kind, "read"):
            raise NotThere
        try:
            found = await offers(caller, one, q, language(request))
        except Forbidden:
            found = []
    return JSONResponse([{"value": each.value, "title": each.title, "ref": each.ref} for each in found])


@router.get("/o/{kind}/{ref:path}/edit")
async def edit(request: Request, kind: str, ref: str) -> Response:
    """The form with what the record has."""
    async with reading(request) as caller:
        found = await opened(caller, kind, ref)
        view = await form_view(request, found, {}, told=())
        return form_page(request, found, view, seen=await seen_text(request, found))


@router.post("/o/{kind}/{ref:path}/edit")
async def update(request: Request, kind: str, ref: str) -> Response:
    """Save it. Somebody else's change in between is shown beside one's own; nothing that was typed is lost."""
    form = await request.form()
    if _asks_for_rows(form) or "again" in form:
        return await _again(request, kind, ref, form)
    try:
        async with writing(request) as caller:
            found = await opened(caller, kind, ref)
            given = await settled(request, found, form)
            item = await service.update(caller, kind, ref, given, version=version_of(form))
    except Conflict as exc:
        if exc.code != "conflict":
            return await _refused(request, kind, ref, form, exc)
        return await conflict_page(request, kind, ref, form)
    except (Invalid, Forbidden) as exc:
        return await _refused(request, kind, ref, form, exc)
    changed(request)
    return RedirectResponse(onward(form, place(kind, item.ref)), 303)


async def _again(request: Request, kind: str, ref: str, form: FormData) -> Response:
    """The same form with a row more or less, nothing saved."""
    async with reading(request) as caller:
        found = await opened(caller, kind, ref)
        return form_page(request, found, await _as_typed(request, found, form), **_kept(form))


async def _as_typed(request: Request, found: Opened, form: FormData) -> FormView:
    """The form as it stands, with the faults of fields that the person has been at."""
    tables = tables_of(form, found.definition, zone_of(request))
    given = {
        **sent(request, form, found.definition),
        **{key: [one for one in rows if any(one.values())] for key, rows in tables.items()},
    }
    told = {str(one) for one in form.getlist(TOUCHED)}
    return await form_view(request, found, given, told=told, tables=tables)


async def _refused(request: Request, kind: str, ref: str, form: FormData, exc: Invalid | Conflict | Forbidden) -> Response:
    if isinstance(exc, Forbidden) and exc.code == "forbidden":
        raise NotAllowed from exc
    async with reading(request) as caller:
        found = await opened(caller, kind, ref)
        given = sent(request, form, found.definition)
        view = await form_view(request, found, given, told=None)
        notice = None if isinstance(exc, Invalid) else exc
        return form_page(request, found, view, status=422, notice=notice, **_kept(form))


def _kept(form: FormData) -> dict[str, object]:
    """What the form carries along."""
    return {
        "seen": str(form.get("seen", "")),
        "uid": _uid(form),
        "version": version_of(form) or 0,
        "next_url": str(form.get("next", "")),
    }


def _asks_for_rows(form: FormData) -> bool:
    return MORE in form or DROP in form


def _uid(form: FormData) -> str | None:
    text = str(form.get("uid", ""))
    return text if len(text) == 36 else None
