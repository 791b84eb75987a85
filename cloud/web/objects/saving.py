"""A form's way: opened, worked out while it is filled in, saved, and what comes back when it cannot be."""

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from starlette.datastructures import FormData

from cloud.errors import NotFound
from cloud.kernel.access import CREATE, READ, WRITE
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.objects.definition import Label, ObjectDef
from cloud.objects.rows import Rows
from cloud.web.access import local_path
from cloud.web.errors import NotAllowed
from cloud.web.objects.entry import place, zone_of
from cloud.web.objects.formview import FormMaker, FormView, Tables, filled
from cloud.web.objects.given import BEFORE, from_text, given_of, one_text
from cloud.web.objects.pages import page, shower

TOUCHED = "touched"
"""Names a field that the person has been at: only its faults are said before the form is sent."""


@dataclass(frozen=True)
class Opened:
    """A form's record: `row` None for a new one."""

    caller: Caller
    rows: Rows
    row: Any | None
    ref: str = ""
    title: Label | None = None

    @property
    def definition(self) -> ObjectDef:
        return self.rows.definition

    @property
    def version(self) -> int:
        return 0 if self.row is None else int(self.row.version)


async def opened(caller: Caller, kind: str, ref: str = "") -> Opened:
    """Raises NotFound for what the visitor may not see, NotAllowed where they may see it and not write."""
    if not caller.access.may(kind, READ):
        raise NotFound("object", kind)
    rows = caller.rows(kind)
    if rows.definition.read_only or rows.definition.archived:
        raise NotAllowed
    if not ref:
        if not caller.access.may(kind, CREATE):
            raise NotAllowed
        return Opened(caller, rows, None)
    row, seen = await service.row_of(caller, rows, ref, WRITE)
    item = await service.item_of(caller, rows, row, seen, ())
    return Opened(caller, rows, row, ref, item.title)


async def form_view(
    request: Request, open_: Opened, given: Mapping[str, object], *, told: Collection[str] | None, tables: Tables | None = None
) -> FormView:
    """The form with what was given so far."""
    maker = FormMaker(open_.caller, shower(request), open_.rows, open_.row)
    found = await filled(open_.caller, open_.rows, open_.row, given)
    return await maker.view(found, given, told=told, tables=tables)


async def seen_text(request: Request, open_: Opened) -> str:
    """What the person is about to see of the record, for the day that somebody else saves first."""
    if open_.row is None:
        return ""
    maker = FormMaker(open_.caller, shower(request), open_.rows, open_.row)
    view = await maker.view(await filled(open_.caller, open_.rows, open_.row, {}), {}, told=())
    return json.dumps(plain_values(view, zone_of(request)), ensure_ascii=False)


def plain_values(view: FormView, zone: ZoneInfo) -> dict[str, object]:
    """What stands in a form, as it would be sent."""
    found: dict[str, object] = {}
    for one in (each for section in view.sections for each in section.fields):
        if one.readonly:
            continue
        if one.field.type in {"refs", "choices"}:
            found[one.field.key] = [key for key, _ in one.chosen]
        elif one.field.type == "json" and one.field.of:
            rows = [{cell.field.key: cell.text for cell in row} for row in one.rows]
            found[one.field.key] = [row for row in rows if any(row.values())]
        else:
            found[one.field.key] = one_text(one.field, one.text, zone)
    return found


def form_page(request: Request, open_: Opened, view: FormView, **values: Any) -> Response:
    """The page of the form. `values`: `seen`, `uid`, `status`, `notice`, `version`."""
    kind = open_.definition.key
    form_next = values.pop("next_url", "") or request.query_params.get("next", "")
    here = place(kind, open_.ref, "edit") if open_.ref else place(kind, "new")
    return page(
        request,
        "form.html",
        definition=open_.definition,
        form=view,
        action=here,
        ref=open_.ref,
        record_title=open_.title,
        back=local_path(form_next) if form_next else place(kind, open_.ref) if open_.ref else place(kind),
        next_url=form_next,
        **{"version": open_.version, "uid": str(uuid.uuid4()), "seen": "", "notice": None, **values},
    )


def prefilled(request: Request, definition: ObjectDef) -> dict[str, object]:
    """Values that the address brings for a new record."""
    found: dict[str, object] = {}
    for one in definition.live:
        texts = request.query_params.getlist(BEFORE + one.key)
        if texts and one.type not in {"json", "file"}:
            found[one.key] = texts[:50] if one.type in {"refs", "choices"} else texts[0][:2000]
    return found


def sent(request: Request, form: FormData, definition: ObjectDef) -> dict[str, object]:
    """What the form has, also where it comes from the page of a conflict."""
    found = given_of(form, definition, zone_of(request))
    for name in form.getlist("kept"):
        one = definition.by_key.get(str(name))
        if one is not None and form.get(f"pick.{one.key}") == "yours":
            found[one.key] = from_text(one, str(form.get(f"yours.{one.key}", "")))
    return found


async def settled(request: Request, open_: Opened, form: FormData) -> dict[str, object]:
    """What the form gives, without what the definition hides by now."""
    given = sent(request, form, open_.definition)
    done = await filled(open_.caller, open_.rows, open_.row, given)
    return with_answers(done.given, done.draft.before, open_)


def with_answers(given: Mapping[str, object], before: Mapping[str, Any], open_: Opened) -> dict[str, object]:
    """A box without a tick is a no; only where a record had no answer so far, none is given for it."""
    found = dict(given)
    for name, value in given.items():
        if open_.definition.by_key[name].type == "bool" and value == "":
            if open_.row is not None and before.get(name) is None:
                del found[name]
            else:
                found[name] = "false"
    return found


def new_url(kind: str, **given: str) -> str:
    """The address of a new record's form with values in it."""
    return place(kind, "new") + ("?" + urlencode({BEFORE + name: value for name, value in given.items()}) if given else "")
