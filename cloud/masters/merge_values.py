"""What one party's row says once another has become part of it."""

from collections.abc import Mapping
from typing import Any

from cloud.masters.models import Party

FILLED = ("name_he", "reg_no", "vat_no", "segment", "employees", "website")
"""Taken over where the kept party says nothing."""


def joined(keep: Party, lose: Party) -> dict[str, Any]:
    """The kept party's new values by column. It keeps what it says itself; nothing of the other's ways, addresses, roles and
    customers' own fields is lost. A consent goes over only together with the address it was given for."""
    values: dict[str, Any] = {name: getattr(keep, name) or getattr(lose, name) for name in FILLED}
    values["roles"] = list(dict.fromkeys([*keep.roles, *lose.roles]))
    values["extra"] = {**(lose.extra or {}), **(keep.extra or {})}
    values["addresses"] = _each_once([*keep.addresses, *lose.addresses])
    values |= _way(keep, lose, "email", "mail_consent") | _way(keep, lose, "phone", "whatsapp_consent")
    further = [*keep.more_ways, *lose.more_ways]
    for name, way in (("email", "mail"), ("phone", "phone")):
        given = getattr(lose, name)
        if given and given != values[name]:
            further.append({"way": way, "value": given, "note": ""})
    values["more_ways"] = _each_once(further, ("way", "value"))
    return values


def _way(keep: Party, lose: Party, name: str, consent: str) -> dict[str, Any]:
    owner = keep if getattr(keep, name) or not getattr(lose, name) else lose
    return {one: getattr(owner, one) for one in (name, consent, f"{consent}_at")}


def _each_once(rows: list[dict[str, Any]], by: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        found.setdefault(_place(row, by), row)
    return list(found.values())


def _place(row: Mapping[str, Any], by: tuple[str, ...] | None) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in by) if by else tuple(sorted((name, str(value)) for name, value in row.items()))
