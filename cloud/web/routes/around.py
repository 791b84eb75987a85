"""What people do around a record: write, plan, finish, put files there, follow. Everything works as plain forms; a request of
htmx is answered with that part of the page alone."""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse, StreamingResponse

from cloud import errors as core
from cloud.around import activities, files, messages
from cloud.around.activities import Due, NewActivity
from cloud.around.documents import download_headers
from cloud.around.files import FileKind, NewFile, find_file
from cloud.around.following import follow, mark_read, unfollow
from cloud.around.gate import Visibility
from cloud.around.kept import keep
from cloud.around.messages import NewMessage, Posted
from cloud.around.records import Opened, opened, readers_for
from cloud.blobs.store import READ, BlobStore
from cloud.db.types import BIGGEST
from cloud.objects.caller import Caller
from cloud.web.access import locale_of
from cloud.web.errors import NotThere
from cloud.web.objects.entry import changed, deps_of, reading, renderer_of, writing, zone_of
from cloud.web.reads.around import UPLOAD, AroundReader, AroundView, address

router = APIRouter()

Text = Annotated[str, Form(max_length=20_000)]
Short = Annotated[str, Form(max_length=300)]
Version = Annotated[int | None, Form(ge=1, le=BIGGEST)]
Work = Callable[[Caller, Opened], Awaitable[object]]

RECORD = "/o/{kind}/{ref:path}"
TOO_LARGE = frozenset({"file_too_large"})


@router.get(RECORD + "/around")
async def page(request: Request, kind: str, ref: str, before: str | None = None) -> Response:
    """The record's story on a page of its own; further back with `before`."""
    return await _show(request, kind, ref, before=before)


@router.post(RECORD + "/messages")
async def write(
    request: Request,
    kind: str,
    ref: str,
    body: Text = "",
    visibility: Annotated[Visibility | None, Form()] = None,
    reply_to: Annotated[int | None, Form(ge=1, le=BIGGEST)] = None,
) -> Response:
    """A message; says who was mentioned and may not read it."""

    async def work(caller: Caller, found: Opened) -> Posted:
        _demand_write(found)
        new = NewMessage(body, visibility=visibility, reply_to=reply_to)
        return await messages.post(caller.session, found.record, new, caller.taken, readers_for(caller))

    return await _do(request, kind, ref, work, draft=(body, visibility or "internal") if reply_to is None else None)


@router.post(RECORD + "/messages/{message}/withdraw")
async def withdraw(request: Request, kind: str, ref: str, message: int) -> Response:
    """A message is taken back."""

    async def work(caller: Caller, found: Opened) -> None:
        await messages.withdraw(caller.session, found.record, _number(message), caller.taken)

    return await _do(request, kind, ref, work)


@router.post(RECORD + "/activities")
async def plan(  # noqa: PLR0913 - the form's fields
    request: Request,
    kind: str,
    ref: str,
    *,
    type: Short,  # noqa: A002 - the field's name on the page
    assignee: Short,
    summary: Short = "",
    due_on: Short = "",
    due_time: Short = "",
    note: Text = "",
) -> Response:
    """Something is to be done until a day, or a time of it."""

    async def work(caller: Caller, found: Opened) -> None:
        _demand_write(found)
        new = NewActivity(type, summary, assignee, _due(request, due_on, due_time), note)
        await activities.plan(caller.session, found.record, new, caller.taken, readers_for(caller))

    return await _do(request, kind, ref, work)


@router.post(RECORD + "/activities/{activity}/{act}")
async def change_activity(  # noqa: PLR0913 - the form's fields
    request: Request,
    kind: str,
    ref: str,
    activity: int,
    act: Literal["done", "cancel", "assign", "move"],
    *,
    version: Version = None,
    outcome: Short = "",
    note: Text = "",
    assignee: Short = "",
    due_on: Short = "",
    due_time: Short = "",
    reason: Short = "",
) -> Response:
    """It was done, is cancelled, is another's, or is due another day. Whoever has to do it may, and whoever may write."""

    async def work(caller: Caller, found: Opened) -> None:
        session, record, taken = caller.session, found.record, caller.taken
        row = await activities.find_activity(session, record, _number(activity))
        if row.assignee != caller.login:
            _demand_write(found)
        readers = readers_for(caller)
        if act == "done":
            await activities.done(session, record, row.id, taken, readers, outcome=outcome or None, note=note, version=version)
        elif act == "cancel":
            await activities.cancel(session, record, row.id, taken, readers, version=version)
        elif act == "assign":
            await activities.reassign(session, record, row.id, assignee, taken, readers, version=version)
        else:
            await activities.move(session, record, row.id, _due(request, due_on, due_time), taken, version=version)

    return await _do(request, kind, ref, work, reason=reason or None)


@router.post(UPLOAD + "/{kind}/{ref:path}")
async def upload(
    request: Request,
    kind: str,
    ref: str,
    file: UploadFile,
    file_kind: Annotated[FileKind | None, Form()] = None,
    visibility: Annotated[Visibility | None, Form()] = None,
    version_of: Annotated[int | None, Form(ge=1, le=BIGGEST)] = None,
    signed: Annotated[bool, Form()] = False,
) -> Response:
    """A file, as a new document or as the next version of one."""
    async with reading(request) as caller:
        # Before anything is kept: whoever may not add files must not fill the disk.
        _demand_write(await opened(caller, kind, ref))
    name = file.filename or ""

    async def read() -> AsyncIterator[bytes]:
        await file.seek(0)
        while piece := await file.read(READ):
            yield piece

    try:
        kept = await keep(_store(request), read, name, max_bytes=deps_of(request).settings.max_file)
    except core.Refused as exc:
        return await _show(request, kind, ref, refused=exc)
    new = NewFile(name, kept, kind=file_kind, visibility=visibility, version_of=version_of, signed=signed)

    async def work(caller: Caller, found: Opened) -> None:
        _demand_write(found)
        await files.attach(caller.session, found.record, new, caller.taken, readers_for(caller))

    return await _do(request, kind, ref, work)


