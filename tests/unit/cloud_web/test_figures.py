"""The figures page counts what the receipts say, and draws nothing that is not there."""

import datetime as dt
from zoneinfo import ZoneInfo

import httpx

from cloud.web import StaffDeps
from cloud.web.reach import EVERYWHERE, Reach
from cloud.web.reads import figures
from tests.unit.cloud_web.office import Refs

ZONE = ZoneInfo("Asia/Jerusalem")


async def test_every_receipt_of_the_days_is_counted_once(deps: StaffDeps, noa: httpx.AsyncClient) -> None:
    span = figures.Span.back(7, deps.clock(), ZONE)
    async with deps.sessions.read() as session:
        daily = await figures.per_day(session, EVERYWHERE, span)
        elsewhere = await figures.per_day(session, Reach(frozenset({"negev"})), span)
    listed = (await noa.get("/api/receipts")).json()
    assert figures.total(daily) == listed["counts"]["all"]
    assert [one.day for one in daily] == span.days
    assert figures.total(elsewhere) == 0
    cancelled = sum(one.counts[figures.SERIES.index("cancelled")] for one in daily)
    assert cancelled == listed["counts"]["cancelled"]


async def test_rankings_agree_with_the_receipts(deps: StaffDeps, noa: httpx.AsyncClient, refs: Refs) -> None:
    span = figures.Span.back(7, deps.clock(), ZONE)
    async with deps.sessions.read() as session:
        checks = {one.key: one.count for one in await figures.by_check(session, EVERYWHERE, span)}
        suppliers = await figures.by_supplier(session, EVERYWHERE, span)
    found = (await noa.get(f"/api/receipts/{refs.over}")).json()
    for one in found["exceptions"]:
        if one["severity"] != "info":
            assert checks[one["code"]] >= 1
    assert sum(one.count for one in suppliers) <= sum(checks.values())


async def test_a_day_begins_at_midnight_of_the_house(deps: StaffDeps) -> None:
    night = dt.datetime(2026, 11, 22, 22, 30, tzinfo=dt.UTC)
    assert figures.Span.back(1, night, ZONE).since == dt.date(2026, 11, 23)


async def test_page_says_the_same_with_and_without_eyes(noa: httpx.AsyncClient) -> None:
    page = await noa.get("/figures?days=90")
    assert page.status_code == 200
    assert page.text.count('<svg class="chart"') >= 1
    assert "<table>" in page.text
    assert (await noa.get("/figures?days=12345")).status_code == 200


async def test_supplier_page_counts_what_was_delivered(noa: httpx.AsyncClient) -> None:
    found = (await noa.get("/api/receipts?state=posted")).json()
    listed = (await noa.get("/receipts")).text
    assert found["counts"]["posted"] >= 1
    ref = listed.split('<option value="SUP-')[1].split('"')[0]
    page = await noa.get(f"/suppliers/SUP-{ref}?days=7")
    assert page.status_code == 200
    assert (await noa.get("/suppliers/NOBODY")).status_code == 404
