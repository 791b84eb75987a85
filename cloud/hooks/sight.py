"""What an endpoint may be told: no more than its owner may read, now."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.access import READ, Access, Mask
from cloud.kernel.models import Event
from cloud.objects.permits import ALWAYS
from cloud.people.access import access_of
from cloud.people.accounts import user_by_login

See = Callable[[Event], Awaitable[Mapping[str, Any] | None]]
"""The changes of an event that may be seen; None where its record must not be."""

Sight = Callable[[AsyncSession, str], Awaitable[See]]
"""How the person of this login sees events. Within one transaction."""

AccessOf = Callable[[AsyncSession, str], Awaitable[Access | None]]
"""What the person of this login may do; None for somebody who is not let in any more."""

MasksOf = Callable[[AsyncSession, str, Access, str, str], Awaitable[Sequence[Mask]]]
"""Masks of the ways in which somebody (login, access) may read a record (kind, ref), those that depend on the record's own
values included."""


async def no_masks(_session: AsyncSession, _login: str, _access: Access, _kind: str, _ref: str) -> Sequence[Mask]:
    """Where nobody can say whether a scope holds: then it does not."""
    return ()


async def access_of_login(session: AsyncSession, login: str) -> Access | None:
    """What the person of this login may do; None where there is none."""
    user = await user_by_login(session, login)
    return None if user is None else await access_of(session, user)


def sight(access_of: AccessOf, masks_of: MasksOf = no_masks) -> Sight:
    """By grants: a field is told where one of the ways of reading the record reaches it."""

    async def of_owner(session: AsyncSession, owner: str) -> See:
        access = await access_of(session, owner)

        async def see(event: Event) -> Mapping[str, Any] | None:
            if access is None:
                return None
            ways = access.ways(event.kind, READ)
            masks: list[Mask] = [way.mask for way in ways if not way.scopes and way.site is None]
            if len(masks) < len(ways):
                masks += await masks_of(session, owner, access, event.kind, event.ref)
            if not masks:
                return None
            shown = {name for name in event.changes if name in ALWAYS or any(mask.allows(name) for mask in masks)}
            return {name: value for name, value in event.changes.items() if name in shown}

        return see

    return of_owner
