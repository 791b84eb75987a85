"""JSON of messages with its digits kept, and paths into it (RFC 9535)."""

import json
import re
from decimal import Decimal
from functools import lru_cache

from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError

MAX_PATH = 200
"""Characters: paths name fields of a device's message, they do not program."""

ABSENT = object()
"""What stands at a path that leads nowhere: null is something that a device said."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)

PLACES = 18
"""Digits on either side of the point, as in everything that the journal keeps."""


class ContentFault(ValueError):
    """What a message holds cannot be read as it should; the text says why."""


def _environment() -> JSONPathEnvironment:
    environment = JSONPathEnvironment(strict=True)
    # A regular expression in a filter could hold up the box for as long as it likes.
    for name in ("match", "search"):
        del environment.function_extensions[name]
    return environment


_ENVIRONMENT = _environment()


@lru_cache(maxsize=256)
def compiled(path: str) -> JSONPath:
    """A path, ready to be used. Raises ContentFault. 256: a box has some tens of them, and asks for each again and again."""
    if len(path) > MAX_PATH:
        raise ContentFault(f"a path has at most {MAX_PATH} characters")
    try:
        found = _ENVIRONMENT.compile(path)
    except (JSONPathError, RecursionError) as exc:
        raise ContentFault(f"{path[:80]!r} is no path such as $.ENERGY.Power: {str(exc).splitlines()[0]}") from exc
    if not isinstance(found, JSONPath):
        raise ContentFault(f"{path[:80]!r} is more than one path")
    return found


def parsed(payload: bytes) -> object:
    """What a payload holds; numbers are Decimals with their digits as sent. Raises ContentFault."""
    try:
        text = payload.decode()
        return json.loads(text, parse_float=_finite, parse_int=_finite, parse_constant=_refused)
    except UnicodeDecodeError as exc:
        raise ContentFault("the message is not UTF-8") from exc
    except (ValueError, RecursionError) as exc:
        reason = str(exc) if isinstance(exc, ContentFault) else "the message is not JSON"
        raise ContentFault(reason) from exc


def found_at(path: str, content: object) -> object:
    """The one thing at a path; ABSENT where there is nothing. Raises ContentFault where there is more than one."""
    if isinstance(content, str):
        # The library takes a text for a document that is yet to be read; here it is a value, and holds nothing.
        return content if path.strip() == "$" else ABSENT
    try:
        found = [match.obj for match in compiled(path).finditer(content)]  # type: ignore[arg-type]
    except JSONPathError as exc:
        raise ContentFault(f"{path}: {str(exc).splitlines()[0]}") from exc
    if len(found) > 1:
        raise ContentFault(f"{path} finds {len(found)} values: name the one that is meant")
    return found[0] if found else ABSENT


def number(content: object) -> Decimal:
    """A number, or a text that is nothing but one. Raises ContentFault."""
    if isinstance(content, Decimal):
        return content
    if isinstance(content, str) and _NUMBER.fullmatch(content.strip()):
        return Decimal(content.strip())
    raise ContentFault(f"not a number: {_short(content)}")


def text(content: object) -> str | None:
    """A word or number as text; None for null and for nothing. Raises ContentFault for anything else."""
    if content is None or content is ABSENT:
        return None
    match content:
        case bool():
            return "true" if content else "false"
        case str():
            return content
        case Decimal():
            return format(content, "f")
        case _:
            raise ContentFault(f"neither word nor number: {_short(content)}")


def _short(content: object) -> str:
    return repr(content)[:40] if isinstance(content, str | bool) else type(content).__name__


def _finite(digits: str) -> Decimal:
    value = Decimal(digits)
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -PLACES or value.adjusted() >= PLACES:
        raise ContentFault(f"a number with more than {PLACES} digits before or behind the point")
    return value


def _refused(word: str) -> object:
    raise ContentFault(f"{word} is no number")
