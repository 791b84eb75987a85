"""Boards: the records of one kind in columns by state."""

from fastapi import APIRouter, Request, Response

from cloud.kernel.access import CREATE
from cloud.web.errors import NotThere
from cloud.web.objects.board import board_of
from cloud.web.objects.entry import reading
from cloud.web.objects.pages import page, shower
from cloud.web.objects.routes.lists import demand_readable, refusal
from cloud.web.objects.views import address_of

router = APIRouter()


@router.get("/o/{kind}/board")
async def board(request: Request, kind: str) -> Response:
    """The board under the same filter as the list. 404 for kinds without states."""
    show = shower(request)
    async with reading(request) as caller:
        demand_readable(caller, kind)
        definition = caller.objects.get(kind)
        if not definition.states:
            raise NotThere
        address = await address_of(caller, kind, request.query_params, "board")
        found = await board_of(caller, address, show)
        return page(
            request,
            "board.html",
            here=f"o/{kind}",
            definition=definition,
            address=address,
            board=found,
            conditions=found.conditions,
            subjects=found.subjects,
            fault=found.fault,
            fault_words=refusal(found.fault, show) if found.fault else None,
            may_create=caller.access.may(kind, CREATE) and not definition.read_only,
        )
