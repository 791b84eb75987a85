"""What leads to a party without a foreign key: records of customers' objects, links, and what lies around a record."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Text, cast, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.index import RECORD, forget_record
from cloud.around.models import Activity, Attachment, Follower, Message, Notice, SearchDoc
from cloud.kernel.actor import Taken
from cloud.masters.merge import Mover
from cloud.masters.models import Party
from cloud.objects.definition import FieldDef
from cloud.objects.models import Link
from cloud.objects.registry import Objects
from cloud.objects.rows import Rows

PARTY = Party.__tablename__

AROUND: tuple[type[Any], ...] = (Message, Activity, Attachment, Notice)
"""Tables whose rows name a record by `kind`, `record_id` and `ref`; followers are joined."""


def movers(objects: Objects) -> Sequence[Mover]:
    """For `merge`: with the definitions in force, whose fields may lead to parties."""

    async def move_records(session: AsyncSession, keep: Party, lose: Party, _taken: Taken) -> None:
        for definition, field in objects.leading_to(PARTY):
            if field.type == "ref" and not field.column:
                await _move_ref(session, Rows(definition, objects), field, keep, lose)
        for definition in objects.definitions.values():
            for field in definition.live:
                inner = [one.key for one in field.of if one.target == PARTY]
                if inner:
                    await _move_inner(session, Rows(definition, objects), field, inner, keep, lose)

    return (move_records, move_links, move_around)


async def _move_ref(session: AsyncSession, rows: Rows, field: FieldDef, keep: Party, lose: Party) -> None:
    found = await session.scalars(rows.select().where(rows.model.extra[field.key].as_integer() == lose.id))
    for row in found.all():
        rows.put(row, field, keep.id)
    await session.flush()


async def _move_inner(
    session: AsyncSession, rows: Rows, field: FieldDef, inner: Sequence[str], keep: Party, lose: Party
) -> None:
    """Inside the rows of a `json` field a reference is the human number."""
    stored = getattr(rows.model, field.column) if field.column else rows.model.extra[field.key]
    found = await session.scalars(rows.select().where(cast(stored, Text).contains(lose.ref, autoescape=True)))
    for row in found.all():
        lines = rows.get(row, field) or []
        rows.put(row, field, [_renamed(line, inner, lose.ref, keep.ref) for line in lines])
    await session.flush()


def _renamed(line: Mapping[str, Any], inner: Sequence[str], old: str, new: str) -> dict[str, Any]:
    return {name: new if name in inner and value == old else value for name, value in line.items()}


async def move_links(session: AsyncSession, keep: Party, lose: Party, _taken: Taken) -> None:
    """Many-to-many references, both ways; one that would stand twice stands once."""
    for kind, own, others in (
        (Link.to_kind, Link.to_id, (Link.from_kind, Link.from_id, Link.role)),
        (Link.from_kind, Link.from_id, (Link.to_kind, Link.to_id, Link.role)),
    ):
        there = {tuple(row) for row in await session.execute(select(*others).where(kind == PARTY, own == keep.id))}
        for link in (await session.scalars(select(Link).where(kind == PARTY, own == lose.id))).all():
            if tuple(getattr(link, one.key) for one in others) in there:
                await session.delete(link)
            else:
                setattr(link, own.key, keep.id)
        await session.flush()


async def move_around(session: AsyncSession, keep: Party, lose: Party, _taken: Taken) -> None:
    """Messages, activities, files and notices go over, and are found there; who followed either party follows the one."""
    for model in AROUND:
        statement = update(model).where(model.kind == PARTY, model.record_id == lose.id)
        await session.execute(statement.values(record_id=keep.id, ref=keep.ref))
    here = (Follower.kind == PARTY, Follower.record_id == lose.id)
    already = select(Follower.login).where(Follower.kind == PARTY, Follower.record_id == keep.id)
    await session.execute(delete(Follower).where(*here, Follower.login.in_(already)))
    await session.execute(update(Follower).where(*here).values(record_id=keep.id))
    found = (SearchDoc.kind == PARTY, SearchDoc.record_id == lose.id, SearchDoc.part != RECORD)
    await session.execute(update(SearchDoc).where(*found).values(record_id=keep.id, ref=keep.ref))
    await forget_record(session, PARTY, lose.id)
