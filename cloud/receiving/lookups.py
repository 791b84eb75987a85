"""What the checks of one receipt need to know from other tables, asked for all lines at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.ingest.models import JournalEntry
from cloud.masters.calibrations import is_calibrated
from cloud.masters.models import Device, Product, ProductCode
from cloud.receiving.models import Evidence, LineStanding, Receipt, ReceiptLine
from cloud.stock.models import Lot, Move, Quant
from cloud.trade.models import Packaging
from sync_protocol.entries import Entry, ReadingEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId
from sync_protocol.quantity import Quantity
from sync_protocol.receiving.facts import LotFact, ReadingFact
from sync_protocol.receiving.measures import KILOGRAM, in_unit

AT_ONCE = 500
"""Values of one statement; SQLite's builds take at least 999 variables."""

WEIGHED = ("quantity", "gross", "tare")
"""Fields of a line of whose readings anything is asked."""

GTIN_LENGTH = 14

_POSTED = ("posted", "done")
NS = 1_000_000_000


@dataclass(slots=True)
class Around:
    """Lookups of one receipt's lines. Built by `load`, then asked without the database."""

    document: str | None = None
    """Ref of another receipt of the same delivery note."""
    units: dict[str, str] = field(default_factory=dict)
    """SSCC to the receipt that had it."""
    _codes: dict[str, frozenset[str]] = field(default_factory=dict)
    _entries: dict[EntryId, Entry] = field(default_factory=dict)
    _lots: dict[tuple[int, str], LotFact] = field(default_factory=dict)
    _serials: dict[int, frozenset[str]] = field(default_factory=dict)
    _tares: dict[str, Decimal] = field(default_factory=dict)
    _used: dict[int, str] = field(default_factory=dict)
    _calibrated: dict[str, bool] = field(default_factory=dict)

    @classmethod
    async def load(cls, session: AsyncSession, receipt: Receipt, lines: Sequence[ReceiptLine], arrival: date) -> "Around":
        """Ask for everything that these lines need."""
        found = cls(await document_again(session, receipt), await _units(session, receipt, lines))
        rows = [row for row in receipt.evidence if row.line in lines and row.field in {"identity", *WEIGHED}]
        read = [at for row in rows if (at := _reading_at(row)) is not None]
        weighing = [row for row in rows if row.field in WEIGHED and row.run is not None]
        found._entries = await _entries(session, [*read, *(_step_at(row) for row in weighing)])
        texts = {text for row in rows if row.field == "identity" for text in found.texts(row)}
        found._codes = await _codes(session, texts, receipt.supplier_id)
        found._lots = await _lots(session, lines)
        found._serials = await _serials(session, receipt, lines)
        found._tares = await _tares(session, lines)
        found._used = await _used(session, receipt)
        found._calibrated = await _calibrated(session, receipt.box_id, found._entries.values(), arrival)
        return found

    def texts(self, identity: Evidence | None) -> list[str]:
        """What a scan of the product says: its text, and the GTIN in it."""
        if identity is None:
            return []
        entry = self._entry(_reading_at(identity))
        gtin = entry.details.get("gtin") if isinstance(entry, ReadingEntry) else None
        return [identity.value] if gtin is None else [identity.value, gtin]

    def means(self, _line: ReceiptLine, identity: Evidence | None) -> frozenset[str]:
        """Skus that the scan stands for."""
        return frozenset().union(*(self._codes.get(text, frozenset()) for text in self.texts(identity)))

    def lot(self, line: ReceiptLine) -> LotFact | None:
        """The line's lot as it is known already."""
        return self._lots.get((line.product_id, line.lot)) if line.product_id is not None and line.lot else None

    def serials_here(self, line: ReceiptLine) -> frozenset[str]:
        """Of the line's serial numbers those that are in stock."""
        return self._serials.get(line.id, frozenset())

    def tare_known(self, line: ReceiptLine, tare: Evidence | None) -> bool:
        """Whether the tare was weighed, or is the packaging's by its code."""
        if tare is None or line.tare is None:
            return False
        if tare.mode == "device":
            return True
        said = in_unit(Quantity(line.tare, line.tare_unit or KILOGRAM), KILOGRAM)
        known = self._tares.get(line.packaging or "")
        return known is not None and said == in_unit(Quantity(known, KILOGRAM), KILOGRAM)

    def reading(self, row: Evidence) -> ReadingFact | None:
        """The reading behind a weight; None where there is none that can be read, which the verification says louder."""
        entry = self._entry(_reading_at(row))
        if not isinstance(entry, ReadingEntry):
            return None
        return ReadingFact(
            kind=entry.kind,
            flags=frozenset(entry.flags),
            age_s=_age_s(entry, self._entry(_step_at(row))),
            calibrated=self._calibrated.get(entry.device),
            used_by=self._used.get(row.id),
        )

    def _entry(self, at: EntryId | None) -> Entry | None:
        return None if at is None else self._entries.get(at)


