"""A paper's content as canonical JSON, its hash, and the code that leads to the page where it is checked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from cloud.papers.views import View
from sync_protocol.quantity import plain

FORM = 1
"""Edition of this form; stands in every snapshot."""

CHECKED_UNDER = "/v/"


@dataclass(frozen=True, slots=True)
class Head:
    """Which paper it is."""

    uid: str
    kind: str
    record_kind: str
    record: str
    record_ref: str
    version: int
    language: str
    made_at: datetime
    made_by: str


def content_of(view: View) -> dict[str, Any]:
    """The view as JSON values: decimals as their digits, times in UTC."""
    found = _plain(view)
    assert isinstance(found, dict)  # noqa: S101 - a view is a dataclass
    return found


def frozen(head: Head, content: Mapping[str, Any]) -> str:
    """All of it: keys in order, no blanks, letters as themselves."""
    return canonical({"form": FORM, "paper": _plain(head), "content": content})


def canonical(value: Mapping[str, Any]) -> str:
    """JSON of which there is one for the same values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text: str | bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def code_text(uid: str, sha256: str, address: str) -> str:
    """What the paper's code holds: where it is checked, and its hash where only the reader sees it (a fragment is not sent).

    `address` is the house's public one, as `https://example.com`; without any the code only names the paper.
    """
    if not address:
        return f"tallybox:paper/{uid}#{sha256}"
    return f"{address.rstrip('/')}{CHECKED_UNDER}{uid}#{sha256}"


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return plain(value) if isinstance(value, Decimal) else value
