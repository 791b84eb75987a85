"""Kinds of records and their definitions: which there are for the asker, what they are, and saying anew what one is."""

from typing import Any

from fastapi import APIRouter, Request, Response

from cloud.api import saying
from cloud.api.asking import reading, writing
from cloud.api.deps import ApiDeps
from cloud.api.errors import BadRequest, MovedOn, WrongType
from cloud.api.parts import media_type, named_versions, parameters, raw_body, seen_already, segment
from cloud.errors import Conflict, NotFound
from cloud.kernel.access import ACTIONS, CONFIGURE, READ, TRANSITION
from cloud.objects.caller import Caller
from cloud.objects.changing import save_definition, stored_text
from cloud.objects.definition import ObjectDef
from cloud.objects.faults import BadDefinition, DefinitionFault
from cloud.objects.permits import Reach
from cloud.objects.source import read_yaml

MAX_DEFINITION = 256 * 1024
"""Of YAML: five hundred fields with everything that can be said of them."""

YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/plain"})
"""RFC 9512, 2.1, and what tools send that do not know it."""

router = APIRouter()


def kinds_seen(at: Caller) -> list[ObjectDef]:
    """Kinds of which the asker may read some record, by key."""
    found = (at.objects.definitions[key] for key in sorted(at.objects.definitions))
    return [one for one in found if not one.archived and at.access.may(one.key, READ)]


def fields_seen(at: Caller, kind: str) -> Reach:
    """Fields that the asker sees of some record of the kind."""
    return Reach(tuple(way.mask for way in at.access.ways(kind, READ)))


def actions_open(at: Caller, definition: ObjectDef) -> list[str]:
    """What the asker may do to some record of the kind."""
    wanted = [*ACTIONS, *(f"{TRANSITION}{one}" for one in dict.fromkeys(each.key for each in definition.transitions))]
    return [one for one in wanted if at.access.may(definition.key, one)]


@router.get("/o")
async def list_kinds(request: Request) -> Response:
    """`{items}`: kinds that the asker may read, and what they may do."""
    parameters(request, ())
    async with reading(request) as at:
        items = [
            {
                "key": one.key,
                "label": saying.label(one.label),
                "plural": saying.label(one.plural),
                "group": one.group,
                "icon": one.icon,
                "read_only": one.read_only,
                "custom": one.custom,
                "actions": actions_open(at, one),
            }
            for one in kinds_seen(at)
        ]
    return saying.answer({"items": items})


@router.get("/defs")
async def list_definitions(request: Request) -> Response:
    """`{items}`: definitions of all kinds that the asker may read."""
    parameters(request, ())
    async with reading(request) as at:
        items = [saying.definition(one, fields_seen(at, one.key)) for one in kinds_seen(at)]
    return saying.answer({"items": items})


@router.get("/defs/{kind}")
async def read_definition(request: Request) -> Response:
    """One definition; who may change it also gets `text`, what was saved about it. Its `ETag` goes back with a change."""
    parameters(request, ())
    kind = segment(request, "kind")
    async with reading(request) as at:
        if not (at.access.may(kind, READ) or at.access.may(kind, CONFIGURE)):
            raise NotFound("object", kind)
        one = at.objects.get(kind)
        body: dict[str, Any] = saying.definition(one, fields_seen(at, kind))
        version = one.version if one.custom else 0
        if at.access.may(kind, CONFIGURE):
            body["text"], version = await stored_text(at, kind)
    headers = {"ETag": saying.tag(version)}
    if seen_already(request, str(version)):
        return Response(status_code=304, headers={**saying.PRIVATE, **headers})
    return saying.answer(body, headers=headers)


@router.put("/defs/{kind}")
async def write_definition(request: Request) -> Response:
    """Put a definition (YAML) in force: a kind of one's own (201 when new), or what is added to a shipped one.

    `If-Match` names the version that the editor saw; version "0" is of what nobody said anything about.
    """
    parameters(request, ())
    kind = segment(request, "kind")
    versions = named_versions(request, demanded=True)
    if media_type(request) not in YAML_TYPES:
        raise WrongType("application/yaml")
    data = await raw_body(request, MAX_DEFINITION)
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise BadRequest("bad_utf8", {"name": "body"}) from exc
    _demand_key(text, kind)
    deps: ApiDeps = request.app.state.deps
    async with writing(request) as at:
        _, now = await stored_text(at, kind)
        if versions is not None and str(now) not in versions:
            raise MovedOn(kind, now)
        new = kind not in at.objects.definitions
        try:
            found = await save_definition(at, deps.registry, text, version=now)
        except Conflict as exc:
            raise MovedOn(kind, int(exc.values["now"])) from exc
        body = saying.definition(found, fields_seen(at, kind))
    return saying.answer({**body, "text": text}, 201 if new else 200, {"ETag": saying.tag(now + 1)})


def _demand_key(text: str, kind: str) -> None:
    source = read_yaml(text)
    if source.data.get("key") != kind:
        fault = DefinitionFault(source.line(("key",)), "key", "other_key", f"the address is that of {kind}")
        raise BadDefinition([fault], kind)
