"""What lies around a record: messages, activities and files, written and read by whoever may read the record."""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from cloud.api import saying
from cloud.api.asking import locale_of, reading, writing
from cloud.api.deps import ApiDeps
from cloud.api.errors import BadRequest, TooLarge
from cloud.api.parts import json_object, member, number, one_of, parameters, reason_of, segment, uid_of, yes
from cloud.around import activities, files, messages
from cloud.around.activities import Due, NewActivity
from cloud.around.documents import documents, download_headers
from cloud.around.files import FILE_KINDS, NewFile
from cloud.around.gate import INTERNAL, PORTAL
from cloud.around.kept import keep
from cloud.around.messages import NewMessage
from cloud.around.models import Activity, Attachment, Message
from cloud.around.records import Opened, opened, readers_for
from cloud.blobs.store import BlobStore, StoreBroken
from cloud.db.types import BIGGEST
from cloud.errors import Forbidden, NotFound, Refused
from cloud.kernel.access import WRITE
from cloud.objects.caller import Caller
from cloud.objects.values import said

DEFAULT_LIMIT = 50
MAX_PAGE = 200
MAX_TEXT = 300
"""Characters of a name in a parameter."""

RECORD = "/o/{kind}/{ref}"
VISIBILITIES = (INTERNAL, PORTAL)

router = APIRouter()


@router.get(RECORD + "/messages")
async def list_messages(request: Request) -> Response:
    """`{items, next}`: oldest first; of one that was taken back the body is null."""
    return await _page(request, Message, message)


@router.post(RECORD + "/messages")
async def post_message(request: Request) -> Response:
    """Write one. Who is mentioned (`@login`) is told; `cannot_read` and `unknown` name those who were not."""
    parameters(request, ())
    body = await json_object(request, {"body", "visibility", "reply_to", "uid"})
    new = NewMessage(
        member(body, "body", str, ""),
        visibility=_one(body, "visibility", VISIBILITIES),
        reply_to=_whole(body, "reply_to"),
        uid=uid_of(request, "message", body),
    )
    async with writing(request) as at:
        found = await _opened(request, at, write=True)
        posted = await messages.post(at.session, found.record, new, at.taken, readers_for(at))
        told = {"cannot_read": list(posted.cannot_read), "unknown": list(posted.unknown)}
        return saying.answer({**message(posted.message), **told}, 201)


@router.post(RECORD + "/messages/{message}/withdraw")
async def withdraw_message(request: Request) -> Response:
    """Take one back."""
    parameters(request, ())
    async with writing(request) as at:
        found = await _opened(request, at, write=False)
        row = await messages.withdraw(at.session, found.record, _id(request, "message"), at.taken)
        return saying.answer(message(row))


@router.get(RECORD + "/activities")
async def list_activities(request: Request) -> Response:
    """`{items, next}`: in the order they were planned in, closed ones too."""
    return await _page(request, Activity, activity)


@router.post(RECORD + "/activities")
async def plan_activity(request: Request) -> Response:
    """Plan one for somebody who may read the record: `due_on` is a day at the house, `due_at` a time with its zone."""
    parameters(request, ())
    body = await json_object(request, {"type", "summary", "assignee", "note", "due_on", "due_at", "uid"})
    new = NewActivity(
        member(body, "type", str, ""),
        member(body, "summary", str, ""),
        member(body, "assignee", str, ""),
        due=_due(request, body),
        note=member(body, "note", str, ""),
        uid=uid_of(request, "activity", body),
    )
    async with writing(request) as at:
        found = await _opened(request, at, write=True)
        row = await activities.plan(at.session, found.record, new, at.taken, readers_for(at))
        return saying.answer(activity(row), 201, {"ETag": saying.tag(row.version)})


@router.post(RECORD + "/activities/{activity}/{act}")
async def close_activity(request: Request) -> Response:
    """`done` with `{outcome, note}`, or `cancel` with `{reason}`, by whoever has to do it or may write."""
    parameters(request, ())
    act = one_of({"act": segment(request, "act")}, "act", ("done", "cancel"), "")
    body = await json_object(request, {"outcome", "note"} if act == "done" else {"reason"}, optional=True)
    outcome, note = member(body, "outcome", str, None), member(body, "note", str, "")
    async with writing(request, reason_of(body)) as at:
        found = await _opened(request, at, write=False)
        row = await activities.find_activity(at.session, found.record, _id(request, "activity"))
        if row.assignee != at.login:
            _demand_write(found)
        if act == "done":
            row = await activities.done(at.session, found.record, row.id, at.taken, readers_for(at), outcome=outcome, note=note)
        else:
            row = await activities.cancel(at.session, found.record, row.id, at.taken, readers_for(at))
        return saying.answer(activity(row), headers={"ETag": saying.tag(row.version)})


@router.get(RECORD + "/files")
async def list_files(request: Request) -> Response:
    """`{items}`: documents, last changed first, each with its older versions."""
    parameters(request, ())
    async with reading(request) as at:
        found = (await _opened(request, at, write=False)).record
        listed = await documents(at.session, found.kind, found.id, internal=found.internal)
        items = [{**file(one.newest), "older": [file(each) for each in one.older]} for one in listed]
    return saying.answer({"items": items})


