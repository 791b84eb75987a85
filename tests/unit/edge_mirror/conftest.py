"""A cloud's mirror endpoint by script, without a wire."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from sync_protocol.mirror import Patch, Put, Row, checksum


def row(key: str, rev: int = 1, *, table: str = "product", **value: Any) -> Row:
    """A product that a station can read, unless `value` says otherwise."""
    return Row(table, key, rev, {"sku": key, "name": f"Item {key}", "unit": "kg"} | value)


def patch(since: str, cookie: str, ops: Sequence[Any], after: Sequence[Row], *, more: bool = False) -> Patch:
    total = None if more else checksum((found.t, found.k, found.rev) for found in after)
    puts = [Put(t=op.t, k=op.k, rev=op.rev, v=op.v) if isinstance(op, Row) else op for op in ops]
    return Patch(since=since, cookie=cookie, patch=puts, sum=total, more=more)


@dataclass
class Pages:
    """Answers each cookie with its patch, and remembers what was asked."""

    answers: dict[str, Patch | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def pull(self, _scope: str, cookie: str) -> Patch:
        self.asked.append(cookie)
        answer = self.answers[cookie]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def make_row() -> Callable[..., Row]:
    return row


@pytest.fixture
def make_patch() -> Callable[..., Patch]:
    return patch
