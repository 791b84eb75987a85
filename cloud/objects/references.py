"""Rows that other rows lead to: found by number, named by title, and read for conditions. Each row is read once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.objects.definition import FieldDef, ObjectDef
from cloud.objects.models import Link
from cloud.objects.registry import Objects
from cloud.objects.rows import Reference, Rows
from cloud.objects.values import storable

MAX_LINKED = 200
"""Of one `refs` field."""


@dataclass
class References:
    """For one transaction."""

    session: AsyncSession
    objects: Objects
    _rows: dict[tuple[str, int], Any] = field(default_factory=dict)
    _named: dict[tuple[str, int], Reference] = field(default_factory=dict)

    def rows_of(self, kind: str) -> Rows:
        return Rows(self.objects.get(kind), self.objects)

    async def load(self, kind: str, ids: Iterable[int]) -> None:
        """Read those rows that are not here yet."""
        missing = sorted({one for one in ids if (kind, one) not in self._rows})
        rows = self.rows_of(kind)
        for start in range(0, len(missing), 500):
            part = missing[start : start + 500]
            for row in await self.session.scalars(select(rows.model).where(rows.model.id.in_(part), *rows.own())):
                self._rows[kind, row.id] = row

    async def row(self, kind: str, row_id: int | None) -> Any | None:
        """A row by its number in the table; None where there is none."""
        if row_id is None:
            return None
        await self.load(kind, [row_id])
        return self._rows.get((kind, row_id))

    async def named(self, kind: str, ids: Iterable[int]) -> dict[int, Reference]:
        """How people see rows of one kind."""
        wanted = list(dict.fromkeys(ids))
        missing = [one for one in wanted if (kind, one) not in self._named]
        if missing:
            await self.load(kind, missing)
            rows = self.rows_of(kind)
            for one in missing:
                row = self._rows.get((kind, one))
                if row is not None:
                    await self.fresh(rows, row)
        return {one: self._named[kind, one] for one in wanted if (kind, one) in self._named}

    async def fresh(self, rows: Rows, row: Any) -> Reference:
        """How people see a row as it is now."""
        title = rows.title(row, await self.title_values(rows, row))
        found = Reference(rows.definition.key, row.id, rows.ref(row), title)
        self._named[rows.definition.key, row.id] = found
        return found

    async def title_values(self, rows: Rows, row: Any) -> dict[str, Any]:
        """What the title is made of, by field."""
        values: dict[str, Any] = {}
        for name in rows.definition.title_fields:
            one = rows.definition.by_key.get(name)
            if one is None or one.type == "refs":
                continue
            value = rows.get(row, one)
            if one.type == "ref" and value is not None:
                # One step is enough for a title; more would follow circles.
                other = await self.row(one.target, value)
                target = self.rows_of(one.target)
                value = None if other is None else _plain_title(target, other)
            values[name] = value
        return values

    async def resolve(self, kind: str, refs: Iterable[str]) -> dict[str, int]:
        """Row numbers of human numbers; those that are not there are left out."""
        rows = self.rows_of(kind)
        found: dict[str, int] = {}
        wanted = sorted({one for one in refs if storable(one)})
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            for row in await self.session.scalars(select(rows.model).where(rows.ref_column.in_(part), *rows.own())):
                self._rows[kind, row.id] = row
                found[rows.ref(row)] = row.id
        return found

    async def linked(self, kind: str, row_id: int, one: FieldDef) -> list[int]:
        """Row numbers that a `refs` field leads to, in the order they were given."""
        found = await self.session.scalars(
            select(Link.to_id)
            .where(Link.from_kind == kind, Link.from_id == row_id, Link.role == one.key, Link.to_kind == one.target)
            .order_by(Link.id)
            .limit(MAX_LINKED)
        )
        return list(found)

    async def facts(
        self, rows: Rows, row_id: int | None, values: Mapping[str, Any], paths: Iterable[tuple[str, ...]]
    ) -> dict[str, Any]:
        """What expressions that name `paths` see of a record: its values, and behind references what they lead to.

        `values` are by field as rows have them (references as row numbers, `refs` as lists of them) beside the record's own
        names (`ref`, `state`...).
        """
        found: dict[str, Any] = dict(values)
        by_first: dict[str, set[tuple[str, ...]]] = {}
        for path in paths:
            by_first.setdefault(path[0], set()).add(path[1:])
        for name, rest in by_first.items():
            one = rows.definition.by_key.get(name)
            if one is None or not one.target:
                continue
            if one.type == "ref":
                found[name] = await self._behind(one, values.get(name), rest)
            elif one.type == "refs":
                ids = values.get(name)
                if ids is None and row_id is not None:
                    ids = await self.linked(rows.definition.key, row_id, one)
                named = await self.named(one.target, ids or [])
                found[name] = [{"ref": each.ref, "title": each.title.en} for each in named.values()]
        return found

    async def _behind(self, one: FieldDef, row_id: Any, rest: set[tuple[str, ...]]) -> dict[str, Any] | None:
        row = await self.row(one.target, row_id)
        if row is None:
            return None
        target = self.rows_of(one.target)
        inner = {path for path in rest if path}
        values = own_values(target, row)
        return await self.facts(target, row.id, values, inner)


def own_values(rows: Rows, row: Any) -> dict[str, Any]:
    """Fields of a row beside every record's own names, for expressions."""
    values = rows.values(row)
    values["ref"] = rows.ref(row)
    for name in ("title", "owner", "archived", "created_at", "created_by", "updated_at", "updated_by"):
        if name == "owner" and rows.definition.typed:
            # Whose record it is only plain records say: elsewhere it would be whose goods they are.
            continue
        if name not in values and hasattr(row, name):
            values[name] = getattr(row, name)
    state = rows.state(row)
    if state is not None:
        values["state"] = state
        phase = rows.definition.state_by_key.get(state)
        values["phase"] = phase.phase if phase else None
    return values


def _plain_title(rows: Rows, row: Any) -> Reference:
    values = {
        name: rows.get(row, one)
        for name in rows.definition.title_fields
        if (one := rows.definition.by_key.get(name)) and not one.target
    }
    return Reference(rows.definition.key, row.id, rows.ref(row), rows.title(row, values))


def refs_fields(definition: ObjectDef) -> Sequence[FieldDef]:
    """Many-to-many fields."""
    return [one for one in definition.live if one.type == "refs"]
