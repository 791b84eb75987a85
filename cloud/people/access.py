"""What a person or key may do, read from the roles they hold, and whether one's permissions reach as far as another's."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Forbidden
from cloud.kernel.access import ACTIONS, ANY, TRANSITION, Access, Grant, Mask, Way
from cloud.kernel.actor import Actor, Taken
from cloud.people.models import ApiKey, ApiKeyRole, GrantRow, RoleRow, User, UserRole


@dataclass(frozen=True, slots=True)
class Who:
    """Who is behind a request, and what they may do. `key` is the prefix of the API key it came with, if it came with one."""

    actor: Actor
    access: Access
    key: str | None = None


async def access_of(session: AsyncSession, user: User) -> Access:
    """Everything that the person may do by all roles, each at its site; nothing for one who is not active."""
    return await held_access(session, user) if user.active else Access()


async def held_access(session: AsyncSession, user: User) -> Access:
    """The same whether the account is open or shut."""
    return await _read(session, UserRole, UserRole.user_id == user.id)


async def access_of_key(session: AsyncSession, key: ApiKey) -> Access:
    """What a key may do: as the person it acts for, or by its own roles."""
    if key.user is not None:
        return await access_of(session, key.user)
    return await _read(session, ApiKeyRole, ApiKeyRole.api_key_id == key.id)


async def _read(session: AsyncSession, held: type[UserRole] | type[ApiKeyRole], mine: ColumnElement[bool]) -> Access:
    rows = await session.execute(
        select(RoleRow.key, GrantRow.kind, GrantRow.action, GrantRow.scope, GrantRow.mask, held.site)
        .select_from(held)
        .join(RoleRow, RoleRow.id == held.role_id)
        .join(GrantRow, GrantRow.role_id == RoleRow.id)
        .where(mine)
        .order_by(RoleRow.key, held.site, GrantRow.id)
    )
    return Access.of(
        Grant(key, kind, action, scope, Mask.parse(mask), site or None) for key, kind, action, scope, mask, site in rows
    )


def grants_of(role: RoleRow, site: str | None = None) -> Access:
    """What a role allows at a site (None: everywhere)."""
    return Access.of(
        Grant(role.key, each.kind, each.action, each.scope, Mask.parse(each.mask), site or None) for each in role.grants
    )


def reaches(holder: Access, asked: Access) -> bool:
    """Whether all that `asked` allows is allowed to `holder` too, at least as widely.

    Only kinds and actions that a grant of either names need a look: every other one is treated as `*` is.
    """
    every = (*holder.grants, *asked.grants)
    kinds = {ANY, *(each.kind for each in every)}
    actions = {ANY, TRANSITION + ANY, *ACTIONS, *(each.action for each in every)}
    return all(
        any(_as_wide(own, way) for own in holder.ways(kind, action))
        for kind, action in product(kinds, actions)
        for way in asked.ways(kind, action)
    )


def _as_wide(own: Way, way: Way) -> bool:
    if not set(own.scopes) <= set(way.scopes) or own.site not in {None, way.site}:
        return False
    if own.mask.only is not None and (way.mask.only is None or not way.mask.only - way.mask.hidden <= own.mask.only):
        return False
    return not any(way.mask.allows(name) for name in own.mask.hidden)


def check_reach(taken: Taken, asked: Access) -> None:
    """Raises Forbidden `beyond_own` where somebody would hand out, or take over, more than they may do themselves."""
    if taken.access is not None and not reaches(taken.access, asked):
        raise Forbidden("beyond_own")


@dataclass(frozen=True, slots=True)
class Why:
    """One way in which an action is allowed, and the role that it comes from."""

    role: str
    way: Way


def explain(access: Access, kinds: Iterable[str], actions: Iterable[str]) -> Iterator[tuple[str, str, tuple[Why, ...]]]:
    """For every kind and action the ways with their roles; an empty tuple where it is not allowed."""
    by_role: dict[str, list[Grant]] = {}
    for grant in access.grants:
        by_role.setdefault(grant.role, []).append(grant)
    parts = {role: Access.of(grants) for role, grants in by_role.items()}
    for kind, action in product(kinds, tuple(actions)):
        yield kind, action, tuple(Why(role, way) for role, part in parts.items() for way in part.ways(kind, action))
