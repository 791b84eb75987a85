"""One page of a list: what its address asks for, read and made ready to be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from cloud.errors import Refused
from cloud.kernel.access import CREATE, READ
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef
from cloud.objects.permits import open_masks
from cloud.objects.query import BadQuery, Page, Query, count, find
from cloud.objects.service import Item
from cloud.web.i18n import Locale
from cloud.web.objects.address import ListAddress
from cloud.web.objects.conditions import Condition, Subject, subjects, text_of
from cloud.web.objects.references import search_text
from cloud.web.objects.values import Shower

HEBREW: Final = "he"
PAGE = 50
PLAIN_COLUMNS = 7
"""Columns where the definition names none: what fits beside each other."""

UNSORTED = frozenset({"refs", "choices", "json", "long", "file"})


@dataclass(frozen=True, slots=True)
class Column:
    """`sort`: where its head leads, "" where it cannot be sorted by; `order`: how it is sorted now."""

    key: str
    label: Markup
    words: str
    number: bool
    sort: str = ""
    order: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`cells` in the order of the columns; the number stands before them."""

    item: Item
    title: Markup
    cells: tuple[Markup, ...]


@dataclass(frozen=True, slots=True)
class ConditionView:
    """A row of the filter with what may be chosen in it; `wrong`: its value is none of the field's."""

    condition: Condition
    subject: Subject | None
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A list ready to be shown. `fault`: why there are no rows."""

    definition: ObjectDef
    address: ListAddress
    subjects: Mapping[str, Subject]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    conditions: tuple[ConditionView, ...]
    count: int = 0
    more: bool = False
    next: str = ""
    outside: str = ""
    fault: Refused | None = None
    may_create: bool = False
    by_title: bool = False
    """Whether the title stands beside the number, because no column says it."""


def readable(caller: Caller, definition: ObjectDef) -> list[str]:
    """Fields that the caller sees on every record they reach: what may be filtered and sorted by."""
    mask = open_masks(caller, definition)
    return [one.key for one in definition.live if mask.allows(one.key)]


def seen(caller: Caller, definition: ObjectDef) -> list[str]:
    """Fields that the caller sees on some records."""
    ways = caller.access.ways(definition.key, READ)
    return [one.key for one in definition.live if any(way.mask.allows(one.key) for way in ways)]


def filter_text(caller: Caller, definition: ObjectDef, address: ListAddress) -> tuple[str, tuple[ConditionView, ...]]:
    """The whole filter of an address as one expression, and its rows as they are shown."""
    known = subjects(definition, readable(caller, definition))
    parts, views = [], []
    for one in address.conditions:
        text = text_of(one, known)
        views.append(ConditionView(one, known.get(one.field), text is None))
        parts.append(text or "")
    parts.append(search_text(caller, definition, address.q))
    parts.append(address.where)
    return " and ".join(f"({one})" for one in parts if one), tuple(views)


def query_of(caller: Caller, definition: ObjectDef, address: ListAddress) -> Query:
    """The query that an address asks for, without its page."""
    text, _ = filter_text(caller, definition, address)
    return Query(text, address.sort, kept=address.kept)


async def listed(caller: Caller, address: ListAddress, show: Shower) -> Listed:
    """Read the page. Raises NotFound for an unknown kind, Forbidden for one that may not be read."""
    definition = caller.objects.get(address.kind)
    known = subjects(definition, seen(caller, definition))
    text, conditions = filter_text(caller, definition, address)
    names = chosen_columns(definition, address, known)
    titles = definition.title_fields
    wanted = frozenset({*names, *titles})
    query = Query(text, address.sort, address.after, PAGE, address.kept, wanted)
    fault: BadQuery | None = None
    page, number, more = Page(()), 0, False
    try:
        page = await find(caller, definition.key, query)
        number, more = await count(caller, definition.key, query)
    except BadQuery as exc:
        fault = exc
    open_keys = readable(caller, definition)
    columns = tuple(
        column_of(known[name], address, show, sortable=name in open_keys or known[name].field is None) for name in names
    )
    rows = tuple(Row(one, show.label(one.title), cells_of(one, definition, names, known, show)) for one in page.items)
    return Listed(
        definition=definition,
        address=address,
        subjects=subjects(definition, open_keys),
        columns=columns,
        rows=rows,
        conditions=conditions,
        count=number,
        more=more,
        next=page.next,
        outside=page.outside,
        fault=fault,
        may_create=caller.access.may(definition.key, CREATE) and not definition.read_only,
        by_title=not titles & {"ref", *names},
    )


def chosen_columns(definition: ObjectDef, address: ListAddress, known: Mapping[str, Subject]) -> list[str]:
    """Names of the columns: chosen ones, else the definition's, else its first short fields. Never the number, which is first
    on every list."""
    chosen: Sequence[str] = address.columns or definition.columns
    if not chosen:
        short = [one.key for one in definition.live if one.type not in {"long", "json", "file"}]
        chosen = [*short[:PLAIN_COLUMNS], *(["state"] if definition.states else [])]
    return [name for name in chosen if name in known and name not in {"ref", definition.ref}]


def column_of(subject: Subject, address: ListAddress, show: Shower, *, sortable: bool) -> Column:
    label = show.label(subject.label) if subject.label else show.say(f"system.{subject.key}")
    words = subject.label.in_(show.locale) if subject.label else str(show.say(f"system.{subject.key}"))
    can = sortable and subject.type not in UNSORTED and subject.key != "phase"
    order = {subject.key: "ascending", f"-{subject.key}": "descending"}.get(address.sort, "")
    number = subject.type in {"int", "decimal", "money"}
    return Column(subject.key, label, words, number, address.sorted_by(subject.key) if can else "", order)


def cells_of(
    item: Item, definition: ObjectDef, names: Sequence[str], known: Mapping[str, Subject], show: Shower
) -> tuple[Markup, ...]:
    return tuple(
        show.system(name, item, definition)
        if known[name].field is None
        else show.field(definition.by_key[name], spoken(item, name, show.locale), links=False)
        for name in names
    )


def spoken(item: Item, name: str, locale: Locale) -> Any:
    """A field's value; where a Hebrew page shows a name that has a Hebrew twin (`name`, `name_he`), the twin."""
    return (item.values.get(f"{name}_{HEBREW}") if locale == HEBREW else None) or item.values.get(name)
