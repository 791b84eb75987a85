"""The definitions themselves: what every kind of record is, and how it is changed while the program runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from starlette.datastructures import FormData

from cloud.errors import Conflict
from cloud.kernel.access import ANY, CONFIGURE
from cloud.objects.caller import Caller
from cloud.objects.changing import save_definition, stored_text
from cloud.objects.definition import TYPES, ObjectDef
from cloud.objects.faults import BadDefinition, DefinitionFault
from cloud.objects.models import StoredDefinition
from cloud.objects.registry import Objects
from cloud.objects.rows import Rows
from cloud.objects.source import MAX_TEXT
from cloud.web.errors import NotThere
from cloud.web.objects.entry import changed, deps_of, reading, writing
from cloud.web.objects.formview import FormMaker, FormView, filled
from cloud.web.objects.given import version_of
from cloud.web.objects.pages import page, shower
from cloud.web.objects.yaml_text import STARTING, NewField, with_field

router = APIRouter()

HERE = "admin/objects"


@dataclass(frozen=True, slots=True)
class Edited:
    """A definition in the editor: its text, the version it began with, and what is said about it."""

    text: str
    version: int
    faults: Sequence[DefinitionFault] = ()
    notice: str = ""
    preview: FormView | None = None


@router.get("/admin/objects")
async def all_objects(request: Request) -> Response:
    """Every definition that the visitor may change."""
    async with reading(request) as caller:
        found = [one for one in caller.objects.definitions.values() if caller.access.may(one.key, CONFIGURE)]
        if not found and not caller.access.may(ANY, CONFIGURE):
            raise NotThere
        changed_ones = set(await caller.session.scalars(select(StoredDefinition.key).distinct()))
        return page(
            request,
            "admin_all.html",
            here=HERE,
            objects=found,
            changed_ones=changed_ones,
            may_add=caller.access.may(ANY, CONFIGURE),
        )


@router.get("/admin/objects/-/new")
async def new(request: Request) -> Response:
    """The editor with a small object to begin with."""
    async with reading(request) as caller:
        if not caller.access.may(ANY, CONFIGURE):
            raise NotThere
        return await _page(request, caller, "", Edited(STARTING, 0))


@router.post("/admin/objects/-/new")
async def add(request: Request) -> Response:
    """A new object, in force at once."""
    return await _work(request, "")


@router.get("/admin/objects/{kind}")
async def one_object(request: Request, kind: str) -> Response:
    """One definition: what is in force, and the text that may be changed."""
    async with reading(request) as caller:
        _demand(caller, kind)
        text, version = await stored_text(caller, kind)
        return await _page(request, caller, kind, Edited(text or f"key: {kind}\n", version))


@router.post("/admin/objects/{kind}")
async def change(request: Request, kind: str) -> Response:
    """Check, preview or save the text."""
    return await _work(request, kind)


async def _work(request: Request, kind: str) -> Response:
    form = await request.form()
    edited = Edited(str(form.get("text", "")).replace("\r\n", "\n")[: MAX_TEXT + 1], version_of(form) or 0)
    act = str(form.get("act", "save"))
    async with reading(request) as caller:
        if kind:
            _demand(caller, kind)
        elif not caller.access.may(ANY, CONFIGURE):
            raise NotThere
        if act == "field":
            shipped = kind in caller.objects.definitions and not caller.objects.get(kind).custom
            text = with_field(edited.text, kind or "x_object", _new_field(form), shipped=shipped)
            return await _page(request, caller, kind, await _checked(request, caller, kind, replace(edited, text=text)))
        if act == "preview":
            return await _page(request, caller, kind, await _checked(request, caller, kind, edited))
    return await _save(request, kind, edited)


async def _save(request: Request, kind: str, edited: Edited) -> Response:
    try:
        async with writing(request) as caller:
            found = await save_definition(caller, deps_of(request).registry, edited.text, version=edited.version)
            _demand_same(kind, found)
    except BadDefinition as exc:
        return await _again(request, kind, replace(edited, faults=exc.faults))
    except Conflict:
        return await _again(request, kind, replace(edited, notice="definition.moved"))
    changed(request)
    return RedirectResponse(f"/admin/objects/{found.key}", 303)


async def _again(request: Request, kind: str, edited: Edited) -> Response:
    async with reading(request) as caller:
        return await _page(request, caller, kind, edited, status=422)


async def _checked(request: Request, caller: Caller, kind: str, edited: Edited) -> Edited:
    """With its faults, or with the form that it gives."""
    try:
        found = deps_of(request).registry.read(edited.text, caller.objects, version=edited.version + 1)
        _demand_same(kind, found)
    except BadDefinition as exc:
        return replace(edited, faults=exc.faults)
    objects = Objects({**caller.objects.definitions, found.key: found}, caller.objects.typed)
    trying = Caller(caller.session, objects, caller.taken, caller.zone, caller.hooks)
    maker = FormMaker(trying, shower(request), Rows(found, objects), None)
    view = await maker.view(await filled(trying, maker.rows, None, {}), {}, told=())
    return replace(edited, preview=view)


async def _page(request: Request, caller: Caller, kind: str, edited: Edited, *, status: int = 200) -> Response:
    definition: ObjectDef | None = caller.objects.definitions.get(kind) if kind else None
    query = select(StoredDefinition).where(StoredDefinition.key == kind).order_by(StoredDefinition.version.desc()).limit(20)
    return page(
        request,
        "admin_one.html",
        status=status,
        here=HERE,
        kind=kind,
        definition=definition,
        edited=edited,
        versions=(await caller.session.scalars(query)).all() if kind else (),
        types=TYPES,
        kinds=sorted(caller.objects.definitions),
        faulty={one.line for one in edited.faults},
    )


def _demand(caller: Caller, kind: str) -> None:
    if kind not in caller.objects.definitions or not caller.access.may(kind, CONFIGURE):
        raise NotThere


def _demand_same(kind: str, found: ObjectDef) -> None:
    if kind and found.key != kind:
        raise BadDefinition([DefinitionFault(1, "key", "key", f"the key stays {kind}: it means the same for good")])


def _new_field(form: FormData) -> NewField:
    def text(name: str, longest: int = 200) -> str:
        return str(form.get(f"field.{name}", ""))[:longest]

    kind = text("type")
    return NewField(
        key=text("key"),
        type=kind if kind in TYPES else "text",
        en=text("en"),
        he=text("he"),
        object=text("object"),
        options=text("options", 4000),
        required=bool(text("required")),
        indexed=bool(text("indexed")),
        searchable=bool(text("searchable")),
    )
