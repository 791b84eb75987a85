"""Two people changed one record: what was seen, what the other saved and what is in the form, side by side."""

import json
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from markupsafe import Markup
from starlette.datastructures import FormData

from cloud.objects.definition import FieldDef
from cloud.objects.naming import named as named_for
from cloud.objects.values import Unfit, accept
from cloud.web import marks
from cloud.web.objects.entry import place, reading, zone_of
from cloud.web.objects.given import as_text, same_given
from cloud.web.objects.pages import page, shower
from cloud.web.objects.saving import Opened, form_view, opened, plain_values, sent
from cloud.web.objects.values import Shower


@dataclass(frozen=True, slots=True)
class Side:
    """One field in its three values; `clash`: both changed it, and not to the same."""

    field: FieldDef
    seen: Markup
    theirs: Markup
    yours: Markup
    text: str
    changed: bool
    clash: bool
    mine: bool

    @property
    def take(self) -> str:
        """What is chosen where nobody chooses: whoever changed it, has it; the person at the page sees where both did."""
        return "yours" if self.mine else "theirs"


async def conflict_page(request: Request, kind: str, ref: str, form: FormData) -> Response:
    """The page on which the writer chooses, field by field. Nothing of what they typed is lost."""
    async with reading(request) as caller:
        found = await opened(caller, kind, ref)
        given = sent(request, form, found.definition)
        now = plain_values(await form_view(request, found, {}, told=()), zone_of(request))
        show = shower(request)
        before = _seen(form)
        sides = [await _side(found, show, name, before.get(name, now.get(name)), now.get(name), given[name]) for name in given]
        row = found.row
        return page(
            request,
            "conflict.html",
            status=409,
            definition=found.definition,
            sides=[one for one in sides if one.changed],
            same=[one for one in sides if not one.changed],
            ref=ref,
            action=place(kind, ref, "edit"),
            version=found.version,
            seen=json.dumps(now, ensure_ascii=False),
            who=getattr(row, "updated_by", None),
            when=getattr(row, "updated_at", None),
            next_url=str(form.get("next", "")),
        )


def _seen(form: FormData) -> dict[str, Any]:
    try:
        found = json.loads(str(form.get("seen", "") or "{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


async def _side(found: Opened, show: Shower, name: str, seen: object, theirs: object, yours: object) -> Side:
    one = found.definition.by_key[name]
    mine, other = not _same(one, seen, yours), not _same(one, seen, theirs)
    words = [await _worded(found, show, one, value) for value in (seen, theirs, yours)]
    clash = mine and other and not _same(one, theirs, yours)
    return Side(one, words[0], words[1], words[2], as_text(yours), changed=mine or other, clash=clash, mine=mine)


def _same(field: FieldDef, one: object, other: object) -> bool:
    """Whether two values that were sent mean the same: 12.50 is 12.5."""
    return same_given(_read(field, one), _read(field, other))


def _read(field: FieldDef, value: object) -> object:
    try:
        return value if field.target else accept(field, value) or None
    except Unfit:
        return value


async def _worded(found: Opened, show: Shower, one: FieldDef, value: object) -> Markup:
    """A value that was sent, in people's words; what cannot be read stands as it was typed."""
    if value in (None, "", []):
        return marks.NOTHING
    if one.target:
        listed = value if isinstance(value, list) else [value]
        known = await found.caller.references.resolve(one.target, [str(each) for each in listed])
        named = list((await named_for(found.caller, one, known.values())).values())
        return show.field(one, named if one.type == "refs" else named[0] if named else str(value))
    try:
        read = accept(one, value)
    except Unfit:
        return marks.words(value)
    if one.type == "json" and one.of and isinstance(read, list):
        return Markup("<br>").join(_row_words(one, show, row) for row in read)
    return show.field(one, read)


def _row_words(one: FieldDef, show: Shower, row: dict[str, Any]) -> Markup:
    return Markup(" · ").join(
        marks.ltr(row[inner.key]) if inner.target else show.field(inner, row[inner.key])
        for inner in one.of
        if row.get(inner.key) is not None
    )
