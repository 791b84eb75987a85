"""Files into records: sent, mapped, looked at, applied, undone; and templates to fill in."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from cloud import errors as core
from cloud.imports.export import media_type
from cloud.imports.mapping import Plan
from cloud.imports.reading import How
from cloud.imports.returning import faults_workbook
from cloud.imports.staging import demand_importable, stage
from cloud.imports.steps import ask_apply, ask_check, ask_undo, newest, standing, stop
from cloud.imports.table import MAX_BYTES
from cloud.imports.templates import template, templates_all
from cloud.imports.work import ImportWork
from cloud.web.access import taken_by
from cloud.web.i18n import Locale
from cloud.web.objects.entry import deps_of, language, reading, renderer_of, writing, zone_of
from cloud.web.reads.imports import CONSTANTS, import_view, importable
from cloud.web.rendering import Renderer

router = APIRouter()

UPLOAD = "/imports/upload"
SHOWN = 50
HERE = "imports"
MAX_CONSTANTS = 20
MAX_DIGITS = 5
"""Of a column's number: a file has at most 500 columns."""

Short = Annotated[str, Form(max_length=60)]


@router.get("/imports")
async def page(request: Request, kind: str = "") -> Response:
    """The newest imports, and the form for another one."""
    return await _list(request, kind)


@router.post(UPLOAD)
async def upload(request: Request, file: UploadFile, kind: Short, sheet: Short = "", encoding: Short = "") -> Response:
    """A file: its rows are kept as they are, and the next page asks what they mean."""
    async with reading(request) as caller:
        # Before anything is read: whoever may not import must not keep the machine busy.
        demand_importable(caller, kind)
    name, how = file.filename or "", How(encoding=encoding.strip(), sheet=sheet.strip())
    with tempfile.TemporaryDirectory(prefix="tallybox-import-") as folder:
        path = Path(folder) / "upload"
        await asyncio.to_thread(_copy, file, path)
        try:
            uid = await stage(
                deps_of(request).sessions, _work(request), taken_by(request), kind=kind, path=path, name=name, how=how
            )
        except core.Refused as exc:
            return await _list(request, kind, exc)
    return RedirectResponse(f"/imports/{uid}", 303)


@router.get("/imports/templates.xlsx")
async def all_templates(request: Request) -> Response:
    """Every template, in the order in which they are imported."""
    async with reading(request) as caller:
        content = await asyncio.to_thread(templates_all, caller, language(request))
    return _file(content, "templates")


@router.get("/imports/template/{kind}.xlsx")
async def one_template(request: Request, kind: str) -> Response:
    """A workbook with the heads of one kind."""
    async with reading(request) as caller:
        content = await asyncio.to_thread(template, caller, kind, language(request))
    return _file(content, kind)


@router.get("/imports/{uid}")
async def one(request: Request, uid: str, show: str = "", plan: bool = False) -> Response:
    """Where an import stands: its columns, its report or its result."""
    return await _show(request, uid, show=show, planning=plan)


@router.get("/imports/{uid}/faults.xlsx")
async def faulty(request: Request, uid: str) -> Response:
    """The faulty rows, with the reason beside each, to be mended and sent again."""
    renderer, locale = renderer_of(request), language(request)
    async with reading(request) as caller:
        found = await standing(caller, uid)
        content = await faults_workbook(caller.session, found.row, lambda fault: fault_words(renderer, locale, fault), locale)
    return _file(content, f"faults-{found.row.kind}")


@router.post("/imports/{uid}/check")
async def check(request: Request, uid: str) -> Response:
    """The plan as the form says it; then every row is looked at."""
    sent = await request.form()
    given = {name: value for name, value in sent.items() if isinstance(value, str)}
    plan = plan_of(given)
    try:
        async with writing(request) as caller:
            await ask_check(_work(request), caller, uid, plan)
    except core.Refused as exc:
        return await _show(request, uid, planning=True, sent=plan, refused=exc)
    return RedirectResponse(f"/imports/{uid}", 303)


@router.post("/imports/{uid}/{act}")
async def act(
    request: Request,
    uid: str,
    act: Literal["apply", "undo", "stop"],
    policy: Annotated[Literal["all", "good"] | None, Form()] = None,
) -> Response:
    """Write the records, take them back, or stop what goes on."""
    try:
        async with writing(request) as caller:
            if act == "apply":
                await ask_apply(_work(request), caller, uid, policy=policy)
            elif act == "undo":
                await ask_undo(_work(request), caller, uid)
            else:
                await stop(caller, uid)
    except core.WrongState as exc:
        return await _show(request, uid, refused=exc)
    return RedirectResponse(f"/imports/{uid}", 303)


