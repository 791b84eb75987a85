"""What the ledger is asked for: the moves of a transfer's lines, in whose name, and out of which bucket of which receipt."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.masters.models import Location, Party
from cloud.people.models import Role
from cloud.stock.ledger import BucketMove, Document, Wanted
from cloud.stock.models import Lot
from cloud.stock.place_rules import may_lie
from cloud.stock.places import OWNERSHIP as HANDS
from cloud.stock.places import place_of
from cloud.stock.quants import INTERNAL as INSIDE
from cloud.stock.verdicts import demand_sound
from cloud.transfers.goods import Goods, goods_of, places
from cloud.transfers.models import (
    CUSTOMER_RETURN,
    INTERNAL,
    OWNERSHIP,
    PUT_AWAY,
    SCRAP,
    SUPPLIER_RETURN,
    Transfer,
    TransferLine,
)
from cloud.transfers.origins import Origin, origins
from sync_protocol.ids import EntryId, RunId

DOCUMENT = "transfer"
"""What moves call a transfer."""

HELD = frozenset({"quarantine", "rejected"})
"""Usages of places out of which goods come by a decision only."""

HELD_BUCKETS = frozenset({"pending_qc", "rejected"})
"""Buckets of goods about which nobody decided that they are good."""

_DECIDES = frozenset({Role.ADMIN, Role.SUPERVISOR, Role.QUALITY})

BUCKETS_OF = {
    "receiving": ("released",),
    "stock": ("put_away", "released"),
    "transit": ("put_away", "released"),
    "rejected": ("rejected",),
    "quarantine": ("rejected", "pending_qc"),
}
"""By usage of the place: the buckets in which goods of a receipt's line can be that lie there, the likelier one first."""

RETURNED_LOTS = frozenset({"released", "rejected", "recalled"})
"""States of lots of which goods may go back to their supplier: about others nobody has decided yet."""

_ENDS = {PUT_AWAY: "put_away", SUPPLIER_RETURN: "returned", SCRAP: "scrapped"}


@dataclass(frozen=True, slots=True)
class _Portion:
    """Part of a line's goods, and in which bucket of which receipt's line it is. `mark` tells it from the others."""

    quantity: Decimal
    mark: str = ""
    receipt: str | None = None
    origin: Origin | None = None

    def bucket(self, kind: str, target: Location) -> BucketMove | None:
        if self.receipt is None or self.origin is None:
            return None
        before = self.origin.bucket
        arrives = before == "released" and target.usage == "stock"
        return BucketMove(self.receipt, self.origin.line, before, _ENDS.get(kind) or ("put_away" if arrives else before))


