"""Parts of a request, read strictly: segments of its path, parameters, versions, JSON. What is not understood is refused, since
a misspelt `filter` that is passed over would answer with everything."""

import json
import math
import re
import uuid
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote_to_bytes

from fastapi import Request

from cloud.api.asking import asker_of
from cloud.api.errors import BadRequest, TooLarge, VersionMissing, WrongType

MAX_BODY = 1024 * 1024
"""Of JSON: a record's long texts and rows fit several times; imports have their own cap."""

MAX_PARAMETERS = 20
MAX_NUMBER = 400
"""Digits of a whole number: Python's own cap is 4300, the largest field holds 19."""

MAX_REASON = 256
"""Characters, as the audit log keeps them."""

MAY_BE_NULL = frozenset({"uid", "ref", "reason", "note", "outcome", "due_on", "due_at"})

MAX_KEY = 255
"""Of `Idempotency-Key`."""

JSON = "application/json"
IDEMPOTENCY = uuid.UUID("6f1d9b1e-3b0a-5d5c-9a52-0d6a3f7a4e11")
"""Name space of the numbers that are made of idempotency keys (RFC 9562, 6.5)."""

_ETAG = re.compile(r'(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e\x80-\xff]*)"')
_SURROGATE = re.compile("[\ud800-\udfff]")


def segment(request: Request, name: str) -> str:
    """A segment of the path as it was meant: routes are matched while it is percent-encoded, so it may hold any character."""
    return _text(unquote_to_bytes(request.path_params[name]), "bad_path", name)


def parameters(request: Request, allowed: Collection[str]) -> dict[str, str]:
    """The query's parameters, each at most once. Raises BadRequest for others."""
    try:
        given = request.scope["query_string"].decode("ascii")
        pairs = parse_qsl(given, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as exc:
        raise BadRequest("bad_query") from exc
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in allowed:
            raise BadRequest("unknown_parameter", {"name": name[:60].replace("\x00", "\N{SYMBOL FOR NULL}")})
        if name in found:
            raise BadRequest("twice", {"name": name})
        if "\x00" in value:
            raise BadRequest("bad_text", {"name": name})
        found[name] = value
    return found


def number(given: Mapping[str, str], name: str, default: int, *, low: int = 1, high: int) -> int:
    """A whole number within bounds. Raises BadRequest."""
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and low <= int(text) <= high):
        raise BadRequest("bad_number", {"name": name, "min": str(low), "max": str(high)})
    return int(text)


def yes(given: Mapping[str, str], name: str) -> bool:
    """A parameter that is `true` or `false` (or not there). Raises BadRequest."""
    text = given.get(name, "false")
    if text not in {"true", "false"}:
        raise BadRequest("bad_bool", {"name": name})
    return text == "true"


def one_of(given: Mapping[str, str], name: str, options: Collection[str], default: str) -> str:
    """A parameter with a few words. Raises BadRequest."""
    text = given.get(name, default)
    if text not in options:
        raise BadRequest("bad_option", {"name": name, "options": ", ".join(options)})
    return text


def named_versions(request: Request, *, demanded: bool) -> frozenset[str] | None:
    """The tags of `If-Match`; None where any will do (`*`, or none given). Raises VersionMissing where one is demanded.

    Compared strongly (RFC 9110, 13.1.1): a weak tag matches nothing.
    """
    header = request.headers.get("if-match")
    if header is None:
        if demanded:
            raise VersionMissing
        return None
    if header.strip() == "*":
        return None
    return frozenset(tag for weak, tag in _tags(header) if not weak)


