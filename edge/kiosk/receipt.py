"""The receipt in hand as a page shows it, and as `GET /api/state` tells it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Final

from edge.jobs.amounts import held, here
from edge.jobs.awaiting import Awaits, awaits, is_weighed
from edge.jobs.checks import Check, Failed, all_checks, line_checks
from edge.jobs.drafts import AmountDraft, ApprovalDraft, ArrivalDraft, CodeDraft, ItemDraft, PalletDraft, RemainderDraft
from edge.jobs.keeping import UNDO_NS, open_rests
from edge.jobs.moment import Context
from edge.jobs.pallets import announced_on
from edge.jobs.receive import Line, ReceiveJob, Stage
from edge.mirror.view import MasterView
from sync_protocol.masters import Notice, NoticeLine, Order, OrderLine, Packaging, Party, Product
from sync_protocol.receiving.measures import shown
from sync_protocol.steps import FieldValue

MAX_CHOICES: Final = 60
"""Products that can be touched for an unknown code where nothing says which are expected: more is a list nobody reads."""


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of the job. `state`: begun, whole, confirmed or discarded."""

    number: int
    product: Product | None
    sku: str
    lot: FieldValue | None
    expiry: FieldValue | None
    unit: FieldValue | None
    amount: FieldValue | None
    gross: FieldValue | None
    tare: FieldValue | None
    pieces: FieldValue | None
    pack: str | None
    serials: tuple[FieldValue, ...]
    announced: NoticeLine | None
    identity: FieldValue
    state: str
    damaged: str | None
    """Why the goods count as damaged."""
    photos: int
    checks: tuple[Check, ...]
    kept: str | None
    discarded: str | None

    @property
    def asks(self) -> bool:
        """Whether the line is kept only with a reason."""
        return any(check.asks for check in self.checks)

    @property
    def stops(self) -> bool:
        return any(check.stops for check in self.checks)


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
class RestView:
    """What did not come of an order's line. `shut`: why it is given up; None: it is awaited further."""

    line: str
    product: Product | None
    sku: str
    rest: str
    unit: str
    shut: str | None


@dataclass(frozen=True, slots=True)
class JobView:
    """The receipt in hand as a page shows it. What belongs to one question is None or empty while another is asked."""

    id: str
    awaits: Awaits
    number: str | None
    order: str | None
    notice: Notice | None
    supplier: Party | None
    owner: Party | None
    document: str | None
    no_document_reason: str | None
    draft: ItemDraft | None
    draft_product: Product | None
    current: LineView | None
    lines: list[LineView]
    order_lines: list[OrderLineView]
    unit: str | None
    """The handling unit in hand."""
    came: Mapping[str, FieldValue]
    """What was said of the delivery."""
    photos: int
    checks: tuple[Check, ...]
    """Failed checks of the receipt as a whole."""
    arrival: str | None
    code: CodeDraft | None
    choices: list[Product]
    """What the waiting code may name."""
    pallet: list[tuple[NoticeLine, Product | None]]
    amount: AmountDraft
    packagings: list[Packaging]
    approval: ApprovalDraft | None
    approving: tuple[Check, ...]
    """The failed check that a supervisor is asked about."""
    rests: list[RestView]
    confirmed: int
    undo_line: int | None
    undo_ms: int


def receipt_view(job: ReceiveJob, context: Context) -> JobView:
    """The job at this moment."""
    masters, failed = context.masters, all_checks(job, context)
    order = masters.order(job.order) if job.order else None
    notice = masters.notice(job.notice) if job.notice else None
    lines = [_line_view(job, line, failed, context) for line in job.lines]
    undo_line, undo_ms = _undo(job, context)
    draft, opened = job.draft, job.opened
    return JobView(
        id=job.id,
        awaits=awaits(job, masters),
        number=opened.number if opened else None,
        order=job.order,
        notice=notice,
        supplier=_party(masters, job.supplier),
        owner=_party(masters, job.owner),
        document=opened.document.value if opened and opened.document else None,
        no_document_reason=opened.no_document_reason if opened else None,
        draft=draft if isinstance(draft, ItemDraft) else None,
        draft_product=masters.product(draft.product) if isinstance(draft, ItemDraft) else None,
        current=lines[-1] if job.current is not None else None,
        lines=lines,
        order_lines=_rows(job, order, notice, masters),
        unit=job.unit.value if job.unit else None,
        came=_came(job),
        photos=len(job.photos),
        checks=tuple(one for one in failed.get(None, ()) if one.code != "no_lines"),
        arrival=draft.what if isinstance(draft, ArrivalDraft) else None,
        code=draft if isinstance(draft, CodeDraft) else None,
        choices=_choices(draft, order, notice, masters) if isinstance(draft, CodeDraft) else [],
        pallet=_pallet(job, masters),
        amount=draft if isinstance(draft, AmountDraft) else AmountDraft(),
        packagings=sorted((row for _, row in masters.table(Packaging)), key=lambda one: one.code),
        approval=draft if isinstance(draft, ApprovalDraft) else None,
        approving=_approving(draft, failed) if isinstance(draft, ApprovalDraft) else (),
        rests=_rests(job, context),
        confirmed=sum(line.counts for line in job.lines),
        undo_line=undo_line,
        undo_ms=undo_ms,
    )


def _party(masters: MasterView, ref: str | None) -> Party | None:
    return masters.party(ref) if ref else None


def _undo(job: ReceiveJob, context: Context) -> tuple[int | None, int]:
    last = job.last_live()
    if last is None or not last.at.within(context.now, UNDO_NS):
        return None, 0
    left_ms = (UNDO_NS - (context.now.ns - last.at.ns)) // 1_000_000
    return (last.number if left_ms > 0 else None), left_ms


