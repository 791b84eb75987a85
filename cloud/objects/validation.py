"""Values that somebody wants to save against the definition: taken in, completed, and every rule asked.

Order: forms of values, references, defaults, computed fields, which fields are visible, then `readonly_when`, `required_when`,
`options_when`, `validate`, uniqueness. All faults are found in one go. The same work answers a form that is being filled in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import select

from cloud.kernel.access import CREATE, READ, WRITE
from cloud.objects.caller import Caller
from cloud.objects.check import compute_order
from cloud.objects.columns import stored_field
from cloud.objects.definition import FieldDef
from cloud.objects.faults import FieldFault
from cloud.objects.permits import NOWHERE, Reach, expression, reach, ways_of
from cloud.objects.references import MAX_LINKED, own_values
from cloud.objects.rows import Rows
from cloud.objects.turns import wait_for_turn
from cloud.objects.values import Unfit, accept, to_store
from sync_protocol.expressions import Expression, ExpressionFault
from sync_protocol.expressions.values import Value


@dataclass
class Draft:
    """A record as it would be. `values` are as rows have them (references as row numbers); `changed` the fields whose value is
    another than before."""

    rows: Rows
    row: Any | None
    """None for a new one."""
    values: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    faults: list[FieldFault] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)
    readonly: set[str] = field(default_factory=set)
    options: dict[str, frozenset[str]] = field(default_factory=dict)
    """Fields of which only some options are allowed now."""

    @property
    def fields(self) -> tuple[FieldDef, ...]:
        return self.rows.definition.live

    def fault(self, name: str, code: str, **values: str) -> None:
        self.faults.append(FieldFault(name, code, values))


async def draft(caller: Caller, rows: Rows, row: Any | None, given: Mapping[str, object]) -> Draft:
    """What the record would be with the given values, and everything that stands against it. Reads only."""
    made = Draft(rows, row)
    if row is not None:
        made.before = rows.values(row)
        for one in made.fields:
            if one.type == "refs":
                made.before[one.key] = await caller.references.linked(rows.definition.key, row.id, one)
    made.values = dict(made.before)
    await _take_in(caller, made, given)
    if row is None:
        await _defaults(caller, made, given)
    await _compute(caller, made)
    await _conditions(caller, made, given)
    made.changed = {name for name, value in made.values.items() if not same(value, made.before.get(name))}
    await _validate(caller, made)
    await _unique(caller, made)
    return made


def same(one: Any, other: Any) -> bool:
    """Whether two values of a field are one: nothing is nothing, whichever way it is said."""
    return one == other or (one in (None, []) and other in (None, [])) or _bare(one) == _bare(other)


def _bare(value: Any) -> Any:
    """Rows without the columns that are empty: older ones may not have had them."""
    if not isinstance(value, list):
        return value
    return [
        {key: each for key, each in one.items() if each not in (None, "")} if isinstance(one, dict) else one for one in value
    ]


async def _take_in(caller: Caller, made: Draft, given: Mapping[str, object]) -> None:
    write = await _write_reach(caller, made)
    for name, value in given.items():
        one = made.rows.definition.by_key.get(name)
        if one is None or one.archived:
            made.fault(name, "unknown_field")
            continue
        if not write.allows(name):
            made.fault(name, "not_yours")
            continue
        try:
            taken = await _accept(caller, one, value)
        except Unfit as exc:
            made.faults.append(exc.at(name))
            continue
        if (one.computed or one.readonly) and not same(taken, made.before.get(name)):
            made.fault(name, "readonly")
            continue
        made.values[name] = taken


async def _write_reach(caller: Caller, made: Draft) -> Reach:
    if made.row is not None:
        return await reach(caller, made.rows, made.row, WRITE)
    # Whether a new record lies within the scope shows when it is whole (cloud.objects.service).
    masks = tuple(mask for _, mask in ways_of(caller, made.rows.definition, CREATE))
    return Reach(masks) if masks else NOWHERE


async def _accept(caller: Caller, one: FieldDef, value: object) -> Any:
    if one.type == "ref":
        found = await _resolve(caller, one, [] if value in (None, "") else [value])
        return found[0] if found else None
    if one.type == "refs":
        listed = value.split(",") if isinstance(value, str) else value
        if listed is None:
            return []
        if not isinstance(listed, Sequence) or len(listed) > MAX_LINKED:
            raise Unfit("list")
        return await _resolve(caller, one, [each for each in listed if each not in (None, "")])
    return accept(one, value)


async def _resolve(caller: Caller, one: FieldDef, given: Sequence[object]) -> list[int]:
    if not given:
        return []
    wanted = [each.strip() for each in given if isinstance(each, str)]
    if len(wanted) != len(given):
        raise Unfit("ref")
    found = await caller.references.resolve(one.target, wanted)
    rows = caller.rows(one.target)
    for each in wanted:
        row = await caller.references.row(one.target, found.get(each))
        # What the writer may not see does not exist for them: else numbers could be guessed here.
        if row is None or not await reach(caller, rows, row, READ):
            raise Unfit("no_such", ref=each[:60])
        if getattr(row, "archived", False):
            raise Unfit("archived_ref", ref=each[:60])
        if one.where and not await _holds_where(caller, one, rows, row):
            raise Unfit("ref_not_fitting", ref=each[:60])
    return list(dict.fromkeys(found[each] for each in wanted))


async def _holds_where(caller: Caller, one: FieldDef, rows: Rows, row: Any) -> bool:
    condition = expression(caller, one.target, one.where)
    facts = await caller.references.facts(rows, row.id, own_values(rows, row), condition.names())
    try:
        return condition.holds(facts, caller.given())
    except ExpressionFault:
        return False


async def _defaults(caller: Caller, made: Draft, given: Mapping[str, object]) -> None:
    for one in made.fields:
        made.values.setdefault(one.key, [] if one.type == "refs" else None)
    for one in made.fields:
        if not one.default or one.key in given:
            continue
        value = await _work_out(caller, made, one.key, one.default)
        try:
            made.values[one.key] = await _accept(caller, one, _as_given(value))
        except Unfit as exc:
            made.faults.append(exc.at(one.key))


def _as_given(value: Value) -> object:
    return list(value) if isinstance(value, tuple) else value


async def _compute(caller: Caller, made: Draft) -> None:
    for one in compute_order(made.rows.definition, caller.objects.definitions):
        before = len(made.faults)
        value = await _work_out(caller, made, one.key, one.compute)
        if len(made.faults) > before:
            continue
        try:
            made.values[one.key] = accept(one, _rounded(one, _as_given(value)))
        except Unfit as exc:
            made.faults.append(exc.at(one.key))


def _rounded(one: FieldDef, value: object) -> object:
    """A quotient has more places than the field: computed numbers are rounded half up to the field's places."""
    if isinstance(value, Decimal):
        if one.type == "int":
            return int(value.to_integral_value(ROUND_HALF_UP))
        if one.type in {"decimal", "money"}:
            return value.quantize(Decimal(1).scaleb(-one.decimals), ROUND_HALF_UP)
        return format(value, "f")
    return value


