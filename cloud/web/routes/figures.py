"""Receiving in figures: charts of the last weeks, each with its numbers in a table."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from cloud.kernel.access import READ
from cloud.web import charts
from cloud.web.access import within
from cloud.web.reads import figures
from cloud.web.reads.listing import waiting
from cloud.web.rendering import Renderer
from cloud.web.settings import StaffDeps
from sync_protocol.quantity import plain

router = APIRouter()

SPANS = (7, 30, 90)
"""Days that can be looked at."""


@router.get("/figures")
async def page(request: Request, days: int = 30) -> Response:
    """What the receipts of these days were like."""
    reach = within(request, "receipt", READ)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    chosen = days if days in SPANS else 30
    span = figures.Span.back(chosen, deps.clock(), ZoneInfo(deps.settings.zone))
    async with deps.sessions.read() as session:
        daily = await figures.per_day(session, reach, span)
        checks = await figures.by_check(session, reach, span)
        suppliers = await figures.by_supplier(session, reach, span)
        weights = await figures.weighed(session, reach, span)
        wait = await waiting(session, reach)
    return renderer.page(
        request,
        "figures.html",
        here="receipts",
        waiting=wait,
        spans=SPANS,
        chosen=chosen,
        daily=daily,
        total=figures.total(daily),
        daily_chart=charts.columns([charts.Day(one.day, tuple(map(Decimal, one.counts))) for one in daily], "", plain),
        checks=checks,
        suppliers=suppliers,
        bar=bar,
        weights=weights,
        weight_chart=weight_chart(weights, span),
    )


def bar(count: int, rows: list[figures.Ranked]) -> str:
    """The length of one row of a ranking beside the longest."""
    return charts.share(charts.Share((Decimal(count),), Decimal(max(one.count for one in rows))))


def weight_chart(rows: list[figures.Weighed], span: figures.Span) -> str:
    """Each line's difference in per cent: green within what the product allows, red beyond it."""
    points = [charts.Point(one.day, one.share, _tone(one), f"{one.receipt}/{one.line}: {plain(one.share)} %") for one in rows]
    return charts.dots(points, span.since, span.until, "", lambda value: f"{plain(value)} %")


def _tone(one: figures.Weighed) -> str:
    if one.tolerance is None:
        return "ok" if not one.share else "warn"
    return "ok" if abs(one.share) <= one.tolerance else "bad"
