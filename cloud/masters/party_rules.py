"""What holds for parties and their contacts beyond their definitions."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.masters import identity
from cloud.masters.duplicates import house_country
from cloud.masters.models import Party, PartyContact, PartyKey, PurchaseOrder
from cloud.masters.trees import refuse_circle

OPEN_STATES = ("draft", "confirmed", "on_hold")
"""Of purchase orders from which something may still come."""


async def before_party(session: AsyncSession, row: Party, changes: Mapping[str, Any], taken: Taken) -> None:
    """Bring the party's ways and numbers into their one form, and check what it is and belongs to."""
    country = await house_country(session)
    _normalise(row, changes, country)
    _consents(row, changes, taken)
    if row.id is None or {"kind", "roles", "email", "phone", "more_ways"} & changes.keys():
        _is_whole(row)
    if changes.get("reg_no"):
        await _reg_no_is_free(session, row)
    if {"parent", "kind"} & changes.keys():
        await _parent(session, row)
    if "roles" in changes and row.id is not None:
        await _roles_still_needed(session, row)
    if "house" in (row.roles or []) and "roles" in changes:
        await _one_house(session, row)


async def after_party(session: AsyncSession, row: Party, changes: Mapping[str, Any], _taken: Taken) -> None:
    """Keep the keys by which the party is found again."""
    if changes.keys() & {"email", "phone", "more_ways", "reg_no", "vat_no"}:
        await rekey(session, row)


async def rekey(session: AsyncSession, row: Party) -> None:
    """Make the party's keys from its row anew."""
    ways = {name: getattr(row, name) for name in ("email", "phone", "more_ways", "reg_no", "vat_no")}
    wanted = identity.keys_of(ways, await house_country(session))
    await session.execute(delete(PartyKey).where(PartyKey.party_id == row.id))
    session.add_all(PartyKey(party_id=row.id, scheme=scheme, value=value) for scheme, value in sorted(wanted))
    await session.flush()


def _normalise(row: Party, changes: Mapping[str, Any], country: str) -> None:
    forms: dict[str, Callable[[Any], Any]] = {
        "email": identity.mail,
        "phone": lambda text: identity.phone(text, country),
        "reg_no": identity.number,
        "vat_no": identity.number,
        "more_ways": lambda rows: identity.ways_in_order(rows, country),
        "website": _website,
    }
    for name, form in forms.items():
        if changes.get(name):
            try:
                setattr(row, name, form(getattr(row, name)))
            except Refused as exc:
                raise Refused(exc.code, **{**exc.values, "field": name}) from exc


def _website(text: str) -> str:
    whole = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(whole)
        port = parts.port
    except ValueError as exc:
        raise Refused("website_form") from exc
    if parts.scheme not in {"http", "https"} or "." not in (parts.hostname or "") or port == 0:
        raise Refused("website_form")
    return whole


def _consents(row: Party, changes: Mapping[str, Any], taken: Taken) -> None:
    for name, needs in (("mail_consent", "email"), ("whatsapp_consent", "phone")):
        if name not in changes:
            continue
        given = bool(getattr(row, name))
        if given and not getattr(row, needs):
            raise Refused("consent_without_way", field=name, needs=needs)
        setattr(row, f"{name}_at", taken.at if given else None)


def _is_whole(row: Party) -> None:
    if row.kind == "person" and not (row.email or row.phone or row.more_ways):
        raise Refused("person_needs_way", field="phone")
    if row.kind != "person" and not row.roles:
        raise Refused("company_needs_role", field="roles")


async def _reg_no_is_free(session: AsyncSession, row: Party) -> None:
    other = await session.scalar(select(Party.ref).where(Party.reg_no == row.reg_no, Party.id != (row.id or 0)))
    if other is not None:
        raise Refused("reg_no_taken", field="reg_no", ref=other)


async def _parent(session: AsyncSession, row: Party) -> None:
    if row.parent_id is not None:
        kind = await session.scalar(select(Party.kind).where(Party.id == row.parent_id))
        if kind != "company":
            raise Refused("parent_is_person", field="parent")
        await refuse_circle(session, "party", (Party.id, Party.parent_id), row.id, row.parent_id)
    if row.kind == "person" and row.id is not None:
        below = await session.scalar(select(Party.ref).where(Party.parent_id == row.id).limit(1))
        if below is not None:
            raise Refused("parent_is_person", field="kind", ref=below)


async def _roles_still_needed(session: AsyncSession, row: Party) -> None:
    if "supplier" not in row.roles:
        open_order = await open_order_of(session, row.id)
        if open_order is not None:
            raise Refused("role_in_use", field="roles", role="supplier", ref=open_order)


async def open_order_of(session: AsyncSession, party_id: int) -> str | None:
    """The number of a purchase order of this supplier from which something may still come."""
    return await session.scalar(
        select(PurchaseOrder.ref)
        .where(PurchaseOrder.supplier_id == party_id, PurchaseOrder.state.in_(OPEN_STATES), PurchaseOrder.archived.is_(False))
        .order_by(PurchaseOrder.id)
        .limit(1)
    )


async def _one_house(session: AsyncSession, row: Party) -> None:
    other = await session.scalar(
        select(Party.ref).where(Party.has_role("house"), Party.archived.is_(False), Party.id != (row.id or 0)).limit(1)
    )
    if other is not None:
        raise Refused("house_is_one", field="roles", ref=other)


async def before_contact(session: AsyncSession, row: PartyContact, changes: Mapping[str, Any], _taken: Taken) -> None:
    """A contact leads from a company to a person; a new first contact takes the place of the one before."""
    found = {
        party.id: party.kind
        for party in await session.scalars(select(Party).where(Party.id.in_([row.company_id, row.person_id])))
    }
    if found.get(row.company_id) != "company":
        raise Refused("contact_company", field="company")
    if found.get(row.person_id) != "person":
        raise Refused("contact_person", field="person")
    if not row.is_primary or "primary" not in changes:
        return
    others = select(PartyContact).where(
        PartyContact.company_id == row.company_id, PartyContact.is_primary, PartyContact.id != (row.id or 0)
    )
    for other in await session.scalars(others):
        other.is_primary = False
        other.version += 1
