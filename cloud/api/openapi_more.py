"""The description of what lies around records, and of many at once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

from cloud.api.exchange import MAX_WORDS
from cloud.api.operations import Line, Operation, in_header, in_path, in_query, ref
from cloud.api.parts import MAX_KEY
from cloud.api.records import KEPT, MAX_SOURCE
from cloud.api.schemas import MAX_REF, Schema, closed, listed, nullable, reason
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
OLDER = closed({**FILE, "older": listed(closed(FILE))})
TOLD = closed({**MESSAGE["properties"], "cannot_read": listed(TEXT), "unknown": listed(TEXT)})
HIT = closed(
    {
        **dict.fromkeys(("kind", "ref", "title"), TEXT),
        "part": {"enum": ["record", "message", "file"]},
        "snippet": listed(closed({"text": TEXT, "found": {"type": "boolean"}})),
        "archived": {"type": "boolean"},
        "updated_at": TIME,
    }
)


NAMED = {
    "Message": MESSAGE,
    "PostedMessage": TOLD,
    "Messages": closed({"items": listed(MESSAGE), "next": nullable(WHOLE)}),
    "Activity": ACTIVITY,
    "Activities": closed({"items": listed(ACTIVITY), "next": nullable(WHOLE)}),
    "Documents": closed({"items": listed(OLDER)}),
    "NewMessage": closed(
        {
            "body": {"type": "string", "minLength": 1, "maxLength": MAX_BODY},
            "visibility": nullable(SEEN),
            "reply_to": {"type": ["integer", "null"], "minimum": 1, "maximum": 10**15},
            "uid": UID,
        },
        required=("body",),
    ),
    "NewActivity": closed(
        {
            **dict.fromkeys(("type", "summary", "assignee"), TEXT),
            **dict.fromkeys(("note", "due_on", "due_at"), nullable(TEXT)),
            "uid": UID,
        },
        required=("type", "summary", "assignee"),
    ),
    "Imported": closed(
        {
            "items": listed(
                closed(
                    {
                        "key": TEXT,
                        "done": {"enum": [each.value for each in Done]},
                        "ref": nullable(TEXT),
                        "version": nullable(WHOLE),
                        "errors": listed({"type": "object", "required": ["field", "code", "message"]}),
                    }
                )
            ),
            "faulty": WHOLE,
        }
    ),
}
"""Schemas that the operations of every kind refer to."""


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
    yield f"{single}/messages", "get", named("messages", "Messages", _ref("Messages"), ref(), *PAGES)
    post = named("post_message", "Write a message", _ref("PostedMessage"), ref(), key)
    yield f"{single}/messages", "post", replace(post, body=_ref("NewMessage"), made="only", also=refused)
    yield f"{single}/activities", "get", named("activities", "Activities", _ref("Activities"), ref(), *PAGES)
    plan = named("plan", "Plan an activity", _ref("Activity"), ref(), key)
    yield f"{single}/activities", "post", replace(plan, body=_ref("NewActivity"), made="only", tag=True, also=refused)
    yield f"{single}/files", "get", named("files", "Files", _ref("Documents"), ref())
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
        yield f"/import/{one.key}", "post", _import(one, named)


def _import(one: ObjectDef, named: "_Named") -> Operation:
    words = f"As in {one.key}.create; a reference may be {{key: ...}}, the other system's. What is wrong is told of each row."
    values: Schema = {"type": "object", "description": words}
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
    many = named("import", "Make and change many by another system's keys", _ref("Imported"))
    return replace(many, body=body, also=("409", "413", "415", "422"))


class _Named:
    """Makes operations of one kind."""

    def __init__(self, one: ObjectDef) -> None:
        self._one = one

    def __call__(self, key: str, words: str, schema: Schema, *asked: Schema) -> Operation:
        return Operation(f"{self._one.key}.{key}", f"{self._one.label.en}: {words}", schema, asked)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
