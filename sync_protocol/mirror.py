"""Master data downwards: rows of one scope (a station), sent as patches with a cookie and a checksum over the whole."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sync_protocol.errors import PatchFault

MAX_OPS = 1000
"""Rows of one patch: a page of some hundred kilobytes; `more` says that the next pull has the rest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of master data: table, key, revision, value. Revisions of a key only grow."""

    t: str
    k: str
    rev: int
    v: dict[str, Any]


class Clear(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    op: Literal["clear"] = "clear"


class Put(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    op: Literal["put"] = "put"
    t: str
    k: str
    rev: int
    v: dict[str, Any]


class Del(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    op: Literal["del"] = "del"
    t: str
    k: str


class Patch(BaseModel):
    """From cookie `from` to `cookie`. `sum` is `checksum` of all rows afterwards, and is given when `more` is false."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    since: str = Field(alias="from")
    cookie: str
    patch: list[Clear | Put | Del] = Field(max_length=MAX_OPS)
    sum: str | None
    more: bool = False


Key = tuple[str, str]


def checksum(rows: Iterable[tuple[str, str, int]]) -> str:
    """SHA-256 over table, key and revision of every row, sorted; hex."""
    digest = hashlib.sha256()
    for t, k, rev in sorted(rows):
        digest.update(f"{len(t)}:{t}{len(k)}:{k}{rev};".encode())
    return digest.hexdigest()


def applied(rows: Mapping[Key, Row], patch: Patch) -> dict[Key, Row]:
    """The rows after the patch; raises PatchFault when their checksum is not the one the sender has."""
    after = dict(rows)
    for op in patch.patch:
        match op:
            case Clear():
                after.clear()
            case Put():
                after[op.t, op.k] = Row(op.t, op.k, op.rev, op.v)
            case Del():
                after.pop((op.t, op.k), None)
    if not patch.more and patch.sum != checksum((row.t, row.k, row.rev) for row in after.values()):
        raise PatchFault("the mirror's checksum is not the cloud's: pull everything again")
    return after


def parse(data: bytes) -> Patch:
    """Read a patch's JSON; raises PatchFault."""
    try:
        return Patch.model_validate_json(data)
    except ValidationError as exc:
        raise PatchFault(f"not a patch: {str(exc).splitlines()[0]}") from exc
