"""Many records at once: taken from another system by its own keys, and given away as a file. And found by words."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, get_args

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from cloud.api import saying
from cloud.api.asking import locale_of, reading, writing
from cloud.api.deps import ApiDeps
from cloud.api.errors import BadRequest, NoSuchFormat, NotWhole
from cloud.api.parts import json_object, member, number, one_of, parameters, reason_of, segment, yes
from cloud.api.problems import field_error
from cloud.api.records import KEPT
from cloud.around.records import find_records
from cloud.around.search import LIMIT, MAX_LIMIT, Hit
from cloud.imports.export import Format, export_rows, media_type
from cloud.imports.models import Done
from cloud.imports.upserting import MAX_AT_ONCE, Answer, Sent, upsert_many
from cloud.objects.query import Query
from cloud.objects.values import said

MAX_IMPORT = 8 * 1024 * 1024
"""Of one call: a thousand rows of 8 kB each."""

MAX_WORDS = 200
FORMATS: tuple[Format, ...] = get_args(Format)

router = APIRouter()


@router.post("/import/{kind}")
async def import_rows(request: Request) -> Response:
    """`{items, faulty}`: what became of each row. `policy` is `all` (a faulty row stops everything: 422) or `good` (it leaves
    the others alone)."""
    parameters(request, ())
    kind = segment(request, "kind")
    body = await json_object(request, {"source", "rows", "policy", "reason"}, limit=MAX_IMPORT)
    policy = one_of({"policy": member(body, "policy", str, "all")}, "policy", ("all", "good"), "all")
    source, rows = member(body, "source", str, ""), [_sent(one) for one in member(body, "rows", list, [])]
    if len(rows) > MAX_AT_ONCE:
        raise BadRequest("import_at_once", {"max": str(MAX_AT_ONCE)})
    async with writing(request, reason_of(body)) as at:
        answers = await upsert_many(at, kind, source, rows)
        items = [_row(request, one) for one in answers]
        faulty = sum(1 for one in answers if one.done is Done.FAULTY)
        if faulty and policy == "all":
            # Raised inside, so that nothing of the transaction stays.
            raise NotWhole([{**each, "key": one["key"]} for one in items for each in one["errors"]])
    return saying.answer({"items": items, "faulty": faulty})


def _sent(one: object) -> Sent:
    if not isinstance(one, Mapping) or not one.keys() <= {"key", "values", "ref"}:
        raise BadRequest("bad_member", {"name": "rows"})
    if "key" not in one:
        raise BadRequest("bad_member", {"name": "key"})
    return Sent(member(one, "key", str, ""), member(one, "values", dict, {}), member(one, "ref", str, None))


def _row(request: Request, one: Answer) -> dict[str, Any]:
    deps: ApiDeps = request.app.state.deps
    locale = locale_of(request)
    errors = [
        field_error(each["field"] or "", each["code"], each["values"], each["message"], deps=deps, locale=locale)
        for each in one.faults
    ]
    return {"key": one.key, "done": one.done.value, "ref": one.ref, "version": one.version, "errors": errors}


@router.get("/export/{kind}.{format}")
async def export(request: Request) -> Response:
    """The records of a list as CSV or XLSX, with the fields that the asker may take away."""
    given = parameters(request, {"filter", "sort", "archived"})
    kind, form = segment(request, "kind"), segment(request, "format")
    wanted = next((one for one in FORMATS if one == form), None)
    if wanted is None:
        raise NoSuchFormat
    kept = one_of(given, "archived", KEPT, "live")
    query = Query(filter=given.get("filter", ""), sort=given.get("sort", ""), kept=kept)  # type: ignore[arg-type]
    return _File(request, kind, wanted, query)


class _File(Response):
    """Written while it is sent: the transaction lives as long as the answer does."""

    def __init__(self, request: Request, kind: str, form: Format, query: Query) -> None:
        super().__init__()
        self._request, self._kind, self._form, self._query = request, kind, form, query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's names
        async with reading(self._request) as at:
            pieces = export_rows(at, self._kind, self._query, self._form, locale_of(self._request))
            # The second piece is the first of records: until then it shows whether the question is a good one.
            first = [await anext(pieces, b""), await anext(pieces, b"")]
            name = f'attachment; filename="{self._kind}.{self._form}"'
            headers = {**saying.PRIVATE, "Content-Type": media_type(self._form), "Content-Disposition": name}
            raw = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
            await send({"type": "http.response.start", "status": 200, "headers": raw})
            for piece in first:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            async for piece in pieces:
                if await self._request.is_disconnected():
                    break
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        await send({"type": "http.response.body", "body": b""})


@router.get("/search")
async def search(request: Request) -> Response:
    """`{items, more}`: records that hold all the words of `q`, the best first; of every kind, or of `kinds`."""
    given = parameters(request, {"q", "kinds", "limit", "archived"})
    words, locale = given.get("q", ""), locale_of(request)
    if len(words) > MAX_WORDS:
        raise BadRequest("too_long", {"name": "q", "max": str(MAX_WORDS)})
    kinds = [one.strip() for one in given["kinds"].split(",") if one.strip()] if "kinds" in given else None
    limit = number(given, "limit", LIMIT, high=MAX_LIMIT)
    async with reading(request) as at:
        found = await find_records(at, words, limit=limit, kinds=kinds, archived=yes(given, "archived"), locale=locale)
    return saying.answer({"items": [_hit(one) for one in found.rows], "more": found.more})


def _hit(one: Hit) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "ref": one.ref,
        "title": one.title,
        "part": one.part or "record",
        "snippet": [{"text": bit.text, "found": bit.found} for bit in one.snippet],
        "archived": one.archived,
        "updated_at": said(one.updated_at),
    }
