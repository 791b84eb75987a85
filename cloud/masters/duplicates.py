"""Whether a party is there already: found by mail address, telephone, company and tax number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters import identity
from cloud.masters.models import Party, PartyKey

MAX_FOUND = 20
"""More is no duplicate but a switchboard's number."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A party that shares a key. `scheme` is `mail`, `phone`, `reg_no` or `vat_no`, `value` what both have."""

    ref: str
    name: str
    name_he: str | None
    scheme: str
    value: str


async def duplicates_of(session: AsyncSession, values: Mapping[str, Any], *, but: str | None = None) -> list[Duplicate]:
    """Parties that share a mail address, telephone or number with these fields of a party, by ref; `but` is left out."""
    keys = identity.keys_of(values, await house_country(session))
    if not keys:
        return []
    rows = await session.execute(
        select(Party.ref, Party.name, Party.name_he, PartyKey.scheme, PartyKey.value)
        .join(Party, Party.id == PartyKey.party_id)
        .where(tuple_(PartyKey.scheme, PartyKey.value).in_(sorted(keys)), Party.archived.is_(False), Party.ref != (but or ""))
        .order_by(Party.ref, PartyKey.scheme, PartyKey.value)
        .limit(MAX_FOUND)
    )
    return [Duplicate(*row) for row in rows]


async def house_country(session: AsyncSession) -> str:
    """Country of our own main address: numbers without a country code belong there."""
    with session.no_autoflush:
        addresses = await session.scalar(
            select(Party.addresses).where(Party.has_role("house"), Party.archived.is_(False)).order_by(Party.id).limit(1)
        )
    countries = [str(one["country"]) for one in addresses or () if one.get("country")]
    return countries[0].upper() if countries else identity.HOUSE_COUNTRY
