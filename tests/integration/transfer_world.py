"""A small warehouse for tests of what moves stock: places, products, owners, and goods of one receipt in receiving."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box
from cloud.boxes.received import Received
from cloud.db.engine import Sessions
from cloud.ingest.models import JournalEntry
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.masters.kinds import MASTERS
from cloud.masters.models import Location, Party, Product, Site, Station
from cloud.objects import service
from cloud.objects.caller import Caller, caller
from cloud.objects.registry import Registry
from cloud.objects.service import Item
from cloud.stock import ledger
from cloud.stock.kinds import SHIPPED as STOCK
from cloud.stock.ledger import BucketMove, Document, Wanted
from cloud.stock.models import HandlingUnit, LineBucket, Lot, Move, Quant
from cloud.transfers.jobs import JOB_TAKERS
from cloud.transfers.kinds import SHIPPED as TRANSFERS
from cloud.transfers.models import CountSheet, Transfer
from sync_protocol.entries import Clk, StepEntry, encode
from sync_protocol.movements import MovementStep

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Jerusalem")
BOX, OTHER_BOX = "01H00000000000000000000001", "01H00000000000000000000002"
RECEIPT = "01930000-0000-7000-8000-0000000000aa"
SSCC = "340123450000000017"


@dataclass
class Warehouse:
    """What tests name by short words. `ids` has the row ids of parties, products, lots, places and the unit by their codes."""

    sessions: Sessions
    registry: Registry = field(default_factory=lambda: Registry(MASTERS + STOCK + TRANSFERS))
    ids: dict[str, int] = field(default_factory=dict)
    now: datetime = NOW
    seq: int = 0

    def taken(self, login: str = "sima", role: str = "supervisor", reason: str | None = "because") -> Taken:
        return Taken(Actor.user(login, role), self.now, reason)

    async def desk(self, session: AsyncSession, login: str = "sima", reason: str | None = "because") -> Caller:
        taken = Taken(Actor.user(login, "supervisor"), self.now, reason, access=Access.all())
        return await caller(session, self.registry, taken, zone=ZONE)

    async def make(self, kind: str, login: str = "sima", /, **given: object) -> Item:
        async with self.sessions.write() as session:
            item, _ = await service.create(await self.desk(session, login), kind, given)
            return item

    async def change(self, kind: str, ref: str, login: str = "sima", /, **given: object) -> Item:
        async with self.sessions.write() as session:
            return await service.update(await self.desk(session, login), kind, ref, given)

    async def do(self, kind: str, ref: str, action: str, login: str = "sima", reason: str | None = "because") -> Item:
        async with self.sessions.write() as session:
            return await service.do(await self.desk(session, login, reason), kind, ref, action)

    async def get(self, kind: str, ref: str) -> Item:
        async with self.sessions.read() as session:
            return await service.get(await self.desk(session), kind, ref)

    async def transfer(self, kind: str, *lines: dict[str, object], login: str = "sima", **head: object) -> Item:
        """A draft with its lines; lots and places by their codes."""
        made = await self.make("transfer", login, **{"kind": kind, "site": "S", **head})
        for line in lines:
            await self.make("transfer_line", login, transfer=made.ref, **line)
        return made

    async def lines(self, ref: str) -> list[Any]:
        """The rows of a transfer's or a sheet's lines."""
        async with self.sessions.read() as session:
            sheet = await session.scalar(select(CountSheet).where(CountSheet.ref == ref))
            if sheet is not None:
                return [line for line in sheet.lines if not line.archived]
            return list((await session.scalars(select(Transfer).where(Transfer.ref == ref))).one().lines)

    async def stock(self) -> dict[str, Decimal]:
        """`product lot place unit owner` to quantity, of places that are somewhere; `-` for none."""
        async with self.sessions.read() as session:
            rows = await session.execute(
                select(Product.sku, Lot.code, Location.code, HandlingUnit.sscc, Party.ref, Quant.quantity)
                .select_from(Quant)
                .join(Product, Product.id == Quant.product_id)
                .join(Location, Location.id == Quant.location_id)
                .join(Party, Party.id == Quant.owner_id)
                .outerjoin(Lot, Lot.id == Quant.lot_id)
                .outerjoin(HandlingUnit, HandlingUnit.id == Quant.unit_id)
                .where(Quant.internal.is_(True), Quant.quantity != Decimal(0))
            )
            return {
                f"{sku} {lot or '-'} {place} {'-' if unit is None else 'U'} {owner}": quantity
                for sku, lot, place, unit, owner, quantity in rows
            }

    async def buckets(self, line: int = 1) -> dict[str, Decimal]:
        async with self.sessions.read() as session:
            rows = await session.scalars(select(LineBucket).where(LineBucket.receipt == RECEIPT, LineBucket.line == line))
            return {one.bucket: one.quantity for one in rows if one.quantity}

    async def moves(self) -> list[Move]:
        async with self.sessions.read() as session:
            return list((await session.scalars(select(Move).order_by(Move.id))).all())

    async def put(self, product: str, place: str, quantity: str, **more: Any) -> None:
        """Goods appear, as a receipt that was posted brings them."""
        self.seq += 1
        bucket = more.pop("bucket", None)
        at = more.pop("at", self.now)
        wanted = Wanted(
            key=f"put {self.seq}",
            product_id=self.ids[f"product:{product}"],
            owner_id=self.ids[f"party:{more.pop('owner', 'HOUSE')}"],
            quantity=Decimal(quantity),
            source_id=self.ids["place:SUPPLIERS"],
            target_id=self.ids[f"place:{place}"],
            document=Document("receipt", RECEIPT, "GR-1"),
            effective_at=at,
            lot_id=self.ids[f"lot:{more.pop('lot')}"] if "lot" in more else None,
            to_unit_id=self.ids["unit"] if more.pop("unit", False) else None,
            bucket=None if bucket is None else BucketMove(RECEIPT, more.pop("line", 1), None, bucket),
        )
        async with self.sessions.write() as session:
            await ledger.post(session, [wanted], self.taken("dana", "operator", None))

    async def step(
        self, job: str, kind: str, name: str, n: int, said: MovementStep | dict[str, Any], **other: Any
    ) -> tuple[Received, StepEntry]:
        """One step as it is stored, not taken yet."""
        self.seq += 1
        wall = other.pop("wall", self.now)
        data = said if isinstance(said, dict) else said.model_dump(mode="json", exclude_none=True)
        entry = StepEntry(
            boot_id="b", mono_ns=self.seq, wall_ns=int(wall.timestamp() * 1_000_000_000), clk=Clk(s="ntp"),
            job=job, job_kind=kind, n=n, step=name, station=other.pop("station", "st-1"), by=other.pop("by", "dana"), data=data,
            was=other.pop("was", None),
        )  # fmt: skip
        box = other.pop("box", BOX)
        run = other.pop("run", f"run-{self.seq:020}")
        received = Received(box, run, 0, entry, self.now)
        async with self.sessions.write() as session:
            session.add(
                JournalEntry(
                    run=run, seq=0, box_id=box, content=encode(entry), hash=b"h", kind="step", received_at=received.received_at
                )
            )
        return received, entry

    async def say(self, job: str, kind: str, name: str, n: int, said: MovementStep | dict[str, Any], **other: Any) -> None:
        """One step, stored and taken."""
        received, entry = await self.step(job, kind, name, n, said, **other)
        async with self.sessions.write() as session:
            await JOB_TAKERS[kind].take(session, received, entry)

    def later(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


async def make_warehouse(sessions: Sessions) -> Warehouse:
    """Products P (pieces), K (kilograms, with lots L1 to L3) and S (serial numbers); owners HOUSE and OWN; places RCV, QRT,
    REJ, A1 to A3, B1 (of OWN alone) and COLD (1 to 3 degrees)."""
    made = Warehouse(sessions)
    async with sessions.write() as session:
        site = Site(code="S", name="Site", tz="Asia/Jerusalem")
        other = Site(code="T", name="Other", tz="Asia/Jerusalem")
        session.add_all([site, other])
        await session.flush()
        session.add(Station(code="st-1", name="Station", site_id=site.id))
        parties = {
            "HOUSE": ["house", "owner"], "OWN": ["owner", "customer"], "SUP": ["supplier"], "CUS": ["customer"],
        }  # fmt: skip
        rows: dict[str, Any] = {f"party:{ref}": Party(ref=ref, name=ref, roles=roles) for ref, roles in parties.items()}
        rows["product:P"] = Product(sku="P", name="P", unit="{pcs}")
        rows["product:K"] = Product(sku="K", name="K", unit="kg", tracking="lot")
        rows["product:S"] = Product(sku="S", name="S", unit="{pcs}", tracking="serial")
        rows["product:C"] = Product(sku="C", name="C", unit="kg", temp_min=Decimal(0), temp_max=Decimal(4))
        usages = {
            "RCV": "receiving", "QRT": "quarantine", "REJ": "rejected", "A1": "stock", "A2": "stock", "A3": "stock",
            "B1": "stock", "COLD": "stock", "SUPPLIERS": "supplier", "CUSTOMERS": "customer", "ADJUST": "adjustment",
        }  # fmt: skip
        for code, usage in usages.items():
            rows[f"place:{code}"] = Location(
                code=code, name=code, site_id=site.id, usage=usage, hold=usage in {"quarantine", "rejected"}
            )
        rows["place:T1"] = Location(code="T1", name="T1", site_id=other.id, usage="stock")
        rows["place:A1"].temperature_class = "ambient"
        rows["place:COLD"].temp_min, rows["place:COLD"].temp_max = Decimal(1), Decimal(3)
        session.add_all(rows.values())
        await session.flush()
        rows["place:B1"].owner_id = rows["party:OWN"].id
        for code in ("L1", "L2", "L3"):
            state = {"L3": "pending"}.get(code, "released")
            rows[f"lot:{code}"] = Lot(ref=f"LOT-{code}", code=code, product_id=rows["product:K"].id, state=state)
        rows["lot:S1"] = Lot(ref="LOT-S1", code="S1", product_id=rows["product:S"].id, is_serial=True, state="released")
        rows["unit"] = HandlingUnit(sscc=SSCC)
        for box in (BOX, OTHER_BOX):
            session.add(Box(id=box, name=box[-2:], spki=box.encode(), key_id=box.encode(), registered_at=NOW))
        session.add_all(rows.values())
        await session.flush()
        made.ids = {name: row.id for name, row in rows.items()}
    return made
