"""Words in Hebrew and English from gettext catalogues, and values set so that a right-to-left page cannot turn them round."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from babel.messages.pofile import read_po
from markupsafe import Markup, escape

from sync_protocol.wiretext import clean

_FOLDER: Final = Path(__file__).parent / "locale"
DIRECTIONS: Final[Mapping[str, str]] = {"he": "rtl", "en": "ltr"}

_TRANSLATED: Final = {"awaited": "awaits", "scanned": "kind", "check": "check", "expected": "unit", "unit": "unit"}
"""Placeholders whose values are codes with words of their own, and the family of their keys."""
_NATURAL: Final = frozenset({"name", "supplier", "device", "span"})
"""Placeholders that hold words of a person's language: isolated, direction by their first letter."""


@cache
def catalogue(locale: str) -> Mapping[str, str]:
    """Key to text; raises OSError for a locale without catalogue."""
    with (_FOLDER / locale / "LC_MESSAGES" / "kiosk.po").open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file) if entry.id}


def ltr(value: object) -> Markup:
    """A quantity, code, lot or date: cleaned, escaped, and isolated left to right."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(clean(str(value)))


def isolated(value: object) -> Markup:
    """A name: cleaned, escaped, and isolated in its own direction."""
    return Markup("<bdi>{}</bdi>").format(clean(str(value)))


def day(iso: str) -> str:
    """An ISO date as labels print it: day/month/year."""
    year, month, day_of_month = iso.split("-")
    return f"{day_of_month}/{month}/{year}"


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    locale: str

    @property
    def dir(self) -> str:
        return DIRECTIONS[self.locale]

    def has(self, key: str) -> bool:
        return key in catalogue(self.locale)

    def t(self, key: str, **values: object) -> Markup:
        """The text of `key` with its placeholders filled and isolated. Raises KeyError for a key without text."""
        return escape(catalogue(self.locale)[key]).format(**{n: self._filled(n, v) for n, v in values.items()})

    def told(self, code: str, values: Mapping[str, str]) -> Markup:
        """The text of an outcome or refusal; a code without words of its own is shown as a code."""
        if self.has(code):
            return self.t(code, **values)
        return self.t("refused.other", code=code)

    def plain(self, key: str) -> str:
        """The text of a key without placeholders, for attributes and scripts."""
        return catalogue(self.locale)[key]

    def unit(self, unit: str) -> str:
        return catalogue(self.locale).get(f"unit.{unit}", unit)

    def quantity(self, value: object, unit: str | None) -> Markup:
        """Number and unit. A Hebrew unit stands outside the isolate, a Latin one inside (Unicode UAX 9, rules W4 to W7)."""
        name = self.unit(unit) if unit else ""
        if not name:
            return ltr(value)
        if self.locale == "he" and not name.isascii():
            return Markup('<span class="qty"><bdi dir="ltr">{}</bdi>\u00a0{}</span>').format(clean(str(value)), name)
        return Markup('<bdi dir="ltr" class="qty">{}\u00a0{}</bdi>').format(clean(str(value)), name)

    def name(self, thing: object) -> Markup:
        """The name of a product, party or station in this language."""
        hebrew = getattr(thing, "name_he", None) if self.locale == "he" else None
        return isolated(hebrew or getattr(thing, "name", thing))

    def _filled(self, name: str, value: object) -> Markup:
        family = _TRANSLATED.get(name)
        if family is not None and self.has(f"{family}.{value}"):
            return escape(self.plain(f"{family}.{value}"))
        return isolated(value) if name in _NATURAL else ltr(value)
