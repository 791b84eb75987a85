"""What a receipt rests on, value by value, and the file in which it is handed over."""

import tempfile
from collections.abc import Iterator
from typing import IO, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from cloud.api import saying
from cloud.api.asking import reading
from cloud.api.deps import ApiDeps
from cloud.api.operations import Line, Operation, ref
from cloud.api.parts import parameters, segment
from cloud.api.schemas import Schema, listed, nullable
from cloud.errors import Forbidden
from cloud.kernel.access import EXPORT, READ
from cloud.kernel.actor import Actor, Taken
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef
from cloud.objects.permits import reach
from cloud.receiving.bundle.making import Wish, export_receipt
from cloud.receiving.evidence.standing import keep_verdict
from cloud.receiving.verify import VerifyReport, verify

KIND = "receipt"
RECORD = f"/{KIND}/{{ref}}"
PART = 64 * 1024
IN_MEMORY = 4 * 1024 * 1024
"""A bundle without pictures is smaller; larger ones are made in a file that has no name."""

router = APIRouter(prefix="/o")


@router.get(RECORD + "/evidence")
async def evidence(request: Request) -> Response:
    """The receipt verified now: `{ref, uid, state, ok, problems, opened, finished, fields}`, each field with its way back to
    the instrument's bytes. What comes of it is remembered (cloud.stock.verdicts)."""
    parameters(request, ())
    deps: ApiDeps = request.app.state.deps
    async with reading(request) as at:
        row = await _whole(at, segment(request, "ref"), READ)
        report = await verify(at.session, row, times=True)
    await keep_verdict(deps.sessions, report, Taken(Actor.system("evidence"), deps.clock()))
    return saying.answer(said(report))


def said(report: VerifyReport) -> dict[str, Any]:
    """A report as JSON."""
    fields = [{**one.model_dump(mode="json"), "ok": one.ok} for one in report.fields]
    return {**report.model_dump(mode="json", exclude={"fields"}), "fields": fields}


@router.get(RECORD + "/bundle")
async def bundle(request: Request) -> Response:
    """The receipt with everything that proves it, as a ZIP (docs/EVIDENCE.md)."""
    parameters(request, ())
    deps: ApiDeps = request.app.state.deps
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed where the last of it was sent
    try:
        async with reading(request) as at:
            row = await _whole(at, segment(request, "ref"), EXPORT)
            await export_receipt(at.session, row.ref, file, Wish(deps.clock(), deps.blobs))
    except BaseException:
        file.close()
        raise
    name = f"{row.ref}.zip"
    headers = {**saying.PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_pieces(file), media_type="application/zip", headers=headers)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(PART):
            yield piece


async def _whole(at: Caller, number: str, action: str) -> Any:
    """The receipt, for who may see all of it: evidence has every value in it. Raises NotFound, Forbidden."""
    rows = at.rows(KIND)
    row, readable = await service.row_of(at, rows, number, READ)
    if not readable.whole or not await reach(at, rows, row, action):
        raise Forbidden("forbidden", action=action, role="")
    return row


def evidence_lines(one: ObjectDef) -> Iterator[Line]:
    """Of receipts."""
    if one.key != KIND:
        return
    text: Schema = {"type": "string"}
    proof: Schema = {
        "type": "object",
        "required": ["line", "field", "mode", "value", "signature", "chain", "problems", "ok"],
        "properties": {
            "line": nullable({"type": "integer"}),
            **dict.fromkeys(("field", "mode", "value", "by", "box", "step"), text),
            **dict.fromkeys(
                ("unit", "reason", "formula", "reading", "device", "driver", "raw_hex", "received_at", "box_time"),
                nullable(text),
            ),
            "signature": {"enum": ["good", "bad", "missing"]},
            "chain": {"enum": ["good", "bad", "missing"]},
            "time": nullable({"type": "object"}),
            "problems": listed(text),
            "ok": {"type": "boolean"},
        },
    }
    report: Schema = {
        "type": "object",
        "required": ["ref", "uid", "state", "ok", "problems", "fields"],
        "properties": {
            **dict.fromkeys(("ref", "uid", "state"), text),
            "ok": {"type": "boolean"},
            "problems": listed(text),
            "opened": nullable({"type": "object"}),
            "finished": nullable({"type": "object"}),
            "fields": listed(proof),
        },
    }
    single = f"/o/{KIND}/{{ref}}"
    named = one.label.en
    yield f"{single}/evidence", "get", Operation(f"{KIND}.evidence", f"{named}: What each value rests on", report, (ref(),))
    yield (
        f"{single}/bundle",
        "get",
        Operation(f"{KIND}.bundle", f"{named}: The file that proves it", {}, (ref(),), answer_type="application/zip"),
    )
