"""Making one party of two: everything that leads to the one leads to the other from then on, and its number still answers."""

from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Column, Table, UniqueConstraint, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.base import Base
from cloud.errors import Forbidden, Refused
from cloud.kernel.access import ARCHIVE, WRITE
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.masters.merge_values import joined
from cloud.masters.models import Party, PartyAlias, PartyContact, PartyKey, ProductCode
from cloud.masters.moved import LEDGER, moved
from cloud.masters.party_rules import rekey
from cloud.masters.trees import hold, leads_to


class Mover(Protocol):
    """Brings over from party `lose` to `keep` what leads there without a foreign key. Raises Refused where it cannot."""

    def __call__(self, session: AsyncSession, keep: Party, lose: Party, taken: Taken, /) -> Awaitable[None]: ...


OWN_WAY = frozenset({PartyKey.__tablename__, PartyContact.__tablename__})
"""Tables of which rows are joined, not only moved."""


async def merge(session: AsyncSession, keep: Party, lose: Party, taken: Taken, *, movers: Sequence[Mover] = ()) -> None:
    """Make `lose` a part of `keep`: its references, contacts, roles, addresses and ways go over, it is archived, and its
    number, uid and outside key lead to `keep`. Of other records that the session has read already it still shows the old.

    Nothing is undone later, so what cannot be joined without loss is refused before anything moves: `merge_self`,
    `merge_kinds`, `merge_archived`, `merge_circle`, `merge_numbers` (two company or tax numbers), `merge_codes` (one code for
    two products), `merge_doubles` (rows of another table of which only one may be there), `merge_moves` (the ledger has moves
    of its goods).
    """
    if taken.access is not None and not (taken.access.may("party", WRITE) and taken.access.may("party", ARCHIVE)):
        raise Forbidden("forbidden", action="merge", role=taken.actor.role)
    await hold(session, "party")
    for party in sorted((keep, lose), key=lambda one: one.id):
        await session.refresh(party, with_for_update=True)
    await _check(session, keep, lose)
    if await moved(session, lose.id, "owner_id"):
        raise Refused("merge_moves", ref=lose.ref)
    before = {"roles": list(keep.roles), "email": keep.email, "phone": keep.phone}
    await _contacts(session, keep, lose)
    await session.execute(delete(PartyKey).where(PartyKey.party_id == lose.id))
    for table, column in references_to_party():
        if table.name not in OWN_WAY:
            await session.execute(update(table).where(column == lose.id).values({column.name: keep.id}))
    for mover in movers:
        await mover(session, keep, lose, taken)
    await _join(session, keep, lose, taken)
    after = {"roles": list(keep.roles), "email": keep.email, "phone": keep.phone}
    changed = {name: [value, after[name]] for name, value in before.items() if value != after[name]}
    await append_event(
        session, taken, action="merge", kind="party", ref=keep.ref, changes={"merged": [None, lose.ref], **changed}
    )
    await append_event(
        session,
        taken,
        action="archive",
        kind="party",
        ref=lose.ref,
        changes={"archived": [False, True], "into": [None, keep.ref]},
    )
    await session.flush()


def references_to_party() -> Iterator[tuple[Table, Column[Any]]]:
    """Every foreign key to party, of whatever table of the program but the ledger's, which changes by posting alone."""
    for table in Base.metadata.sorted_tables:
        if table.name in LEDGER:
            continue
        for column in table.columns:
            if any(key.column.table.name == Party.__tablename__ for key in column.foreign_keys):
                yield table, column


async def _check(session: AsyncSession, keep: Party, lose: Party) -> None:
    if keep.id == lose.id:
        raise Refused("merge_self", ref=keep.ref)
    for party in (keep, lose):
        if party.archived:
            raise Refused("merge_archived", ref=party.ref)
    if keep.kind != lose.kind:
        raise Refused("merge_kinds", ref=lose.ref)
    for name in ("reg_no", "vat_no"):
        one, other = getattr(keep, name), getattr(lose, name)
        if one and other and one != other:
            raise Refused("merge_numbers", field=name, one=one, other=other)
    if await leads_to(session, Party.id, Party.parent_id, keep.id, lose.id):
        raise Refused("merge_circle", ref=keep.ref)
    await _check_codes(session, keep, lose)
    for table, column in references_to_party():
        if table.name not in OWN_WAY | {ProductCode.__tablename__}:
            await _check_doubles(session, table, column, keep.id, lose.id)


