"""The whole state of the station as plain data: what pages render and what `GET /api/state` answers."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from edge.disk.levels import Level
from edge.jobs.checks import Check, failed_checks, in_unit, is_weighed, received_here
from edge.jobs.engine import UNDO_NS, Awaits
from edge.jobs.receive import ItemDraft, Line, ReceiveJob, Stage
from edge.kiosk.deps import KioskDeps
from edge.kiosk.live import DeviceFact, LiveWeight, device_facts, live_weight
from edge.kiosk.status import SyncStatus
from sync_protocol.masters import Order, Party, Person, Product, Station
from sync_protocol.quantity import Quantity, decimal, plain
from sync_protocol.steps import FieldValue


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of the job. `state`: begun, whole, confirmed or discarded."""

    number: int
    product: Product | None
    sku: str
    lot: FieldValue | None
    expiry: FieldValue | None
    amount: FieldValue | None
    identity: FieldValue
    state: str
    checks: tuple[Check, ...]
    kept: str | None
    discarded: str | None


@dataclass(frozen=True, slots=True)
class OrderLineView:
    """One line of the order against what was received: `posted` before, `here` in this job; all in `unit`."""

    line: str
    product: Product | None
    sku: str
    ordered: str
    posted: str
    here: str
    unit: str
    state: str


@dataclass(frozen=True, slots=True)
class JobView:
    """The open job as a page shows it."""

    id: str
    awaits: Awaits
    order: str | None
    supplier: Party | None
    document: str | None
    no_document_reason: str | None
    draft: ItemDraft | None
    draft_product: Product | None
    current: LineView | None
    lines: list[LineView]
    order_lines: list[OrderLineView]
    confirmed: int
    undo_line: int | None
    undo_ms: int


@dataclass(frozen=True, slots=True)
class StationState:
    """Everything a page needs, at one moment."""

    station: Station | None
    code: str
    operator: Person | None
    supervisors: list[Person]
    job: JobView | None
    orders: list[tuple[Order, Party | None]]
    live: LiveWeight
    devices: list[DeviceFact]
    sync: SyncStatus
    sync_age_s: int | None
    version: int
    full: bool
    """The medium is full: nothing new can be saved, and the screen says so in red."""


def station_state(deps: KioskDeps, operator: str | None) -> StationState:
    """The state now, for this operator."""
    masters, status, now = deps.masters(), deps.sync_status(), deps.clock.now_ns()
    job = deps.desk.job
    return StationState(
        station=masters.station(),
        code=deps.settings.station,
        operator=masters.person(operator) if operator else None,
        supervisors=[person for person in masters.people() if person.role == "supervisor"],
        job=_job_view(deps, job) if job is not None else None,
        orders=[(order, masters.party(order.supplier)) for order in masters.orders()],
        live=live_weight(deps.desk.live(), now),
        devices=device_facts(deps.hub, scale=deps.settings.scale, scanner=deps.settings.scanner),
        sync=status,
        sync_age_s=(now - status.since_ns) // 1_000_000_000 if status.since_ns is not None else None,
        version=deps.desk.news.version,
        full=deps.level() is Level.FULL,
    )


def _job_view(deps: KioskDeps, job: ReceiveJob) -> JobView:
    masters, context = deps.masters(), deps.desk.context()
    order = masters.order(job.order) if job.order else None
    supplier = (job.opened.supplier if job.opened else None) or (order.supplier if order else None)
    lines = [_line_view(deps, job, line) for line in job.lines]
    last = job.last_live()
    undo_ms = 0
    if last is not None and last.at.within(context.now, UNDO_NS):
        undo_ms = (UNDO_NS - (context.now.ns - last.at.ns)) // 1_000_000
    draft = job.draft if isinstance(job.draft, ItemDraft) else None
    return JobView(
        id=job.id,
        awaits=deps.desk.awaited(),
        order=job.order,
        supplier=masters.party(supplier) if supplier else None,
        document=job.opened.document.value if job.opened and job.opened.document else None,
        no_document_reason=job.opened.no_document_reason if job.opened else None,
        draft=draft,
        draft_product=masters.product(draft.product) if draft else None,
        current=lines[-1] if job.current is not None else None,
        lines=lines,
        order_lines=[_order_line_view(deps, job, order, index) for index in range(len(order.lines))] if order else [],
        confirmed=sum(line.counts for line in job.lines),
        undo_line=last.number if last is not None and undo_ms > 0 else None,
        undo_ms=undo_ms,
    )


