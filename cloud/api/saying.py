"""Records, definitions and events as JSON: decimals as texts, references as the numbers that people use, times in UTC."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from cloud.kernel.models import Event
from cloud.objects.definition import FieldDef, Label, ObjectDef, Option
from cloud.objects.permits import Reach
from cloud.objects.rows import Reference
from cloud.objects.service import Item
from cloud.objects.values import said

PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, Accept-Language"}
"""Every answer is for one asker; it may be kept, and asked about with its tag."""


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON."""
    return JSONResponse(content, status, headers={**PRIVATE, **(headers or {})})


def tag(version: int) -> str:
    """A version as `ETag` and `If-Match` have it."""
    return f'"{version}"'


def item(found: Item) -> dict[str, Any]:
    """One record as its asker sees it: fields that are kept from them are not there."""
    return {
        "kind": found.kind,
        "ref": found.ref,
        "uid": found.uid,
        "title": label(found.title),
        "version": found.version,
        "state": found.state,
        "phase": found.phase,
        "archived": found.archived,
        "owner": found.owner,
        "created_at": said(found.created_at),
        "created_by": found.created_by,
        "updated_at": said(found.updated_at),
        "updated_by": found.updated_by,
        "values": {name: value(one) for name, one in found.values.items()},
    }


def value(one: Any) -> Any:
    """A field's value."""
    if isinstance(one, Reference):
        return one.ref
    if isinstance(one, list) and one and isinstance(one[0], Reference):
        return [each.ref for each in one]
    return said(one)


def label(one: Label | None) -> dict[str, str] | None:
    """Both languages, the one standing for the other where it is missing."""
    return None if one is None else {"en": one.en, "he": one.in_("he")}


def event(row: Event, reach: Reach) -> dict[str, Any]:
    """One line of the audit log, without the fields that are kept from the asker."""
    return {
        "id": row.id,
        "at": said(row.at),
        "actor_kind": row.actor_kind,
        "actor": row.actor,
        "via": row.via,
        "action": row.action,
        "changes": {name: one for name, one in sorted(row.changes.items()) if reach.allows(name)},
        "reason": row.reason,
        "request_id": row.request_id,
        "chain": row.chain,
        "hash": row.hash,
    }


def definition(one: ObjectDef, fields: Reach) -> dict[str, Any]:
    """What a kind is: fields that the asker never sees are left out, and what is nothing is left out as well."""
    return {
        "key": one.key,
        "label": label(one.label),
        "plural": label(one.plural),
        "group": one.group,
        "icon": one.icon,
        "version": one.version,
        "read_only": one.read_only,
        "custom": one.custom,
        "sections": [{"key": each.key, "label": label(each.label)} for each in one.sections],
        "fields": [field(each, rules=fields.whole) for each in one.live if fields.allows(each.key)],
        "states": [{"key": each.key, "phase": each.phase, "label": label(each.label)} for each in one.states],
        "transitions": [
            {
                "key": each.key,
                "from": list(each.sources),
                "to": each.target,
                "label": label(each.label),
                "reason": each.reason,
                "require": [name for name in each.require if fields.allows(name)],
            }
            for each in one.transitions
        ],
    }


def field(one: FieldDef, *, rules: bool) -> dict[str, Any]:
    """One field; with `rules` also when it is shown, demanded and locked: such conditions name other fields."""
    found: dict[str, Any] = {"key": one.key, "type": one.type, "label": label(one.label)}
    more = {
        "help": label(one.help),
        "section": one.section,
        "required": one.required,
        "unique": one.unique,
        "readonly": one.readonly or one.computed,
        "computed": one.computed,
        "object": one.target,
        "unit": one.unit,
        "currency": one.currency,
        "min": said(one.min),
        "max": said(one.max),
        "options": [option(each) for each in one.options],
        "visible_when": one.visible_when if rules else "",
        "required_when": one.required_when if rules else "",
        "readonly_when": one.readonly_when if rules else "",
        "of": [field(each, rules=rules) for each in one.of],
    }
    if one.type in {"text", "long"}:
        more["max_length"] = one.max_length
    if one.type in {"decimal", "money"}:
        more["decimals"] = one.decimals
    return found | {name: each for name, each in more.items() if each not in (None, "", False, [])}


def option(one: Option) -> dict[str, Any]:
    """One value of a choice."""
    return {"key": one.key, "label": label(one.label), "archived": one.archived}
