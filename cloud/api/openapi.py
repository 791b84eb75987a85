"""The description of the interface (OpenAPI 3.1), made of the definitions in force: only kinds, fields and actions that the
asker has."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import orjson
from fastapi import APIRouter, Request, Response

from cloud.api import saying
from cloud.api.asking import reading
from cloud.api.deps import ApiDeps
from cloud.api.evidence import evidence_lines
from cloud.api.kinds import fields_seen, kinds_seen
from cloud.api.openapi_more import NAMED, around_lines, exchange_lines, search_line
from cloud.api.operations import (
    CHANGING,
    Line,
    Operation,
    event,
    in_header,
    in_path,
    in_query,
    known,
    match,
    name,
    problem,
    problems,
    ref,
)
from cloud.api.parts import MAX_KEY, parameters
from cloud.api.records import DEFAULT_LIMIT, KEPT, MAX_EVENTS, MAX_SOURCE, MAX_SOURCE_KEY
from cloud.api.schemas import MAX_REF, Schema, answered, both_languages, closed, listed, nullable, reason, taken
from cloud.kernel.access import ARCHIVE, CONFIGURE, CREATE, TRANSITION, WRITE, Grant
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef
from cloud.objects.permits import Reach
from cloud.objects.query import MAX_LIMIT

KEPT_DOCUMENTS = 16
"""As many askers with different permissions are there at a time; a document is some 500 kB."""

UNSORTED = frozenset({"json", "refs", "choices"})

router = APIRouter()


@dataclass
class Documents:
    """Those made lately: making one anew takes as long as many answers. By state of the definitions and permissions."""

    kept: OrderedDict[tuple[int, tuple[Grant, ...], str], bytes] = field(default_factory=OrderedDict)

    def get(self, at: Caller, root: str, cookie: str) -> bytes:
        """For this asker, with the definitions in force, served below `root`."""
        key = (at.objects.stamp, at.access.grants, root)
        found = self.kept.pop(key, None)
        if found is None:
            found = orjson.dumps({**document(at, cookie), "servers": [{"url": root or "/"}]})
        self.kept[key] = found
        if len(self.kept) > KEPT_DOCUMENTS:
            self.kept.popitem(last=False)
        return found


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """This description."""
    parameters(request, ())
    documents: Documents = request.app.state.documents
    deps: ApiDeps = request.app.state.deps
    async with reading(request) as at:
        found = documents.get(at, request.scope.get("root_path", ""), deps.cookie)
    return Response(found, media_type="application/json", headers=saying.PRIVATE)


def document(at: Caller, cookie: str) -> Schema:
    """The whole document but the address where it is served; `cookie` is that of browsers' sessions."""
    schemas: dict[str, Schema] = {"Problem": problem(), "Event": event(), **NAMED}
    paths: dict[str, Schema] = {}
    for path, method, operation in _common(at):
        paths.setdefault(path, {})[method] = operation.document()
    for one in kinds_seen(at):
        schemas[one.key] = answered(one, fields_seen(at, one.key))
        for action in [each for each in (CREATE, WRITE) if at.access.may(one.key, each) and not one.read_only]:
            schemas[f"{one.key}.{action}"] = taken(one, reach_of(at, one, action), new=action == CREATE)
        beside = (*around_lines(one), *exchange_lines(at, one), *evidence_lines(one))
        for path, method, operation in (*_OfKind(at, one).all(), *beside):
            paths.setdefault(path, {})[method] = replace(operation, under=one.key).document()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallybox",
            "version": "1",
            "description": "Records of every kind. Lists are filtered by expressions over a kind's fields.",
        },
        "security": [{"key": []}, {"session": [], "token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
                "token": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def _common(at: Caller) -> Iterator[Line]:
    shown = {"key": {"type": "string"}, "label": both_languages()}
    item: Schema = {"type": "object", "required": ["key", "label"], "properties": shown}
    many = closed({"items": listed(item)})
    yield "/o", "get", Operation("kinds", "Kinds that the asker may read", many)
    yield "/defs", "get", Operation("definitions", "Definitions of all kinds that the asker may read", many)
    yield "/openapi.json", "get", Operation("openapi", "This description", {"type": "object"})
    yield search_line()
    readable = [one.key for one in kinds_seen(at)]
    if readable:
        kind = in_path("kind", {"enum": readable})
        yield "/defs/{kind}", "get", Operation("definition", "One definition", item, (kind, known()), tag=True)
    if any(at.access.may(key, CONFIGURE) for key in [*at.objects.definitions, ""]):
        kind = in_path("kind", {"type": "string", "pattern": "^[a-z][a-z0-9_]{1,39}$"})
        asked = (kind, match(required=True))
        text: Schema = {"type": "string", "description": "A definition in YAML."}
        yield "/defs/{kind}", "put", Operation(
            "define", "Put a definition in force", item, asked, text, "application/yaml",
            tag=True, made=True, also=(*CHANGING, "428"),
        )  # fmt: skip


@dataclass(frozen=True)
class _OfKind:
    """What can be done with one kind."""

    at: Caller
    one: ObjectDef

    @property
    def item(self) -> Schema:
        return {"$ref": f"#/components/schemas/{self.one.key}"}

    def may(self, action: str) -> bool:
        return self.at.access.may(self.one.key, action) and not self.one.read_only

    def operation(self, key: str, words: str, schema: Schema, *asked: Schema) -> Operation:
        return Operation(f"{self.one.key}.{key}", f"{self.one.label.en}: {words}", schema, asked)

    def all(self) -> Iterator[Line]:
        whole, single = f"/o/{self.one.key}", f"/o/{self.one.key}/{{ref}}"
        yield whole, "get", self.list()
        if self.may(CREATE):
            yield whole, "post", self.create()
        yield single, "get", replace(self.operation("read", "Read", self.item, ref(), known()), tag=True)
        if self.may(WRITE):
            yield single, "patch", self.change()
        yield f"{single}/history", "get", self.history()
        actions = closed({"actions": listed({"type": "string"})})
        yield f"{single}/actions", "get", self.operation("actions", "Transitions from here", actions, ref())
        if self.at.rows(self.one.key).has("source"):
            yield from self.by_source(f"{whole}/by/{{source}}/{{source_key}}")
        if self.may(ARCHIVE):
            body = closed({"reason": reason()}, required=())
            yield f"{single}/archive", "post", self.act("archive", "Take out of the lists", body)
            yield f"{single}/restore", "post", self.act("restore", "Put back", body)
        for key, label in {each.key: each.label for each in self.one.transitions}.items():
            if self.at.access.may(self.one.key, f"{TRANSITION}{key}"):
                yield f"{single}/do/{key}", "post", self.transition(key, label.en)

    def list(self) -> Operation:
        seen = fields_seen(self.at, self.one.key)
        sorts = ", ".join(each.key for each in self.one.live if each.type not in UNSORTED and seen.allows(each.key))
        count = closed({"number": {"type": "integer"}, "or_more": {"type": "boolean"}})
        text, pages = {"type": "string"}, {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        page = {"items": listed(self.item), "next": nullable(text), "count": count, "outside": text}
        return self.operation(
            "list",
            "List",
            closed(page, required=("items", "next")),
            in_query("filter", text, "A condition over the fields, as `score > 5 and city == 'Haifa'`."),
            in_query("sort", text, f"A field, `-` before it for the other way round: {sorts}."),
            in_query("fields", text, "Fields wanted in `values`, with commas between."),
            in_query("limit", pages),
            in_query("after", text, "`next` of the page before."),
            in_query("archived", {"enum": list(KEPT), "default": "live"}),
            in_query("count", {"enum": ["true", "false"]}, "Whether to count as well (up to 1000)."),
        )

    def history(self) -> Operation:
        pages = {"type": "integer", "minimum": 1, "maximum": MAX_EVENTS, "default": DEFAULT_LIMIT}
        page = closed({"items": listed({"$ref": "#/components/schemas/Event"}), "next": nullable({"type": "integer"})})
        after = in_query("after", {"type": "integer", "minimum": 0, "maximum": 10**15})
        return self.operation("history", "History, oldest first", page, ref(), in_query("limit", pages), after)

    def create(self) -> Operation:
        values = taken(self.one, reach_of(self.at, self.one, CREATE), new=True)
        uid = {"type": ["string", "null"], "format": "uuid", "description": "Said again, it is the same record."}
        body = {"values": self.values(CREATE), "uid": uid, "ref": self.number(), "reason": reason()}
        key = {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"}
        return replace(
            self.operation("create", "Make", self.item, in_header("Idempotency-Key", key, "In place of `uid`.")),
            body=closed(body, required=("values",) if values.get("required") else ()),
            tag=True,
            made=True,
            also=("409", "413", "415", "422"),
        )

    def change(self) -> Operation:
        body = closed({"values": self.values(WRITE), "reason": reason()}, required=())
        found = self.operation("change", "Change", self.item, ref(), match(required=True))
        return replace(found, body=body, tag=True, also=(*CHANGING, "428"))

    def by_source(self, path: str) -> Iterator[Line]:
        source = (in_path("source", name(MAX_SOURCE)), in_path("source_key", name(MAX_SOURCE_KEY)))
        read = self.operation("read_by_source", "Read by another system's number", self.item, *source, known())
        yield path, "get", replace(read, tag=True, also=("422",))
        if self.may(CREATE) and self.may(WRITE):
            # Of a record that is there only what changes is sent.
            values = taken(self.one, reach_of(self.at, self.one, CREATE), new=False)
            body = {"values": values, "ref": self.number(), "reason": reason()}
            words = "Make or change by another system's number"
            put = self.operation("upsert", words, self.item, *source, match(required=False))
            yield path, "put", replace(put, body=closed(body, required=()), tag=True, made=True, also=CHANGING)

    def transition(self, key: str, words: str) -> Operation:
        body = {"reason": reason()}
        if self.may(WRITE):
            body["values"] = self.values(WRITE)
        return self.act(f"do_{key}", words, closed(body, required=()))

    def act(self, key: str, words: str, body: Schema) -> Operation:
        found = self.operation(key, words, self.item, ref(), match(required=False))
        return replace(found, body=body, body_required=False, tag=True, also=CHANGING)

    def values(self, action: str) -> Schema:
        return {"$ref": f"#/components/schemas/{self.one.key}.{action}"}

    def number(self) -> Schema:
        return {"type": ["string", "null"], "maxLength": MAX_REF, "description": "A number that comes from elsewhere."}


def reach_of(at: Caller, one: ObjectDef, action: str) -> Reach:
    """Fields that the action reaches on some record."""
    return Reach(tuple(way.mask for way in at.access.ways(one.key, action)))
