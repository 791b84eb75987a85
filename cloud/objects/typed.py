"""Kinds with a table of their own: what the table says itself about its fields, so that a definition need not repeat it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import BigInteger, Boolean, Date, Integer, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import ColumnProperty
from sqlalchemy.schema import Column

from cloud.db.types import Exact, Micro, UtcTime
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.transition import Machine


class BeforeSave(Protocol):
    """A typed kind's own rules, after the definition's and before the row is written; may set columns that follow from others.
    `changes` has the new values by field (all of them for a new row, whose `id` is None). Raises Refused or Invalid."""

    def __call__(self, session: AsyncSession, row: Any, changes: Mapping[str, Any], taken: Taken, /) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class TypedKind:
    """A table as a kind of object. The row's class has the columns of `cloud.kernel.models.Kept` (a read-only kind: `id` and
    what the definition names). `machine` has its coded transitions, `definition` is the YAML file."""

    key: str
    model: type[Any]
    definition: Path
    machine: Machine[Any] | None = None
    before_save: BeforeSave | None = None
    after_save: BeforeSave | None = None
    """The same once the row is written and has its `id`, in the same transaction."""


Derive = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


def derive_from(kind: TypedKind, tables: Mapping[str, str]) -> Derive:
    """For the reader of definitions: what the column of a field says. `tables` are table names to kinds, for references."""
    columns = columns_of(kind.model)

    def derive(key: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
        attribute = said.get("column") or next((name for name in (key, f"{key}_id") if name in columns), None)
        if attribute is None or attribute not in columns:
            return {}
        column = columns[attribute]
        found: dict[str, Any] = {"column": attribute, "unique": bool(column.unique)}
        found["required"] = not column.nullable and column.default is None and column.server_default is None
        return found | _type(column, said, tables)

    return derive


def columns_of(model: type[Any]) -> dict[str, Column[Any]]:
    """The table's columns by their attribute's name."""
    mapper = inspect(model)
    return {
        one.key: one.columns[0]
        for one in mapper.column_attrs
        if isinstance(one, ColumnProperty) and isinstance(one.columns[0], Column)
    }


def _type(column: Column[Any], said: Mapping[str, Any], tables: Mapping[str, str]) -> dict[str, Any]:
    keys = list(column.foreign_keys)
    if keys:
        return {"type": "ref", "object": said.get("object") or tables.get(keys[0].column.table.name, "")}
    if said.get("options") and isinstance(column.type, Text):
        return {"type": "choice"}
    for types, name in _TYPES:
        if isinstance(column.type, types):
            return {"type": name}
    return {"type": "json"}


_TYPES: Sequence[tuple[tuple[type[Any], ...], str]] = (
    ((Micro, Exact), "decimal"),
    ((UtcTime,), "datetime"),
    ((Boolean,), "bool"),
    ((Date,), "date"),
    ((Integer, BigInteger), "int"),
    ((Text,), "text"),
)


def with_machine(data: Mapping[str, Any], kind: TypedKind) -> Mapping[str, Any]:
    """What a definition says, with the transitions that are coded: from where, to where, by which roles, with a reason or not.
    What only the program itself does is left out, since nobody can ask for it."""
    if kind.machine is None:
        return data
    found: dict[str, dict[str, Any]] = {}
    for row in kind.machine.transitions:
        roles = sorted(str(one) for one in row.roles if one != SYSTEM)
        if not roles:
            continue
        here = found.setdefault(row.action, {"from": [], "to": row.target, "roles": [], "reason": False})
        here["from"] += [one for one in sorted(row.sources) if one not in here["from"]]
        here["roles"] += [one for one in roles if one not in here["roles"]]
        here["reason"] = here["reason"] or row.needs_reason
    said = data.get("transitions") or {}
    strange = [name for name in said if name not in found and not name.startswith("x_")]
    if strange or set(kind.machine.states) != set(data.get("states") or {}):
        raise ValueError(
            f"{kind.key}: states and transitions are not those of its machine: {strange or sorted(kind.machine.states)}"
        )
    return {**data, "transitions": {name: {**one, **(said.get(name) or {})} for name, one in found.items()}}
