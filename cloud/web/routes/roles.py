"""Roles and their grants. For whoever may configure roles, and never beyond their own permissions."""

from collections.abc import Iterable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from cloud.errors import Refused as CoreRefused
from cloud.kernel.access import CONFIGURE
from cloud.people import roles
from cloud.people.models import Role
from cloud.web.access import needs, proved, taken_by
from cloud.web.reads.grants import GrantLine, check_fit, grant_lines, grants_in
from cloud.web.rendering import Renderer
from cloud.web.routes.sign_in import refusal_words
from cloud.web.settings import StaffDeps

router = APIRouter(prefix="/roles")

EMPTY_LINES = 3
"""At the end of the table, for what is added; saving gives the next ones."""

MAX_LINES = 200
"""Four fields a line: a form of at most a thousand fields is read."""

Key = Annotated[str, Path(max_length=40)]
Short = Annotated[str, Form(max_length=100)]
Column = Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=MAX_LINES)]


class RoleForm(BaseModel):
    """The page of one role: its version when it was shown, and the table column by column."""

    version: int = Field(ge=1)
    label_en: str = Field(max_length=100)
    label_he: str = Field(max_length=100)
    kind: Column
    actions: Column
    scope: Column
    mask: Column


@router.get("")
async def page(request: Request) -> Response:
    """Every role."""
    needs(request, "role", CONFIGURE)
    return await _list(request)


@router.post("")
async def create(request: Request, key: Short, label_en: Short, label_he: Short) -> Response:
    """A role that allows nothing yet."""
    needs(request, "role", CONFIGURE)
    proved(request)
    try:
        async with _deps(request).sessions.write() as session:
            row = await roles.create_role(session, key.strip().lower(), (label_en, label_he), taken_by(request))
    except CoreRefused as exc:
        return await _list(request, refused=exc, given=(key, label_en, label_he))
    return _to(row.key)


@router.get("/{key}")
async def one(request: Request, key: Key) -> Response:
    """One role with its grants, to be edited."""
    needs(request, "role", CONFIGURE)
    async with _deps(request).sessions.read() as session:
        row = await roles.role_by_key(session, key)
        lines = grant_lines(row)
    return _one(request, key, row.version, (row.label_en, row.label_he), lines, builtin=row.builtin)


@router.post("/{key}")
async def change(request: Request, key: Key, given: Annotated[RoleForm, Form()]) -> Response:
    """Names and grants as the table has them; a line without kind and actions is left out."""
    needs(request, "role", CONFIGURE)
    proved(request)
    deps, names = _deps(request), (given.label_en, given.label_he)
    lines = list(zip(given.kind, given.actions, given.scope, given.mask, strict=False))
    try:
        async with deps.sessions.write() as session:
            wanted = grants_in(lines)
            check_fit(wanted, await deps.registry.current(session))
            await roles.change_role(session, key, names, wanted, taken_by(request), version=given.version)
    except CoreRefused as exc:
        shown = [GrantLine(*line) for line in lines if any(part.strip() for part in line)]
        return _one(request, key, given.version, names, shown, builtin=key in set(Role), refused=exc)
    return _to(key)


@router.post("/{key}/remove")
async def remove(request: Request, key: Key) -> Response:
    """Remove a role that nobody holds."""
    needs(request, "role", CONFIGURE)
    proved(request)
    try:
        async with _deps(request).sessions.write() as session:
            await roles.remove_role(session, key, taken_by(request))
    except CoreRefused as exc:
        return await _list(request, refused=exc)
    return RedirectResponse("/roles", 303)


async def _list(
    request: Request, *, refused: CoreRefused | None = None, given: tuple[str, str, str] = ("", "", "")
) -> Response:
    async with _deps(request).sessions.read() as session:
        rows = await roles.all_roles(session)
        counts = await roles.holders(session)
    return _renderer(request).page(
        request,
        "roles.html",
        status=200 if refused is None else 422,
        here="roles",
        rows=[(row, counts.get(row.id, 0)) for row in rows],
        given=given,
        problem=None if refused is None else refusal_words(request, refused),
    )


def _one(
    request: Request,
    key: str,
    version: int,
    names: tuple[str, str],
    lines: Iterable[GrantLine],
    *,
    builtin: bool,
    refused: CoreRefused | None = None,
) -> Response:
    fixed = key == Role.ADMIN
    return _renderer(request).page(
        request,
        "role.html",
        status=200 if refused is None else 422,
        here="roles",
        key=key,
        version=version,
        names=names,
        lines=[*lines, *([] if fixed else [GrantLine("", "", "", "")] * EMPTY_LINES)],
        builtin=builtin,
        fixed=fixed,
        problem=None if refused is None else refusal_words(request, refused),
    )


def _to(key: str) -> Response:
    return RedirectResponse(f"/roles/{quote(key)}", 303)


def _deps(request: Request) -> StaffDeps:
    deps: StaffDeps = request.app.state.deps
    return deps


def _renderer(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer
