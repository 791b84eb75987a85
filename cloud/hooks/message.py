"""What is told of one event: its type, and the JSON that is sent."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

from cloud.errors import Refused
from cloud.kernel.models import Event

ENDINGS = {"create": "created", "change": "changed", "archive": "archived", "restore": "restored"}
"""The kernel's own actions; all others are names of transitions and are told as they are."""

MAX_BODY = 256 * 1024
"""Receivers commonly take a megabyte or less; a change that is longer is told without its values, to be fetched."""

MAX_PATTERNS = 50

_PATTERN = re.compile(r"(\*|[a-z][a-z0-9_]{0,63})\.(\*|[a-z][a-z0-9_]{0,63})")


def type_of(event: Event) -> str:
    """`deal.created`, `deal.changed`, `receipt.post`..."""
    return f"{event.kind}.{ENDINGS.get(event.action, event.action)}"


def message_id(event_id: int) -> str:
    """The same for every try and every replay of an event: a receiver that has seen it may pass it over."""
    return f"evt_{event_id}"


def checked_patterns(texts: Iterable[str]) -> list[str]:
    """The patterns in order, each once; `*` alone is `*.*`. Raises Refused for one that cannot match and for none at all."""
    found = list(dict.fromkeys("*.*" if text == "*" else text for text in (one.strip() for one in texts) if text))
    wrong = next((one for one in found if not _PATTERN.fullmatch(one)), None)
    if wrong is not None or not 0 < len(found) <= MAX_PATTERNS:
        raise Refused("hook_pattern", pattern=(wrong or "")[:60])
    return found


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether a type is one of those that an endpoint wants."""
    kind, _, action = name.partition(".")
    return any(_part(left, kind) and _part(right, action) for left, _, right in (one.partition(".") for one in patterns))


def _part(pattern: str, text: str) -> bool:
    return pattern in {"*", text}


def body(event: Event, changes: Mapping[str, Any]) -> bytes:
    """The message with the changes that may be seen; `version` where the event says it."""
    version = changes.get("version")
    told: dict[str, Any] = {
        "id": message_id(event.id),
        "type": type_of(event),
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "kind": event.kind,
        "ref": event.ref,
        "version": version[1] if isinstance(version, list) and len(version) == 2 else None,
        "changes": dict(changes),
        "actor": {"kind": event.actor_kind, "name": event.actor},
        "chain": event.chain,
    }
    encoded = _encode(told)
    return encoded if len(encoded) <= MAX_BODY else _encode({**told, "changes": {}, "changes_left_out": True})


def _encode(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
