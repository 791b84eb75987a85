"""Master data in memory, typed: what jobs and the kiosk read. Rows that do not fit their model are left out and counted."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from sync_protocol.masters import TABLES, Code, Master, Order, Party, Person, Product, Station
from sync_protocol.mirror import Row


@dataclass(frozen=True, slots=True)
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
        return self.product(found.product) if isinstance(found, Code) else None

    def station(self) -> Station | None:
        return next((row for _, row in self.rows.values() if isinstance(row, Station)), None)

    def orders(self) -> list[Order]:
        return sorted((row for _, row in self.rows.values() if isinstance(row, Order)), key=lambda order: order.ref)

    def people(self) -> list[Person]:
        return sorted((row for _, row in self.rows.values() if isinstance(row, Person)), key=lambda person: person.name)