async def _check_codes(session: AsyncSession, keep: Party, lose: Party) -> None:
    rows = await session.scalars(
        select(ProductCode).where(ProductCode.party_id.in_([keep.id, lose.id])).order_by(ProductCode.id)
    )
    seen: dict[tuple[str, str], ProductCode] = {}
    for row in rows:
        other = seen.setdefault((row.scheme, row.code), row)
        if other is not row:
            raise Refused("merge_codes", code_text=row.code, one=other.product.sku, other=row.product.sku)


async def _check_doubles(session: AsyncSession, table: Table, column: Column[Any], keep: int, lose: int) -> None:
    """Rows that would be the same for a unique constraint once both parties are one."""
    for columns in _unique(table):
        if column not in columns:
            continue
        moved, there = table.alias("moved"), table.alias("there")
        same = [moved.c[one.name] == there.c[one.name] for one in columns if one is not column]
        meeting = and_(moved.c[column.name] == lose, there.c[column.name] == keep, *same)
        found = (await session.execute(select(moved).join(there, meeting).limit(1))).mappings().first()
        if found is not None:
            what = ", ".join(str(found[one.name]) for one in columns if one is not column)
            raise Refused("merge_doubles", table=table.name, what=what)


def _unique(table: Table) -> Iterator[list[Column[Any]]]:
    """A partial index counts whole: rows outside its condition are refused too, which is the safe side."""
    yield list(table.primary_key.columns)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield list(constraint.columns)
    for index in table.indexes:
        if index.unique:
            yield list(index.columns)


async def _contacts(session: AsyncSession, keep: Party, lose: Party) -> None:
    """A person who speaks for both speaks once for the one; of two first contacts the kept party's stays first."""
    both = (PartyContact.company_id, PartyContact.person_id)
    ids = [keep.id, lose.id]
    rows = (await session.scalars(select(PartyContact).where(or_(*(column.in_(ids) for column in both))))).all()
    there = {(row.company_id, row.person_id): row for row in rows if lose.id not in {row.company_id, row.person_id}}
    primary = {row.company_id for row in there.values() if row.is_primary}
    for row in rows:
        if lose.id not in {row.company_id, row.person_id}:
            continue
        place = tuple(keep.id if one == lose.id else one for one in (row.company_id, row.person_id))
        same = there.get((place[0], place[1]))
        if same is not None:
            same.job = same.job or row.job
            await session.delete(row)
            continue
        if place[0] in primary:
            row.is_primary = False
        row.company_id, row.person_id = place
        row.version += 1
        there[place[0], place[1]] = row
        if row.is_primary:
            primary.add(row.company_id)
    await session.flush()


async def _join(session: AsyncSession, keep: Party, lose: Party, taken: Taken) -> None:
    values = joined(keep, lose)
    alias = {name: getattr(lose, name) for name in ("ref", "uid", "source", "source_key")}
    session.add(PartyAlias(**alias, party_id=keep.id, at=taken.at, by=taken.actor.name))
    parent = keep.parent_id if keep.parent_id is not None else lose.parent_id
    if parent == keep.id or (parent is not None and await leads_to(session, Party.id, Party.parent_id, parent, keep.id)):
        parent = None
    lose.archived = True
    lose.reg_no = lose.parent_id = lose.source = lose.source_key = None
    for party in (keep, lose):
        party.version += 1
        party.updated_at, party.updated_by = taken.at, taken.actor.name
    # Its numbers are nobody's before they are the other's.
    await session.flush()
    keep.parent_id = parent
    if keep.source is None:
        # What the other system still calls so is this party from now on.
        keep.source, keep.source_key = alias["source"], alias["source_key"]
    for name, value in values.items():
        setattr(keep, name, value)
    await session.flush()
    await rekey(session, keep)
