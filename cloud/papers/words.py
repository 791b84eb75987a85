"""The words of papers in both languages, and how names, amounts and times stand in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.messages.pofile import read_po

from cloud.papers.views import Name
from sync_protocol.wiretext import clean

Language = Literal["he", "en"]
LANGUAGES: tuple[Language, ...] = ("he", "en")

FOLDER = Path(__file__).parent / "locale"
_DATE: dict[Language, str] = {"en": "d MMM yyyy", "he": "dd.MM.yyyy"}
_TIME: dict[Language, str] = {"en": "d MMM yyyy HH:mm", "he": "dd.MM.yyyy HH:mm"}


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `more` are words of other parts, for codes of theirs such as checks and reasons."""

    language: Language
    zone: ZoneInfo
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def rtl(self) -> bool:
        return self.language == "he"

    def say(self, key: str, **values: object) -> str:
        """The key's text with its `{names}` filled in. Raises KeyError for an unknown key."""
        return _texts(self.language)[key].format(**values)

    def code(self, kind: str, code: str | None) -> str:
        """The words for a code, else the code itself."""
        if not code:
            return ""
        key = f"{kind}.{code}"
        return _texts(self.language).get(key) or self.more.get(key) or clean(code)

    def name(self, name: Name | None) -> str:
        """In this language where it has one."""
        if name is None:
            return ""
        return clean((name.he or name.en) if self.rtl else name.en)

    def unit(self, unit: str | None) -> str:
        """A unit's local sign, its UCUM code where it has none."""
        return _texts(self.language).get(f"unit.{unit}", unit or "") if unit != "1" else ""

    def day(self, value: date | None) -> str:
        """A calendar date."""
        if value is None:
            return ""
        return format_datetime(datetime.combine(value, time()), _DATE[self.language], locale=self.language)

    def moment(self, value: datetime | None) -> str:
        """A point in time at the house."""
        if value is None:
            return ""
        return format_datetime(value, _TIME[self.language], tzinfo=self.zone, locale=self.language)


def isolated(said: str) -> str:
    """A date or code inside a sentence, from left to right whatever stands around it (Unicode UAX 9, 3.1.2)."""
    return f"\u2066{said}\u2069"


@lru_cache(maxsize=len(LANGUAGES))
def _texts(language: Language) -> Mapping[str, str]:
    with (FOLDER / language / "LC_MESSAGES" / "papers.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {str(message.id): str(message.string) for message in catalogue if message.id and message.string}


def keys() -> Mapping[Language, frozenset[str]]:
    """Every key of each language."""
    return {language: frozenset(_texts(language)) for language in LANGUAGES}
