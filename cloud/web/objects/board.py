"""A board, made ready to be shown: a column for each state, its cards, and where each card can go."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

from cloud.errors import Refused
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef, StateDef
from cloud.objects.permits import quoted
from cloud.objects.query import COUNTED, BadQuery, Query, count_by_state, find
from cloud.objects.service import Item
from cloud.web.objects.address import ListAddress
from cloud.web.objects.conditions import Subject, subjects
from cloud.web.objects.listing import ConditionView, chosen_columns, filter_text, readable, seen
from cloud.web.objects.moves import Move, moves_of
from cloud.web.objects.values import Shower

CARDS = 25
"""In one column: more are on the list, where the column's head leads."""

FACTS = 3
"""Values on a card."""


@dataclass(frozen=True, slots=True)
class Card:
    """One record with a few of its values and the transitions that may be tried from here."""

    item: Item
    title: Markup
    facts: tuple[tuple[Markup, Markup], ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One state. `all`: the list of its records."""

    state: StateDef
    pill: Markup
    count: int
    more: bool
    cards: tuple[Card, ...]
    all: str


@dataclass(frozen=True, slots=True)
class Board:
    lanes: tuple[Lane, ...]
    subjects: Mapping[str, Subject]
    conditions: tuple[ConditionView, ...]
    fault: Refused | None = None


async def board_of(caller: Caller, address: ListAddress, show: Shower) -> Board:
    """Read the board. Cards are in the list's order."""
    definition = caller.objects.get(address.kind)
    known = subjects(definition, seen(caller, definition))
    text, conditions = filter_text(caller, definition, address)
    open_ = subjects(definition, readable(caller, definition))
    names = [
        name
        for name in chosen_columns(definition, address, known)
        if name not in definition.title_fields and name != "state" and known[name].type not in {"long", "json"}
    ][:FACTS]
    try:
        counts = await count_by_state(caller, definition.key, Query(text, kept=address.kept))
        lanes = [
            await _lane(caller, address, show, (state, counts[state.key], text, names, known)) for state in definition.states
        ]
    except BadQuery as exc:
        return Board((), open_, conditions, exc)
    return Board(tuple(lanes), open_, conditions)


async def _lane(
    caller: Caller,
    address: ListAddress,
    show: Shower,
    what: tuple[StateDef, int, str, list[str], Mapping[str, Subject]],
) -> Lane:
    state, number, text, names, known = what
    definition = caller.objects.get(address.kind)
    here = f"state == {quoted(state.key)}"
    whole = f"({here}) and {text}" if text else here
    items: tuple[Item, ...] = ()
    if number:
        query = Query(whole, address.sort, limit=CARDS, kept=address.kept, only=frozenset({*names, *definition.title_fields}))
        items = (await find(caller, definition.key, query)).items
    rows = caller.rows(definition.key)
    cards = []
    for item in items:
        facts = tuple(_fact(show, definition, known[name], item) for name in names if _filled(item, name))
        cards.append(Card(item, show.label(item.title), facts, tuple(await moves_of(caller, rows, item))))
    where = f"({address.where}) and {here}" if address.where else here
    everything = replace(address, path="", where=where).url()
    return Lane(state, show.state(definition, state.key), min(number, COUNTED), number > COUNTED, tuple(cards), everything)


def _filled(item: Item, name: str) -> bool:
    value = item.values[name] if name in item.values else getattr(item, name, None)
    return value not in (None, "", [])


def _fact(show: Shower, definition: ObjectDef, subject: Subject, item: Item) -> tuple[Markup, Markup]:
    if subject.field is None:
        return show.say(f"system.{subject.key}"), show.system(subject.key, item, definition)
    return show.label(subject.label), show.field(subject.field, item.values[subject.key], links=False)