def _line_view(job: ReceiveJob, line: Line, failed: Failed, context: Context) -> LineView:
    item, measured = line.item, line.measured
    notice = context.masters.notice(job.notice) if job.notice else None
    return LineView(
        number=line.number,
        product=context.masters.product(item.product),
        sku=item.product,
        lot=item.lot,
        expiry=item.expiry,
        unit=item.unit,
        amount=line.amount,
        gross=measured.gross if measured else None,
        tare=measured.tare if measured else None,
        pieces=measured.pieces if measured else None,
        pack=item.pack,
        serials=line.serials,
        announced=next((row for row in notice.lines if row.line == item.notice_line), None) if notice else None,
        identity=item.identity,
        state=_state(job, line),
        damaged=line.condition.reason if line.damaged and line.condition is not None else None,
        photos=len(line.photos),
        checks=line_checks(job, line, failed) if line.live else (),
        kept=line.kept,
        discarded=line.discarded,
    )


def _state(job: ReceiveJob, line: Line) -> str:
    if not line.live:
        return "discarded"
    if line.confirmed:
        return "confirmed"
    return "whole" if job.stage is Stage.WHOLE else "begun"


def _rows(job: ReceiveJob, order: Order | None, notice: Notice | None, masters: MasterView) -> list[OrderLineView]:
    """What is expected: the notice's lines where the delivery was announced, else the order's."""
    if notice is not None:
        return [_announced(job, row, masters) for row in notice.lines]
    return [_ordered(job, row, masters) for row in order.lines] if order is not None else []


def _ordered(job: ReceiveJob, row: OrderLine, masters: MasterView) -> OrderLineView:
    came = here(job, row)
    done = Fraction(row.received) + came
    return OrderLineView(
        line=row.line,
        product=masters.product(row.product),
        sku=row.product,
        ordered=row.quantity,
        posted=row.received,
        here=_digits(came),
        unit=row.unit,
        state=_reached(done, Fraction(row.quantity)),
    )


def _announced(job: ReceiveJob, row: NoticeLine, masters: MasterView) -> OrderLineView:
    came = held((line for line in job.lines if line.item.notice_line == row.line), row.unit)
    return OrderLineView(
        line=row.line,
        product=masters.product(row.product),
        sku=row.product,
        ordered=row.quantity,
        posted="0",
        here=_digits(came),
        unit=row.unit,
        state=_reached(came, Fraction(row.quantity)),
    )


def _reached(done: Fraction, wanted: Fraction) -> str:
    return "over" if done > wanted else "done" if done == wanted else "open"


def _digits(amount: Fraction) -> str:
    return shown(amount, "1").split()[0]


def _came(job: ReceiveJob) -> dict[str, FieldValue]:
    given = job.arrival
    names = type(given).model_fields if given is not None else ()
    return {name: value for name in names if (value := getattr(given, name)) is not None}


def _choices(draft: CodeDraft, order: Order | None, notice: Notice | None, masters: MasterView) -> list[Product]:
    """What the code may name: its several products, else what is expected, else all that is known here."""
    skus = list(draft.choices) or [row.product for row in (notice.lines if notice else order.lines if order else ())]
    found = [product for sku in dict.fromkeys(skus) if (product := masters.product(sku)) is not None]
    if found:
        return found
    known = (product for _, product in masters.table(Product) if not product.archived)
    return sorted(known, key=lambda product: product.sku)[:MAX_CHOICES]


def _pallet(job: ReceiveJob, masters: MasterView) -> list[tuple[NoticeLine, Product | None]]:
    if not isinstance(job.draft, PalletDraft):
        return []
    return [(row, masters.product(row.product)) for row in announced_on(job, job.draft.unit.value, masters)]


def _approving(draft: ApprovalDraft, failed: Failed) -> tuple[Check, ...]:
    return tuple(one for one in failed.get(draft.line, ()) if one.code == draft.check)


def _rests(job: ReceiveJob, context: Context) -> list[RestView]:
    shut = dict(job.draft.shut) if isinstance(job.draft, RemainderDraft) else {}
    return [
        RestView(row.line, context.masters.product(row.product), row.product, _digits(rest), row.unit, shut.get(row.line))
        for row, rest in open_rests(job, context)
    ]


def job_json(job: JobView) -> dict[str, Any]:
    """The receipt as programs read it; amounts are plain decimals as text."""
    return {
        "id": job.id,
        "awaits": job.awaits,
        "number": job.number,
        "order": job.order,
        "notice": job.notice.ref if job.notice else None,
        "supplier": job.supplier.ref if job.supplier else None,
        "owner": job.owner.ref if job.owner else None,
        "document": job.document,
        "no_document_reason": job.no_document_reason,
        "draft": {
            "product": job.draft.product,
            "again": job.draft.again,
            "lot": job.draft.lot.value if job.draft.lot else None,
            "expiry": job.draft.expiry.value if job.draft.expiry else None,
        }
        if job.draft
        else None,
        "unit": job.unit,
        "arrival": {name: value.value for name, value in job.came.items()},
        "checks": [asdict(check) for check in job.checks],
        "rests": [{"line": row.line, "rest": row.rest, "unit": row.unit, "shut": row.shut} for row in job.rests],
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
        "sscc": line.unit.value if line.unit else None,
        "quantity": line.amount.value if line.amount else None,
        "unit": line.amount.unit if line.amount else None,
        "mode": line.amount.mode if line.amount else None,
        "pieces": line.pieces.value if line.pieces else None,
        "serials": [serial.value for serial in line.serials],
        "damaged": line.damaged,
        "photos": line.photos,
        "weighed": is_weighed(line.product) if line.product else None,
        "checks": [asdict(check) for check in line.checks],
        "kept_because": line.kept,
    }
