"""What lies where, as this box knows it: the mirror's stock, with what the box did itself since the core last counted. Pure.

Nothing here is proof: the core decides, and may know of others' work that the box has not heard of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Final

from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId
from sync_protocol.masters import Stock as StockRow
from sync_protocol.movements import MOVE, PUT_AWAY, Moved, movement_step
from sync_protocol.quantity import Quantity, decimal
from sync_protocol.steps import RECEIVE, Amount, Condition, Confirm, Discard, FieldValue, Finish, Item, Open, receive_step

MAX_DEEDS: Final = 5000
"""Own acts that are added to the mirror: two days of a busy station without a network. The oldest are let go of first."""

MAX_RECEIPTS: Final = 64
"""Receipts whose lines are followed until they are finished: one is open at a station, the rest were given up silently."""

DECIMALS: Final = 6
"""Stock is counted in whole millionths of the product's unit."""


@dataclass(frozen=True, slots=True)
class Lying:
    """So much of a product (in its own unit) at one place. `receipt` and `receipt_line`: still to be put away."""

    location: str
    product: str
    lot: str | None
    sscc: str | None
    owner: str
    quantity: Decimal
    receipt: str | None = None
    receipt_line: int | None = None
    mine: bool = False
    """Whether the amount rests on this box's own acts, of which the core has not said yet what it thinks."""

    @property
    def key(self) -> str:
        """As the mirror's table `stock` names it."""
        return ":".join((self.location, self.product, self.lot or "", self.sscc or "", self.owner))


@dataclass(frozen=True)
class Stock:
    """What lies where. Rows by `Lying.key`; nothing with an amount of zero or less is told."""

    rows: Mapping[str, Lying] = field(default_factory=dict)

    @cached_property
    def _by_place(self) -> Mapping[str, list[Lying]]:
        found: dict[str, list[Lying]] = {}
        for row in self.rows.values():
            found.setdefault(row.location, []).append(row)
        return found

    @cached_property
    def _by_unit(self) -> Mapping[str, list[Lying]]:
        found: dict[str, list[Lying]] = {}
        for row in self.rows.values():
            if row.sscc is not None:
                found.setdefault(row.sscc, []).append(row)
        return found

    def at(self, location: str) -> list[Lying]:
        """Everything at one place, by product and lot."""
        return sorted(self._by_place.get(location, ()), key=lambda row: row.key)

    def of(self, location: str, product: str) -> list[Lying]:
        """What of a product lies at one place."""
        return [row for row in self.at(location) if row.product == product]

    def unit(self, sscc: str) -> list[Lying]:
        """What is on a handling unit."""
        return self._by_unit.get(sscc, [])

    def places(self, product: str) -> list[Lying]:
        """Wherever a product lies."""
        return sorted((row for row in self.rows.values() if row.product == product), key=lambda row: row.key)

    def waiting(self, receipt: str | None = None) -> list[Lying]:
        """What was received and is not put away yet, of one receipt or of all; oldest receipt first (ids sort by time)."""
        rows = [row for row in self.rows.values() if row.receipt is not None and receipt in {None, row.receipt}]
        return sorted(rows, key=lambda row: (row.receipt or "", row.receipt_line or 0, row.key))

    def filled(self) -> frozenset[str]:
        """The places where anything lies."""
        return frozenset(self._by_place)


@dataclass(frozen=True, slots=True)
class _Deed:
    """One act of this box: goods that were moved, or goods of a finished receipt that came in."""

    entry: EntryId
    moved: Moved | None = None
    came: tuple[tuple[Lying, FieldValue], ...] = ()
    """With the amount as it was entered: only the mirror knows the product's own unit."""


