"""One row written as a record: made, changed, or left as it is; and taken back."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from cloud.errors import CloudError, Conflict, NotFound, Refused
from cloud.imports.converting import Incoming
from cloud.imports.finding import find_rows
from cloud.imports.heads import takes_ref
from cloud.imports.mapping import Plan
from cloud.imports.models import Done, ImportRow
from cloud.kernel.chain import waiting
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.objects.faults import Invalid
from cloud.objects.rows import Rows

FAMILY = uuid.UUID("6f2f6c1e-3f55-5d0a-9d6e-1d1f0a6b7c31")
"""Namespace of the uids that follow from what a record is made of (RFC 9562, 5.5)."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was done; `changes` as the audit log has them, `version` the record's after it."""

    done: Done
    ref: str
    record_id: int
    version: int
    changes: Mapping[str, Any]
    restored: bool = False


def uid_of(kind: str, plan: Plan, row: Incoming, import_uid: str, number: int) -> str:
    """The uid of the record that a row makes: the same however often the row is written, and by whichever way a key of the
    other system comes."""
    name = (kind, "key", plan.source, row.source_key) if row.source_key else (kind, "row", import_uid, str(number))
    return str(uuid.uuid5(FAMILY, "\0".join(name)))


async def write_row(caller: Caller, rows: Rows, plan: Plan, row: Incoming, uid: str) -> Written:
    """Make or change the record of a row. Raises Refused or NotFound; then nothing was written."""
    async with caller.session.begin_nested():
        target = await _target(caller, rows, plan, row)
        if target is None:
            try:
                return await _make(caller, rows, plan, row, uid)
            except Conflict:
                # Another import may have made it in this moment.
                target = await _target(caller, rows, plan, row)
                if target is None or plan.mode == "create":
                    raise
        return await _change(caller, rows, target, row.given)


async def _target(caller: Caller, rows: Rows, plan: Plan, row: Incoming) -> Any | None:
    if not plan.key or row.key is None:
        return None
    found = (await find_rows(caller, rows, plan, [row.key])).get(row.key)
    if found is not None and plan.mode == "create":
        raise Refused("import_exists", ref=rows.ref(found))
    if found is None and (plan.mode == "update" or (row.ref and not takes_ref(rows.definition))):
        raise Refused("import_not_there", key=row.key[:60])
    return found


async def _make(caller: Caller, rows: Rows, plan: Plan, row: Incoming, uid: str) -> Written:
    logged = len(waiting(caller.session))
    source = (plan.source, row.source_key) if row.source_key else None
    async with caller.session.begin_nested():
        item, made = await service.create(caller, rows.definition.key, row.given, uid=uid, ref=row.ref, source=source)
    if made:
        return Written(Done.MADE, item.ref, item.id, item.version, _logged(caller, logged))
    return await _change(caller, rows, item.row, row.given)


async def _change(caller: Caller, rows: Rows, target: Any, given: Mapping[str, object]) -> Written:
    kind, logged = rows.definition.key, len(waiting(caller.session))
    restored = bool(getattr(target, "archived", False))
    if restored:
        await service.archive(caller, kind, rows.ref(target), back=True)
    item = await service.update(caller, kind, rows.ref(target), given)
    changes = _logged(caller, logged)
    done = Done.CHANGED if restored or changes else Done.SAME
    return Written(done, item.ref, item.id, item.version, changes, restored)


def _logged(caller: Caller, since: int) -> dict[str, Any]:
    """What this row's events say about fields."""
    found: dict[str, Any] = {}
    for one in waiting(caller.session)[since:]:
        if one.action in {"create", "change"}:
            found.update(one.changes)
    return found


async def take_back(caller: Caller, rows: Rows, row: ImportRow) -> None:
    """Undo a row, where its record is as the import left it. Raises Conflict where it is not, else Refused or NotFound."""
    kind = rows.definition.key
    async with caller.session.begin_nested():
        record = await caller.session.scalar(
            select(rows.model).where(rows.model.id == row.record_id, *rows.own()).execution_options(populate_existing=True)
        )
        if record is None:
            raise NotFound(kind, row.ref or "")
        if record.version != row.version:
            raise Conflict("import_moved_on", ref=rows.ref(record), seen=str(row.version), now=str(record.version))
        if row.done == Done.MADE:
            await service.archive(caller, kind, rows.ref(record), version=row.version)
            return
        before = {
            name: pair[0]
            for name, pair in row.changes.items()
            if (one := rows.definition.by_key.get(name)) is not None and not one.computed and not one.readonly
        }
        item = await service.update(caller, kind, rows.ref(record), before, version=row.version)
        if row.restored:
            await service.archive(caller, kind, item.ref)


def faults_of(exc: CloudError, plan: Plan) -> list[dict[str, Any]]:
    """What stood against a row, as rows of the table keep it."""
    places = {one.field: one.number for one in plan.columns}
    if isinstance(exc, Invalid):
        return [
            {
                "column": places.get(one.field),
                "field": one.field,
                "code": one.code,
                "values": dict(one.values),
                "message": dict(one.message),
            }
            for one in exc.faults
        ]
    code, values = (exc.code, dict(exc.values)) if isinstance(exc, Refused) else ("import_out_of_reach", {})
    name = plan.key if code in {"import_exists", "import_not_there"} else str(values.get("field", ""))
    return [{"column": places.get(name), "field": name, "code": code, "values": values, "message": {}}]
