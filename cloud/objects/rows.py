"""One accessor for both storages: fields of a row in a typed table's columns, in its `extra`, or in `record.data`."""

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, select

from cloud.objects.definition import FieldDef, Label, ObjectDef
from cloud.objects.models import Record
from cloud.objects.registry import Objects
from cloud.objects.values import AS_THEY_ARE, from_store, said, to_store


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a reference leads, as people see it."""

    kind: str
    id: int
    ref: str
    title: Label

    def __str__(self) -> str:
        return self.ref


@dataclass(frozen=True)
class Rows:
    """The rows of one kind, whichever table they are in."""

    definition: ObjectDef
    objects: Objects

    @cached_property
    def model(self) -> type[Any]:
        typed = self.objects.typed.get(self.definition.key)
        return Record if typed is None else typed.model

    def select(self) -> Select[Any]:
        """All rows of the kind, archived ones too."""
        return select(self.model).where(*self.own())

    def own(self) -> Iterable[ColumnElement[bool]]:
        """What tells the kind's rows from others of the same table."""
        if not self.definition.typed:
            # Written into the statement: a partial index is used only where the database sees its very condition.
            yield Record.kind == literal_column(f"'{self.definition.key}'")

    @cached_property
    def ref_attribute(self) -> str:
        """Attribute of the row that people call the record by."""
        if not self.definition.typed:
            return "ref"
        field = self.definition.by_key.get(self.definition.ref)
        return field.column if field is not None and field.column else self.definition.ref

    @property
    def ref_column(self) -> Any:
        return getattr(self.model, self.ref_attribute)

    def has(self, attribute: str) -> bool:
        """Whether the table has such a column: read-only kinds may lack those of `Kept`."""
        return hasattr(self.model, attribute)

    def new(self) -> Any:
        """An empty row, not in any session."""
        return self.model(extra={}) if self.definition.typed else Record(kind=self.definition.key, extra={}, title="")

    def get(self, row: Any, field: FieldDef) -> Any:
        """The stored value as Python has it; of a reference the other row's id."""
        if field.column:
            value = getattr(row, field.column)
            return str(value) if field.type == "choice" and value is not None else value
        return from_store(field, (getattr(row, "extra", None) or {}).get(field.key))

    def read(self, row: Any, fields: Iterable[FieldDef]) -> dict[str, Any]:
        """As `get`, of several fields at once: a list of records spends most of its time here."""
        extra = getattr(row, "extra", None) or {}
        found = {}
        for one in fields:
            stored = None if one.column else extra.get(one.key)
            as_it_is = not one.column and (stored is None or one.type in AS_THEY_ARE)
            found[one.key] = stored if as_it_is else self.get(row, one)
        return found

    def put(self, row: Any, field: FieldDef, value: Any) -> None:
        """Set a value as `get` gives it."""
        if field.column:
            if value is None and field.type in {"choices", "json"}:
                value = []
            setattr(row, field.column, value)
            return
        # A new dictionary: the ORM does not see a change inside the old one.
        stored = {key: one for key, one in (row.extra or {}).items() if key != field.key}
        if value is not None:
            stored[field.key] = to_store(field, value)
        row.extra = stored

    def ref(self, row: Any) -> str:
        return str(getattr(row, self.ref_attribute))

    def values(self, row: Any, *, archived: bool = False) -> dict[str, Any]:
        """All fields but `refs`, as `get` gives them."""
        fields = self.definition.fields if archived else self.definition.live
        return self.read(row, (one for one in fields if one.type != "refs"))

    def state(self, row: Any) -> str | None:
        return str(row.state) if self.definition.states else None

    def title(self, row: Any, values: Mapping[str, Any]) -> Label:
        """The templates filled in with the record's values (references as Reference or not at all)."""
        own = {**values, "ref": self.ref(row)}
        english = fill(self.definition.title, own) or self.ref(row)
        hebrew = fill(self.definition.title_he or self.definition.title, own, "he")
        return Label(english, None if hebrew in {"", english} else hebrew)


def fill(template: str, values: Mapping[str, Any], locale: str = "en") -> str:
    """A title from a template. What is missing leaves nothing behind, nor separators at the ends."""
    parts = []
    for text, name, _, _ in string.Formatter().parse(template):
        parts.append(text)
        if name is not None:
            value = values.get(name.partition(".")[0])
            parts.append(value.title.in_(locale) if isinstance(value, Reference) else "" if value is None else str(said(value)))
    return " ".join("".join(parts).split()).strip(" –-,·/")[:200]
