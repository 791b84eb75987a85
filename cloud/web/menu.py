"""The menu: every kind of records that the visitor may read, under the headings that their definitions name."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloud.kernel.access import ANY, CONFIGURE, READ
from cloud.objects.definition import Label, ObjectDef
from cloud.objects.registry import Objects
from cloud.web.access import Visitor

GROUPS = ("records", "masters", "work", "admin")
"""In the menu's order; a group that a definition names and that is none of these stands with the records."""

OWN_PAGES: Mapping[str, str] = {"receipt": "/receipts", "box": "/boxes"}
"""Kinds that the menu leads to by links of their own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind. `here` is what its pages call themselves."""

    key: str
    label: Label
    href: str
    here: str


def menu_of(objects: Objects, visitor: Visitor) -> dict[str, list[Entry]]:
    """By group, each in the order of the definitions; empty groups are left out."""
    found: dict[str, list[Entry]] = {one: [] for one in GROUPS}
    for one in objects.definitions.values():
        if one.archived or one.key in OWN_PAGES or not visitor.may(one.key, READ):
            continue
        found[_group(one)].append(Entry(one.key, one.plural, f"/o/{one.key}", f"o/{one.key}"))
    return {name: entries for name, entries in found.items() if entries}


def _group(one: ObjectDef) -> str:
    return one.group if one.group in GROUPS else "records"


def may_configure(objects: Objects, visitor: Visitor) -> bool:
    """Whether there is any definition that the visitor may change."""
    return visitor.may(ANY, CONFIGURE) or any(visitor.may(key, CONFIGURE) for key in objects.definitions)
