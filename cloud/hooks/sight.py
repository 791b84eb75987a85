"""What an endpoint may be told: no more than its owner may read, now."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.access import READ, Access, Mask
from cloud.kernel.models import Event

See = Callable[[Event], Awaitable[Mapping[str, Any] | None]]
"""The changes of an event that may be seen; None where its record must not be."""

Sight = Callable[[AsyncSession, str], Awaitable[See]]
"""How the person of this login sees events. Within one transaction."""

AccessOf = Callable[[AsyncSession, str], Awaitable[Access | None]]
"""What the person of this login may do; None for somebody who is not let in any more."""

MasksOf = Callable[[AsyncSession, Access, str, str], Awaitable[list[Mask]]]
"""Masks of the ways in which a record (kind, ref) may be read that depend on the record itself: on its site or a scope."""


async def no_masks(_session: AsyncSession, _access: Access, _kind: str, _ref: str) -> list[Mask]:
    """For kinds of which nobody can say whether a scope holds: then it does not."""
    return []


def sight(access_of: AccessOf, masks_of: MasksOf = no_masks) -> Sight:
    """By grants: a field is told where one of the ways of reading the record reaches it."""

    async def of_owner(session: AsyncSession, owner: str) -> See:
        access = await access_of(session, owner)

        async def see(event: Event) -> Mapping[str, Any] | None:
            if access is None:
                return None
            ways = access.ways(event.kind, READ)
            masks = [way.mask for way in ways if not way.scopes and way.site is None]
            if len(masks) < len(ways):
                masks += await masks_of(session, access, event.kind, event.ref)
            if not masks:
                return None
            return {name: value for name, value in event.changes.items() if any(mask.allows(name) for mask in masks)}

        return see

    return of_owner