def _reading_at(row: Evidence) -> EntryId | None:
    return None if row.run is None or row.seq is None else EntryId(RunId(row.run), row.seq)


def _step_at(row: Evidence) -> EntryId:
    return EntryId(RunId(row.step_run), row.step_seq)


def _age_s(reading: Entry, step: Entry | None) -> float | None:
    """Seconds from the reading to the step that took it, by the boot's counter; across boots by the wall clock."""
    if step is None:
        return None
    if reading.boot_id == step.boot_id:
        return (step.mono_ns - reading.mono_ns) / NS
    return (step.wall_ns - reading.wall_ns) / NS


async def _entries(session: AsyncSession, wanted: Iterable[EntryId]) -> dict[EntryId, Entry]:
    seqs: dict[RunId, set[int]] = {}
    for at in wanted:
        seqs.setdefault(at.run, set()).add(at.seq)
    found: dict[EntryId, Entry] = {}
    for run, asked in seqs.items():
        for part in _parts(sorted(asked)):
            rows = await session.execute(
                select(JournalEntry.seq, JournalEntry.content).where(JournalEntry.run == run, JournalEntry.seq.in_(part))
            )
            for seq, content in rows:
                entry = _parsed(content)
                if entry is not None:
                    found[EntryId(run, seq)] = entry
    return found


def _parsed(content: bytes) -> Entry | None:
    try:
        return parse(content)
    except TextFault:
        return None


def _parts(values: Sequence[int]) -> Iterable[Sequence[int]]:
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


async def _codes(session: AsyncSession, texts: Iterable[str], supplier_id: int | None) -> dict[str, frozenset[str]]:
    """By text the skus: GTINs of any length padded to 14 digits, and of suppliers' own codes only this supplier's."""
    asked = {text: _padded(text) for text in texts}
    found: dict[str, set[str]] = {}
    every = sorted({*asked, *asked.values()})
    for start in range(0, len(every), AT_ONCE):
        query = (
            select(ProductCode.scheme, ProductCode.code, Product.sku)
            .join(Product, Product.id == ProductCode.product_id)
            .where(ProductCode.code.in_(every[start : start + AT_ONCE]), ProductCode.archived.is_(False))
        )
        if supplier_id is not None:
            query = query.where(or_(ProductCode.party_id.is_(None), ProductCode.party_id == supplier_id))
        for scheme, code, sku in await session.execute(query):
            for text, padded in asked.items():
                if text == code or (scheme == "gtin" and padded == code):
                    found.setdefault(text, set()).add(sku)
    return {text: frozenset(skus) for text, skus in found.items()}


def _padded(text: str) -> str:
    return text.zfill(GTIN_LENGTH) if text.isascii() and text.isdigit() and len(text) <= GTIN_LENGTH else text


async def _lots(session: AsyncSession, lines: Iterable[ReceiptLine]) -> dict[tuple[int, str], LotFact]:
    wanted = {(line.product_id, line.lot) for line in lines if line.product_id is not None and line.lot}
    rows = await session.execute(
        select(Lot.product_id, Lot.code, Lot.expires_on, Lot.state).where(
            Lot.product_id.in_({product for product, _ in wanted}), Lot.code.in_({code for _, code in wanted})
        )
    )
    return {(product, code): LotFact(expiry, state) for product, code, expiry, state in rows}


