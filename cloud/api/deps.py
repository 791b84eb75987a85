"""What the interface is given by the application that it is mounted into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

from cloud.around.kept import MAX_FILE
from cloud.blobs.store import BlobStore
from cloud.clock import Clock, system_clock
from cloud.db.engine import Sessions
from cloud.objects.caller import Hooks
from cloud.objects.registry import Registry
from cloud.people.keys import Rates

LOCALES = ("he", "en")


class Say(Protocol):
    """A translation key's text in a language, with its placeholders filled in; None where there is no such key."""

    def __call__(self, locale: str, key: str, values: Mapping[str, str], /) -> str | None: ...


def say_nothing(_locale: str, _key: str, _values: Mapping[str, str]) -> str | None:
    """Where nobody brought words: codes stand for themselves."""
    return None


@dataclass(frozen=True, slots=True)
class ApiDeps:
    """`cookie` names the cookie of signed-in browsers, which may call the interface as well as keys may. `rates` counts the
    requests of each key, together with everything else that takes keys. `locale` is spoken where nobody asks otherwise."""

    sessions: Sessions
    registry: Registry
    hooks: Hooks = field(default_factory=Hooks)
    clock: Clock = system_clock
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    locale: str = "en"
    cookie: str = ""
    rates: Rates = field(default_factory=Rates)
    say: Say = say_nothing
    blobs: BlobStore | None = None
    """Where files of records lie; None where none are taken."""
    max_file: int = MAX_FILE
    """Bytes of one."""
