"""What the parts around a record need to know of it, and whom they ask who may read it."""

from collections.abc import Awaitable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.access import Access
from cloud.kernel.actor import Taken

Visibility = Literal["internal", "portal"]
INTERNAL: Visibility = "internal"
PORTAL: Visibility = "portal"


@dataclass(frozen=True, slots=True)
class RecordRef:
    """One record, as everything around it names it. `internal`: whether whoever asked may see what is internal about it."""

    kind: str
    id: int
    ref: str
    title: str = ""
    site: str | None = None
    internal: bool = True


@dataclass(frozen=True, slots=True)
class Opened:
    """A record that somebody may read, and what they may do to it. `fields` says which of its fields they see."""

    record: RecordRef
    taken: Taken
    access: Access
    may_write: bool
    hidden: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def sees(self, name: str) -> bool:
        return name not in self.hidden and (self.only is None or name in self.only)


class Readers(Protocol):
    """Who of these people may read a record; with `internal`, also what is internal about it."""

    def __call__(
        self, session: AsyncSession, record: RecordRef, logins: Collection[str], *, internal: bool
    ) -> Awaitable[frozenset[str]]: ...


class Readable(Protocol):
    """Which of these records of a kind the person who asks may read; with `internal`, also what is internal about them."""

    def __call__(
        self, session: AsyncSession, kind: str, ids: Collection[int], *, internal: bool
    ) -> Awaitable[frozenset[int]]: ...


class RecordGate(Protocol):
    """Opens records for the person behind a request."""

    async def readable(self, request: Request, kind: str, ref: str) -> Opened:
        """Raises NotFound, for what is not there and for what this person may not read alike."""
        ...
