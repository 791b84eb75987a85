"""Lists of records of one kind."""

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from cloud.errors import NotFound, Refused
from cloud.kernel.access import EXPORT, READ
from cloud.objects.caller import Caller
from cloud.web import marks
from cloud.web.objects.address import ListAddress
from cloud.web.objects.entry import reading
from cloud.web.objects.listing import listed
from cloud.web.objects.pages import page, shower
from cloud.web.objects.values import Shower

router = APIRouter()


@router.get("/o/{kind}")
async def records(request: Request, kind: str) -> Response:
    """The list as its address says."""
    address = ListAddress.of(kind, request.query_params)
    show = shower(request)
    async with reading(request) as caller:
        demand_readable(caller, kind)
        found = await listed(caller, address, show)
        return page(
            request,
            "list.html",
            here=f"o/{kind}",
            list=found,
            conditions=found.conditions,
            subjects=found.subjects,
            columns_shown=[one.key for one in found.columns],
            fault=found.fault,
            fault_words=refusal(found.fault, show) if found.fault else None,
            views=(),
            bulk=False,
            may_export=caller.access.may(kind, EXPORT),
        )


def demand_readable(caller: Caller, kind: str) -> None:
    """Raises NotFound also for what is there and not for this visitor."""
    if not caller.access.may(kind, READ):
        raise NotFound("object", kind)
    caller.objects.get(kind)


def refusal(fault: Refused, show: Shower) -> Markup:
    """Why a list cannot be made."""
    values = {name: marks.ltr(value) if name != "why" else marks.words(value) for name, value in fault.values.items()}
    return show.say(f"list_fault.{fault.code}", **values)