async def _conditions(caller: Caller, made: Draft, given: Mapping[str, object]) -> None:
    for one in made.fields:
        if one.visible_when and not await _truth(caller, made, one.key, one.visible_when):
            made.hidden.add(one.key)
            if one.key in given and not same(made.values.get(one.key), made.before.get(one.key)) and made.values.get(one.key):
                made.fault(one.key, "hidden")
            continue
        if one.readonly or one.computed:
            made.readonly.add(one.key)
        elif one.readonly_when and await _truth(caller, made, one.key, one.readonly_when):
            made.readonly.add(one.key)
            if not same(made.values.get(one.key), made.before.get(one.key)) and made.row is not None:
                made.fault(one.key, "readonly")
        if one.required or (one.required_when and await _truth(caller, made, one.key, one.required_when)):
            made.required.add(one.key)
        if one.options_when:
            await _narrow(caller, made, one)


async def _narrow(caller: Caller, made: Draft, one: FieldDef) -> None:
    allowed = await _work_out(caller, made, one.key, one.options_when)
    if not isinstance(allowed, list | tuple):
        return
    made.options[one.key] = frozenset(str(each) for each in allowed)
    value = made.values.get(one.key)
    chosen = [] if value is None else [value] if isinstance(value, str) else value
    if any(each not in made.options[one.key] for each in chosen):
        made.fault(one.key, "option_now")


async def _validate(caller: Caller, made: Draft) -> None:
    faulty = {one.field for one in made.faults}
    for one in made.fields:
        value = made.values.get(one.key)
        if one.key in faulty or one.key in made.hidden:
            continue
        if value in (None, []):
            if one.key in made.required:
                made.fault(one.key, "required")
            continue
        if one.validate:
            before = len(made.faults)
            good = await _truth(caller, made, one.key, one.validate)
            if not good and len(made.faults) == before:
                said = {} if one.message is None else {"en": one.message.en, "he": one.message.in_("he")}
                made.faults.append(FieldFault(one.key, "rule", {}, said))
        chosen = [value] if isinstance(value, str) and one.type == "choice" else value if one.type == "choices" else []
        for each in chosen:
            option = one.option(each)
            if option is not None and option.archived and not same(value, made.before.get(one.key)):
                made.fault(one.key, "option_archived", found=str(each))


async def _unique(caller: Caller, made: Draft) -> None:
    faulty = {one.field for one in made.faults}
    for one in made.fields:
        value = made.values.get(one.key)
        if not one.unique or value is None or one.key in faulty or one.key not in made.changed:
            continue
        column = stored_field(made.rows, one, caller.session.get_bind().dialect.name).expr
        stored = value if one.column else to_store(one, value)
        if not one.column:
            # No index keeps it unique: whoever writes the same value comes after us.
            await wait_for_turn(caller.session, made.rows.definition.key, one.key, str(stored))
        query = select(made.rows.model.id).where(*made.rows.own(), column == stored).limit(1)
        if made.row is not None:
            query = query.where(made.rows.model.id != made.row.id)
        if await caller.session.scalar(query) is not None:
            made.fault(one.key, "taken")


async def _truth(caller: Caller, made: Draft, name: str, text: str) -> bool:
    return bool(await _work_out(caller, made, name, text))


async def _work_out(caller: Caller, made: Draft, name: str, text: str) -> Value:
    """The value of one of the definition's expressions now; a fault of it is one of the field: the writer cannot go on."""
    try:
        found: Expression = expression(caller, made.rows.definition.key, text)
        facts = await facts_of(caller, made, found.names())
        row_id = None if made.row is None else made.row.id
        return found.value(facts, await caller.given_of(made.rows.definition, row_id, text))
    except ExpressionFault as exc:
        made.fault(name, "rule_failed", why=exc.message, column=str(exc.column))
        return None


async def facts_of(caller: Caller, made: Draft, paths: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """What expressions see of a draft."""
    values = dict(made.values)
    if made.row is not None:
        values = {**own_values(made.rows, made.row), **values}
    elif made.rows.definition.states:
        values["state"] = made.rows.definition.states[0].key
    row_id = None if made.row is None else made.row.id
    return await caller.references.facts(made.rows, row_id, values, paths)