@router.get(RECORD + "/files/{file}")
async def download(request: Request, kind: str, ref: str, file: int, save: bool = False) -> Response:
    """A version of a document, archived ones too: pictures and PDF in the page's place unless `save` asks, else a download."""
    store = _store(request)
    async with reading(request) as caller:
        found = await opened(caller, kind, ref)
        row = await find_file(caller.session, found.record, _number(file))
    if not await store.has(row.sha256):
        raise NotThere
    media, headers = download_headers(row.name, row.mime, inline=not save)
    return StreamingResponse(store.read(row.sha256), media_type=media, headers=headers | {"Content-Length": str(row.size)})


@router.post(RECORD + "/files/{file}/archive")
async def archive_file(request: Request, kind: str, ref: str, file: int) -> Response:
    """A version is offered no more."""

    async def work(caller: Caller, found: Opened) -> None:
        _demand_write(found)
        await files.archive(caller.session, found.record, _number(file), caller.taken)

    return await _do(request, kind, ref, work)


@router.post(RECORD + "/follow")
async def follow_record(
    request: Request, kind: str, ref: str, follow_it: Annotated[Literal["yes", "no"], Form(alias="follow")] = "yes"
) -> Response:
    """From now on told of what happens here, or not any more."""

    async def work(caller: Caller, found: Opened) -> None:
        act = follow if follow_it == "yes" else unfollow
        await act(caller.session, found.record, caller.login, caller.taken.at)

    return await _do(request, kind, ref, work)


async def around_of(request: Request, caller: Caller, found: Opened, *, before: str | None = None) -> AroundView:
    """For a record's page, which includes `around.html`."""
    return await AroundReader(renderer_of(request), locale_of(request), zone_of(request)).view(caller, found, before=before)


async def _do(
    request: Request,
    kind: str,
    ref: str,
    work: Work,
    *,
    reason: str | None = None,
    draft: tuple[str, str] | None = None,
) -> Response:
    """Do it in one transaction; then back to the record, or the part of the page anew."""
    try:
        async with writing(request, reason) as caller:
            found = await opened(caller, kind, ref, locale=locale_of(request))
            done = await work(caller, found)
            # Whoever acts here has seen what is here.
            await mark_read(caller.session, caller.login, caller.taken.at, record=found.record)
    except (core.Conflict, core.Forbidden):
        raise
    except core.Refused as exc:
        return await _show(request, kind, ref, refused=exc, draft=draft)
    changed(request)
    posted = done if isinstance(done, Posted) else None
    if _by_script(request) or (posted is not None and (posted.cannot_read or posted.unknown)):
        return await _show(request, kind, ref, posted=posted)
    return RedirectResponse(address(kind, ref) + "#around", 303)


async def _show(
    request: Request,
    kind: str,
    ref: str,
    *,
    before: str | None = None,
    refused: core.Refused | None = None,
    draft: tuple[str, str] | None = None,
    posted: Posted | None = None,
) -> Response:
    renderer, locale = renderer_of(request), locale_of(request)
    async with reading(request) as caller:
        view = await around_of(request, caller, await opened(caller, kind, ref, locale=locale), before=before)
    say = renderer.catalogues.say
    if refused is not None:
        view = replace(view, problem=renderer.said(locale, "fault", refused.code, refused.values))
    if draft is not None:
        view = replace(view, draft_body=draft[0], draft_visibility=draft[1])
    if posted is not None:
        lists = (("around.cannot_read", posted.cannot_read), ("around.unknown", posted.unknown))
        view = replace(view, notes=tuple(say(locale, key, who=", ".join(names)) for key, names in lists if names))
    if _by_script(request):
        # Also a refusal: the script puts in place only what was answered well.
        return renderer.page(request, "around.html", around=view)
    status = 200 if refused is None else 413 if refused.code in TOO_LARGE else 422
    return renderer.page(request, "around_page.html", status=status, around=view, here=f"o/{kind}")


def _by_script(request: Request) -> bool:
    return "hx-request" in request.headers


def _demand_write(found: Opened) -> None:
    if not found.may_write:
        raise core.Forbidden("forbidden", action="write", role="")


def _store(request: Request) -> BlobStore:
    store = deps_of(request).blobs
    if store is None:
        raise NotThere
    return store


def _number(value: int) -> int:
    if not 0 < value <= BIGGEST:
        raise NotThere
    return value


def _due(request: Request, day: str, time: str) -> Due:
    """Day and time as the house's clock shows them."""
    zone = zone_of(request)
    try:
        on = dt.date.fromisoformat(day)
        at = dt.datetime.combine(on, dt.time.fromisoformat(time), zone) if time else None
    except ValueError as exc:
        raise core.Refused("due_missing") from exc
    return Due(zone.key, at=at) if at is not None else Due(zone.key, on=on)