def seen_already(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names this tag (weakly, RFC 9110, 13.1.2)."""
    header = request.headers.get("if-none-match")
    if header is None:
        return False
    return header.strip() == "*" or any(one == tag for _, one in _tags(header))


def _tags(header: str) -> list[tuple[bool, str]]:
    found = []
    for part in filter(None, (one.strip() for one in header.split(","))):
        match = _ETAG.fullmatch(part)
        if match is None:
            raise BadRequest("bad_tag")
        found.append((bool(match["weak"]), match["tag"]))
    if not found:
        raise BadRequest("bad_tag")
    return found


async def raw_body(request: Request, limit: int) -> bytes:
    """The body. Raises TooLarge, before more than the limit is kept."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and (len(announced) > 15 or int(announced) > limit):
        raise TooLarge(limit)
    parts, taken = [], 0
    async for part in request.stream():
        taken += len(part)
        if taken > limit:
            raise TooLarge(limit)
        parts.append(part)
    return b"".join(parts)


def media_type(request: Request) -> str:
    """The body's, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_object(
    request: Request, allowed: Collection[str], *, optional: bool = False, limit: int = MAX_BODY
) -> dict[str, Any]:
    """The body's object, with no members but these. `optional`: an empty body is an empty object."""
    data = await raw_body(request, limit)
    if optional and not data:
        return {}
    if media_type(request) != JSON:
        raise WrongType(JSON)
    found = parse_json(data)
    if not isinstance(found, dict):
        raise BadRequest("not_an_object")
    for name in found:
        if name not in allowed:
            raise BadRequest("unknown_member", {"name": name[:60]})
    return found


def parse_json(data: bytes) -> Any:
    """JSON of which nothing is lost or guessed: no member twice, no number that floats change, no NUL, no half characters."""
    text = _text(data, "bad_json", "body")
    try:
        found = json.loads(text, object_pairs_hook=_members, parse_float=_float, parse_int=_int, parse_constant=_constant)
    except json.JSONDecodeError as exc:
        raise BadRequest("bad_json", {"line": str(exc.lineno), "column": str(exc.colno)}) from exc
    except RecursionError as exc:
        raise BadRequest("too_deep") from exc
    _sound(found)
    return found


def _text(data: bytes, code: str, name: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise BadRequest("bad_utf8", {"name": name}) from exc
    if "\x00" in text:
        raise BadRequest(code, {"name": name})
    return text


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("member_twice")
    return found


def _float(text: str) -> float:
    found = float(text)
    if not math.isfinite(found) or (len(text) > 15 and (len(text) > MAX_NUMBER or Decimal(text) != Decimal(repr(found)))):
        # JSON's readers keep 15 to 17 digits (RFC 8259, 6): exact numbers are sent as texts.
        raise BadRequest("number_too_exact", {"found": text[:40]})
    return found


def _int(text: str) -> int:
    if len(text) > MAX_NUMBER:
        raise BadRequest("number_too_exact", {"found": text[:40]})
    return int(text)


def _constant(text: str) -> NoReturn:
    raise BadRequest("bad_json", {"found": text})


def _sound(value: object) -> None:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and ("\x00" in one or _SURROGATE.search(one)):
            raise BadRequest("bad_text", {"name": "body"})


def member(body: Mapping[str, Any], name: str, wanted: type, default: Any) -> Any:
    """One member of a body, of its type; null is as good as nothing where that says something. Raises BadRequest."""
    found = body.get(name, default)
    if found is default or (found is None and name in MAY_BE_NULL):
        return default
    if not isinstance(found, wanted):
        raise BadRequest("bad_member", {"name": name})
    return found


def reason_of(body: Mapping[str, Any]) -> str | None:
    """Why something is done; blank is none. Raises BadRequest."""
    text: str = member(body, "reason", str, "")
    if len(text) > MAX_REASON:
        raise BadRequest("reason_too_long", {"max": str(MAX_REASON)})
    return text.strip() or None


def uid_of(request: Request, kind: str, body: Mapping[str, Any]) -> str | None:
    """The record's own number, by which the same creation is known again: the body's, or made of `Idempotency-Key`."""
    text = member(body, "uid", str, None)
    header = request.headers.get("idempotency-key")
    if text is not None and header is not None:
        raise BadRequest("uid_twice")
    if header is not None:
        if not 0 < len(header) <= MAX_KEY:
            raise BadRequest("bad_idempotency_key", {"max": str(MAX_KEY)})
        # Two programs that count from 1 must not meet.
        return str(uuid.uuid5(IDEMPOTENCY, f"{asker_of(request).actor.name}\n{kind}\n{header}"))
    if text is None:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError as exc:
        raise BadRequest("bad_uid") from exc
