"""One written form for what tells parties apart: mail addresses, telephone and company numbers."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import phonenumbers

from cloud.errors import Refused

HOUSE_COUNTRY = "IL"
"""Where numbers without a country code belong as long as the house has no address."""

MAIL_WAYS = frozenset({"mail"})
PHONE_WAYS = frozenset({"phone", "mobile", "whatsapp", "fax"})

MAX_MAIL = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets with its brackets."""

# What one types and a mail server would take; that it is somebody's only a message can show.
_MAIL = re.compile(r"[^\s@<>(),;:\\\"\[\]]{1,64}@[^\s@<>(),;:\\\"\[\]]+\.[^\s@<>(),;:\\\"\[\].]{2,}")

Key = tuple[str, str]
"""Scheme (`mail`, `phone`, `reg_no`, `vat_no`) and normalised value."""


def mail(text: str) -> str:
    """A mail address in small letters. Raises Refused `mail_form`."""
    found = unicodedata.normalize("NFKC", text).strip().removeprefix("mailto:").lower()
    if len(found) > MAX_MAIL or not _MAIL.fullmatch(found) or ".." in found:
        raise Refused("mail_form", value=text[:60])
    return found


def phone(text: str, country: str = HOUSE_COUNTRY) -> str:
    """A telephone number in E.164; without `+` it is one of the country (ISO 3166-1, two letters). Raises Refused
    `phone_form`, also for numbers with an extension, which E.164 has no place for."""
    try:
        found = phonenumbers.parse(unicodedata.normalize("NFKC", text), country)
    except phonenumbers.NumberParseException as exc:
        raise Refused("phone_form", value=text[:60]) from exc
    if found.extension or not phonenumbers.is_possible_number(found):
        raise Refused("phone_form", value=text[:60])
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def number(text: str) -> str:
    """A company or tax number: its letters and digits alone, capital. Raises Refused `number_form`."""
    found = "".join(one for one in unicodedata.normalize("NFKC", text).upper() if one.isalnum())
    if not any(one.isdigit() for one in found):
        raise Refused("number_form", value=text[:60])
    return found


def ways_in_order(rows: Iterable[Mapping[str, Any]], country: str = HOUSE_COUNTRY) -> list[dict[str, Any]]:
    """A party's further ways with their values normalised, each once. Raises Refused."""
    found: dict[Key, dict[str, Any]] = {}
    for row in rows:
        way, value = str(row.get("way") or ""), str(row.get("value") or "")
        if way not in MAIL_WAYS | PHONE_WAYS:
            raise Refused("way_unknown", way=way[:40])
        value = mail(value) if way in MAIL_WAYS else phone(value, country)
        found.setdefault((way, value), {**row, "way": way, "value": value})
    return list(found.values())


def keys_of(values: Mapping[str, Any], country: str = HOUSE_COUNTRY) -> set[Key]:
    """By what a party with these fields would be found again. What has not the right form yet gives no key."""
    found = {_key(scheme, values.get(field), country) for scheme, field in _FIELDS.items()}
    for row in values.get("more_ways") or ():
        way = str(row.get("way") or "")
        if way in MAIL_WAYS | PHONE_WAYS:
            found.add(_key("mail" if way in MAIL_WAYS else "phone", row.get("value"), country))
    return {one for one in found if one is not None}


_FIELDS = {"mail": "email", "phone": "phone", "reg_no": "reg_no", "vat_no": "vat_no"}


def _key(scheme: str, value: object, country: str) -> Key | None:
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        if scheme == "phone":
            return scheme, phone(value, country)
        return scheme, mail(value) if scheme == "mail" else number(value)
    except Refused:
        return None
