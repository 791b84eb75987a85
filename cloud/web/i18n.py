"""The pages' words: gettext catalogues keyed by names, read once with Babel. Text in code is always a key."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeGuard

from babel.messages.pofile import read_po
from markupsafe import Markup, escape

Locale = Literal["he", "en"]
Values = Mapping[str, object]

LOCALES: tuple[Locale, ...] = ("he", "en")
DIRECTION: dict[Locale, str] = {"he": "rtl", "en": "ltr"}
OWN_NAME: dict[Locale, str] = {"he": "עברית", "en": "English"}
FOLDER = Path(__file__).parent / "locale"


def is_locale(text: str | None) -> TypeGuard[Locale]:
    """Whether the text names a language that the pages speak."""
    return text in LOCALES


@dataclass(frozen=True, slots=True)
class Catalogues:
    """Every key's text in every language."""

    texts: Mapping[Locale, Mapping[str, str]]

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "Catalogues":
        return cls({locale: _read(folder / locale / "LC_MESSAGES" / "staff.po") for locale in LOCALES})

    def has(self, key: str) -> bool:
        return key in self.texts["en"]

    def say(self, locale: Locale, key: str, **values: object) -> Markup:
        """The key's text with its `{names}` filled in, escaped unless they are Markup. Raises KeyError for an unknown key."""
        return escape(self.texts[locale][key]).format(**values)


def _read(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.parts[-3])
    return {str(message.id): str(message.string) for message in catalogue if message.id and message.string}
