"""What the parts around a record need to know of it, and whom they ask who may read it."""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

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
    internal: bool = True


class Readers(Protocol):
    """Who of these people may read a record; with `internal`, also what is internal about it."""

    def __call__(
        self, session: AsyncSession, record: RecordRef, logins: Collection[str], /, *, internal: bool
    ) -> Awaitable[frozenset[str]]: ...


class Readable(Protocol):
    """Which of these records of a kind the person who asks may read, each with its title as they see it; with `internal`, also
    what is internal about them."""

    def __call__(
        self, session: AsyncSession, kind: str, ids: Collection[int], /, *, internal: bool
    ) -> Awaitable[Mapping[int, str]]: ...
