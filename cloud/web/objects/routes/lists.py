"""Lists of records of one kind: shown, kept as views, taken away as files, and worked on many at a time."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from markupsafe import Markup
from starlette.datastructures import QueryParams

from cloud.errors import NotFound, Refused
from cloud.imports.export import export_rows, media_type
from cloud.kernel.access import EXPORT, READ
from cloud.objects.caller import Caller
from cloud.objects.query import Query as RecordQuery
from cloud.web import marks
from cloud.web.errors import NotAllowed, NotThere
from cloud.web.objects.address import ListAddress
from cloud.web.objects.bulk import DO, bulk_of, do_all, needs_reason, only
from cloud.web.objects.entry import changed, language, place, reading, writing
from cloud.web.objects.given import onward
from cloud.web.objects.listing import listed, query_of
from cloud.web.objects.pages import page, shower
from cloud.web.objects.values import Shower
from cloud.web.objects.views import address_of, drop_view, save_view, views_of

router = APIRouter()

Format = Literal["csv", "xlsx"]


@router.get("/o/{kind}")
async def records(request: Request, kind: str) -> Response:
    """The list as its address says."""
    show = shower(request)
    async with reading(request) as caller:
        demand_readable(caller, kind)
        address = await address_of(caller, kind, request.query_params)
        found = await listed(caller, address, show)
        return page(
            request,
            "list.html",
            here=f"o/{kind}",
            list=found,
            conditions=found.conditions,
            subjects=found.subjects,
            columns_shown=[one.key for one in found.columns],
            fault=found.fault,
            fault_words=refusal(found.fault, show) if found.fault else None,
            views=await views_of(caller, kind),
            bulk=bulk_of(caller, found.definition, archived=address.kept == "archived"),
            may_export=caller.access.may(kind, EXPORT),
        )


@router.post("/o/{kind}/views")
async def keep(
    request: Request,
    kind: str,
    name: Annotated[str, Form(max_length=200)],
    query: Annotated[str, Form(max_length=8000)] = "",
    shared: Annotated[str, Form(max_length=8)] = "",
    first: Annotated[str, Form(max_length=8)] = "",
) -> Response:
    """Keep the list as it is under a name."""
    address = ListAddress.of(kind, QueryParams(parse_qsl(query)))
    async with writing(request) as caller:
        demand_readable(caller, kind)
        row = await save_view(caller, address, name, shared=bool(shared), first=bool(first))
    return RedirectResponse(place(kind, view=row.uid), 303)


@router.post("/o/{kind}/views/{uid}/drop")
async def drop(request: Request, kind: str, uid: str) -> Response:
    """Forget a view of one's own."""
    async with writing(request) as caller:
        await drop_view(caller, kind, uid)
    return RedirectResponse(place(kind), 303)


@router.get("/o/{kind}/export")
async def export(request: Request, kind: str, fmt: Annotated[Format, Query()] = "csv") -> Response:
    """The whole list as a file. Raises NotAllowed without the grant to take records away."""
    async with reading(request) as caller:
        demand_readable(caller, kind)
        address = await address_of(caller, kind, request.query_params)
        wanted = query_of(caller, caller.objects.get(kind), address)
    return await _file(request, kind, wanted, fmt)


@router.post("/o/{kind}/bulk")
async def bulk(request: Request, kind: str, act: Annotated[str, Form(max_length=60)]) -> Response:
    """An action on the chosen records; says of each with which it did not work why."""
    form = await request.form()
    refs = [str(one) for one in form.getlist("ref")]
    show, reason = shower(request), str(form.get("reason", "")).strip()[:256]
    back = onward(form, place(kind))
    async with reading(request) as caller:
        demand_readable(caller, kind)
        definition = caller.objects.get(kind)
        if not refs:
            return RedirectResponse(back, 303)
        if act in {"csv", "xlsx"}:
            return await _file(request, kind, RecordQuery(only(refs), kept="all"), "csv" if act == "csv" else "xlsx")
        offered = bulk_of(caller, definition, archived=act == "restore")
        known = {"archive", "restore", *(f"{DO}{key}" for key, _ in offered.moves)}
        if act not in known:
            raise NotThere
    asks = needs_reason(definition, act) and not reason
    done = None if asks else await do_all(request, kind, refs, act, reason, show)
    if done is not None:
        changed(request)
        if not done.failed:
            return RedirectResponse(back, 303)
    label = next((one.label for one in definition.transitions if f"{DO}{one.key}" == act), None)
    status = 200 if done is None else 422
    return page(
        request,
        "bulk_done.html",
        status=status,
        definition=definition,
        act=act,
        label=label,
        refs=refs,
        done=done,
        next_url=back,
    )


async def _file(request: Request, kind: str, wanted: RecordQuery, fmt: Format) -> Response:
    """Streamed. What refuses, refuses before the first byte."""

    async def pieces() -> AsyncIterator[bytes]:
        async with reading(request) as caller:
            if not caller.access.may(kind, EXPORT):
                raise NotAllowed
            async for piece in export_rows(caller, kind, wanted, fmt, language(request)):
                yield piece

    written = pieces()
    first = await anext(written, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in written:
            yield piece

    headers = {"Content-Disposition": f'attachment; filename="{kind}.{fmt}"'}
    return StreamingResponse(whole(), media_type=media_type(fmt), headers=headers)


def demand_readable(caller: Caller, kind: str) -> None:
    """Raises NotFound also for what is there and not for this visitor."""
    if not caller.access.may(kind, READ):
        raise NotFound("object", kind)
    caller.objects.get(kind)


def refusal(fault: Refused, show: Shower) -> Markup:
    """Why a list cannot be made."""
    values = {name: marks.ltr(value) if name != "why" else marks.words(value) for name, value in fault.values.items()}
    return show.say(f"list_fault.{fault.code}", **values)
