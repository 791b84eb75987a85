"""Records of every kind: listed, read, made, changed, moved on, archived, and their history."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from cloud.api import saying
from cloud.api.asking import reading, writing
from cloud.api.errors import BadRequest, MovedOn
from cloud.api.kinds import fields_seen
from cloud.api.parts import (
    json_object,
    member,
    named_versions,
    number,
    one_of,
    parameters,
    reason_of,
    seen_already,
    segment,
    uid_of,
    yes,
)
from cloud.errors import Conflict, Forbidden, Refused
from cloud.imports.converting import Incoming
from cloud.imports.heads import SOURCE_KEY
from cloud.imports.mapping import Plan
from cloud.imports.writing import uid_of as uid_of_row
from cloud.kernel.access import READ
from cloud.kernel.models import Event
from cloud.objects import query, service
from cloud.objects.caller import Caller
from cloud.objects.permits import reach
from cloud.objects.query import MAX_LIMIT, Query
from cloud.objects.service import Item

DEFAULT_LIMIT = 50
MAX_EVENTS = 200
MAX_SOURCE = 60
MAX_SOURCE_KEY = 200
KEPT = ("live", "archived", "all")
LIST = frozenset({"filter", "sort", "fields", "limit", "after", "archived", "count"})
RACES = frozenset({"taken_meanwhile"})
"""Somebody made the same record in the same moment: looking once more finds it."""

router = APIRouter(prefix="/o")


@router.get("/{kind}")
async def list_records(request: Request) -> Response:
    """`{items, next, count?, outside?}`: one page; `next` is the `after` of the following one, null at the end."""
    given = parameters(request, LIST)
    kind = segment(request, "kind")
    async with reading(request) as at:
        asked = _query(at, kind, given)
        page = await query.find(at, kind, asked)
        body: dict[str, Any] = {"items": [saying.item(one) for one in page.items], "next": page.next or None}
        if yes(given, "count"):
            counted, more = await query.count(at, kind, asked)
            body["count"] = {"number": counted, "or_more": more}
        if page.outside:
            body["outside"] = page.outside
    headers = {}
    if page.next:
        following = urlencode({**given, "after": page.next}, quote_via=quote)
        headers["Link"] = f'<{_here(request)}?{following}>; rel="next"'
    return saying.answer(body, headers=headers)


def _query(at: Caller, kind: str, given: Mapping[str, str]) -> Query:
    only = None
    if "fields" in given:
        only = frozenset(filter(None, (one.strip() for one in given["fields"].split(","))))
        seen = fields_seen(at, kind)
        known = {one.key for one in at.objects.get(kind).live}
        for name in sorted(only):
            if name not in known:
                raise BadRequest("bad_fields", {"field": name[:60]})
            if not seen.allows(name):
                raise Forbidden("field_forbidden", fields=name)
    return Query(
        filter=given.get("filter", ""),
        sort=given.get("sort", ""),
        after=given.get("after", ""),
        limit=number(given, "limit", DEFAULT_LIMIT, high=MAX_LIMIT),
        kept=one_of(given, "archived", KEPT, "live"),  # type: ignore[arg-type]
        only=only,
    )


def _here(request: Request) -> str:
    """The path as it was asked for, percent-encoded."""
    return quote(request.scope["path"], safe="/%!$&'()*+,;=:@-._~")


@router.post("/{kind}")
async def create(request: Request) -> Response:
    """201 and the new record; 200 and the old one where it was made before with the same `uid` or `Idempotency-Key`."""
    parameters(request, ())
    kind = segment(request, "kind")
    body = await json_object(request, {"uid", "ref", "values", "reason"})
    uid, reason = uid_of(request, kind, body), reason_of(body)
    values, ref = member(body, "values", dict, {}), member(body, "ref", str, None)

    async def make(at: Caller) -> tuple[Item, bool]:
        return await service.create(at, kind, values, uid=uid, ref=ref)

    return await _made(request, reason, make)


@router.get("/{kind}/by/{source}/{source_key}")
async def read_by_source(request: Request) -> Response:
    """The record that another system calls so."""
    parameters(request, ())
    kind, source, key = _source(request)
    async with reading(request) as at:
        ref = await _ref_by_source(at, kind, source, key)
        found = await service.get(at, kind, ref if ref is not None else "")
    return _shown(request, found)


@router.put("/{kind}/by/{source}/{source_key}")
async def upsert(request: Request) -> Response:
    """Make (201) or change (200) the record that another system calls so. `If-Match` is heeded where it is sent."""
    parameters(request, ())
    kind, source, key = _source(request)
    body = await json_object(request, {"ref", "values", "reason"})
    reason = reason_of(body)
    values, ref = member(body, "values", dict, {}), member(body, "ref", str, None)
    versions = named_versions(request, demanded=False)

    async def make(at: Caller) -> tuple[Item, bool]:
        there = await _ref_by_source(at, kind, source, key)
        if there is None:
            if "if-match" in request.headers:
                raise MovedOn(key, 0)
            # The number that every import gives the record of this key: two that make it at once make one.
            uid = uid_of_key(kind, source, key)
            found, new = await service.create(at, kind, values, uid=uid, ref=ref, source=(source, key))
            if new:
                return found, True
            there = found.ref
        if ref not in {None, there}:
            raise Refused("ref_stays", ref=there)
        await _demand(at, kind, there, versions)
        if (await service.get(at, kind, there)).archived:
            await service.archive(at, kind, there, back=True)
        return await service.update(at, kind, there, values), False

    return await _made(request, reason, make)


async def _made(request: Request, reason: str | None, make: Callable[[Caller], Awaitable[tuple[Item, bool]]]) -> Response:
    try:
        async with writing(request, reason) as at:
            found, new = await make(at)
    except Conflict as exc:
        if exc.code not in RACES:
            raise
        async with writing(request, reason) as at:
            found, new = await make(at)
    place = f"{request.scope.get('root_path', '')}/o/{quote(found.kind, safe='')}/{quote(found.ref, safe='')}"
    headers = {"ETag": saying.tag(found.version), "Location" if new else "Content-Location": place}
    return saying.answer(saying.item(found), 201 if new else 200, headers)


def uid_of_key(kind: str, source: str, key: str) -> str:
    """The record's own number where another system's key is all that is known of it."""
    return uid_of_row(kind, Plan(mode="upsert", key=SOURCE_KEY, source=source), Incoming(key, None, key), "", 0)


def _source(request: Request) -> tuple[str, str, str]:
    kind, source, key = segment(request, "kind"), segment(request, "source"), segment(request, "source_key")
    for name, text, limit in (("source", source, MAX_SOURCE), ("source_key", key, MAX_SOURCE_KEY)):
        if len(text) > limit or not text.isprintable() or text != text.strip():
            raise BadRequest("bad_source", {"name": name, "max": str(limit)})
    return kind, source, key


async def _ref_by_source(at: Caller, kind: str, source: str, key: str) -> str | None:
    rows = at.rows(kind)
    if not rows.has("source"):
        raise Refused("no_source", kind=kind)
    wanted = select(rows.ref_column).where(*rows.own(), rows.model.source == source, rows.model.source_key == key)
    found: str | None = await at.session.scalar(wanted)
    return found


@router.get("/{kind}/{ref}")
async def read(request: Request) -> Response:
    """One record, with its version as `ETag`."""
    parameters(request, ())
    async with reading(request) as at:
        found = await service.get(at, segment(request, "kind"), segment(request, "ref"))
    return _shown(request, found)


def _shown(request: Request, found: Item) -> Response:
    headers = {"ETag": saying.tag(found.version)}
    if seen_already(request, str(found.version)):
        return Response(status_code=304, headers={**saying.PRIVATE, **headers})
    return saying.answer(saying.item(found), headers=headers)


@router.patch("/{kind}/{ref}")
async def change(request: Request) -> Response:
    """Change some fields; `If-Match` says at which version the record was seen."""
    parameters(request, ())
    versions = named_versions(request, demanded=True)
    body = await json_object(request, {"values", "reason"})
    values = member(body, "values", dict, {})

    async def act(at: Caller, kind: str, ref: str, version: int | None) -> Item:
        return await service.update(at, kind, ref, values, version=version)

    return await _acted(request, reason_of(body), versions, act)


@router.post("/{kind}/{ref}/do/{transition}")
async def do(request: Request) -> Response:
    """Take a transition; `values` are changed first, in the same transaction. `If-Match` is heeded where it is sent."""
    parameters(request, ())
    versions = named_versions(request, demanded=False)
    body = await json_object(request, {"values", "reason"}, optional=True)
    values = member(body, "values", dict, {})
    action = segment(request, "transition")

    async def act(at: Caller, kind: str, ref: str, version: int | None) -> Item:
        return await service.do(at, kind, ref, action, version=version, given=values)

    return await _acted(request, reason_of(body), versions, act)


@router.post("/{kind}/{ref}/archive")
async def archive(request: Request) -> Response:
    """Take a record out of the lists."""
    return await _archived(request, back=False)


@router.post("/{kind}/{ref}/restore")
async def restore(request: Request) -> Response:
    """Put it back."""
    return await _archived(request, back=True)


async def _archived(request: Request, *, back: bool) -> Response:
    parameters(request, ())
    versions = named_versions(request, demanded=False)
    body = await json_object(request, {"reason"}, optional=True)

    async def act(at: Caller, kind: str, ref: str, version: int | None) -> Item:
        return await service.archive(at, kind, ref, version=version, back=back)

    return await _acted(request, reason_of(body), versions, act)


Act = Callable[[Caller, str, str, int | None], Awaitable[Item]]


async def _acted(request: Request, reason: str | None, versions: frozenset[str] | None, act: Act) -> Response:
    kind, ref = segment(request, "kind"), segment(request, "ref")
    async with writing(request, reason) as at:
        version = await _demand(at, kind, ref, versions)
        try:
            found = await act(at, kind, ref, version)
        except Conflict as exc:
            if versions is None or exc.code != "conflict":
                raise
            # It moved on between the look and the lock.
            raise MovedOn(ref, int(exc.values["now"])) from exc
    return saying.answer(saying.item(found), headers={"ETag": saying.tag(found.version)})


async def _demand(at: Caller, kind: str, ref: str, versions: frozenset[str] | None) -> int | None:
    """The version that is there and that the asker saw. Raises NotFound, MovedOn."""
    if versions is None:
        return None
    rows = at.rows(kind)
    row, _ = await service.row_of(at, rows, ref, READ)
    version = int(getattr(row, "version", 1))
    if str(version) not in versions:
        raise MovedOn(ref, version)
    return version


@router.get("/{kind}/{ref}/actions")
async def actions(request: Request) -> Response:
    """`{actions}`: transitions that the asker may try from here. Guards may still refuse."""
    parameters(request, ())
    async with reading(request) as at:
        rows = at.rows(segment(request, "kind"))
        row, _ = await service.row_of(at, rows, segment(request, "ref"), READ)
        found = service.actions_of(at, rows, row)
    return saying.answer({"actions": found})


@router.get("/{kind}/{ref}/history")
async def history(request: Request) -> Response:
    """`{items, next}`: the record's events, oldest first; `next` is the `after` of the following page."""
    given = parameters(request, {"limit", "after"})
    limit = number(given, "limit", DEFAULT_LIMIT, high=MAX_EVENTS)
    after = number(given, "after", 0, low=0, high=10**18)
    async with reading(request) as at:
        rows = at.rows(segment(request, "kind"))
        row, _ = await service.row_of(at, rows, segment(request, "ref"), READ)
        readable = await reach(at, rows, row, READ)
        wanted = select(Event).where(Event.kind == rows.definition.key, Event.ref == rows.ref(row), Event.id > after)
        events = (await at.session.scalars(wanted.order_by(Event.id).limit(limit + 1))).all()
        items = [saying.event(one, readable) for one in events[:limit]]
    return saying.answer({"items": items, "next": events[limit - 1].id if len(events) > limit else None})
