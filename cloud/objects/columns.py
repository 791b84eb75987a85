"""Fields as SQL sees them, in whichever table they lie: for conditions, sorting and uniqueness."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text as SqlText
from sqlalchemy import case, literal_column, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased
from sqlalchemy.sql.expression import ColumnElement

from cloud.db.types import Exact
from cloud.objects.definition import FieldDef
from cloud.objects.filtering import NotSql, SqlField, SqlShape
from cloud.objects.filtering_json import SHAPES, json_field
from cloud.objects.models import Record
from cloud.objects.rows import Rows
from cloud.objects.typed import columns_of

ROW_NUMBER = "id"
"""Behind a reference: the other row's own number, which only conditions that were rewritten name."""


def stored_field(rows: Rows, one: FieldDef, dialect: str, source: Any = None) -> SqlField:
    """One field of the kind's table (or of `source`, an alias of it). Raises NotSql for what no column holds alone."""
    table = rows.model if source is None else source
    if one.type == "refs":
        raise NotSql(1, f"{one.key} leads to many records")
    if not one.column:
        return json_field(table.extra, one.key, one.type, dialect)
    column = columns_of(rows.model).get(one.column)
    if column is not None and one.type == "choices":
        return SqlField(type_coerce(getattr(table, one.column), SqlText() if dialect == "sqlite" else JSONB()), "json")
    if column is None or SHAPES.get(one.type, "json") == "json":
        raise NotSql(1, f"{one.key} is no column")
    if isinstance(column.type, Exact):
        raise NotSql(1, f"{one.key} keeps its digits as text")
    return SqlField(getattr(table, one.column), SHAPES[one.type])


@dataclass(frozen=True)
class KindColumns:
    """Where the paths of a kind's expressions lead (the Columns of cloud.objects.filtering)."""

    rows: Rows
    dialect: str
    source: Any = None

    @property
    def table(self) -> Any:
        return self.rows.model if self.source is None else self.source

    def column(self, path: tuple[str, ...]) -> SqlField:
        """Raises KeyError or NotSql."""
        name = path[0]
        if name == ROW_NUMBER and len(path) == 1:
            return SqlField(self.table.id, "id")
        one = self.rows.definition.by_key.get(name)
        if one is None or one.archived:
            return self._own(name)
        if len(path) == 1:
            return stored_field(self.rows, one, self.dialect, self.source)
        if one.type != "ref":
            raise NotSql(1, f"{name} is a list")
        return self._behind(one, path[1:])

    def _own(self, name: str) -> SqlField:
        if name == "ref":
            return SqlField(getattr(self.table, self.rows.ref_attribute), "text")
        if name == "phase" and self.rows.definition.states:
            phases: dict[str, Any] = {one.key: literal_column(f"'{one.phase}'") for one in self.rows.definition.states}
            return SqlField(case(phases, value=self.table.state), "text")
        if name in _OWN and hasattr(self.table, name):
            return SqlField(getattr(self.table, name), _OWN[name])
        raise KeyError(name)

    def _behind(self, one: FieldDef, rest: tuple[str, ...]) -> SqlField:
        here = stored_field(self.rows, one, self.dialect, self.source)
        if rest == (ROW_NUMBER,):
            return here
        target = Rows(self.rows.objects.get(one.target), self.rows.objects)
        other = aliased(target.model)
        inner = KindColumns(target, self.dialect, other).column(rest)
        found: ColumnElement[Any] = (
            select(inner.expr).where(other.id == here.expr).correlate_except(other).limit(1).scalar_subquery()
        )
        return SqlField(found, inner.shape, inner.bind, collated=False)


_OWN: dict[str, SqlShape] = {
    "state": "text",
    "title": "text",
    "owner": "text",
    "archived": "bool",
    "created_at": "datetime",
    "created_by": "text",
    "updated_at": "datetime",
    "updated_by": "text",
}


def is_record(rows: Rows) -> bool:
    """Whether the kind lies in table `record`."""
    return rows.model is Record
