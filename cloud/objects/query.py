"""Lists of records: filtered by an expression, sorted by a field, one page after the other by the last row's place.

A page costs the same wherever it is: it begins after a value, not after a count. A missing value sorts before every other one
on both databases.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, false, func, literal, or_, select, text, true
from sqlalchemy.exc import OperationalError

from cloud.errors import Forbidden
from cloud.kernel.access import READ
from cloud.objects.caller import Caller
from cloud.objects.columns import ROW_NUMBER, KindColumns
from cloud.objects.filtering import NotSql, SqlField, compile_filter_partly
from cloud.objects.paging import BadQuery, Place, bound, place_of
from cloud.objects.permits import Reach, demand_open, expression, reach, ways_of
from cloud.objects.references import own_values
from cloud.objects.rows import Rows
from cloud.objects.service import Item, item_of, visible
from sync_protocol.expressions import Budget, Expression, ExpressionFault, nodes

__all__ = ["COUNTED", "MAX_LIMIT", "BadQuery", "Kept", "Page", "Query", "count", "count_by_state", "find"]

MAX_LIMIT = 500
MAX_STEPS = 2_000_000
"""Of one page where part of its conditions is worked out outside the database: about a second, so that nobody holds up the
others. What is found by then is a page, however short, and the next one goes on from there."""

ROW_STEPS = 100
"""What reading a row is worth beside working out its conditions: 20,000 rows are a page at most."""

CHUNK = 200

COUNTED = 1000
"""Beyond it a count says only that there are more: counting a million rows takes longer than any page."""

SLOWEST_MS = 20_000
CANCELLED = "57014"
"""PostgreSQL's `query_canceled` (manual, appendix A)."""

_TIMED = "list_timed"
"""Mark of `session.info`: the transaction has its limit."""

Kept = Literal["live", "archived", "all"]


