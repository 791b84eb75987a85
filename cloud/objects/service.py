"""Everything that may happen to a record: made, read, changed, moved on by a transition, archived. Each in the caller's
transaction, each with its event. There is no other way to write a record."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from cloud.db.settings_table import next_number
from cloud.errors import Conflict, Forbidden, NotFound, Refused, WrongState
from cloud.kernel.access import ARCHIVE, CREATE, READ, TRANSITION, WRITE
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.transition import RULES, begin, transition
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, Label, ObjectDef
from cloud.objects.faults import Invalid
from cloud.objects.machines import demand, machine_of
from cloud.objects.models import Link, Record
from cloud.objects.naming import named, title_of
from cloud.objects.permits import Reach, holds, reach, ways_of
from cloud.objects.rows import Rows
from cloud.objects.turns import wait_for_turn
from cloud.objects.validation import Draft, draft, same
from cloud.objects.values import said, storable


@dataclass(frozen=True)
class Item:
    """One record as its reader sees it: `values` has only fields that they may see, references as Reference. `version` goes
    back with a change."""

    kind: str
    id: int
    uid: str
    ref: str
    title: Label
    version: int
    state: str | None
    phase: str | None
    archived: bool
    owner: str | None
    values: Mapping[str, Any]
    created_at: datetime | None = None
    created_by: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None
    reach: Reach = field(default_factory=lambda: Reach(()), repr=False)
    row: Any = field(default=None, repr=False, compare=False)


async def row_of(caller: Caller, rows: Rows, ref: str, action: str, *, lock: bool = False) -> tuple[Any, Reach]:
    """The row of a number, where the caller's permission for the action reaches it. Raises NotFound where they may not even
    read it, Forbidden where they may read but not act."""
    query = rows.select().where(rows.ref_column == ref)
    if lock:
        query = query.with_for_update(of=rows.model, key_share=True).execution_options(populate_existing=True)
    row = await caller.session.scalar(query) if storable(ref) else None
    if row is None:
        raise NotFound(rows.definition.key, ref)
    readable = await reach(caller, rows, row, READ)
    if not readable:
        raise NotFound(rows.definition.key, ref)
    if action == READ:
        return row, readable
    found = await reach(caller, rows, row, action)
    if not found:
        raise Forbidden("forbidden", action=action, role=caller.taken.actor.role)
    return row, readable


async def get(caller: Caller, kind: str, ref: str) -> Item:
    """One record. Raises NotFound, also for what the caller may not see."""
    rows = caller.rows(kind)
    row, readable = await row_of(caller, rows, ref, READ)
    return await item_of(caller, rows, row, readable)


async def item_of(caller: Caller, rows: Rows, row: Any, readable: Reach, fields: Sequence[FieldDef] | None = None) -> Item:
    """A row as the caller sees it; `fields` are those that are wanted and may be seen (None: all of these)."""
    shown = visible(rows, readable) if fields is None else fields
    values = rows.read(row, (one for one in shown if one.type != "refs"))
    for one in shown:
        if one.target:
            values[one.key] = await _led_to(caller, rows, row, one, values.get(one.key))
    return _item(rows, row, readable, values, await title_of(caller, rows, row, readable))


def visible(rows: Rows, readable: Reach, only: frozenset[str] | None = None) -> list[FieldDef]:
    """Fields that a reader so far sees; of these only the wanted ones."""
    return [one for one in rows.definition.live if (only is None or one.key in only) and readable.allows(one.key)]


async def _led_to(caller: Caller, rows: Rows, row: Any, one: FieldDef, value: Any) -> Any:
    if one.type == "refs":
        ids = await caller.references.linked(rows.definition.key, row.id, one)
        return list((await named(caller, one, ids)).values())
    return None if value is None else (await named(caller, one, [value])).get(value)


def _item(rows: Rows, row: Any, readable: Reach, values: Mapping[str, Any], title: Label) -> Item:
    state = rows.state(row)
    phase = rows.definition.state_by_key.get(state or "")
    return Item(
        kind=rows.definition.key,
        id=row.id,
        uid=str(getattr(row, "uid", "")),
        ref=rows.ref(row),
        title=title,
        version=int(getattr(row, "version", 1)),
        state=state,
        phase=phase.phase if phase else None,
        archived=bool(getattr(row, "archived", False)),
        owner=getattr(row, "owner", None) if isinstance(row, Record) else None,
        values=values,
        **{name: getattr(row, name, None) for name in ("created_at", "created_by", "updated_at", "updated_by")},
        reach=readable,
        row=row,
    )


async def create(
    caller: Caller, kind: str, given: Mapping[str, object], *, uid: str | None = None, ref: str | None = None,
    source: tuple[str, str] | None = None,
) -> tuple[Item, bool]:  # fmt: skip
    """Make a record. With a `uid` that is there already nothing is made: the record of then is given, and False.

    `ref` is for numbers that come from elsewhere; `source` is another system and its key. Raises Forbidden, Invalid, Conflict.
    """
    rows = caller.rows(kind)
    _demand_writable(caller, rows.definition, CREATE)
    if uid is not None:
        if not storable(uid):
            raise Refused("ref_form")
        # The same request may come twice at once.
        await wait_for_turn(caller.session, "uid", uid)
        there = await caller.session.scalar(rows.select().where(rows.model.uid == uid))
        if there is not None:
            return await _said_again(caller, rows, there), False
    made = await draft(caller, rows, None, given)
    if made.faults:
        raise Invalid(made.faults)
    row = rows.new()
    if uid is not None:
        row.uid = uid
    await _number(caller, rows, row, ref)
    if source is not None:
        row.source, row.source_key = source
    if isinstance(row, Record):
        row.owner = caller.login if caller.taken.actor.kind == "user" else None
    _begin(rows, row)
    row.created_at, row.created_by = caller.taken.at, caller.login
    await _write(caller, rows, row, made)
    readable = await _within(caller, rows, row, CREATE)
    changes = await changes_of(caller, made)
    await append_event(caller.session, caller.taken, action="create", kind=kind, ref=rows.ref(row), changes=changes)
    return await item_of(caller, rows, row, readable), True


async def update(caller: Caller, kind: str, ref: str, given: Mapping[str, object], *, version: int | None = None) -> Item:
    """Change fields. `version` is the one the writer saw: Conflict when the record moved on. Raises also NotFound, Forbidden,
    Invalid. What changes nothing is no change: no event, the same version."""
    rows = caller.rows(kind)
    _demand_writable(caller, rows.definition, WRITE)
    row, readable = await row_of(caller, rows, ref, WRITE, lock=True)
    if version is not None and version != row.version:
        raise Conflict("conflict", ref=ref, seen=str(version), now=str(row.version))
    made = await draft(caller, rows, row, given)
    if made.faults:
        raise Invalid(made.faults)
    if made.changed:
        await _change(caller, rows, row, made)
        readable = await _within(caller, rows, row, WRITE)
    return await item_of(caller, rows, row, readable)


async def _change(caller: Caller, rows: Rows, row: Any, made: Draft) -> None:
    await _write(caller, rows, row, made)
    changes = await changes_of(caller, made)
    await append_event(
        caller.session, caller.taken, action="change", kind=rows.definition.key, ref=rows.ref(row), changes=changes
    )


async def do(
    caller: Caller,
    kind: str,
    ref: str,
    action: str,
    *,
    version: int | None = None,
    given: Mapping[str, object] | None = None,
) -> Item:
    """Take a transition; the reason is `caller.taken.reason`. Fields in `given` are changed first, in the same transaction;
    what the coded transition itself `takes` is given to it instead.

    Raises NotFound, Conflict, WrongState, Forbidden, ReasonMissing, GuardFailed, Invalid: then nothing is changed.
    """
    rows = caller.rows(kind)
    if rows.definition.archived:
        raise NotFound("object", kind)
    row, readable = await row_of(caller, rows, ref, f"{TRANSITION}{action}", lock=True)
    if version is not None and version != row.version:
        raise Conflict("conflict", ref=ref, seen=str(version), now=str(row.version))
    _demand_offered(rows, row, action)
    taken, given = _for_the_action(caller.taken, rows, row, action, given or {})
    async with caller.session.begin_nested() if given else nullcontext():
        if given:
            await update(caller, kind, ref, given)
            # What was just written may be beyond what they may move on.
            row, readable = await row_of(caller, rows, ref, f"{TRANSITION}{action}")
        if not caller.session.info.get(RULES):
            await demand(caller, rows, row, action)
        await transition(caller.session, machine_of(rows), row, action, taken)
    if rows.has("updated_at"):
        row.updated_at, row.updated_by = caller.taken.at, caller.login
    await _tell(caller, rows, row)
    readable = await reach(caller, rows, row, READ) or readable
    return await item_of(caller, rows, row, readable)


def _for_the_action(
    taken: Taken, rows: Rows, row: Any, action: str, given: Mapping[str, object]
) -> tuple[Taken, Mapping[str, object]]:
    """The taking with what the transition takes beside the record, and what is left of `given`: fields."""
    takes = machine_of(rows).find(rows.state(row) or "", action).takes
    about = {name: str(value) for name, value in given.items() if name in takes and value is not None}
    fields = {name: value for name, value in given.items() if name not in takes}
    return (replace(taken, values={**taken.values, **about}) if about else taken), fields


def _demand_offered(rows: Rows, row: Any, action: str) -> None:
    """A coded machine also has transitions that only the program takes: no grant opens them. Raises WrongState."""
    state = rows.state(row)
    if not any(one.key == action and state in one.sources for one in rows.definition.transitions):
        raise WrongState("wrong_state", kind=rows.definition.key, state=state or "", action=action)


def actions_of(caller: Caller, rows: Rows, row: Any) -> list[str]:
    """Transitions that the caller may try from here: the buttons of a page. Guards may still refuse."""
    state = rows.state(row)
    found = [one.key for one in rows.definition.transitions if state in one.sources]
    return [one for one in dict.fromkeys(found) if caller.access.may(rows.definition.key, f"{TRANSITION}{one}")]


async def archive(caller: Caller, kind: str, ref: str, *, version: int | None = None, back: bool = False) -> Item:
    """Take a record out of lists, or (`back`) put it back. Nothing is ever deleted."""
    rows = caller.rows(kind)
    _demand_writable(caller, rows.definition, ARCHIVE)
    row, readable = await row_of(caller, rows, ref, ARCHIVE, lock=True)
    if version is not None and version != row.version:
        raise Conflict("conflict", ref=ref, seen=str(version), now=str(row.version))
    if row.archived is not back:
        return await item_of(caller, rows, row, readable)
    row.archived = not back
    row.version += 1
    row.updated_at, row.updated_by = caller.taken.at, caller.login
    await caller.session.flush()
    await _tell(caller, rows, row)
    action = "restore" if back else "archive"
    changes = {"archived": [back, not back]}
    await append_event(caller.session, caller.taken, action=action, kind=kind, ref=rows.ref(row), changes=changes)
    return await item_of(caller, rows, row, readable)


def _demand_writable(caller: Caller, definition: ObjectDef, action: str) -> None:
    if definition.archived:
        raise NotFound("object", definition.key)
    if definition.read_only:
        raise Forbidden("read_only", kind=definition.key)
    if not caller.access.may(definition.key, action):
        raise Forbidden("forbidden", action=action, role=caller.taken.actor.role)


async def _said_again(caller: Caller, rows: Rows, row: Any) -> Item:
    readable = await reach(caller, rows, row, READ)
    if not readable:
        # Somebody else's: it must not be told from a number that is free by what it holds.
        raise Conflict("uid_taken")
    return await item_of(caller, rows, row, readable)


async def _number(caller: Caller, rows: Rows, row: Any, given: str | None) -> None:
    """Give the record its number, unless a person fills in that field."""
    if given is not None:
        given = given.strip()
        if not given or len(given) > 60 or any(one.isspace() or not one.isprintable() for one in given):
            raise Refused("ref_form")
        setattr(row, rows.ref_attribute, given)
        return
    pattern = rows.definition.number
    if not pattern:
        if not rows.definition.typed:
            pattern = rows.definition.key.upper()[:4] + "-{n:05}"
        else:
            return
    at = caller.taken.at.astimezone(caller.zone)
    name = ":".join(["ref", rows.definition.key, str(at.year) * ("{year" in pattern), str(at.month) * ("{month" in pattern)])
    while True:
        ref = pattern.format(year=at.year, month=at.month, n=await next_number(caller.session, name))
        if await caller.session.scalar(select(rows.model.id).where(*rows.own(), rows.ref_column == ref)) is None:
            setattr(row, rows.ref_attribute, ref)
            return


def _begin(rows: Rows, row: Any) -> None:
    if isinstance(row, Record) and rows.definition.states:
        first = rows.definition.states[0]
        begin(row, first.key)
        row.phase = first.phase


async def _write(caller: Caller, rows: Rows, row: Any, made: Draft) -> None:
    typed = caller.objects.typed.get(rows.definition.key)
    try:
        # The row changes only inside: a savepoint writes first what changed before it, and a clash there ends the transaction.
        async with caller.session.begin_nested():
            _put(rows, row, made)
            if typed is not None and typed.before_save is not None:
                changed = {name: made.values.get(name) for name in made.changed}
                await typed.before_save(caller.session, row, changed, caller.taken)
            row.updated_at, row.updated_by = caller.taken.at, caller.login
            row.version = 1 if made.row is None else row.version + 1
            caller.session.add(row)
            await caller.session.flush()
    except IntegrityError as exc:
        # Somebody took the same number or unique value in the same moment.
        raise Conflict("taken_meanwhile") from exc
    await _links(caller, rows, row, made)
    if typed is not None and typed.after_save is not None:
        await typed.after_save(caller.session, row, {name: made.values.get(name) for name in made.changed}, caller.taken)
    # A kind's own rules may have brought values into their form, or set others: the log has what was written.
    written = rows.values(row)
    made.changed |= {name for name, value in written.items() if not same(value, made.before.get(name))}
    made.values.update(written)
    await _tell(caller, rows, row)


def _put(rows: Rows, row: Any, made: Draft) -> None:
    for one in rows.definition.live:
        if one.type == "refs" or (made.row is not None and one.key not in made.changed):
            continue
        if made.row is None and one.column and made.values.get(one.key) is None:
            continue  # the column's own default, or the number that was given already
        rows.put(row, one, made.values.get(one.key))


async def _links(caller: Caller, rows: Rows, row: Any, made: Draft) -> None:
    kind = rows.definition.key
    for one in rows.definition.live:
        if one.type != "refs" or one.key not in made.changed:
            continue
        before, after = list(made.before.get(one.key) or []), list(made.values.get(one.key) or [])
        gone = [each for each in before if each not in after]
        if gone:
            await caller.session.execute(
                delete(Link).where(Link.from_kind == kind, Link.from_id == row.id, Link.role == one.key, Link.to_id.in_(gone))
            )
        caller.session.add_all(
            Link(from_kind=kind, from_id=row.id, role=one.key, to_kind=one.target, to_id=each)
            for each in after
            if each not in before
        )
    await caller.session.flush()


async def _tell(caller: Caller, rows: Rows, row: Any) -> None:
    """Keep the stored title true, and tell the packages above."""
    if isinstance(row, Record):
        found = await caller.references.fresh(rows, row)
        if row.title != found.title.en:
            row.title = found.title.en
            await caller.session.flush()
    for each in caller.hooks.saved:
        await each(caller, rows, row, rows.values(row))


async def _within(caller: Caller, rows: Rows, row: Any, action: str) -> Reach:
    """What is written must lie where the writer may write: else rows could be made or pushed out of their scope. Gives how far
    they may read it."""
    for condition, _mask in ways_of(caller, rows.definition, action):
        if condition is None or await holds(caller, rows, row, condition):
            return await reach(caller, rows, row, READ)
    raise Forbidden("out_of_scope", action=action)


async def changes_of(caller: Caller, made: Draft) -> dict[str, Any]:
    """What a draft changes, as the audit log has it: `field: [old, new]`, references by their numbers."""
    found = {}
    for name in sorted(made.changed):
        one = made.rows.definition.by_key[name]
        pair: list[Any] = []
        for value in (made.before.get(name), made.values.get(name)):
            if one.target and value not in (None, []):
                ids = value if isinstance(value, list) else [value]
                led_to = await caller.references.named(one.target, ids)
                refs = [led_to[each].ref for each in ids if each in led_to]
                pair.append(refs if one.type == "refs" else refs[0] if refs else None)
            else:
                pair.append(said(value))
        found[name] = pair
    return found
