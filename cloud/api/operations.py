"""Operations of the description: parameters, bodies, and all answers there may be, problems among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloud.api.schemas import Schema, closed, listed, nullable

PROBLEMS = {
    "400": "The request cannot be read",
    "401": "Nobody whom we know asks",
    "403": "Not allowed",
    "404": "Not found",
    "405": "The path has no such method",
    "409": "Not possible as the record is now",
    "412": "The record moved on",
    "413": "Too large",
    "415": "Another type of body is taken",
    "422": "The values cannot be taken",
    "428": "If-Match is missing",
    "429": "Too often",
    "503": "The database is busy; nothing was saved",
}
ALWAYS = ("400", "401", "403", "404", "429", "503")

CHANGING = ("409", "412", "413", "415", "422")


@dataclass(frozen=True, slots=True)
class Operation:
    """`tag`: it is answered with an `ETag`; `made`: also with 201 (`only`: with nothing else); `also`: problems beside those
    that every one has."""

    name: str
    words: str
    schema: Schema
    parameters: tuple[Schema, ...] = ()
    body: Schema | None = None
    body_type: str = "application/json"
    body_required: bool = True
    tag: bool = False
    made: bool | Literal["only"] = False
    answer_type: str = "application/json"
    also: tuple[str, ...] = ()
    under: str = ""
    """The heading that it stands under."""

    def document(self) -> Schema:
        """As OpenAPI has it."""
        found: Schema = {
            "operationId": self.name,
            "summary": self.words,
            "parameters": list(self.parameters),
            "responses": self._answers(),
        }
        if self.under:
            found["tags"] = [self.under]
        if self.body is not None:
            found["requestBody"] = {"required": self.body_required, "content": {self.body_type: {"schema": self.body}}}
        return found

    def _answers(self) -> Schema:
        good: Schema = {"description": self.words, "content": {self.answer_type: {"schema": self.schema}}}
        if self.tag:
            good["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "The version, in quotes."}}
        found: Schema = {} if self.made == "only" else {"200": good}
        if self.made:
            found["201"] = {**good, "description": "It is new"}
        if self.tag and self.body is None:
            found["304"] = {"description": "What the asker has is what there is"}
        for status in sorted({*ALWAYS, *self.also}):
            found[status] = {"$ref": f"#/components/responses/problem{status}"}
        return found


def problems() -> Schema:
    """The answers that operations refer to."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {f"problem{status}": {"description": words, "content": content} for status, words in PROBLEMS.items()}


Line = tuple[str, str, Operation]
"""Path, method, operation."""


def name(limit: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": limit, "pattern": "^[A-Za-z0-9._-]+$"}


def in_path(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def ref() -> Schema:
    return in_path("ref", {"type": "string", "minLength": 1})


def in_query(name: str, schema: Schema, words: str = "") -> Schema:
    found = {"name": name, "in": "query", "schema": schema}
    return {**found, "description": words} if words else found


def in_header(name: str, schema: Schema, words: str, *, required: bool = False) -> Schema:
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": words}


def match(*, required: bool) -> Schema:
    schema = {"type": "string", "pattern": r'^(\*|"[0-9]{1,15}")$'}
    return in_header("If-Match", schema, "The version that was seen, in quotes, as `ETag` gave it.", required=required)


def known() -> Schema:
    schema = {"type": "string", "pattern": r'^(\*|(W/)?"[0-9]{1,15}")$'}
    return in_header("If-None-Match", schema, "The version that the asker has.")


def problem() -> Schema:
    text: Mapping[str, Any] = {"type": "string"}
    error = {
        "type": "object",
        "required": ["field", "code", "message"],
        "properties": {
            "field": text,
            "code": text,
            "message": text,
            "line": {"type": "integer"},
            "column": {"type": "integer"},
            "values": {"type": "object"},
        },
    }
    return {
        "type": "object",
        "description": "RFC 9457. `code` is stable; `title` and `detail` are for people, in the language asked for.",
        "required": ["type", "title", "status", "detail", "code", "values"],
        "properties": {
            "type": {"type": "string", "pattern": "^urn:tallybox:problem:[a-z0-9_]+$"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "code": text,
            "values": {"type": "object", "additionalProperties": {"type": "string"}},
            "errors": listed(error),
        },
    }


def event() -> Schema:
    text = nullable({"type": "string"})
    return closed(
        {
            "id": {"type": "integer"},
            "at": {"type": "string", "format": "date-time"},
            "actor_kind": {"enum": ["user", "box", "system"]},
            "actor": {"type": "string"},
            "via": text,
            "action": {"type": "string"},
            "changes": {"type": "object"},
            "reason": text,
            "request_id": text,
            "chain": text,
            "hash": {"type": "string"},
        }
    )