@dataclass(slots=True)
class Asking:
    """The lines of one transfer, each after the other: what one has claimed of a receipt's line the next does not find."""

    session: AsyncSession
    transfer: Transfer
    taken: Taken
    _claimed: dict[Origin, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _known: dict[str, list[Origin]] = field(default_factory=dict)
    """Of receipts that were asked about, before any of these lines is posted."""

    async def all(self, lines: Iterable[TransferLine]) -> list[Wanted]:
        """Raises Refused, with `line` among its values."""
        found: list[Wanted] = []
        for line in lines:
            try:
                found += await self.one(line)
            except Refused as exc:
                raise type(exc)(exc.code, **{**exc.values, "line": str(line.number)}) from exc
        return found

    async def one(self, line: TransferLine) -> list[Wanted]:
        """The moves of one line. Raises Refused, with a code that can be kept as the line's `review_code`."""
        source, target = await places(self.session, self.transfer, line)
        found: list[Wanted] = []
        for goods in await goods_of(self.session, self.transfer, line, source):
            for portion in await self._portions(line, goods, source):
                if self.transfer.kind == OWNERSHIP:
                    found += await self._change_owner(line, goods, portion, source)
                    continue
                if target.usage in INSIDE:
                    _demand_fits(target, goods)
                self._demand_free_to_go(source, target, portion)
                bucket = portion.bucket(self.transfer.kind, target)
                found.append(self._wanted(line, goods, portion, (source, target), bucket=bucket))
        return found

    async def _portions(self, line: TransferLine, goods: Goods, source: Location) -> Sequence[_Portion]:
        kind, receipt = self.transfer.kind, line.receipt or self.transfer.receipt
        if kind in {OWNERSHIP, CUSTOMER_RETURN}:
            return [_Portion(goods.quantity)]
        if receipt is None:
            if kind == SUPPLIER_RETURN:
                await self._demand_decided(goods, source)
            return [_Portion(goods.quantity)]
        known = self._known.get(receipt)
        if known is None:
            await demand_sound(self.session, receipt, self.transfer.receipt_ref or receipt[:36])
            known = self._known[receipt] = await origins(self.session, receipt)
        if not known:
            raise Refused("receipt_not_posted", receipt=self.transfer.receipt_ref or receipt[:36])
        left = goods.quantity
        found: list[_Portion] = []
        for one in self._candidates(known, line, goods, source):
            part = min(left, one.quantity - self._claimed[one])
            if part > 0:
                self._claimed[one] += part
                found.append(_Portion(part, str(len(found)), receipt, one))
                left -= part
        if left == 0:
            return found
        if kind == INTERNAL:
            return [*found, _Portion(left, "rest")]
        code = "not_released" if kind == PUT_AWAY else "not_of_receipt"
        raise Refused(code, product=goods.product.sku, wanted=f"{goods.quantity:f}", there=f"{goods.quantity - left:f}")

    def _candidates(self, known: Sequence[Origin], line: TransferLine, goods: Goods, source: Location) -> list[Origin]:
        """Goods of the same sort, those first that papers have in this place. Where they truly lie the ledger knows: what moved
        on without a word of its receipt is still of it."""
        buckets = ("released",) if self.transfer.kind == PUT_AWAY else BUCKETS_OF.get(source.usage, ())
        if self.transfer.kind == SUPPLIER_RETURN:
            buckets = tuple(one for one in buckets if one != "pending_qc")
        same, here = (goods.product.id, goods.lot_id, goods.owner.id), (source.id, goods.unit_id)
        found = [
            one
            for one in known
            if one.bucket in buckets
            and (one.product_id, one.lot_id, one.owner_id) == same
            and line.receipt_line in {None, one.line}
        ]
        return sorted(found, key=lambda one: ((one.location_id, one.unit_id) != here, buckets.index(one.bucket), one.line))

    async def _demand_decided(self, goods: Goods, source: Location) -> None:
        """Only rejected or released goods go back. Raises Refused `not_returnable`."""
        if source.usage == "rejected":
            return
        asked = select(Lot.state).where(Lot.id == goods.lot_id)
        state = None if goods.lot_id is None else await self.session.scalar(asked)
        if source.usage == "quarantine" or state not in {None, *RETURNED_LOTS}:
            raise Refused("not_returnable", field="from_place", place=source.code, product=goods.product.sku)

    async def _change_owner(self, line: TransferLine, goods: Goods, portion: _Portion, place: Location) -> list[Wanted]:
        over = await place_of(self.session, "adjustment", code=HANDS)
        new = await self.session.get_one(Party, self.transfer.party_id)
        if new.id == goods.owner.id:
            raise Refused("owner_same", field="party", ref=new.ref)
        _demand_fits(place, goods, new)
        return [
            self._wanted(line, goods, portion, (place, over), part="out"),
            self._wanted(line, goods, portion, (over, place), part="in", owner=new),
        ]

    def _wanted(
        self,
        line: TransferLine,
        goods: Goods,
        portion: _Portion,
        way: tuple[Location, Location],
        *,
        bucket: BucketMove | None = None,
        owner: Party | None = None,
        part: str = "",
    ) -> Wanted:
        said = [self.transfer.uid, str(line.number), goods.key, portion.mark, part]
        return Wanted(
            key=":".join(one for one in said if one),
            product_id=goods.product.id,
            owner_id=(owner or goods.owner).id,
            quantity=portion.quantity,
            source_id=way[0].id,
            target_id=way[1].id,
            document=document_of(self.transfer),
            effective_at=line.done_at or self.taken.at,
            lot_id=goods.lot_id,
            unit_id=goods.unit_id,
            to_unit_id=goods.to_unit_id,
            line=line.number,
            bucket=bucket,
            entry=None if line.run is None or line.seq is None else EntryId(RunId(line.run), line.seq),
            reason=line.reason or self.transfer.reason,
        )

    def _demand_free_to_go(self, source: Location, target: Location, portion: _Portion) -> None:
        """Out of a place where goods are held they go by a decision, into one where they are held by anybody. About goods of a
        receipt its judgement decides, which moves its buckets. Raises Refused `goods_held`."""
        held = source.hold or source.usage in HELD
        if self.transfer.kind not in {INTERNAL, PUT_AWAY} or not held or target.hold or target.usage in HELD:
            return
        waits = portion.origin is not None and portion.origin.bucket in HELD_BUCKETS
        if waits or (portion.origin is None and self.taken.actor.role not in _DECIDES):
            raise Refused("goods_held", field="from_place", place=source.code)


def document_of(transfer: Transfer) -> Document:
    """How moves name a transfer."""
    return Document(DOCUMENT, transfer.uid, transfer.ref)


def _demand_fits(place: Location, goods: Goods, owner: Party | None = None) -> None:
    against = may_lie(place, goods.product, owner or goods.owner)
    if against:
        raise Refused(against[0], field="to_place", place=place.code, product=goods.product.sku)