@router.post(RECORD + "/files")
async def put_file(request: Request) -> Response:
    """Put a file there: its bytes are the body, `name` and what it is are parameters. `version_of` makes it a version."""
    given = parameters(request, {"name", "file_kind", "visibility", "version_of", "signed"})
    name = given.get("name", "")
    if not 0 < len(name) <= MAX_TEXT:
        raise BadRequest("bad_name", {"max": str(MAX_TEXT)})
    told: dict[str, Any] = {
        "kind": _one(given, "file_kind", FILE_KINDS),
        "visibility": _one(given, "visibility", VISIBILITIES),
        "version_of": number(given, "version_of", 0, high=BIGGEST // 10) if "version_of" in given else None,
        "signed": yes(given, "signed"),
    }
    async with reading(request) as at:
        # Before anything is kept: whoever may not add files must not fill the disk.
        await _opened(request, at, write=True)
    deps: ApiDeps = request.app.state.deps
    try:
        kept = await keep(_store(request), _once(request), name, max_bytes=deps.max_file)
    except Refused as exc:
        if exc.code == "file_too_large":
            raise TooLarge(deps.max_file) from exc
        raise
    new = NewFile(name, kept, **told)
    async with writing(request) as at:
        found = await _opened(request, at, write=True)
        row = await files.attach(at.session, found.record, new, at.taken, readers_for(at))
        place = f"{request.scope['root_path']}/o/{quote(found.record.kind)}/{quote(found.record.ref, safe='')}/files/{row.id}"
        return saying.answer(file(row), 201, {"Location": place})


@router.get(RECORD + "/files/{file}")
async def read_file(request: Request) -> Response:
    """The bytes of one version."""
    parameters(request, ())
    store = _store(request)
    async with reading(request) as at:
        found = await _opened(request, at, write=False)
        row = await files.find_file(at.session, found.record, _id(request, "file"))
    if not await store.has(row.sha256):
        raise NotFound("file", str(row.id))
    media, headers = download_headers(row.name, row.mime, inline=False)
    headers |= {"Content-Length": str(row.size), "ETag": f'"{row.sha256}"'}
    return StreamingResponse(store.read(row.sha256), media_type=media, headers=headers)


def message(row: Message) -> dict[str, Any]:
    """One message."""
    gone = row.withdrawn_at is not None
    names = ("id", "uid", "channel", "direction", "visibility", "author_kind", "author", "reply_to")
    times = {"created_at": said(row.created_at), "withdrawn_at": said(row.withdrawn_at)}
    return {**{name: getattr(row, name) for name in names}, "body": None if gone else row.body, **times}


def activity(row: Activity) -> dict[str, Any]:
    """One activity."""
    names = ("id", "uid", "version", "type", "summary", "note", "assignee", "created_by", "outcome", "outcome_note")
    times = ("due_on", "due_at", "created_at", "done_at", "cancelled_at")
    return {**{name: getattr(row, name) for name in names}, **{name: said(getattr(row, name)) for name in times}}


def file(row: Attachment) -> dict[str, Any]:
    """One version of a document."""
    names = ("id", "name", "mime", "size", "sha256", "file_kind", "visibility", "number", "version_of", "signed", "uploaded_by")
    return {**{name: getattr(row, name) for name in names}, "uploaded_at": said(row.uploaded_at)}


async def _page(request: Request, table: type[Any], show: Any) -> Response:
    given = parameters(request, {"limit", "after"})
    limit = number(given, "limit", DEFAULT_LIMIT, high=MAX_PAGE)
    after = number(given, "after", 0, low=0, high=BIGGEST // 10)
    async with reading(request) as at:
        found = (await _opened(request, at, write=False)).record
        wanted = select(table).where(table.kind == found.kind, table.record_id == found.id, table.id > after)
        rows = (await at.session.scalars(wanted.order_by(table.id).limit(limit + 1))).all()
        items = [show(one) for one in rows[:limit]]
    return saying.answer({"items": items, "next": rows[limit - 1].id if len(rows) > limit else None})


async def _opened(request: Request, at: Caller, *, write: bool) -> Opened:
    found = await opened(at, segment(request, "kind"), segment(request, "ref"), locale=locale_of(request))
    if write:
        _demand_write(found)
    return found


def _demand_write(found: Opened) -> None:
    if not found.may_write:
        raise Forbidden("forbidden", action=WRITE, role="")


def _store(request: Request) -> BlobStore:
    deps: ApiDeps = request.app.state.deps
    if deps.blobs is None:
        raise Refused("no_files")
    return deps.blobs


def _once(request: Request) -> Callable[[], AsyncIterator[bytes]]:
    """The body, as the store asks for it."""
    asked: list[bool] = []

    async def source() -> AsyncIterator[bytes]:
        if asked:
            raise StoreBroken("what was sent is gone, and comes only once")
        asked.append(True)
        async for piece in request.stream():
            yield piece

    return source


def _id(request: Request, name: str) -> int:
    text = segment(request, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound(name, text)
    return int(text)


def _one(given: Mapping[str, Any], name: str, options: tuple[Any, ...]) -> Any:
    found = given.get(name)
    if found is not None and found not in options:
        raise BadRequest("bad_option", {"name": name, "options": ", ".join(options)})
    return found


def _whole(body: Mapping[str, Any], name: str) -> int | None:
    found = body.get(name)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int) or not 0 < found <= BIGGEST):
        raise BadRequest("bad_member", {"name": name})
    return found


def _due(request: Request, body: Mapping[str, Any]) -> Due:
    deps: ApiDeps = request.app.state.deps
    day, time = member(body, "due_on", str, None), member(body, "due_at", str, None)
    try:
        on = None if day is None else dt.date.fromisoformat(day)
        at = None if time is None else dt.datetime.fromisoformat(time)
    except ValueError as exc:
        raise Refused("due_missing") from exc
    return Due(deps.zone.key, on=on, at=at)