@dataclass(frozen=True, slots=True)
class Query:
    """`filter` is an expression; `sort` a field, with `-` before it the other way round; `after` the place where the page
    before ended. `only`: the fields that are wanted (None: all)."""

    filter: str = ""
    sort: str = ""
    after: str = ""
    limit: int = 50
    kept: Kept = "live"
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is the `after` of the following page, "" at the end. `outside` says which part of the filter the database could
    not work out (it was worked out here, so the list is right but slower)."""

    items: tuple[Item, ...]
    next: str = ""
    outside: str = ""


async def find(caller: Caller, kind: str, query: Query) -> Page:
    """One page of the records that the caller may see. Raises NotFound for an unknown kind, Forbidden, BadQuery."""
    plan = await _plan(caller, kind, query)
    walk = _Walk(caller, plan, place_of(query.after))
    async with _in_time(caller):
        found = await walk.rows(plan.limit)
    items = tuple(await _items(caller, plan, found))
    return Page(items, "" if walk.ended else str(walk.place), plan.outside)


async def count(caller: Caller, kind: str, query: Query) -> tuple[int, bool]:
    """How many there are, up to COUNTED, and whether there are more. Where part of the filter is worked out outside the
    database this is an upper bound, and the second value True."""
    plan = await _plan(caller, kind, query)
    async with _in_time(caller):
        if not plan.scoped:
            walk = _Walk(caller, plan, None)
            return len(await walk.rows(COUNTED)), not walk.ended
        inner = select(plan.rows.model.id).where(plan.condition).limit(COUNTED + 1).subquery()
        number = await caller.session.scalar(select(func.count()).select_from(inner)) or 0
    return min(number, COUNTED), number > COUNTED or plan.rest is not None


async def count_by_state(caller: Caller, kind: str, query: Query) -> dict[str, int]:
    """Records in each state, for a board: up to COUNTED each."""
    plan = await _plan(caller, kind, query)
    model, found = plan.rows.model, dict.fromkeys(plan.rows.definition.state_by_key, 0)
    if not plan.scoped:
        for row, _ in await _Walk(caller, plan, None).rows(COUNTED):
            found[row.state] += 1
        return found
    for key in found:
        inner = select(model.id).where(plan.condition, model.state == key).limit(COUNTED + 1).subquery()
        found[key] = await caller.session.scalar(select(func.count()).select_from(inner)) or 0
    return found


@asynccontextmanager
async def _in_time(caller: Caller) -> AsyncIterator[None]:
    """On PostgreSQL no statement of a list takes longer than SLOWEST_MS: a filter over long texts must not hold a connection
    for minutes. SQLite has no such limit."""
    session = caller.session
    if session.get_bind().dialect.name == "postgresql" and _TIMED not in session.info:
        await session.execute(text(f"SET LOCAL statement_timeout = {SLOWEST_MS}"))
        session.info[_TIMED] = True
    try:
        yield
    except OperationalError as exc:
        if getattr(exc.orig, "sqlstate", None) == CANCELLED:
            raise BadQuery("too_slow") from exc
        raise


@dataclass(frozen=True)
class _Plan:
    rows: Rows
    condition: ColumnElement[bool]
    rest: Expression | None
    reach: Reach | None
    """The same for every row, or None where each row is asked."""
    scoped: bool
    """Whether the database selects no row that the caller may not see."""
    sort: SqlField
    down: bool
    limit: int
    only: frozenset[str] | None
    outside: str

    @property
    def exact(self) -> bool:
        """Whether the database selects exactly the rows of the list."""
        return self.rest is None and self.scoped


@dataclass
class _Walk:
    """Goes through a list row by row, from a place on. `ended`: nothing comes after the rows that it gave."""

    caller: Caller
    plan: _Plan
    place: Place | None
    ended: bool = False
    budget: Budget = field(default_factory=lambda: Budget(MAX_STEPS))

    async def rows(self, limit: int) -> list[tuple[Any, Reach]]:
        """The next rows of which the caller may see something. Raises BadQuery where none is found for so much work."""
        found: list[tuple[Any, Reach]] = []
        place = self.place
        while self.budget.left > 0:
            wanted = limit - len(found) + 1 if self.plan.exact else CHUNK
            part = await _after(self.caller, self.plan, place, wanted)
            for row, value in part:
                if len(found) == limit:
                    return found
                if self.budget.left <= 0:
                    break
                place = Place(value, row.id)
                allowed = await self._seen(row)
                if allowed:
                    found.append((row, allowed))
                if allowed or self.plan.scoped:
                    self.place = place
            else:
                if len(part) < wanted:
                    self.ended = True
                    return found
        if not found and not self.plan.scoped:
            # Going on after a row that they may not see would tell where it stands.
            raise BadQuery("bad_filter", why="too many other records come first; ask for fewer", column="1")
        return found

    async def _seen(self, row: Any) -> Reach | None:
        if self.plan.exact and self.plan.reach is not None:
            return self.plan.reach
        self.budget.left -= ROW_STEPS
        if self.plan.rest is not None and not await _holds(self.caller, self.plan.rows, row, self.plan.rest, self.budget):
            return None
        if self.plan.reach is not None:
            return self.plan.reach
        return await reach(self.caller, self.plan.rows, row, READ, self.budget)


async def _plan(caller: Caller, kind: str, query: Query) -> _Plan:
    rows = caller.rows(kind)
    if not caller.access.may(kind, READ):
        raise Forbidden("forbidden", action=READ, role=caller.taken.actor.role)
    dialect = caller.session.get_bind().dialect.name
    columns = KindColumns(rows, dialect)
    allowed, fixed, scoped = _allowed(caller, rows, columns, dialect)
    conditions = [*rows.own(), allowed]
    if query.kept != "all" and rows.has("archived"):
        conditions.append(rows.model.archived.is_(query.kept == "archived"))
    rest, outside = None, ""
    if query.filter.strip():
        wanted = await _filter(caller, rows, query.filter)
        partly = compile_filter_partly(wanted, columns, caller.given(), dialect)
        conditions.append(partly.condition)
        rest, outside = partly.rest, str(partly.why) if partly.why else ""
    sort, down = _sort(caller, rows, columns, query.sort or _own_order(caller, rows))
    limit = max(1, min(query.limit, MAX_LIMIT))
    return _Plan(rows, and_(true(), *conditions), rest, fixed, scoped, sort, down, limit, query.only, outside)


def _allowed(caller: Caller, rows: Rows, columns: KindColumns, dialect: str) -> tuple[ColumnElement[bool], Reach | None, bool]:
    """The condition of all ways to read, how far they reach where that is the same for every row, and whether the condition
    is all of it."""
    ways = ways_of(caller, rows.definition, READ)
    parts: list[ColumnElement[bool]] = []
    exact = True
    for condition, _mask in ways:
        if condition is None:
            parts.append(true())
            continue
        partly = compile_filter_partly(condition, columns, caller.given(), dialect)
        exact = exact and partly.rest is None
        parts.append(partly.condition)
    masks = {mask for _, mask in ways}
    free = [mask for condition, mask in ways if condition is None]
    if any(mask.only is None and not mask.hidden for mask in free):
        return true(), Reach((next(mask for mask in free if mask.only is None and not mask.hidden),)), True
    fixed = Reach(tuple(masks)) if exact and len(masks) == 1 else None
    return or_(false(), *parts), fixed, exact or bool(free)


async def _filter(caller: Caller, rows: Rows, text: str) -> Expression:
    try:
        found = expression(caller, rows.definition.key, text)
    except ExpressionFault as exc:
        raise BadQuery("bad_filter", why=exc.message, column=str(exc.column)) from exc
    demand_open(caller, rows.definition, found.names())
    return Expression.of_tree(await _resolved(caller, rows, found.tree), text)


async def _resolved(caller: Caller, rows: Rows, node: nodes.Node) -> nodes.Node:
    """`party == 'SUP-1'` as a comparison of row numbers, which an index serves; at the top and below `and` and `or`."""
    if isinstance(node, nodes.Both):
        return replace(node, parts=tuple([await _resolved(caller, rows, part) for part in node.parts]))
    if not isinstance(node, nodes.Compared) or len(node.rest) != 1 or not isinstance(node.first, nodes.Field):
        return node
    path, (op, right) = node.first.path, node.rest[0]
    one = rows.definition.by_key.get(path[0])
    if one is None or one.type != "ref" or path[1:] != ("ref",) or op not in {"==", "!="}:
        return node
    if not isinstance(right, nodes.Constant) or not (right.value is None or isinstance(right.value, str)):
        return node
    number: Decimal | None = None
    if isinstance(right.value, str):
        number = Decimal((await caller.references.resolve(one.target, [right.value])).get(right.value, -1))
    first = nodes.Field(node.first.column, (path[0], ROW_NUMBER))
    return replace(node, first=first, rest=((op, nodes.Constant(right.column, number)),))


def _sort(caller: Caller, rows: Rows, columns: KindColumns, text: str) -> tuple[SqlField, bool]:
    name = text.removeprefix("-")
    if not name:
        return columns.column((ROW_NUMBER,)), True
    one = rows.definition.by_key.get(name)
    path = (name, "ref") if one is not None and one.type == "ref" else (name,)
    demand_open(caller, rows.definition, [path])
    try:
        found = columns.column(path)
    except (KeyError, NotSql) as exc:
        raise BadQuery("bad_sort", field=name) from exc
    if found.shape == "json":
        raise BadQuery("bad_sort", field=name)
    return found, text.startswith("-")


def _own_order(caller: Caller, rows: Rows) -> str:
    """The definition's order, where the caller may sort by it."""
    name = rows.definition.sort.removeprefix("-")
    try:
        demand_open(caller, rows.definition, [(name,)] if name else [])
    except Forbidden:
        return ""
    return rows.definition.sort