def plan_of(given: Mapping[str, str]) -> Plan:
    """The plan that a form says; what it cannot mean is left for the check of the plan."""
    places = [name.removeprefix("field-") for name, key in given.items() if name.startswith("field-") and key]
    pairs = [(given.get(f"constant-{n}", ""), given.get(f"constant-value-{n}", "")) for n in range(MAX_CONSTANTS)]
    said: dict[str, object] = {
        "columns": [_column(given, place) for place in places if place.isdigit() and len(place) < MAX_DIGITS],
        "constants": {key: value for key, value in pairs if key and value},
        "mode": _said(given, "mode", "upsert"),
        "key": given.get("key", ""),
        "source": given.get("source", "").strip()[:60],
        "policy": _said(given, "policy", "all"),
    }
    return Plan.of_json(said)


def _column(given: Mapping[str, str], place: str) -> dict[str, object]:
    form = {name: _said(given, f"{name}-{place}", other) for name, other in (("dates", "iso"), ("numbers", "point"))}
    return {
        "number": int(place),
        "field": given[f"field-{place}"],
        "by": _said(given, f"by-{place}", "ref"),
        "form": {**form, "values": _values(given.get(f"values-{place}", ""))},
    }


ALLOWED = {
    "by": ("ref", "source_key"),
    "dates": ("iso", "dmy", "mdy"),
    "numbers": ("point", "comma", "grouped"),
    "mode": ("create", "update", "upsert"),
    "policy": ("all", "good"),
}


def _said(given: Mapping[str, str], name: str, other: str) -> str:
    found = given.get(name, other)
    return found if found in ALLOWED[name.partition("-")[0]] else other


def _values(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line]
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def fault_words(renderer: Renderer, locale: Locale, fault: Mapping[str, Any]) -> str:
    """A fault of a row as plain text."""
    said = fault.get("message") or {}
    if said.get(locale) or said.get("en"):
        return str(said.get(locale) or said["en"])
    for family in ("invalid", "fault", "import_note"):
        key = f"{family}.{fault['code']}"
        if renderer.catalogues.has(key):
            return unescape(renderer.catalogues.say(locale, key, **fault["values"]).striptags())
    return str(fault["code"])


def _work(request: Request) -> ImportWork:
    deps = deps_of(request)
    return ImportWork(deps.registry, zone_of(request), deps.hooks)


def _copy(file: UploadFile, path: Path) -> None:
    file.file.seek(0)
    with path.open("wb") as target:
        shutil.copyfileobj(file.file, target)


async def _list(request: Request, kind: str, refused: core.Refused | None = None) -> Response:
    renderer = renderer_of(request)
    async with reading(request) as caller:
        rows = await newest(caller, SHOWN)
        kinds = importable(caller)
        labels = {
            one.kind: caller.objects.definitions[one.kind].plural for one in rows if one.kind in caller.objects.definitions
        }
    return renderer.page(
        request,
        "imports/imports.html",
        status=200 if refused is None else 422,
        here=HERE,
        rows=rows,
        kinds=kinds,
        labels=labels,
        kind=kind,
        refused=refused,
        tell=lambda fault: fault_words(renderer, language(request), fault),
        max_mb=MAX_BYTES // (1024 * 1024),
    )


async def _show(
    request: Request,
    uid: str,
    *,
    show: str = "",
    planning: bool = False,
    sent: Plan | None = None,
    refused: core.Refused | None = None,
) -> Response:
    renderer = renderer_of(request)
    async with reading(request) as caller:
        view = await import_view(caller, uid, shown=show, plan=sent)
    values: dict[str, Any] = {
        "here": HERE,
        "view": view,
        "row": view.standing.row,
        "planning": planning,
        "refused": refused,
        "constants": CONSTANTS,
        "tell": lambda fault: fault_words(renderer, language(request), fault),
    }
    if not view.standing.rests:
        return renderer.live(request, "imports/import.html", **values)
    return renderer.page(request, "imports/import.html", status=200 if refused is None else 422, seen="", **values)


def _file(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}.xlsx"}
    return Response(content, media_type=media_type("xlsx"), headers=headers)
