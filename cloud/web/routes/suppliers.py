"""One supplier: how they deliver, what is wrong with it, and how their weights compare."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from cloud.kernel.access import READ
from cloud.masters.lookup import party_by_ref
from cloud.receiving.supplier_figures import supplier_figures
from cloud.web.access import needs
from cloud.web.errors import NotThere
from cloud.web.filters import Filters
from cloud.web.reach import EVERYWHERE
from cloud.web.reads import figures
from cloud.web.reads.listing import list_receipts
from cloud.web.rendering import Renderer
from cloud.web.routes.figures import SPANS, bar, weight_chart
from cloud.web.settings import StaffDeps
from cloud.web.views import Name

router = APIRouter()

RECENT = 10
PER_CENT = Decimal(100)


@router.get("/suppliers/{ref}")
async def page(request: Request, ref: str, days: int = 90) -> Response:
    """The supplier of this number over the last days, at all sites together."""
    needs(request, "receipt", READ)
    needs(request, "party", READ)
    deps: StaffDeps = request.app.state.deps
    renderer: Renderer = request.app.state.renderer
    zone = ZoneInfo(deps.settings.zone)
    chosen = days if days in SPANS else 90
    span = figures.Span.back(chosen, deps.clock(), zone)
    async with deps.sessions.read() as session:
        party = await party_by_ref(session, ref)
        if party is None:
            raise NotThere
        begin = dt.datetime.combine(span.since, dt.time(), zone)
        found = await supplier_figures(session, party.id, begin, deps.clock() + dt.timedelta(seconds=1))
        weights = await figures.weighed(session, EVERYWHERE, span, supplier=party.id)
        recent = await list_receipts(session, Filters(supplier=party.ref), zone, limit=RECENT)
        name = Name(party.name, party.name_he)
    share = found.on_time_share
    return renderer.page(
        request,
        "supplier.html",
        here="receipts",
        ref=party.ref,
        name_of=name,
        spans=SPANS,
        chosen=chosen,
        found=found,
        on_time=None if share is None else round(share * PER_CENT),
        checks=[figures.Ranked(check, None, count) for check, count in found.exceptions.items()][: figures.RANKED],
        bar=bar,
        weights=weights,
        weight_chart=weight_chart(weights, span),
        recent=recent,
    )
