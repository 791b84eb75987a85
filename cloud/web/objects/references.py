"""Choosing other records: what a person typed or picked, as a number; and what they may pick from."""

from dataclasses import dataclass

from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, ObjectDef
from cloud.objects.permits import open_masks
from cloud.objects.query import Query, find
from cloud.objects.rows import Reference
from cloud.web.objects.words import contains

BETWEEN = " · "
"""Stands between title and number in a field: numbers hold no spaces, so what is behind it is the number."""

OFFERED = 12
"""Records in the list below a field: as many as fit under it."""


def ref_of(text: str) -> str:
    """The number in what stands in a field for a reference."""
    return text.rpartition(BETWEEN)[2].strip()


def worded(reference: Reference, locale: str) -> str:
    """A reference as its field shows it."""
    title = reference.title.in_(locale)
    return reference.ref if title == reference.ref else f"{title}{BETWEEN}{reference.ref}"


@dataclass(frozen=True, slots=True)
class Offer:
    """One record to pick: `value` is what its field will hold."""

    value: str
    title: str
    ref: str


def search_text(caller: Caller, definition: ObjectDef, words: str) -> str:
    """An expression for records whose number, title or searchable fields hold all of the words; "" for no words."""
    mask = open_masks(caller, definition)
    names = ["ref"]
    if not definition.typed and all(mask.allows(one) or one == "ref" for one in definition.title_fields):
        names.append("title")
    for one in definition.live:
        named = one.key in definition.title_fields or one.searchable
        if one.type in {"text", "long"} and named and mask.allows(one.key) and one.key not in names:
            names.append(one.key)
    every = [" or ".join(contains(name, word) for name in names) for word in words.split()[:6]]
    return " and ".join(f"({one})" for one in every)


async def offers(caller: Caller, field: FieldDef, words: str, locale: str) -> list[Offer]:
    """Records that the field may lead to and that the words find. Raises Forbidden."""
    target = caller.objects.get(field.target)
    parts = [one for one in (search_text(caller, target, ref_of(words)), field.where) if one]
    text = " and ".join(f"({one})" for one in parts)
    only = frozenset(target.title_fields)
    page = await find(caller, target.key, Query(text, limit=OFFERED, only=only))
    found = []
    for one in page.items:
        reference = Reference(one.kind, one.id, one.ref, one.title)
        found.append(Offer(worded(reference, locale), one.title.in_(locale), one.ref))
    return found
