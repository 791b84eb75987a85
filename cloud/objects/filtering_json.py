"""Fields inside a JSON column, as SQL: the one form in which filters, sorting and indexes all write them.

A path is written into the statement, never bound: only so does a database see that an index on the same expression fits. One
table holds records of many kinds, and a database may look at a row's JSON before it has looked at its kind: every form gives
NULL, and never an error, for a value of another type.

| stored as           | SQLite                                 | PostgreSQL                                          |
|---------------------|----------------------------------------|-----------------------------------------------------|
| text, dates, times  | json_extract(data, '$.key')            | (data ->> 'key') COLLATE "C"                        |
| whole numbers       | the same                               | number, where jsonb_typeof says that it is one      |
| true and false      | the same (1 and 0)                     | (data ->> 'key') = 'true'                           |
| lists               | the same, where json_type says `array` | data -> 'key', where jsonb_typeof says `array`      |
"""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Numeric, case, cast, dialects, func, literal_column
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import collate

from cloud.objects.definition import FieldType
from cloud.objects.filtering_terms import SqlField, SqlShape

MAX_NAME = 63
"""Bytes of a name in PostgreSQL; a longer one would be cut off silently."""

_KEY = re.compile(r"[a-z][a-z0-9_]{0,100}")

SHAPES: dict[FieldType, SqlShape] = {
    "text": "text",
    "long": "text",
    "choice": "text",
    "file": "text",
    "int": "int",
    "decimal": "micro",
    "money": "micro",
    "bool": "bool",
    "date": "date",
    "datetime": "datetime",
    "ref": "id",
    "choices": "json",
    "json": "json",
}

UNINDEXED: frozenset[FieldType] = frozenset({"long", "choices", "json", "refs"})
"""Lists have no order, and a long text may be larger than an index's row."""


def iso_day(value: date) -> str:
    return value.isoformat()


def iso_time(value: datetime) -> str:
    """Of fixed width and in UTC: such texts sort as their times do."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


_BINDS: dict[str, Callable[[Any], str]] = {"date": iso_day, "datetime": iso_time}


def json_field(column: ColumnElement[Any], key: str, field_type: FieldType, dialect_name: str) -> SqlField:
    """The field `key` of the JSON object in a column. Raises ValueError for a key that is no name, or a type kept elsewhere."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key[:60]!r} is not the key of a field")
    if field_type not in SHAPES:
        raise ValueError(f"{field_type} is not kept in JSON")
    shape = SHAPES[field_type]
    make = _postgresql if dialect_name == "postgresql" else _sqlite
    return SqlField(make(column, key, shape), shape, _BINDS.get(shape), collated=True)


def _sqlite(column: ColumnElement[Any], key: str, shape: SqlShape) -> ColumnElement[Any]:
    path = literal_column(f"'$.{key}'", SqlText())
    if shape == "json":
        return case(
            (func.json_type(column, path) == literal_column("'array'"), func.json_extract(column, path, type_=SqlText()))
        )
    types = {"int": BigInteger(), "micro": BigInteger(), "id": BigInteger(), "bool": Boolean()}
    return func.json_extract(column, path, type_=types.get(shape, SqlText()))


def _postgresql(column: ColumnElement[Any], key: str, shape: SqlShape) -> ColumnElement[Any]:
    name = literal_column(f"'{key}'", SqlText())
    inner, text = column.op("->", return_type=JSONB())(name), column.op("->>", return_type=SqlText())(name)
    if shape == "json":
        return case((func.jsonb_typeof(inner) == literal_column("'array'"), inner))
    if shape in {"int", "micro", "id"}:
        return case((func.jsonb_typeof(inner) == literal_column("'number'"), cast(inner, Numeric)))
    if shape == "bool":
        return text == literal_column("'true'")
    return collate(text, "C")


def index_name(kind: str, key: str) -> str:
    """The same for the same field always; short enough for every database."""
    name = f"ix_record_{kind}_{key}"
    if len(name) <= MAX_NAME and "_" not in kind:
        return name
    # With `_` in the kind, nobody could say where the key begins: a_b.c and a.b_c are two fields.
    return f"{name[: MAX_NAME - 9]}_{hashlib.sha256(f'{kind}.{key}'.encode()).hexdigest()[:8]}"


def index_ddl(kind: str, key: str, field_type: FieldType, dialect_name: str) -> tuple[str, str]:
    """Statements that make and remove the index of one kind's field in table `record`. Raises ValueError.

    Missing values come first in it on both databases, so that a page in this order is read from it.
    """
    if not _KEY.fullmatch(kind) or field_type in UNINDEXED:
        raise ValueError(f"{kind[:60]!r}, {field_type}: no index")
    column: ColumnElement[Any] = literal_column("data", JSONB() if dialect_name == "postgresql" else SqlText())
    dialect = dialects.registry.load(dialect_name)()
    expr = json_field(column, key, field_type, dialect_name).expr.compile(
        dialect=dialect, compile_kwargs={"literal_binds": True}
    )
    first = " NULLS FIRST" if dialect_name == "postgresql" else ""
    name = index_name(kind, key)
    return f"CREATE INDEX {name} ON record (({expr}){first}, id) WHERE kind = '{kind}'", f"DROP INDEX IF EXISTS {name}"
