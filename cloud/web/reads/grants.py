"""Grants beside the definitions in force: whether conditions and field lists fit, and what a person may do kind by kind."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import NotFound, Refused
from cloud.kernel.access import ACTIONS, ANY, OPEN, TRANSITION, Mask, Way
from cloud.objects.definition import Label as Words
from cloud.objects.registry import Objects
from cloud.objects.schema import schema_of, system_fields
from cloud.people.access import explain, held_access
from cloud.people.accounts import user_by_login
from cloud.people.builtin import BUILTIN, Allowed
from cloud.people.models import GrantRow, RoleRow, User
from cloud.web.reads.people import Label, labels
from sync_protocol.expressions import ExpressionFault, parse

UNREADABLE = frozenset({"syntax", "forbidden", "too_large"})
"""Faults of an expression that no definition would make good."""


@dataclass(frozen=True, slots=True)
class WhyRow:
    """One way in which something is allowed."""

    role: Label
    way: Way

    @property
    def open(self) -> bool:
        return self.way.mask == OPEN


Cell = tuple[str, tuple[WhyRow, ...]]
"""An action, and the ways in which it is allowed."""


@dataclass(frozen=True, slots=True)
class MayRow:
    """A kind with, for each action, the ways in which it is allowed. `words` are its definition's, if it has one."""

    kind: str
    words: Words | None
    cells: tuple[Cell, ...]
    transitions: tuple[tuple[Cell, Words | None], ...]


@dataclass(frozen=True, slots=True)
class GrantLine:
    """Grants of one kind, scope and mask as the page edits them: all their actions in one line."""

    kind: str
    actions: str
    scope: str
    mask: str


async def read_may(session: AsyncSession, login: str, objects: Objects) -> tuple[User, tuple[MayRow, ...]]:
    """What a person may do, kind by kind, `*` (every kind that is not named) last. Raises NotFound."""
    user = await user_by_login(session, login)
    if user is None:
        raise NotFound("user", login)
    names = await labels(session)
    access = await held_access(session, user)
    granted = [(kind, action) for kind, action in await session.execute(select(GrantRow.kind, GrantRow.action).distinct())]
    live = {key for key, one in objects.definitions.items() if not one.archived}
    known = live | {each.kind for role in BUILTIN for each in role.grants} | {kind for kind, _ in granted}
    rows = []
    for kind in [*sorted(known - {ANY}), ANY]:
        definition = objects.definitions.get(kind)
        said = {f"{TRANSITION}{one.key}": one.label for one in definition.transitions} if definition else {}
        named = {action for of, action in granted if of == kind and action.startswith(TRANSITION)}
        steps = sorted(said) if said else sorted(named | {TRANSITION + ANY})
        cells = [
            (action, tuple(WhyRow(names[why.role], why.way) for why in whys))
            for _, action, whys in explain(access, [kind], [*ACTIONS, *steps])
        ]
        count = len(ACTIONS)
        transitions = tuple((cell, said.get(cell[0])) for cell in cells[count:] if cell[1])
        rows.append(MayRow(kind, definition.plural if definition else None, tuple(cells[:count]), transitions))
    return user, tuple(rows)


def grant_lines(row: RoleRow) -> tuple[GrantLine, ...]:
    """A role's grants, those that differ in the action alone put together."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for each in row.grants:
        lines.setdefault((each.kind, each.scope, each.mask), []).append(each.action)
    return tuple(GrantLine(kind, " ".join(actions), scope, mask) for (kind, scope, mask), actions in lines.items())


def grants_in(lines: Iterable[tuple[str, str, str, str]]) -> list[Allowed]:
    """The other way: kind, actions, scope and mask of every line that is not empty."""
    return [
        Allowed(kind.strip(), action, scope, mask)
        for kind, actions, scope, mask in lines
        for action in actions.replace(",", " ").split() or ([""] if kind.strip() else [])
    ]


def check_fit(grants: Iterable[Allowed], objects: Objects) -> None:
    """Raises Refused `grant_scope_fits` or `grant_mask_fits` for names that the kind does not have: such a grant would open
    nothing, or hide nothing."""
    for each in grants:
        definition = objects.definitions.get(each.kind)
        if definition is None:
            continue
        if each.scope.strip():
            try:
                parse(each.scope, schema_of(definition, objects.definitions))
            except ExpressionFault as exc:
                code = "grant_scope" if exc.code in UNREADABLE else "grant_scope_fits"
                raise Refused(code, scope=each.scope[:60], kind=each.kind) from exc
        mask = Mask.parse(each.mask)
        unknown = (mask.hidden | (mask.only or frozenset())) - {*definition.by_key, *system_fields(definition)}
        if unknown:
            raise Refused("grant_mask_fits", mask=" ".join(sorted(unknown))[:60], kind=each.kind)
