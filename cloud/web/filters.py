"""The receipts list's filters: all of them live in the address, so that a list can be kept, sent and gone back to."""

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

GROUPS = ("all", "open", "review", "posted", "done", "cancelled")
SORTABLE = ("ref", "received", "supplier", "order")
DEFAULT_SORT = "-received"
MAX_TEXT = 80
MAX_KEY = 2_000


@dataclass(frozen=True, slots=True)
class After:
    """Where the page before ended: the sorted column's value there, and the row's own number for ties."""

    value: str
    id: int

    @classmethod
    def parse(cls, text: str) -> "After | None":
        """None for text that this list did not give out."""
        if not text or len(text) > MAX_KEY:
            return None
        try:
            value, number = json.loads(base64.urlsafe_b64decode(text.encode()))
        except (binascii.Error, ValueError, TypeError):
            return None
        good = isinstance(value, str) and isinstance(number, int) and 0 <= number < 1 << 63
        return cls(value, number) if good else None

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.value, self.id], ensure_ascii=False).encode()).decode()


@dataclass(frozen=True, slots=True)
class Sorted:
    """What the table's head needs to draw its links."""

    filters: "Filters"
    column: str
    down: bool
    columns: tuple[str, ...] = SORTABLE

    def url(self, column: str) -> str:
        """The list sorted by a column; by the one it is sorted by, the other way round."""
        down = not self.down if column == self.column else column == "received"
        return self.filters.url(sort=f"-{column}" if down else column)


@dataclass(frozen=True, slots=True)
class Filters:
    """Every value is one the list understands: what it does not, falls back to no filter. Dates are days at the site."""

    state: str = "all"
    supplier: str = ""
    order: str = ""
    q: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    sort: str = DEFAULT_SORT
    after: After | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        state, sort = query.get("state", "all"), query.get("sort", DEFAULT_SORT)
        return cls(
            state=state if state in GROUPS else "all",
            supplier=query.get("supplier", "").strip()[:MAX_TEXT],
            order=query.get("order", "").strip()[:MAX_TEXT],
            q=query.get("q", "").strip()[:MAX_TEXT],
            since=_day(query.get("from", "")),
            until=_day(query.get("to", "")),
            sort=sort if sort.removeprefix("-") in SORTABLE else DEFAULT_SORT,
            after=After.parse(query.get("after", "")),
        )

    @property
    def sorted(self) -> Sorted:
        return Sorted(self, self.sort.removeprefix("-"), self.sort.startswith("-"))

    @property
    def narrowed(self) -> bool:
        return bool(self.supplier or self.order or self.q or self.since or self.until)

    def url(self, *, state: str | None = None, sort: str | None = None, after: str | None = None) -> str:
        """The address of this list with a change; a changed list begins at its first page."""
        changed = replace(self, state=state or self.state, sort=sort or self.sort)
        return _address("/receipts", changed.query(self._place(state, sort, after)))

    def first_url(self) -> str:
        return _address("/receipts", self.query(""))

    def csv_url(self) -> str:
        return _address("/receipts.csv", self.query(""))

    def cleared(self) -> str:
        """The same group without narrowing."""
        return Filters(state=self.state, sort=self.sort).url()

    def _place(self, state: str | None, sort: str | None, after: str | None) -> str:
        if after is not None:
            return after
        return str(self.after) if self.after and state is None and sort is None else ""

    def query(self, after: str = "") -> dict[str, str]:
        """What differs from the plain list, as an address carries it."""
        default = Filters()
        values = {
            "state": "" if self.state == default.state else self.state,
            "supplier": self.supplier,
            "order": self.order,
            "q": self.q,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
            "sort": "" if self.sort == default.sort else self.sort,
            "after": after,
        }
        return {name: value for name, value in values.items() if value}


def _address(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
