"""A move, put-away, count or passage as a page shows it, and as `GET /api/state` answers it."""

from dataclasses import dataclass, replace
from typing import Any

from edge.jobs.desk import Held, JobDesk
from edge.jobs.kinds import Scene
from edge.jobs.movement.amounts import dimension
from edge.jobs.movement.count_job import CountJob
from edge.jobs.movement.gate import holds, seal_differs
from edge.jobs.movement.gate_job import GateDraft, GateJob
from edge.jobs.movement.move_job import MoveDraft, MoveJob
from edge.jobs.movement.moving import candidates
from edge.jobs.movement.places import suggested
from edge.jobs.overlay import Lying
from sync_protocol.masters import Container, Location, Party, Product
from sync_protocol.movements import COUNT, GATE
from sync_protocol.quantity import plain
from sync_protocol.steps import FieldValue


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of stock that can be touched."""

    key: str
    product: Product | None
    sku: str
    lot: str | None
    sscc: str | None
    location: str
    owner: Party | None
    quantity: str
    unit: str


@dataclass(frozen=True, slots=True)
class DoneView:
    """An act or a counted line that is in the journal."""

    n: int
    product: Product | None
    sku: str | None
    lot: str | None
    sscc: str | None
    quantity: FieldValue | None
    source: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A place that is suggested."""

    code: str
    place: Location | None


@dataclass(frozen=True, slots=True)
class SmallerView:
    """The job in hand. `product`, `draft` and `rows` are what is known of the goods in hand; `gate` is a passage's draft."""

    id: str
    kind: str
    awaits: str
    number: str | None
    done: list[DoneView]
    product: Product | None = None
    draft: MoveDraft | None = None
    lot: str | None = None
    weighed: bool = False
    rows: tuple[RowView, ...] = ()
    places: tuple[PlaceView, ...] = ()
    place: str | None = None
    sheet: str | None = None
    second: bool = False
    gate: GateDraft | None = None
    container: Container | None = None
    holds: tuple[str, ...] = ()
    """Only on its way out."""
    seal_differs: bool = False


def smaller_view(held: Held, desk: JobDesk, by: str) -> SmallerView | None:
    """The view of a job that is no receipt; None for a receipt."""
    scene, job = desk.scene(by), held.job
    if isinstance(job, MoveJob):
        return _move_view(job, scene)
    if isinstance(job, CountJob):
        return _count_view(job, scene)
    return _gate_view(job, scene) if isinstance(job, GateJob) else None


def _move_view(job: MoveJob, scene: Scene) -> SmallerView:
    masters, draft = scene.masters, job.draft
    done = [
        DoneView(
            act.n,
            masters.product(act.product) if act.product else None,
            act.product,
            act.lot,
            act.unit.value if act.unit else None,
            act.quantity,
            act.source.value,
            act.target.value,
        )
        for act in job.acts
    ]
    view = SmallerView(job.id, job.kind, job.awaits, job.opened.number if job.opened else None, done, draft=draft)
    if job.awaits in {"move_goods", "move_which"}:
        rows = candidates(job, draft or MoveDraft(job.awaits), scene)
        view = replace(view, rows=tuple(_row_view(row, scene) for row in rows[:MAX_ROWS]))
    if draft is None:
        return view
    product = masters.product(draft.product) if draft.product else None
    lot = draft.lot
    if draft.whole_unit and draft.unit is not None and (rows := scene.stock.unit(draft.unit.value)):
        view = replace(view, rows=tuple(_row_view(row, scene) for row in rows[:MAX_ROWS]))
        product, lot = masters.product(rows[0].product), rows[0].lot
    places = suggested(masters, scene.stock, product, lot, draft.owner) if job.awaits == "move_target" else []
    return replace(
        view,
        product=masters.product(draft.product) if draft.product else None,
        lot=draft.lot,
        weighed=product is not None and dimension(product.unit) == "mass",
        places=tuple(PlaceView(code, masters.location(code)) for code in places),
        place=draft.source.value if draft.source else None,
    )


MAX_ROWS = 200
"""Rows of a list on the screen: beyond it nobody scrolls, everybody scans."""


def _row_view(row: Lying, scene: Scene) -> RowView:
    product = scene.masters.product(row.product)
    station = scene.masters.station()
    other = row.owner if row.owner != (station.house if station else None) else None
    return RowView(
        row.key,
        product,
        row.product,
        row.lot,
        row.sscc,
        row.location,
        scene.masters.party(other) if other else None,
        plain(row.quantity),
        product.unit if product else "1",
    )


def _count_view(job: CountJob, scene: Scene) -> SmallerView:
    masters, opened, draft = scene.masters, job.opened, job.draft
    done = [
        DoneView(line.n, masters.product(line.product), line.product, line.lot, line.unit, line.quantity) for line in job.lines
    ]
    product = masters.product(draft.product) if draft and draft.product else None
    return SmallerView(
        job.id,
        COUNT,
        job.awaits,
        opened.number if opened else None,
        done,
        product=product,
        lot=draft.lot if draft else None,
        weighed=product is not None and dimension(product.unit) == "mass",
        place=opened.location.value if opened else None,
        sheet=opened.sheet if opened else None,
        second=opened.second if opened else False,
    )


def _gate_view(job: GateJob, scene: Scene) -> SmallerView:
    draft = job.draft
    known = scene.masters.container(draft.container.value) if draft and draft.container else None
    return SmallerView(
        job.id,
        GATE,
        job.awaits,
        None,
        [],
        weighed=True,
        gate=draft,
        container=known,
        holds=tuple(holds(job, scene)),
        seal_differs=seal_differs(job, scene),
    )


def smaller_json(view: SmallerView) -> dict[str, Any]:
    """The job as `GET /api/state` answers it."""
    draft = view.draft
    return {
        "id": view.id,
        "kind": view.kind,
        "awaits": view.awaits,
        "number": view.number,
        "place": view.place,
        "sheet": view.sheet,
        "second": view.second,
        "product": view.product.sku if view.product else None,
        "lot": view.lot,
        "unit": draft.unit.value if draft and draft.unit else None,
        "quantity": draft.quantity.value if draft and draft.quantity else None,
        "target": draft.target.value if draft and draft.target else None,
        "doubts": list(draft.doubts) if draft else [],
        "rows": [
            {
                "key": row.key,
                "product": row.sku,
                "lot": row.lot,
                "sscc": row.sscc,
                "location": row.location,
                "quantity": row.quantity,
                "unit": row.unit,
            }
            for row in view.rows
        ],
        "places": [place.code for place in view.places],
        "done": [
            {
                "n": line.n,
                "product": line.sku,
                "lot": line.lot,
                "sscc": line.sscc,
                "quantity": line.quantity.value if line.quantity else None,
                "unit": line.quantity.unit if line.quantity else None,
                "source": line.source,
                "target": line.target,
            }
            for line in view.done
        ],
        "gate": _gate_json(view.gate) if view.gate else None,
        "holds": list(view.holds),
        "seal_differs": view.seal_differs,
    }


def _gate_json(draft: GateDraft) -> dict[str, Any]:
    values = {name: getattr(draft, name) for name in ("container", "seal", "weight", "vehicle")}
    return {
        "direction": draft.direction,
        **{name: value.value if value else None for name, value in values.items()},
        "laden": draft.laden,
        "driver": draft.driver,
        "damaged": draft.damaged,
        "note": draft.note,
        "photos": list(draft.photos),
    }
