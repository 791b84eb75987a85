"""What `receipt.json` and `audit.json` say: the receipt's rows, its moves, the calibrations, and the log."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from cloud.kernel.models import EventHead
from cloud.masters.models import Calibration, Device
from cloud.receiving.bundle.columns import Said, told
from cloud.receiving.evidence.deciding import receipt_events
from cloud.receiving.models import Receipt, ReceiptLine, ReceiptStep
from cloud.receiving.verify import VerifyReport
from cloud.stock.models import LineBucket, Lot, Move
from sync_protocol.ids import EntryId

MAX_CALIBRATIONS = 50
"""Of all devices together; of each the newest before the receipt is the one that counts."""


async def tell_receipt(
    session: AsyncSession, receipt: Receipt, steps: Sequence[ReceiptStep], report: VerifyReport, received: Iterable[Said]
) -> Said:
    """The receipt whole. `received`: when the core got each entry."""
    serials = [each.lot_id for line in receipt.lines for each in line.serials if each.lot_id is not None]
    lots = {row.id: row.code for row in await session.scalars(select(Lot).where(Lot.id.in_(serials)))}
    return {
        "receipt": told(receipt)
        | {
            "site": receipt.site.code if receipt.site else None,
            "tz": receipt.site.tz if receipt.site else None,
            "order": receipt.order.ref if receipt.order else None,
            "supplier": receipt.supplier.ref if receipt.supplier else None,
            "owner": receipt.owner.ref if receipt.owner else None,
        },
        "lines": [_line(line, lots) for line in receipt.lines],
        "evidence": [told(row) | {"line": row.line.number if row.line else None} for row in receipt.evidence],
        "steps": [told(row) for row in steps],
        "exceptions": [told(row) for row in receipt.exceptions],
        "photos": [told(row) for row in receipt.photos],
        "learned": [told(row) for row in receipt.learned],
        "remainders": [told(row) for row in receipt.remainders],
        "received": sorted(received, key=lambda one: (one["run"], one["seq"])),
        "moves": await _moves(session, receipt),
        "buckets": [
            told(row)
            for row in await session.scalars(
                select(LineBucket).where(LineBucket.receipt == receipt.uid).order_by(LineBucket.line, LineBucket.bucket)
            )
        ],
        "calibrations": await _calibrations(session, receipt, report),
        "told": {
            "ok": report.ok,
            "problems": [*report.problems],
            "opened": report.opened.model_dump() if report.opened else None,
            "finished": report.finished.model_dump() if report.finished else None,
            "times": [
                {"line": one.line, "field": one.field, **(one.time.model_dump() if one.time else {})} for one in report.fields
            ],
        },
    }


def _line(line: ReceiptLine, lots: dict[int, str]) -> Said:
    return told(line) | {
        "product_unit": line.product.unit if line.product else None,
        "product_name": line.product.name if line.product else None,
        "order_line": line.order_line.line if line.order_line else None,
        "location": line.location.code if line.location else None,
        "owner": line.owner.ref if line.owner else None,
        "stock_lot": line.stock_lot.code if line.stock_lot else None,
        "handling_unit": line.handling_unit.sscc if line.handling_unit else None,
        "serials": [told(each) | {"stock_lot": lots.get(each.lot_id or 0)} for each in line.serials],
    }


async def _moves(session: AsyncSession, receipt: Receipt) -> list[Said]:
    linked = (Move.product, Move.lot, Move.owner, Move.source, Move.target, Move.unit, Move.to_unit)
    rows = await session.scalars(
        select(Move)
        .where((Move.receipt == receipt.uid) | ((Move.document_kind == "receipt") & (Move.document == receipt.uid)))
        .options(*(joinedload(each) for each in linked))
        .order_by(Move.id)
        .execution_options(populate_existing=True)
    )
    keys: dict[int, str] = {}
    found: list[Said] = []
    for row in rows:
        keys[row.id] = row.key
        found.append(
            told(row)
            | {
                "product": row.product.sku,
                "lot": row.lot.code if row.lot else None,
                "owner": row.owner.ref,
                "source": row.source.code,
                "target": row.target.code,
                "unit": row.unit.sscc if row.unit else None,
                "to_unit": row.to_unit.sscc if row.to_unit else None,
                "reverses": None if row.reverses_id is None else keys.get(row.reverses_id, "another move"),
            }
        )
    return found


async def _calibrations(session: AsyncSession, receipt: Receipt, report: VerifyReport) -> list[Said]:
    """Those of the devices that were read, up to the day on which the goods came."""
    names = {one.device for one in report.fields if one.device is not None}
    rows = await session.execute(
        select(Calibration, Device.box_device)
        .join(Device, Device.id == Calibration.device_id)
        .where(
            Device.box_id == receipt.box_id,
            Device.box_device.in_(names),
            Calibration.day <= receipt.opened_received_at.date(),
            Calibration.archived.is_(False),
        )
        .order_by(Device.box_device, Calibration.day.desc(), Calibration.id.desc())
        .limit(MAX_CALIBRATIONS)
    )
    columns = ("ref", "day", "due", "by", "certificate_no", "certificate", "result")
    return [{"device": name, **{key: told(row)[key] for key in columns}} for row, name in rows]


async def tell_audit(session: AsyncSession, receipt: Receipt) -> Said:
    """The receipt's events, each with the hash of the row before it, and where the log ended when this was made."""
    head = (await session.scalars(select(EventHead))).one()
    events = [
        told(row) | {"id": row.id, "before": before}
        for row, before in await receipt_events(session, receipt)
        if before is not None
    ]
    return {"events": events, "head": {"last": head.last, "hash": head.hash}}


def received_of(at: EntryId, received_at: datetime) -> Said:
    return {"run": at.run, "seq": at.seq, "received_at": received_at.isoformat()}
