"""Master data in memory, typed: what jobs and the kiosk read. Rows that do not fit their model are left out and counted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from pydantic import ValidationError

from sync_protocol.masters import (
    TABLES,
    Code,
    Container,
    Location,
    Master,
    Notice,
    Order,
    Party,
    Person,
    Product,
    Range,
    Review,
    Sheet,
    Station,
)
from sync_protocol.mirror import Row

_Row = TypeVar("_Row", bound=Master)
_NAMES: dict[type, str] = {model: name for name, model in TABLES.items()}


@dataclass(frozen=True)
class MasterView:
    """One state of the mirror. Every look-up gives None for what is not there."""

    rows: dict[tuple[str, str], tuple[int, Master]] = field(default_factory=dict)
    unreadable: int = 0

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "MasterView":
        good: dict[tuple[str, str], tuple[int, Master]] = {}
        bad = 0
        for row in rows:
            model = TABLES.get(row.t)
            try:
                if model is not None:
                    good[row.t, row.k] = (row.rev, model.model_validate(row.v))
            except ValidationError:
                bad += 1
        return cls(good, bad)

    @cached_property
    def _tables(self) -> Mapping[str, Mapping[str, Master]]:
        found: dict[str, dict[str, Master]] = {}
        for (table, key), (_, row) in self.rows.items():
            found.setdefault(table, {})[key] = row
        return found

    def table(self, model: type[_Row]) -> list[tuple[str, _Row]]:
        """All rows of a table as (key, row), in no order that means anything."""
        return [(key, row) for key, row in self._tables.get(_NAMES[model], {}).items() if isinstance(row, model)]

    def _find(self, table: str, key: str) -> Master | None:
        found = self.rows.get((table, key))
        return found[1] if found else None

    def rev(self, table: str, key: str) -> int | None:
        """The row's revision, which entries name as the one they used."""
        found = self.rows.get((table, key))
        return found[0] if found else None

    def product(self, sku: str) -> Product | None:
        found = self._find("product", sku)
        return found if isinstance(found, Product) else None

    def party(self, ref: str) -> Party | None:
        found = self._find("party", ref)
        return found if isinstance(found, Party) else None

    def person(self, login: str) -> Person | None:
        found = self._find("person", login)
        return found if isinstance(found, Person) else None

    def order(self, ref: str) -> Order | None:
        found = self._find("order", ref)
        return found if isinstance(found, Order) else None

    def product_of_code(self, scheme: str, code: str) -> Product | None:
        found = self._find("code", f"{scheme}:{code}")
        # What may be several products is none that could be taken unasked.
        return self.product(found.product) if isinstance(found, Code) and not found.others else None

    def location(self, code: str) -> Location | None:
        found = self._find("location", code)
        return found if isinstance(found, Location) else None

    def container(self, number: str) -> Container | None:
        found = self._find("container", number)
        return found if isinstance(found, Container) else None

    def notice(self, ref: str) -> Notice | None:
        found = self._find("notice", ref)
        return found if isinstance(found, Notice) else None

    def sheet(self, ref: str) -> Sheet | None:
        found = self._find("sheet", ref)
        return found if isinstance(found, Sheet) else None

    def station(self) -> Station | None:
        return next((row for _, row in self.table(Station)), None)

    def orders(self) -> list[Order]:
        return sorted((row for _, row in self.table(Order)), key=lambda order: order.ref)

    def notices(self) -> list[Notice]:
        return sorted((row for _, row in self.table(Notice)), key=lambda notice: (notice.expected_at or "9", notice.ref))

    def sheets(self) -> list[Sheet]:
        return sorted((row for _, row in self.table(Sheet)), key=lambda sheet: sheet.ref)

    def people(self) -> list[Person]:
        return sorted((row for _, row in self.table(Person)), key=lambda person: person.name)

    def reviews(self) -> list[Review]:
        return sorted((row for _, row in self.table(Review)), key=lambda review: (review.ref, review.job))

    def prefix(self, box: str | None = None) -> str | None:
        """Where the numbers of this box's own papers begin; None before the core has said it.

        A station may have several boxes, whose rows all are here; without a box's id the only row there is counts.
        """
        rows = dict(self.table(Range))
        if box is None and len(rows) == 1:
            return next(iter(rows.values())).prefix
        return rows[box].prefix if box in rows else None

    def taken(self) -> Mapping[str, int]:
        """By run, how many of its entries the mirror's stock takes account of; runs of other boxes are in nobody's way."""
        return {run: count for _, row in self.table(Range) for run, count in row.taken.items()}