def _line_view(deps: KioskDeps, job: ReceiveJob, line: Line) -> LineView:
    context, item = deps.desk.context(), line.item
    if line.discarded is not None:
        state = "discarded"
    elif line.confirmed:
        state = "confirmed"
    else:
        state = "whole" if job.stage is Stage.WHOLE else "begun"
    return LineView(
        number=line.number,
        product=context.masters.product(item.product),
        sku=item.product,
        lot=item.lot,
        expiry=item.expiry,
        amount=line.amount,
        identity=item.identity,
        state=state,
        checks=failed_checks(job, line, context.masters, context.today) if line.discarded is None else (),
        kept=line.kept,
        discarded=line.discarded,
    )


def _order_line_view(deps: KioskDeps, job: ReceiveJob, order: Order, index: int) -> OrderLineView:
    row = order.lines[index]
    # What this job received of a product fills the order's lines of that product in their order; the last takes the rest.
    rest = received_here(job, row.product, row.unit)
    same = [other for other in order.lines if other.product == row.product]
    for other in same[: same.index(row)]:
        open_amount = max(Decimal(0), _in(other.quantity, other.unit, row.unit) - _in(other.received, other.unit, row.unit))
        rest -= min(rest, open_amount)
    open_here = max(Decimal(0), decimal(row.quantity) - decimal(row.received))
    here = rest if row is same[-1] else min(rest, open_here)
    done = decimal(row.received) + here
    state = "over" if done > decimal(row.quantity) else "done" if done == decimal(row.quantity) else "open"
    return OrderLineView(
        line=row.line,
        product=deps.masters().product(row.product),
        sku=row.product,
        ordered=row.quantity,
        posted=row.received,
        here=plain(here),
        unit=row.unit,
        state=state,
    )


def _in(value: str, unit: str, wanted: str) -> Decimal:
    return in_unit(Quantity(decimal(value), unit), wanted)


def as_json(state: StationState) -> dict[str, Any]:
    """The state as `GET /api/state` answers it; amounts are plain decimals as text."""
    return {
        "station": {"code": state.code, "name": state.station.name if state.station else None},
        "operator": {"login": state.operator.login, "name": state.operator.name, "role": state.operator.role}
        if state.operator
        else None,
        "awaits": state.job.awaits if state.job else Awaits.ORDER,
        "job": _job_json(state.job) if state.job else None,
        "orders": [
            {
                "ref": order.ref,
                "supplier": order.supplier,
                "supplier_name": party.name if party else None,
                "lines": len(order.lines),
            }
            for order, party in state.orders
        ],
        "live": state.live.json(),
        "devices": [asdict(fact) for fact in state.devices],
        "sync": asdict(state.sync) | {"age_s": state.sync_age_s},
        "version": state.version,
        "full": state.full,
    }


def _job_json(job: JobView) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": "receive",
        "awaits": job.awaits,
        "order": job.order,
        "supplier": job.supplier.ref if job.supplier else None,
        "document": job.document,
        "no_document_reason": job.no_document_reason,
        "draft": {
            "product": job.draft.product,
            "lot": job.draft.lot.value if job.draft.lot else None,
            "expiry": job.draft.expiry.value if job.draft.expiry else None,
        }
        if job.draft
        else None,
        "line": job.current.number if job.current else None,
        "lines": [_line_json(line) for line in job.lines],
        "order_lines": [
            {
                "line": row.line,
                "product": row.sku,
                "ordered": row.ordered,
                "received": row.posted,
                "here": row.here,
                "unit": row.unit,
                "state": row.state,
            }
            for row in job.order_lines
        ],
        "undo_ms": job.undo_ms,
    }


def _line_json(line: LineView) -> dict[str, Any]:
    return {
        "line": line.number,
        "product": line.sku,
        "state": line.state,
        "lot": line.lot.value if line.lot else None,
        "expiry": line.expiry.value if line.expiry else None,
        "quantity": line.amount.value if line.amount else None,
        "unit": line.amount.unit if line.amount else None,
        "mode": line.amount.mode if line.amount else None,
        "weighed": is_weighed(line.product) if line.product else None,
        "checks": [asdict(check) for check in line.checks],
        "kept_because": line.kept,
    }
