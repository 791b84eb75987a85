"""Return notes, put-away lists and gate passes, read from transfers, receipts and containers."""

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from cloud.errors import Refused
from cloud.papers.reads.common import Reading, amount, goods_of, house, named, people, side
from cloud.papers.reads.places import Chooser
from cloud.papers.reads.received import confirmed, goods
from cloud.papers.views import Amount, GatePass, MovedLine, PutAwayLine, PutAwayList, ReturnNote
from cloud.receiving.models import Receipt
from cloud.stock.models import LineBucket, Quant
from cloud.trade.models import Container, ContainerEvent
from cloud.transfers.models import SUPPLIER_RETURN, Transfer, TransferLine
from sync_protocol.identifiers import container_fault
from sync_protocol.quantity import plain

WAITING = "released"
"""Bucket of goods that may be put away."""

GATE = ("gate_in", "gate_out")
COUNTS = frozenset({"planned", "posted"})
"""States of a transfer's line that is on its paper."""


async def return_note(reading: Reading, transfer: Transfer) -> ReturnNote:
    """The note of a return. Raises Refused `paper_not_for_this` for transfers of another kind."""
    if transfer.kind != SUPPLIER_RETURN:
        raise Refused("paper_not_for_this", ref=transfer.ref)
    names = await people(reading.session, [transfer.approved_by])
    lines = [line for line in transfer.lines if line.state in COUNTS and not line.archived]
    return ReturnNote(
        house=await house(reading),
        ref=transfer.ref,
        state=transfer.state,
        supplier=side(transfer.party) if transfer.party else None,
        site=named(transfer.site),
        receipt=transfer.receipt_ref,
        document_no=transfer.document_no,
        reason=transfer.reason,
        approved_by=names.get(transfer.approved_by or "", transfer.approved_by),
        approved_at=transfer.approved_at,
        shipped_at=transfer.posted_at,
        lines=tuple(_moved(transfer, line) for line in lines),
    )


def _moved(transfer: Transfer, line: TransferLine) -> MovedLine:
    source, target = line.from_place or transfer.from_place, line.to_place or transfer.to_place
    unit = line.product.unit if line.product else line.given_unit
    return MovedLine(
        number=line.number,
        goods=goods_of(line.product, line.lot, line.unit, line.owner or transfer.owner) if line.product else None,
        quantity=amount(line.quantity, unit) or amount(line.given_quantity, line.given_unit),
        source=source.code if source else None,
        target=target.code if target else None,
        reason=line.reason,
        whole=line.product is None,
        receipt_line=line.receipt_line,
    )


async def put_away(reading: Reading, receipt: Receipt) -> PutAwayList:
    """What of the receipt may be put away, each line with a place that fits it."""
    session = reading.session
    rows = await session.scalars(
        select(LineBucket).where(
            LineBucket.receipt == receipt.uid, LineBucket.bucket == WAITING, LineBucket.quantity > Decimal(0)
        )
    )
    waiting = {row.line: row.quantity for row in rows}
    chooser = Chooser(session, receipt.site_id)
    lines = []
    for line in confirmed(receipt):
        if line.number not in waiting or line.product is None:
            continue
        place = await chooser.place_for(line.product, line.owner)
        lines.append(
            PutAwayLine(
                number=line.number,
                goods=goods(line),
                quantity=Amount(plain(waiting[line.number]), line.product.unit),
                source=line.location.code if line.location else "",
                target=place.code if place else None,
                target_name=named(place) if place else None,
            )
        )
    return PutAwayList(
        house=await house(reading),
        ref=receipt.ref,
        state=receipt.state,
        supplier=side(receipt.supplier) if receipt.supplier else None,
        site=named(receipt.site) if receipt.site else None,
        lines=tuple(lines),
    )


async def gate_pass(reading: Reading, container: Container) -> GatePass:
    """The pass of a container, as it stands now."""
    session = reading.session
    event = await session.scalar(
        select(ContainerEvent)
        .where(
            ContainerEvent.container_id == container.id,
            ContainerEvent.visit == container.visit,
            ContainerEvent.code.in_(GATE),
            ContainerEvent.state == "recorded",
            ContainerEvent.certainty == "actual",
        )
        .order_by(ContainerEvent.at.desc(), ContainerEvent.id.desc())
        .limit(1)
    )
    return GatePass(
        house=await house(reading),
        number=container.number,
        number_good=container_fault(container.number) is None,
        state=container.state,
        direction=container.direction,
        visit=container.visit,
        iso_type=container.iso_type,
        line=container.line,
        client=side(container.client) if container.client else None,
        booking=container.booking,
        bill=container.bill,
        site=named(container.site),
        location=container.location.code if container.location else None,
        seals=tuple(str(one.get("number", "")) for one in container.seals),
        holds=tuple(container.holds),
        laden=container.laden,
        condition=container.condition,
        gross=amount(container.gross, "kg"),
        tare=amount(container.tare, "kg"),
        vehicle=container.vehicle,
        driver=container.driver,
        gate=event.code if event else None,
        gate_at=event.at if event else None,
        contents=await _contents(reading, container),
    )


async def _contents(reading: Reading, container: Container) -> tuple[MovedLine, ...]:
    if container.handling_unit_id is None:
        return ()
    rows = await reading.session.scalars(
        select(Quant)
        .where(Quant.unit_id == container.handling_unit_id, Quant.internal.is_(True))
        .options(*(selectinload(one) for one in (Quant.product, Quant.lot, Quant.owner, Quant.location)))
        .order_by(Quant.id)
    )
    return tuple(
        MovedLine(
            number=number,
            goods=goods_of(row.product, row.lot, owner=row.owner),
            quantity=amount(row.quantity, row.product.unit),
            source=row.location.code,
            target=None,
        )
        for number, row in enumerate(rows, 1)
    )