@dataclass(frozen=True, slots=True)
class _Receiving:
    """The lines of a receipt that is not finished yet, as far as stock is concerned."""

    opened: Open | None = None
    items: Mapping[int, Item] = field(default_factory=dict)
    amounts: Mapping[int, FieldValue] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Overlay:
    """This box's own acts, oldest first, folded from its steps in their order."""

    deeds: tuple[_Deed, ...] = ()
    receiving: Mapping[str, _Receiving] = field(default_factory=dict)

    def after(self, at: EntryId, entry: StepEntry) -> "Overlay":
        """With one more step. Steps that cannot be read, or say nothing of stock, change nothing."""
        try:
            if entry.job_kind == RECEIVE:
                return self._received(at, entry)
            if entry.job_kind in {MOVE, PUT_AWAY} and isinstance(step := movement_step(entry), Moved):
                return self._with(_Deed(at, moved=step))
        except TextFault:
            # The desk says so of the whole job; the core still gets the step.
            return self
        return self

    def _with(self, deed: _Deed, **changes: Mapping[str, _Receiving]) -> "Overlay":
        return replace(self, deeds=(*self.deeds, deed)[-MAX_DEEDS:], **changes)

    def _received(self, at: EntryId, entry: StepEntry) -> "Overlay":
        step = receive_step(entry)
        known = self.receiving.get(entry.job, _Receiving())
        match step:
            case Open():
                known = replace(known, opened=step)
            case Item():
                known = replace(known, items={**known.items, step.line: step})
            case Amount():
                known = replace(known, amounts={**known.amounts, step.line: step.quantity})
            case Discard():
                known = replace(known, left_out=known.left_out | {step.line})
            case Condition() if step.condition == "damaged":
                # Damaged goods go to the place for rejected goods, which staff see to.
                known = replace(known, left_out=known.left_out | {step.line})
            case Finish():
                rest = {job: other for job, other in self.receiving.items() if job != entry.job}
                return self._with(_Deed(at, came=_came(entry.job, known, step)), receiving=rest)
            case Confirm():
                return self
        receiving = {**self.receiving, entry.job: known}
        while len(receiving) > MAX_RECEIPTS:
            del receiving[next(iter(receiving))]
        return replace(self, receiving=receiving)

    def stock(self, masters: MasterView, base: Mapping[str, Lying] | None = None) -> Stock:
        """What lies where now. Acts that the core's stock already takes account of (`Range.taken`) are left out.

        `base` is what `mirrored(masters)` gave, where the caller has kept it: at 20,000 rows it takes nine tenths of the time.
        """
        rows = dict(mirrored(masters) if base is None else base)
        station = masters.station()
        house, place = (station.house or "", station.location or "") if station else ("", "")
        taken = masters.taken()
        for deed in self.deeds:
            if deed.entry.seq < taken.get(deed.entry.run, 0):
                continue
            if deed.moved is not None:
                _move(rows, deed.moved, masters, house)
            for row, value in deed.came:
                if (amount := own_amount(value, masters, row.product)) is not None and amount > 0:
                    _add(rows, _settled(row, masters, house, place), amount)
        return Stock(rows)


def mirrored(masters: MasterView) -> dict[str, Lying]:
    """The mirror's stock by key; rows whose amount is no number above zero are left out."""
    found = {}
    for _, row in masters.table(StockRow):
        try:
            quantity = decimal(row.quantity)
        except TextFault:
            continue
        if quantity > 0:
            lying = Lying(row.location, row.product, row.lot, row.sscc, row.owner, quantity, row.receipt, row.receipt_line)
            found[lying.key] = lying
    return found


def own_amount(value: FieldValue, masters: MasterView, product: str) -> Decimal | None:
    """An amount in the product's own unit, to a millionth; None where it is none."""
    known = masters.product(product)
    try:
        amount = Quantity(decimal(value.value), value.unit or (known.unit if known else "1"))
        return amount.to(known.unit, decimals=DECIMALS).value.normalize() + 0 if known else amount.value
    except TextFault:
        return None


def _came(job: str, known: _Receiving, finish: Finish) -> tuple[tuple[Lying, FieldValue], ...]:
    owner = (known.opened.owner if known.opened else None) or ""
    rows = []
    for number in finish.lines:
        item, amount = known.items.get(number), known.amounts.get(number)
        if item is None or amount is None or number in known.left_out:
            continue
        lot, unit = item.lot.value if item.lot else None, item.unit.value if item.unit else None
        rows.append((Lying("", item.product, lot, unit, owner, Decimal(0), job, number), amount))
    return tuple(rows)


def _settled(row: Lying, masters: MasterView, house: str, place: str) -> Lying:
    product = masters.product(row.product)
    owner = row.owner or (product.owner if product else None) or house
    return replace(row, location=row.location or place, owner=owner)


def _move(rows: dict[str, Lying], moved: Moved, masters: MasterView, house: str) -> None:
    unit = moved.unit.value if moved.unit else None
    if moved.product is None:
        for row in [row for row in rows.values() if row.sscc == unit]:
            del rows[row.key]
            _add(rows, replace(row, location=moved.target.value, receipt=None, receipt_line=None, mine=True), row.quantity)
        return
    if moved.quantity is None or (amount := own_amount(moved.quantity, masters, moved.product)) is None:
        return
    product = masters.product(moved.product)
    owner = moved.owner or (product.owner if product else None) or house
    source = Lying(moved.source.value, moved.product, moved.lot, unit, owner, Decimal(0))
    left = rows.pop(source.key, None)
    if left is not None and left.quantity > amount:
        rows[source.key] = replace(left, quantity=left.quantity - amount, mine=True)
    # What is taken off a pallet stands by itself: only a whole one takes its number along.
    _add(rows, replace(source, location=moved.target.value, sscc=None, mine=True), amount)


def _add(rows: dict[str, Lying], row: Lying, amount: Decimal) -> None:
    there = rows.get(row.key)
    rows[row.key] = replace(there or row, quantity=(there.quantity if there else Decimal(0)) + amount, mine=True)
