"""Stock: what there is and where, what moved, an owner's statement, and where a lot went. Each as a page and as CSV."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from cloud.kernel.access import EXPORT, READ
from cloud.masters.models import Party
from cloud.stock.history import over_time
from cloud.stock.movements import MAX_PAGE, After, Movement, Span, movements
from cloud.stock.reading import Line, Sum, stock_by, stock_lines
from cloud.stock.recall import lots_of_code, recall
from cloud.stock.scope import Scope
from cloud.stock.statement import statement
from cloud.web import charts
from cloud.web.access import within
from cloud.web.export import csv_of
from cloud.web.reads import stock as reads
from cloud.web.reads.stock import BY, Asked
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps
from cloud.web.views import Name
from sync_protocol.quantity import plain

router = APIRouter(prefix="/stock")

PAGE = 50
CSV_PAGES = 200
"""Pages of MAX_PAGE rows in one CSV: what a spreadsheet opens at once."""

CHART_DAYS = (30, 90, 365)

STOCK_COLUMNS = (
    *("sku", "product", "lot", "expires_on", "lot_state", "location", "sscc", "owner"),
    *("quantity", "reserved", "unit", "since", "moved_at"),
)
MOVE_COLUMNS = (
    *("number", "happened_at", "written_at", "sku", "product", "lot", "owner", "quantity", "unit", "from", "to"),
    *("from_unit", "to_unit", "document_kind", "document", "line", "by", "box", "reason"),
)
STATEMENT_COLUMNS = ("sku", "product", "lot", "opening", "came", "went", "closing", "unit")


@router.get("")
async def page(request: Request, by: str = "product", after: str = "", days: int = 90) -> Response:
    """Sums of what there is, under products, places, owners or lots; for one product also how it went over time."""
    reach = within(request, "quant", READ)
    deps, renderer = _parts(request)
    asked, zone = Asked.of(request.query_params), ZoneInfo(deps.settings.zone)
    chosen = by if by in BY else "product"
    async with deps.sessions.read() as session:
        found = await reads.found(session, asked, reach)
        sums = [] if found.unknown else await stock_by(session, chosen, found.scope, after=after[:80], limit=PAGE)
        heads = await reads.headings(session, chosen, [one.id for one in sums])
        chart = None
        if found.product is not None and not found.unknown:
            today = deps.clock().astimezone(zone).date()
            since = today - dt.timedelta(days=(days if days in CHART_DAYS else 90) - 1)
            points = await over_time(session, found.scope, since, today, zone)
            chart = charts.steps(points, today, "", plain)
        owners = await reads.owners(session)
    full = len({one.id for one in sums}) == PAGE
    return renderer.page(
        request,
        "stock/stock.html",
        here="stock",
        asked=asked,
        by=chosen,
        kinds=BY,
        groups=_grouped(sums),
        heads=heads,
        unknown=found.unknown,
        product=found.product,
        chart=chart,
        days=days,
        chart_days=CHART_DAYS,
        owners=owners,
        next=sums[-1].name if full else "",
        after=after,
    )


def _grouped(sums: Sequence[Sum]) -> list[tuple[int, list[Sum]]]:
    """Sums under their headings, in their order."""
    found: dict[int, list[Sum]] = {}
    for one in sums:
        found.setdefault(one.id, []).append(one)
    return list(found.items())


@router.get("/lines")
async def lines(request: Request, after: int = 0) -> Response:
    """Quant by quant: product, lot, place, pallet and owner."""
    reach = within(request, "quant", READ)
    deps, renderer = _parts(request)
    asked = Asked.of(request.query_params)
    async with deps.sessions.read() as session:
        found = await reads.found(session, asked, reach)
        rows = [] if found.unknown else await stock_lines(session, found.scope, after=max(after, 0), limit=PAGE)
    today = deps.clock().astimezone(ZoneInfo(deps.settings.zone)).date()
    return renderer.page(
        request,
        "stock/lines.html",
        here="stock",
        asked=asked,
        rows=rows,
        unknown=found.unknown,
        today=today,
        next=rows[-1].id if len(rows) == PAGE else 0,
        after=after,
    )


@router.get("/lines.csv")
async def lines_csv(request: Request) -> Response:
    """The same for a spreadsheet."""
    reach = within(request, "quant", EXPORT)
    deps, _ = _parts(request)
    rows: list[list[object]] = []
    async with deps.sessions.read() as session:
        found = await reads.found(session, Asked.of(request.query_params), reach)
        after = 0
        for _ in range(0 if found.unknown else CSV_PAGES):
            part = await stock_lines(session, found.scope, after=after, limit=MAX_PAGE)
            rows += [_stock_cells(one) for one in part]
            if len(part) < MAX_PAGE:
                break
            after = part[-1].id
    return _csv("stock", STOCK_COLUMNS, rows)


@router.get("/movements")
async def moved(request: Request, after: str = "") -> Response:
    """What moved, newest first."""
    reach = within(request, "move", READ)
    deps, renderer = _parts(request)
    asked, zone = Asked.of(request.query_params), ZoneInfo(deps.settings.zone)
    since, until = (reads.day_of(request.query_params.get(name, "")) for name in ("from", "to"))
    async with deps.sessions.read() as session:
        found = await reads.found(session, asked, reach)
        span = _span(since, until, zone)
        rows = [] if found.unknown else await movements(session, found.scope, span, after=_place(after), limit=PAGE)
    return renderer.page(
        request,
        "stock/movements.html",
        here="stock",
        asked=asked,
        rows=rows,
        unknown=found.unknown,
        since=since,
        until=until,
        dates=_dates(since, until),
        next=_said_place(rows[-1]) if len(rows) == PAGE else "",
        after=after,
    )


@router.get("/movements.csv")
async def moved_csv(request: Request) -> Response:
    """The same for a spreadsheet. Times are UTC."""
    reach = within(request, "move", EXPORT)
    deps, _ = _parts(request)
    zone = ZoneInfo(deps.settings.zone)
    since, until = (reads.day_of(request.query_params.get(name, "")) for name in ("from", "to"))
    rows: list[list[object]] = []
    async with deps.sessions.read() as session:
        found = await reads.found(session, Asked.of(request.query_params), reach)
        place: After | None = None
        for _ in range(0 if found.unknown else CSV_PAGES):
            part = await movements(session, found.scope, _span(since, until, zone), after=place, limit=MAX_PAGE)
            rows += [_move_cells(one) for one in part]
            if len(part) < MAX_PAGE:
                break
            place = part[-1].place
    return _csv("movements", MOVE_COLUMNS, rows)


@router.get("/statement")
async def of_owner(request: Request) -> Response:
    """What an owner had, what came and went, and what they have."""
    shown = await _statement(request, READ)
    _, renderer = _parts(request)
    return renderer.page(request, "stock/statement.html", here="stock", asked=shown.asked, shown=shown)


@router.get("/statement.csv")
async def of_owner_csv(request: Request) -> Response:
    """The same for a spreadsheet."""
    shown = await _statement(request, EXPORT)
    return _csv("statement", STATEMENT_COLUMNS, [_statement_cells(one) for one in shown.rows])


@dataclass(frozen=True, slots=True)
class Shown:
    """A statement as its page and its CSV have it."""

    asked: Asked
    owner: Name | None
    rows: list[reads.StatementLine]
    unknown: tuple[str, ...]
    since: dt.date
    until: dt.date
    owners: list[reads.Heading]

    @property
    def dates(self) -> dict[str, str]:
        return _dates(self.since, self.until)


async def _statement(request: Request, action: str) -> Shown:
    reach = within(request, "move", action)
    deps, _ = _parts(request)
    zone = ZoneInfo(deps.settings.zone)
    today = deps.clock().astimezone(zone).date()
    asked = Asked.of(request.query_params)
    since = reads.day_of(request.query_params.get("from", "")) or today.replace(day=1)
    until = reads.day_of(request.query_params.get("to", "")) or today
    rows: list[reads.StatementLine] = []
    async with deps.sessions.read() as session:
        found = await reads.found(session, asked, reach)
        owner = await session.scalar(select(Party).where(Party.ref == asked.owner)) if asked.owner else None
        if owner is not None and not found.unknown and since <= until:
            begin, end = reads.midnight(since, zone), reads.midnight(until + dt.timedelta(days=1), zone)
            scope = Scope(product_id=found.scope.product_id, lot_id=found.scope.lot_id, sites=found.scope.sites)
            rows = await reads.named(session, await statement(session, owner.id, begin, end, scope))
        owners = await reads.owners(session)
    return Shown(asked, Name(owner.name, owner.name_he) if owner else None, rows, found.unknown, since, until, owners)


@router.get("/recall")
async def of_lot(request: Request, code: str = "") -> Response:
    """Where a lot or serial number is now, who got some of it, and which receipts brought it."""
    reach = within(request, "move", READ)
    deps, renderer = _parts(request)
    wanted = code.strip()[:80]
    async with deps.sessions.read() as session:
        lots = await lots_of_code(session, wanted) if wanted else []
        found = await recall(session, lots, Scope(sites=await reads.sites_of(session, reach))) if lots else None
        receipts = await reads.receipt_refs(session, found.receipts) if found is not None else {}
        products = await reads.headings(session, "product", [one.product_id for one in lots])
    return renderer.page(
        request,
        "stock/recall.html",
        here="stock",
        asked=Asked(),
        code=wanted,
        lots=lots,
        products=products,
        found=found,
        receipts=receipts,
        total=sum((one.quantity for one in found.here), Decimal(0)) if found is not None else Decimal(0),
    )


def _parts(request: Request) -> tuple[StaffDeps, Renderer]:
    return request.app.state.deps, request.app.state.renderer


def _span(since: dt.date | None, until: dt.date | None, zone: ZoneInfo) -> Span:
    end = until + dt.timedelta(days=1) if until is not None and until < dt.date.max else None
    return Span(reads.midnight(since, zone) if since else None, reads.midnight(end, zone) if end else None)


def _dates(since: dt.date | None, until: dt.date | None) -> dict[str, str]:
    """As an address says them."""
    return {"from": since.isoformat() if since else "", "to": until.isoformat() if until else ""}


def _said_place(row: Movement) -> str:
    moment, number = row.place
    return f"{moment.isoformat()}~{number}"


def _place(text: str) -> After | None:
    """Where a page goes on; None for the first, and for what is no place."""
    moment, _, number = text.partition("~")
    try:
        at = dt.datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (at, int(number)) if at.tzinfo is not None and number.isascii() and number.isdigit() and len(number) < 19 else None


def _stock_cells(one: Line) -> list[object]:
    times = (one.since.isoformat(), one.moved_at.isoformat())
    about = (one.sku, one.product, one.lot, one.expires_on, one.lot_state, one.location, one.sscc, one.owner)
    return [*about, one.quantity, one.reserved, one.unit, *times]


def _move_cells(one: Movement) -> list[object]:
    times = (one.effective_at.isoformat(), one.at.isoformat())
    goods = (one.sku, one.product, one.lot, one.owner, one.quantity, one.unit)
    way = (one.source, one.target, one.from_unit, one.to_unit)
    return [one.id, *times, *goods, *way, one.document_kind, one.document_ref, one.line, one.by, one.via, one.reason]


def _statement_cells(one: reads.StatementLine) -> list[object]:
    balance = one.balance
    name = one.product.name.en if one.product.name else None
    sums = (balance.opening, balance.came, balance.went, balance.closing)
    return [one.product.code, name, one.lot.code if one.lot else None, *sums, one.unit]


def _csv(name: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(csv_of(head, rows), media_type="text/csv; charset=utf-8", headers=headers)