async def _after(caller: Caller, plan: _Plan, place: Place | None, wanted: int) -> Sequence[tuple[Any, Any]]:
    """Rows beyond a place in the list's order, with the sorted value of each."""
    key, number = plan.sort.expr, plan.rows.model.id
    base = select(plan.rows.model, key.label("sorted_by")).where(plan.condition)
    if place is None:
        return await _read(caller, plan, base, wanted)
    if key is number:
        return await _read(caller, plan, base.where(number < place.id if plan.down else number > place.id), wanted)
    beyond = number < place.id if plan.down else number > place.id
    if place.value is None:
        found = list(await _read(caller, plan, base.where(key.is_(None), beyond), wanted))
        if not plan.down and len(found) < wanted:
            found += await _read(caller, plan, base.where(key.is_not(None)), wanted - len(found))
        return found
    value = literal(bound(plan.sort, place.value), key.type)
    # As two conditions, not as a comparison of pairs: for that, SQLite does not look into an index on an expression.
    after = key <= value if plan.down else key >= value
    other = key < value if plan.down else key > value
    found = list(await _read(caller, plan, base.where(after, or_(other, beyond)), wanted))
    if plan.down and len(found) < wanted:
        found += await _read(caller, plan, base.where(key.is_(None)), wanted - len(found))
    return found


async def _read(caller: Caller, plan: _Plan, query: Select[Any], wanted: int) -> Sequence[tuple[Any, Any]]:
    key, number = plan.sort.expr, plan.rows.model.id
    # Missing values are the smallest, as SQLite has it.
    order = [number.desc()] if plan.down else [number.asc()]
    if key is not number:
        order.insert(0, key.desc().nulls_last() if plan.down else key.asc().nulls_first())
    found = await caller.session.execute(query.order_by(*order).limit(wanted))
    return [(row[0], row[1]) for row in found]


async def _holds(caller: Caller, rows: Rows, row: Any, rest: Expression, budget: Budget) -> bool:
    facts = await caller.references.facts(rows, row.id, own_values(rows, row), rest.names())
    try:
        return rest.holds(facts, await caller.given_of(rows.definition, row.id, rest.text), budget)
    except ExpressionFault:
        # One row with a value that the filter cannot work with does not take the list away.
        return False


async def _items(caller: Caller, plan: _Plan, found: Sequence[tuple[Any, Reach]]) -> list[Item]:
    for one in plan.rows.definition.live:
        if one.type == "ref" and (plan.only is None or one.key in plan.only or one.key in plan.rows.definition.title_fields):
            ids = [value for row, _ in found if (value := plan.rows.get(row, one)) is not None]
            await caller.references.load(one.target, ids)
    shown = None if plan.reach is None else visible(plan.rows, plan.reach, plan.only)
    return [
        await item_of(caller, plan.rows, row, allowed, visible(plan.rows, allowed, plan.only) if shown is None else shown)
        for row, allowed in found
    ]
