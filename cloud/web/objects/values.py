"""How a record's values stand on a page, by the type of their field."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_symbol
from markupsafe import Markup

from cloud.objects.definition import FieldDef, FieldType, Label, ObjectDef
from cloud.objects.rows import Reference
from cloud.objects.service import Item
from cloud.web import marks
from cloud.web.i18n import Locale
from cloud.web.objects.entry import place
from cloud.web.rendering import Renderer, free

MONEY_PLACES = 2

UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

PHASE_LOOKS: Mapping[str | None, tuple[str, str]] = {
    "open": ("info", "open"),
    "active": ("info", "half"),
    "waiting": ("warn", "clock"),
    "won": ("good", "check"),
    "done": ("good", "check"),
    "lost": ("", "cross"),
    "cancelled": ("", "cross"),
}
"""Colour and shape of a state, by what it means."""

SYSTEM_TYPES: Mapping[str, FieldType] = {
    "ref": "text",
    "title": "text",
    "owner": "text",
    "archived": "bool",
    "created_at": "datetime",
    "created_by": "text",
    "updated_at": "datetime",
    "updated_by": "text",
    "state": "choice",
    "phase": "choice",
}
"""What every record has besides its fields, and how it is shown."""


@dataclass(frozen=True, slots=True)
class Shower:
    """Shows values in one language and zone. `links`: whether references may be followed from where they stand."""

    renderer: Renderer
    locale: Locale
    zone: ZoneInfo

    def say(self, key: str, **values: object) -> Markup:
        return self.renderer.catalogues.say(self.locale, key, **values)

    def label(self, label: Label | None) -> Markup:
        return marks.NOTHING if label is None else marks.words(label.in_(self.locale))

    def field(self, field: FieldDef, value: Any, *, links: bool = True) -> Markup:
        """A value as its reader sees it."""
        if value is None or value in ("", []):
            return marks.NOTHING
        if field.type == "ref":
            return self.reference(value, links=links)
        if field.type == "refs":
            return self._row([self.reference(one, links=links) for one in value])
        if field.type == "json":
            return self._rows(field, value)
        return self._plain(field, value)

    def _plain(self, field: FieldDef, value: Any) -> Markup:
        match field.type:
            case "choice":
                return self.option(field, value)
            case "choices":
                return self._row([self.option(field, one) for one in value])
            case "bool":
                return self.say("o.yes" if value else "o.no")
            case "long":
                return Markup('<div class="long">{}</div>').format(marks.words(value))
            case "file":
                return Markup('<a class="code" href="/blobs/{0}">{1}</a>').format(value, marks.ltr(str(value)[:12]))
            case _:
                return self._measured(field, value)

    def _measured(self, field: FieldDef, value: Any) -> Markup:
        match field.type:
            case "int":
                return marks.ltr(value)
            case "decimal":
                return marks.amount(value, field.unit, self.locale)
            case "money":
                return money(value, field.currency, self.locale)
            case "date":
                return marks.day(value, self.locale)
            case "datetime":
                return marks.moment(value, self.locale, self.zone)
            case _:
                return free(str(value))

    def option(self, field: FieldDef, key: str) -> Markup:
        found = field.option(key)
        return free(str(key)) if found is None else self.label(found.label)

    def reference(self, value: Any, *, links: bool = True) -> Markup:
        """Title and number of another record."""
        if not isinstance(value, Reference):
            return marks.ltr(value)
        title = value.title.in_(self.locale)
        bare = title == value.ref
        shown = marks.ltr(value.ref) if bare else marks.words(title)
        if not links:
            return shown
        shown = Markup('<a href="{}">{}</a>').format(place(value.kind, value.ref), shown)
        if bare or is_uid(value.ref):
            return shown
        return Markup('{} <span class="small quiet">{}</span>').format(shown, marks.ltr(value.ref))

    def system(self, name: str, item: Item, definition: ObjectDef) -> Markup:
        """What every record has."""
        if name == "state":
            return self.state(definition, item.state)
        if name == "title":
            return self.label(item.title)
        value = getattr(item, name)
        if isinstance(value, dt.datetime):
            return marks.moment(value, self.locale, self.zone)
        if isinstance(value, bool):
            return self.say("o.yes" if value else "o.no")
        return marks.ltr(value) if name == "ref" else marks.words(value)

    def state(self, definition: ObjectDef, state: str | None) -> Markup:
        """The state as a pill: colour and shape by its phase."""
        found = definition.state_by_key.get(state or "")
        if found is None:
            return marks.NOTHING
        look, shape = PHASE_LOOKS[found.phase]
        return Markup('<span class="pill {}">{}{}</span>').format(look, self.renderer.icon(shape), self.label(found.label))

    def unit(self, code: str) -> Markup:
        """The local name of a unit, to stand beside a control."""
        return marks.words(marks.UNIT_NAMES[self.locale].get(code, code))

    def rows(self, field: FieldDef, value: Any) -> Markup:
        """The rows of a table with their heads."""
        heads = Markup("").join(
            Markup('<th scope="col"{}>{}</th>').format(_aligned(one), self.label(one.label)) for one in field.of
        )
        lines = Markup("").join(Markup("<tr>{}</tr>").format(self._line(field, row)) for row in value)
        frame = Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">{}</div>')
        table = Markup('<table class="facts-rows"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(heads, lines)
        return frame.format(field.label.in_(self.locale), table)

    def _line(self, field: FieldDef, row: Mapping[str, Any]) -> Markup:
        return Markup("").join(
            Markup("<td{}>{}</td>").format(_aligned(one), self._inner(one, row.get(one.key))) for one in field.of
        )

    def _inner(self, one: FieldDef, value: Any) -> Markup:
        if one.target and value is not None:
            # Inside rows a reference is the other record's number itself.
            return Markup('<a href="{}">{}</a>').format(place(one.target, str(value)), marks.ltr(value))
        return self.field(one, value)

    def _row(self, parts: Sequence[Markup]) -> Markup:
        return Markup('<span class="tags">{}</span>').format(
            Markup("").join(Markup('<span class="tag">{}</span>').format(one) for one in parts)
        )

    def _rows(self, field: FieldDef, value: Any) -> Markup:
        if not field.of or not isinstance(value, list):
            return marks.ltr(value)
        return Markup("{} {}").format(marks.ltr(len(value)), self.say("o.rows"))


def _aligned(one: FieldDef) -> Markup:
    return Markup(' class="num"') if one.type in {"int", "decimal", "money"} else Markup("")


def is_uid(ref: str) -> bool:
    """Whether a record has no number of its own that people would say."""
    return UID.fullmatch(ref) is not None


def money(value: Decimal, currency: str, locale: Locale) -> Markup:
    """An amount of money with its two places at least, thousands set apart."""
    places = max(MONEY_PLACES, -int(value.normalize().as_tuple().exponent))
    digits = f"{value:,.{places}f}"
    symbol = get_currency_symbol(currency, locale) if currency else ""
    return Markup('<span class="amount">{}</span>').format(marks.ltr(f"{digits}\u00a0{symbol}" if symbol else digits))
