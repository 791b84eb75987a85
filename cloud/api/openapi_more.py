"""The description of what lies around records, and of many at once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

from cloud.api.exchange import MAX_WORDS
from cloud.api.operations import Line, Operation, in_header, in_path, in_query, ref
from cloud.api.parts import MAX_KEY
from cloud.api.records import KEPT, MAX_SOURCE
from cloud.api.schemas import MAX_REF, Schema, closed, listed, nullable, reason, taken
from cloud.around.files import FILE_KINDS
from cloud.around.gate import INTERNAL, PORTAL
from cloud.around.messages import MAX_BODY
from cloud.around.search import MAX_LIMIT
from cloud.imports.export import Format
from cloud.imports.models import Done
from cloud.imports.upserting import MAX_AT_ONCE
from cloud.kernel.access import CREATE, EXPORT, WRITE
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef
from cloud.objects.permits import Reach

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
TIME: Schema = {"type": "string", "format": "date-time"}
UID: Schema = {"type": ["string", "null"], "format": "uuid", "description": "Said again, it is the same one."}
SEEN: Schema = {"enum": [INTERNAL, PORTAL]}
PAGES = (
    in_query("limit", {"type": "integer", "minimum": 1, "maximum": 200}),
    in_query("after", {"type": "integer", "minimum": 0, "maximum": 10**15}),
)

MESSAGE = closed(
    {
        **dict.fromkeys(("uid", "channel", "direction", "author_kind", "author"), TEXT),
        "id": WHOLE,
        "visibility": SEEN,
        "reply_to": nullable(WHOLE),
        "body": nullable(TEXT),
        "created_at": TIME,
        "withdrawn_at": nullable(TIME),
    }
)
ACTIVITY = closed(
    {
        **dict.fromkeys(("uid", "type", "summary", "note", "assignee", "created_by", "outcome_note"), TEXT),
        "id": WHOLE,
        "version": WHOLE,
        "outcome": nullable(TEXT),
        "due_on": nullable({"type": "string", "format": "date"}),
        "due_at": nullable(TIME),
        "created_at": TIME,
        "done_at": nullable(TIME),
        "cancelled_at": nullable(TIME),
    }
)
FILE = {
    **dict.fromkeys(("name", "mime", "sha256", "uploaded_by"), TEXT),
    "id": WHOLE,
    "size": WHOLE,
    "number": WHOLE,
    "file_kind": {"enum": list(FILE_KINDS)},
    "visibility": SEEN,
    "version_of": nullable(WHOLE),
    "signed": {"type": "boolean"},
    "uploaded_at": TIME,
}
HIT = closed(
    {
        **dict.fromkeys(("kind", "ref", "title"), TEXT),
        "part": {"enum": ["record", "message", "file"]},
        "snippet": listed(closed({"text": TEXT, "found": {"type": "boolean"}})),
        "archived": {"type": "boolean"},
        "updated_at": TIME,
    }
)


def search_line() -> Line:
    """Of the search over everything."""
    asked = (
        in_query("q", {"type": "string", "maxLength": MAX_WORDS}, "Words that all must be there."),
        in_query("kinds", TEXT, "Kinds to look at, with commas between."),
        in_query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
        in_query("archived", {"enum": ["true", "false"]}),
    )
    found = closed({"items": listed(HIT), "more": {"type": "boolean"}})
    return "/search", "get", Operation("search", "Records by their words", found, asked)


def around_lines(one: ObjectDef) -> Iterator[Line]:
    """Of messages, activities and files at records of a kind."""
    single = f"/o/{one.key}/{{ref}}"
    named = _Named(one)
    refused = ("409", "413", "415", "422")
    key = in_header("Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"}, "")
    yield f"{single}/messages", "get", named("messages", "Messages", _page(MESSAGE), ref(), *PAGES)
    told = {"cannot_read": listed(TEXT), "unknown": listed(TEXT)}
    body = closed(
        {
            "body": {"type": "string", "minLength": 1, "maxLength": MAX_BODY},
            "visibility": nullable(SEEN),
            "reply_to": {"type": ["integer", "null"], "minimum": 1, "maximum": 10**15},
            "uid": UID,
        },
        required=("body",),
    )
    posted = closed({**MESSAGE["properties"], **told})
    yield (
        f"{single}/messages",
        "post",
        replace(named("post_message", "Write a message", posted, ref(), key), body=body, made="only", also=refused),
    )
    yield f"{single}/activities", "get", named("activities", "Activities", _page(ACTIVITY), ref(), *PAGES)
    plan = {name: {"type": "string"} for name in ("type", "summary", "assignee")}
    more = {"note": nullable(TEXT), "due_on": nullable(TEXT), "due_at": nullable(TEXT), "uid": UID}
    yield (
        f"{single}/activities",
        "post",
        replace(
            named("plan", "Plan an activity", ACTIVITY, ref(), key),
            body=closed({**plan, **more}, required=tuple(plan)),
            made="only",
            tag=True,
            also=refused,
        ),
    )
    older = {"older": listed(closed(FILE))}
    files = closed({"items": listed(closed({**FILE, **older}))})
    yield f"{single}/files", "get", named("files", "Files", files, ref())
    number = in_path("file", {"type": "integer", "minimum": 1, "maximum": 10**15})
    content = replace(named("file", "The bytes of a file", {}, ref(), number), answer_type="application/octet-stream")
    yield f"{single}/files/{{file}}", "get", replace(content, also=("422",))


def exchange_lines(at: Caller, one: ObjectDef) -> Iterator[Line]:
    """Of many records of a kind at once."""
    named = _Named(one)
    if at.access.may(one.key, EXPORT):
        asked = (in_query("filter", TEXT), in_query("sort", TEXT), in_query("archived", {"enum": list(KEPT)}))
        for form in get_args(Format):
            file = named(f"export_{form}", f"A list as {form.upper()}", {}, *asked)
            kind = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}[form]
            yield f"/export/{one.key}.{form}", "get", replace(file, answer_type=kind, also=("422",))
    may = at.access.may(one.key, CREATE) or at.access.may(one.key, WRITE)
    if may and not one.read_only and at.rows(one.key).has("source"):
        yield f"/import/{one.key}", "post", _import(at, one, named)


def _import(at: Caller, one: ObjectDef, named: "_Named") -> Operation:
    ways = (*at.access.ways(one.key, CREATE), *at.access.ways(one.key, WRITE))
    values = taken(one, Reach(tuple(way.mask for way in ways)), new=False)
    for field in one.live:
        if field.target and field.key in values["properties"]:
            # Beside our own number: the other system's key.
            values["properties"][field.key] = {"description": f"A ref of {field.target}, or {{key: ...}} of the same source."}
    row = closed(
        {"key": {"type": "string"}, "values": values, "ref": {"type": ["string", "null"], "maxLength": MAX_REF}}, ("key",)
    )
    body = closed(
        {
            "source": {"type": "string", "minLength": 1, "maxLength": MAX_SOURCE},
            "rows": {**listed(row), "maxItems": MAX_AT_ONCE},
            "policy": {"enum": ["all", "good"]},
            "reason": reason(),
        },
        required=("source", "rows"),
    )
    told = closed(
        {
            "key": TEXT,
            "done": {"enum": [each.value for each in Done]},
            "ref": nullable(TEXT),
            "version": nullable(WHOLE),
            "errors": listed({"type": "object", "required": ["field", "code", "message"]}),
        }
    )
    found = closed({"items": listed(told), "faulty": WHOLE})
    return replace(
        named("import", "Make and change many by another system's keys", found), body=body, also=("409", "413", "415", "422")
    )


class _Named:
    """Makes operations of one kind."""

    def __init__(self, one: ObjectDef) -> None:
        self._one = one

    def __call__(self, key: str, words: str, schema: Schema, *asked: Schema) -> Operation:
        return Operation(f"{self._one.key}.{key}", f"{self._one.label.en}: {words}", schema, asked)


def _page(item: Schema) -> Schema:
    return closed({"items": listed(item), "next": nullable(WHOLE)})
