"""Roles: who holds which and where, and what they allow. Nobody hands out more than they may do themselves."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Conflict, NotFound, Refused
from cloud.kernel.access import ACTIONS, ANY, TRANSITION, Access, Grant, Mask
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.people.access import check_reach, grants_of, held_access
from cloud.people.builtin import Allowed
from cloud.people.models import EVERYWHERE, ApiKeyRole, GrantRow, Role, RoleRow, User, UserRole
from sync_protocol.expressions import ExpressionFault, parse

MAX_GRANTS = 500
"""Of one role: every kind with every action stays far below; access is worked out from all of them at each request."""

MAX_LABEL = 60
MAX_SCOPE = 500

_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KIND = re.compile(r"\*|[a-z][a-z0-9_]{0,59}")
_TRANSITION = re.compile(re.escape(TRANSITION) + r"(\*|[a-z][a-z0-9_]{0,59})")
_MASK = re.compile(r"(-?[a-z][a-z0-9_]{0,59}( |$))*")


async def role_by_key(session: AsyncSession, key: str) -> RoleRow:
    """The role. Raises NotFound."""
    found = await session.scalar(select(RoleRow).where(RoleRow.key == key))
    if found is None:
        raise NotFound("role", key)
    return found


async def all_roles(session: AsyncSession) -> Sequence[RoleRow]:
    """Every role, those of the program first."""
    return (await session.scalars(select(RoleRow).order_by(RoleRow.builtin.desc(), RoleRow.id))).all()


async def holders(session: AsyncSession) -> dict[int, int]:
    """How many people hold each role, by its id."""
    counted = select(UserRole.role_id, func.count(func.distinct(UserRole.user_id))).group_by(UserRole.role_id)
    return {role: count for role, count in await session.execute(counted)}  # noqa: C416 - rows are no pairs to a checker


async def held_by(session: AsyncSession, user: User) -> Sequence[UserRole]:
    """What the person holds, and where."""
    rows = await session.scalars(select(UserRole).where(UserRole.user_id == user.id).order_by(UserRole.id))
    return rows.all()


async def give_role(session: AsyncSession, user: User, role: str, taken: Taken, *, site: str = EVERYWHERE) -> None:
    """Let a person hold a role at a site, or everywhere. Giving it twice is no error. Raises NotFound, Forbidden, Refused."""
    row = await role_by_key(session, role)
    if site and not _SITE.fullmatch(site):
        raise Refused("site_form")
    check_reach(taken, grants_of(row, site))
    if await _held(session, user, row, site) is not None:
        return
    session.add(UserRole(user_id=user.id, role_id=row.id, site=site))
    await append_event(session, taken, action="give_role", kind="user", ref=user.login, changes=_said(role, site, given=True))
    await session.flush()


async def take_role(session: AsyncSession, user: User, role: str, taken: Taken, *, site: str = EVERYWHERE) -> None:
    """Take a role away. Raises Refused `main_role` for the last place of the main role, and `last_admin`."""
    row = await role_by_key(session, role)
    check_reach(taken, await held_access(session, user))
    if role == Role.ADMIN:
        await lock_admins(session)
    held = await _held(session, user, row, site)
    if held is None:
        return
    if role == Role.ADMIN and site == EVERYWHERE:
        await check_not_last_admin(session, user)
    if role == user.role:
        places = select(func.count()).select_from(UserRole).where(UserRole.user_id == user.id, UserRole.role_id == row.id)
        if await session.scalar(places) == 1:
            raise Refused("main_role")
    await session.delete(held)
    await append_event(session, taken, action="take_role", kind="user", ref=user.login, changes=_said(role, site, given=False))
    await session.flush()


async def set_main_role(session: AsyncSession, user: User, role: str, taken: Taken) -> None:
    """Say which role boxes and state machines go by; it is given, everywhere, where the person does not hold it yet."""
    if role == user.role:
        return
    check_reach(taken, await held_access(session, user))
    row = await role_by_key(session, role)
    if (
        await session.scalar(select(UserRole.id).where(UserRole.user_id == user.id, UserRole.role_id == row.id).limit(1))
        is None
    ):
        await give_role(session, user, role, taken)
    before, user.role = user.role, role
    await append_event(session, taken, action="change", kind="user", ref=user.login, changes={"role": [before, role]})
    await session.flush()


async def lock_admins(session: AsyncSession) -> None:
    """Two who shut each other out at the same moment must come one after the other."""
    await session.scalar(select(RoleRow.id).where(RoleRow.key == Role.ADMIN).with_for_update())


async def check_not_last_admin(session: AsyncSession, user: User) -> None:
    """Raises Refused `last_admin` when this is the only active person who is an admin everywhere. `lock_admins` goes before."""
    admins = await session.scalars(
        select(UserRole.user_id)
        .join(RoleRow, RoleRow.id == UserRole.role_id)
        .join(User, User.id == UserRole.user_id)
        .where(RoleRow.key == Role.ADMIN, UserRole.site == EVERYWHERE, User.active)
    )
    if list(admins) == [user.id]:
        raise Refused("last_admin")


async def create_role(session: AsyncSession, key: str, labels: tuple[str, str], taken: Taken) -> RoleRow:
    """A role of one's own, that allows nothing yet; `labels` are English and Hebrew. Raises Refused, Conflict."""
    if not _KEY.fullmatch(key):
        raise Refused("role_key_form")
    _check_labels(labels)
    if await session.scalar(select(RoleRow.id).where(RoleRow.key == key)) is not None:
        raise Conflict("role_taken", role=key)
    row = RoleRow(key=key, label_en=labels[0].strip(), label_he=labels[1].strip(), builtin=False, grants=[])
    session.add(row)
    await append_event(session, taken, action="create", kind="role", ref=key, changes={"label": [None, row.label_en]})
    await session.flush()
    return row


