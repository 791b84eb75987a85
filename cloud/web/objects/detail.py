"""A record's page, made ready to be shown."""

from dataclasses import dataclass

from markupsafe import Markup

from cloud.objects.definition import FieldDef, ObjectDef, SectionDef
from cloud.objects.service import Item
from cloud.web.objects.values import Shower


@dataclass(frozen=True, slots=True)
class Fact:
    """A field with its value; `wide` values take the whole line."""

    field: FieldDef
    value: Markup
    wide: bool


@dataclass(frozen=True, slots=True)
class Facts:
    section: SectionDef | None
    facts: tuple[Fact, ...]


def sections_of(item: Item, definition: ObjectDef, show: Shower) -> tuple[Facts, ...]:
    """Fields under their headings, as far as the reader sees them. Empty ones show a dash: that nothing is there is told; but
    not those that only sometimes apply, nor headings with nothing below them."""
    found = []
    for section in (None, *definition.sections):
        key = section.key if section else ""
        facts = tuple(
            Fact(one, show.rows(one, value) if one.of and value else show.field(one, value), one.type in {"long", "json"})
            for one in definition.live
            if one.section == key
            and one.key in item.values
            and one.key != definition.ref
            and ((value := item.values[one.key]) not in (None, []) or not one.visible_when)
        )
        if any(item.values[one.field.key] not in (None, []) for one in facts):
            found.append(Facts(section, facts))
    return tuple(found)
