"""What is told when something does not work: problem documents (RFC 9457), in the language that was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from cloud import errors as core
from cloud.api.asking import locale_of
from cloud.api.deps import ApiDeps
from cloud.api.errors import ApiFault, NotWhole
from cloud.blobs.store import BlobFault
from cloud.objects.faults import BadDefinition, Invalid
from cloud.objects.query import BadQuery

log = structlog.get_logger()

PROBLEM_TYPE = "application/problem+json"
URN = "urn:tallybox:problem:"
RETRY_AFTER_S = 2
"""A lock is held for milliseconds, a database restarts in seconds."""

STATUS: Sequence[tuple[type[core.CloudError], int]] = (
    (core.NotFound, 404),
    (BadQuery, 400),
    (Invalid, 422),
    (BadDefinition, 422),
    (core.Conflict, 409),
    (core.WrongState, 409),
    (core.Forbidden, 403),
    (core.Refused, 422),
    (BlobFault, 503),
)
"""First match wins."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem before it is put into words. `errors` are its parts; `said` is the definition's own sentence, by language."""

    status: int
    code: str
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Mapping[str, Any]] = ()
    said: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def add_handlers(app: FastAPI) -> None:
    """Have everything that may be raised answered as a problem."""
    for fault in (core.CloudError, HTTPException, RequestValidationError):
        app.add_exception_handler(fault, answer)
    for trouble in (OperationalError, InterfaceError, PoolTimeout, IntegrityError):
        app.add_exception_handler(trouble, _database_away)


async def answer(request: Request, exc: Exception) -> Response:
    """The handler of declared faults."""
    deps: ApiDeps = request.app.state.deps
    locale = locale_of(request)
    return render(problem_of(exc, deps, locale), deps, locale)


async def _database_away(request: Request, exc: Exception) -> Response:
    log.warning("database_unavailable", reason=type(exc).__name__)
    deps: ApiDeps = request.app.state.deps
    found = Problem(503, "database_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})
    return render(found, deps, locale_of(request))


def problem_of(exc: Exception, deps: ApiDeps, locale: str) -> Problem:
    """What was raised, as a problem."""
    if isinstance(exc, ApiFault):
        errors = exc.errors if isinstance(exc, NotWhole) else ()
        return Problem(exc.status, exc.code, exc.values, errors, headers=exc.headers)
    if isinstance(exc, HTTPException):
        code = {404: "not_there", 405: "method_not_allowed"}.get(exc.status_code, "not_possible")
        return Problem(exc.status_code, code, headers=dict(exc.headers or {}))
    status = next((status for kind, status in STATUS if isinstance(exc, kind)), 400)
    if isinstance(exc, core.NotFound):
        return Problem(status, "not_found", {"kind": exc.kind[:60], "ref": exc.ref[:60]})
    if isinstance(exc, Invalid):
        return Problem(status, exc.code, exc.values, _field_errors(exc, deps, locale))
    if isinstance(exc, BadDefinition):
        return Problem(status, "bad_definition", errors=_line_errors(exc))
    if isinstance(exc, core.Refused):
        said = {name: text for name, text in exc.values.items() if name in {"en", "he"}}
        values = {name: text for name, text in exc.values.items() if name not in said}
        return Problem(status, exc.code, values, said=said)
    if isinstance(exc, BlobFault):
        return Problem(status, "files_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})
    return Problem(status, "not_possible")


def _field_errors(exc: Invalid, deps: ApiDeps, locale: str) -> list[dict[str, Any]]:
    return [field_error(one.field, one.code, one.values, one.message, deps=deps, locale=locale) for one in exc.faults]


def field_error(
    name: str, code: str, values: Mapping[str, str], message: Mapping[str, str], *, deps: ApiDeps, locale: str
) -> dict[str, Any]:
    """What is wrong with one value; the definition's own sentence goes before ours."""
    own = message.get(locale) or message.get("en")
    words = own or deps.say(locale, f"invalid.{code}", values) or _plain(code, values)
    return {"field": name, "code": code, "message": words, "values": dict(values)}


def _line_errors(exc: BadDefinition) -> list[dict[str, Any]]:
    return [
        {"field": one.path, "code": one.code, "message": one.message, "line": one.line, "column": one.column}
        for one in exc.faults
    ]


def render(problem: Problem, deps: ApiDeps, locale: str) -> Response:
    """The document."""
    detail = (
        problem.said.get(locale)
        or problem.said.get("en")
        or deps.say(locale, f"fault.{problem.code}", problem.values)
        or _plain(problem.code, problem.values)
    )
    body = {
        "type": f"{URN}{problem.code}",
        "title": deps.say(locale, f"fault_title.{problem.status}", {}) or _plain(problem.code, {}),
        "status": problem.status,
        "detail": detail,
        "code": problem.code,
        "values": dict(problem.values),
        **({"errors": list(problem.errors)} if problem.errors else {}),
    }
    headers = {"Content-Language": locale, "Cache-Control": "no-store", **problem.headers}
    return JSONResponse(body, problem.status, media_type=PROBLEM_TYPE, headers=headers)


def _plain(code: str, values: Mapping[str, str]) -> str:
    words = code.replace("_", " ")
    told = ", ".join(f"{name}: {text}" for name, text in values.items())
    return f"{words} ({told})" if told else words
