"""The records that rows are about, by the plan's key."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement

from cloud.imports.heads import REF, SOURCE_KEY
from cloud.imports.mapping import Plan
from cloud.objects.caller import Caller
from cloud.objects.columns import stored_field
from cloud.objects.rows import Rows
from cloud.objects.values import Unfit, accept, said


async def find_rows(caller: Caller, rows: Rows, plan: Plan, keys: Collection[str]) -> dict[str, Any]:
    """Rows of the table by key, archived ones too; whether the caller reaches them is not asked here."""
    wanted = sorted(set(keys))
    found: dict[str, Any] = {}
    for start in range(0, len(wanted), 500):
        condition, name = _condition(caller, rows, plan, wanted[start : start + 500])
        for row in await caller.session.scalars(rows.select().where(*condition)):
            found[name(row)] = row
    return found


def _condition(caller: Caller, rows: Rows, plan: Plan, keys: list[str]) -> tuple[list[ColumnElement[bool]], Any]:
    if plan.key == SOURCE_KEY:
        model = rows.model
        return [model.source == plan.source, model.source_key.in_(keys)], lambda row: str(row.source_key)
    if plan.key in {REF, rows.definition.ref}:
        return [rows.ref_column.in_(keys)], rows.ref
    one = rows.definition.by_key[plan.key]
    column = stored_field(rows, one, caller.session.get_bind().dialect.name).expr
    accepted = []
    for key in keys:
        try:
            accepted.append(accept(one, key))
        except Unfit:
            continue  # no record has such a value; the check says what is wrong with it
    return [column.in_([each for each in accepted if each is not None])], lambda row: str(said(rows.get(row, one)))
