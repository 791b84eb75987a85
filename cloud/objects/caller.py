"""Who works on records in one transaction, with which definitions and what is asked of the layers above."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.access import Access
from cloud.kernel.actor import Taken
from cloud.objects.definition import ObjectDef
from cloud.objects.references import References
from cloud.objects.registry import Objects, Registry
from cloud.objects.rows import Rows
from sync_protocol.expressions import Given
from sync_protocol.expressions.values import Value


class Saved(Protocol):
    """Told of every row that was written, in its transaction; `values` are as rows have them."""

    def __call__(self, caller: "Caller", rows: Rows, row: Any, values: Mapping[str, Any], /) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Document:
    """A file that hangs on a record, for `has_document`."""

    kind: str
    signed: bool


Documents = Callable[[AsyncSession, str, int], Awaitable[Sequence[Document]]]


@dataclass
class Hooks:
    """What other packages add. `documents` answers which files a record has."""

    saved: list[Saved] = field(default_factory=list)
    documents: Documents | None = None


@dataclass
class Caller:
    """One actor in one transaction. What they may do is `taken.access`; without one everything is allowed, which is for what
    acts by itself."""

    session: AsyncSession
    objects: Objects
    taken: Taken
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    hooks: Hooks = field(default_factory=Hooks)
    references: References = field(init=False)
    named_openly: dict[str, bool] = field(default_factory=dict, init=False, repr=False)
    """Of kinds that were asked about: whether the names of all their records may be heard (cloud.objects.naming)."""

    def __post_init__(self) -> None:
        self.references = References(self.session, self.objects)

    @property
    def access(self) -> Access:
        return self.taken.access if self.taken.access is not None else Access.all()

    @property
    def login(self) -> str:
        return self.taken.actor.name

    def rows(self, kind: str) -> Rows:
        """Raises NotFound."""
        return Rows(self.objects.get(kind), self.objects)

    def given(self, documents: Sequence[Document] = ()) -> Given:
        """What expressions know beside the record: the time, today at the house, and its files."""

        def has_document(kind: Value, signed: Value = None) -> Value:
            return any(one.kind == kind and (signed is None or one.signed is signed) for one in documents)

        now = self.taken.at.astimezone(UTC)
        return Given(now, self.taken.at.astimezone(self.zone).date(), {"has_document": has_document})

    async def given_of(self, definition: ObjectDef, row_id: int | None, text: str) -> Given:
        """As `given`, with the record's files where the expression asks for them."""
        if row_id is None or self.hooks.documents is None or "has_document" not in text:
            return self.given()
        return self.given(await self.hooks.documents(self.session, definition.key, row_id))


async def caller(
    session: AsyncSession, registry: Registry, taken: Taken, *, zone: ZoneInfo | None = None, hooks: Hooks | None = None
) -> Caller:
    """With the definitions in force."""
    return Caller(session, await registry.current(session), taken, zone or ZoneInfo("UTC"), hooks or Hooks())
