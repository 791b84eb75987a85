"""What can be done with a record from here: transitions, each with what it asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.objects.definition import Label, StateDef
from cloud.objects.faults import FieldFault
from cloud.objects.machines import machine_of, transition_of
from cloud.objects.rows import Rows
from cloud.objects.service import Item
from cloud.web.objects.formview import FieldView, FormMaker, filled
from cloud.web.objects.values import Shower

BACKWARD = frozenset({"lost", "cancelled"})
"""Phases that no button in front leads to: giving up is not what the page urges to."""

ONWARD = frozenset({"active", "won", "done"})

OWN_PAGES: Mapping[str, str] = {"receipt": "/receipts/{ref}"}
"""Kinds whose transitions need more than a form can ask: they are taken on pages of their own."""


@dataclass(frozen=True, slots=True)
class Move:
    """One transition. `asks`: whether a reason or fields come first."""

    key: str
    label: Label
    target: StateDef | None
    reason: bool
    asks: bool
    forward: bool
    onward: bool
    """Whether it leads on, not only aside: of these the first is the page's main button."""


async def moves_of(caller: Caller, rows: Rows, item: Item) -> list[Move]:
    """In the definition's order; none for archived records and for kinds with pages of their own."""
    if item.archived or rows.definition.key in OWN_PAGES:
        return []
    actions = service.actions_of(caller, rows, item.row)
    return [_move(rows, item, one, await _missing(caller, rows, item, one)) for one in actions]


def _move(rows: Rows, item: Item, action: str, missing: list[str]) -> Move:
    definition, state = rows.definition, item.state
    said = transition_of(definition, state, action) or next((one for one in definition.transitions if one.key == action), None)
    coded = next(one for one in machine_of(rows).transitions if one.action == action and state in one.sources)
    target = definition.state_by_key.get(coded.target or state or "")
    reason = coded.needs_reason or (said is not None and said.reason)
    label = said.label if said is not None else Label(action.replace("_", " ").capitalize())
    forward = target is not None and target.phase not in BACKWARD
    onward = target is not None and target.phase in ONWARD
    return Move(action, label, target, reason, asks=reason or bool(missing), forward=forward, onward=onward)


async def _missing(caller: Caller, rows: Rows, item: Item, action: str) -> list[str]:
    """Fields that the transition needs and the record does not have."""
    said = transition_of(rows.definition, item.state, action)
    found = []
    for name in said.require if said else ():
        one = rows.definition.by_key.get(name)
        if one is None:
            continue
        linked = one.type == "refs" and await caller.references.linked(rows.definition.key, item.id, one)
        if not linked and rows.get(item.row, one) in (None, [], ""):
            found.append(name)
    return found


async def asked_fields(
    caller: Caller,
    show: Shower,
    item: Item,
    action: str,
    given: Mapping[str, object],
    *,
    told: bool,
    faults: Iterable[FieldFault] = (),
) -> list[FieldView]:
    """The fields that have to be filled in for the transition, and those that become necessary with them. `faults`: why it was
    refused."""
    rows = caller.rows(item.kind)
    missing = await _missing(caller, rows, item, action)
    wanted = {*missing, *given}
    if not wanted:
        return []
    maker = FormMaker(caller, show, rows, item.row)
    done = await filled(caller, rows, item.row, given)
    view = await maker.view(done, given, told=None if told else ())
    # What is required because of what is filled in here belongs here too.
    wanted |= {
        one.field.key
        for section in view.sections
        for one in section.fields
        if one.required and not one.hidden and done.draft.values.get(one.field.key) in (None, [])
    }
    refused = {one.field: maker.fault(one) for one in faults}
    return [
        replace(
            one,
            required=one.required or one.field.key in missing,
            faults=(refused[one.field.key],) if one.field.key in refused and not one.faults else one.faults,
        )
        for section in view.sections
        for one in section.fields
        if one.field.key in wanted and not one.readonly and not one.hidden
    ]