async def _serials(session: AsyncSession, receipt: Receipt, lines: Iterable[ReceiptLine]) -> dict[int, frozenset[str]]:
    """By line the serial numbers that are in stock; what this receipt itself brought is none, when it is made again."""
    own = select(Move.lot_id).where(Move.document_kind == "receipt", Move.document == receipt.uid, Move.lot_id.is_not(None))
    found: dict[int, frozenset[str]] = {}
    for line in lines:
        if not line.serials or line.product_id is None:
            continue
        here = await session.scalars(
            select(Lot.code)
            .join(Quant, Quant.lot_id == Lot.id)
            .where(
                Lot.product_id == line.product_id,
                Lot.code.in_([each.serial for each in line.serials]),
                Quant.internal.is_(True),
                Quant.quantity > Decimal(0),
                Lot.id.not_in(own),
            )
        )
        found[line.id] = frozenset(here)
    return found


async def _units(session: AsyncSession, receipt: Receipt, lines: Iterable[ReceiptLine]) -> dict[str, str]:
    wanted = {line.sscc for line in lines if line.sscc}
    if not wanted:
        return {}
    rows = await session.execute(
        select(ReceiptLine.sscc, Receipt.ref)
        .join(Receipt, Receipt.id == ReceiptLine.receipt_id)
        .where(
            ReceiptLine.sscc.in_(wanted),
            ReceiptLine.standing == LineStanding.CONFIRMED,
            Receipt.id != receipt.id,
            _before(receipt),
        )
        .order_by(Receipt.id.desc())
    )
    return {sscc: ref for sscc, ref in rows if sscc is not None}


async def document_again(session: AsyncSession, receipt: Receipt) -> str | None:
    """The receipt that had this supplier's delivery note before."""
    if receipt.document_no is None or receipt.supplier_id is None:
        return None
    return await session.scalar(
        select(Receipt.ref)
        .where(
            Receipt.supplier_id == receipt.supplier_id,
            Receipt.document_no == receipt.document_no,
            Receipt.id != receipt.id,
            _before(receipt),
        )
        .order_by(Receipt.id)
        .limit(1)
    )


def _before(receipt: Receipt) -> ColumnElement[bool]:
    return or_(Receipt.state.in_(_POSTED), and_(Receipt.state == "check", Receipt.id < receipt.id))


async def _tares(session: AsyncSession, lines: Iterable[ReceiptLine]) -> dict[str, Decimal]:
    wanted = {line.packaging for line in lines if line.packaging}
    if not wanted:
        return {}
    rows = await session.execute(select(Packaging.code, Packaging.tare).where(Packaging.code.in_(wanted)))
    return {key: value for key, value in rows}  # noqa: C416 - a row unpacks, and is no tuple to the type checker


async def _used(session: AsyncSession, receipt: Receipt) -> dict[int, str]:
    """By evidence what else rests on its reading: another receipt, or a line of this one. Fields of one line are one use."""
    other, other_line, other_receipt = aliased(Evidence), aliased(ReceiptLine), aliased(Receipt)
    elsewhere = or_(
        other.receipt_id != Evidence.receipt_id, func.coalesce(other.line_id, 0) != func.coalesce(Evidence.line_id, 0)
    )
    rows = await session.execute(
        select(Evidence.id, other_receipt.id, other_receipt.ref, other_line.number)
        .join(other, and_(other.run == Evidence.run, other.seq == Evidence.seq, elsewhere))
        .join(other_receipt, other_receipt.id == other.receipt_id)
        .outerjoin(other_line, other_line.id == other.line_id)
        .where(
            Evidence.receipt_id == receipt.id,
            Evidence.field.in_(WEIGHED),
            other_receipt.state != "cancelled",
            or_(other_line.id.is_(None), other_line.standing != LineStanding.DISCARDED),
        )
        .order_by(other_receipt.id.desc(), other_line.number.desc())
    )
    return {own: str(line) if of == receipt.id else ref for own, of, ref, line in rows}


async def _calibrated(session: AsyncSession, box: str, entries: Iterable[Entry], day: date) -> dict[str, bool]:
    """By the box's name of a device whether a calibration was in force; devices that need none, or that nobody entered, are
    left out."""
    names = {entry.device for entry in entries if isinstance(entry, ReadingEntry)}
    rows = await session.scalars(
        select(Device).where(
            Device.box_id == box, Device.box_device.in_(names), Device.calibrates.is_(True), Device.archived.is_(False)
        )
    )
    return {row.box_device or "": await is_calibrated(session, row.id, day) for row in list(rows)}