async def change_role(
    session: AsyncSession,
    key: str,
    labels: tuple[str, str],
    grants: Iterable[Allowed],
    taken: Taken,
    *,
    version: int | None = None,
) -> None:
    """Replace a role's names and grants. Raises Conflict when it moved on from `version`, Refused `grant_*` for one that cannot
    be, `admin_is_fixed`, Forbidden for more than the own permissions."""
    row = await _locked_role(session, key)
    if version is not None and version != row.version:
        raise Conflict("conflict", ref=key, kind="role", seen=str(version), now=str(row.version))
    _check_labels(labels)
    wanted = list(dict.fromkeys(_checked(each) for each in grants))
    before = _as_text(row)
    if key == Role.ADMIN and wanted != [Allowed(ANY, ANY)]:
        raise Refused("admin_is_fixed")
    if len(wanted) > MAX_GRANTS:
        raise Refused("too_many_grants", max=str(MAX_GRANTS))
    if len({(each.kind, each.action, each.scope) for each in wanted}) < len(wanted):
        raise Refused("grant_twice")
    check_reach(taken, grants_of(row))
    check_reach(taken, Access.of(Grant(key, each.kind, each.action, each.scope, Mask.parse(each.mask)) for each in wanted))
    named = (row.label_en, row.label_he)
    row.label_en, row.label_he = labels[0].strip(), labels[1].strip()
    row.grants.clear()
    await session.flush()
    row.grants.extend(GrantRow(kind=each.kind, action=each.action, scope=each.scope, mask=each.mask) for each in wanted)
    row.version += 1
    await session.flush()
    changes: dict[str, list[Any]] = {
        "label_en": [named[0], row.label_en],
        "label_he": [named[1], row.label_he],
        "grants": [before, _as_text(row)],
    }
    changed = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
    await append_event(session, taken, action="change", kind="role", ref=key, changes=changed)


async def remove_role(session: AsyncSession, key: str, taken: Taken) -> None:
    """Remove a role that nobody holds. Raises Refused `role_builtin`, `role_held`."""
    row = await _locked_role(session, key)
    if row.builtin:
        raise Refused("role_builtin")
    check_reach(taken, grants_of(row))
    for held in (UserRole, ApiKeyRole):
        if await session.scalar(select(held.id).where(held.role_id == row.id).limit(1)) is not None:
            raise Refused("role_held")
    await session.delete(row)
    await append_event(session, taken, action="remove", kind="role", ref=key, changes={"grants": [_as_text(row), None]})
    await session.flush()


async def _locked_role(session: AsyncSession, key: str) -> RoleRow:
    row = await session.scalar(
        select(RoleRow).where(RoleRow.key == key).with_for_update(of=RoleRow).execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("role", key)
    return row


async def _held(session: AsyncSession, user: User, role: RoleRow, site: str) -> UserRole | None:
    found: UserRole | None = await session.scalar(
        select(UserRole).where(UserRole.user_id == user.id, UserRole.role_id == role.id, UserRole.site == site)
    )
    return found


def _check_labels(labels: tuple[str, str]) -> None:
    if not all(0 < len(text.strip()) <= MAX_LABEL for text in labels):
        raise Refused("label_length", max=str(MAX_LABEL))


def _checked(grant: Allowed) -> Allowed:
    kind, action, scope, mask = grant.kind.strip(), grant.action.strip(), grant.scope.strip(), str(Mask.parse(grant.mask))
    if not _KIND.fullmatch(kind):
        raise Refused("grant_kind", kind=kind[:60])
    if action not in {ANY, *ACTIONS} and not _TRANSITION.fullmatch(action):
        raise Refused("grant_action", action=action[:60])
    if not _MASK.fullmatch(mask):
        raise Refused("grant_mask", mask=mask[:60])
    if len(scope) > MAX_SCOPE:
        raise Refused("grant_scope", scope=scope[:60])
    if scope:
        try:
            parse(scope)
        except ExpressionFault as exc:
            raise Refused("grant_scope", scope=scope[:60]) from exc
    return Allowed(kind, action, scope, mask)


def _as_text(row: RoleRow) -> list[str]:
    """Grants as the log holds them: a line for each."""
    return [f"{each.kind} | {each.action} | {each.scope} | {each.mask}".rstrip(" |") for each in row.grants]


def _said(role: str, site: str, *, given: bool) -> dict[str, list[str | None]]:
    what = f"{role} @ {site}" if site else role
    return {"held": [None, what] if given else [what, None]}
