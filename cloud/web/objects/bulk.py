"""One action on many records: each in a transaction of its own, so that what cannot be done does not undo the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from markupsafe import Markup

from cloud.errors import NotFound, Refused
from cloud.kernel.access import ARCHIVE, EXPORT, TRANSITION
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.objects.definition import Label, ObjectDef
from cloud.objects.permits import quoted
from cloud.web.objects.entry import writing
from cloud.web.objects.moves import OWN_PAGES
from cloud.web.objects.routes.records import why
from cloud.web.objects.values import Shower

MAX_CHOSEN = 200
"""Records of one go: a page has 50, and each is a transaction."""

DO = "do:"


@dataclass(frozen=True, slots=True)
class Bulk:
    """What may be done with chosen records: transitions by key with their names, and the rest."""

    moves: tuple[tuple[str, Label], ...]
    archive: bool
    restore: bool
    export: bool

    def __bool__(self) -> bool:
        return bool(self.moves) or self.archive or self.restore or self.export


@dataclass(frozen=True, slots=True)
class Failed:
    """A record with which it could not be done."""

    ref: str
    why: Markup


@dataclass(frozen=True, slots=True)
class Done:
    done: tuple[str, ...]
    failed: tuple[Failed, ...]


def bulk_of(caller: Caller, definition: ObjectDef, *, archived: bool) -> Bulk:
    """What the caller may try."""
    may = caller.access.may
    moves = () if definition.key in OWN_PAGES or archived else definition.transitions
    allowed = tuple((one.key, one.label) for one in moves if may(definition.key, f"{TRANSITION}{one.key}"))
    may_archive = may(definition.key, ARCHIVE) and not definition.read_only
    return Bulk(
        tuple(dict(allowed).items()), may_archive and not archived, may_archive and archived, may(definition.key, EXPORT)
    )


def needs_reason(definition: ObjectDef, act: str) -> bool:
    """Whether the action asks for a reason, which then is everybody's."""
    return any(one.reason for one in definition.transitions if f"{DO}{one.key}" == act)


async def do_all(request: Request, kind: str, refs: Sequence[str], act: str, reason: str, show: Shower) -> Done:
    """Do it with each. What is refused is told with its reason."""
    done, failed = [], []
    for ref in list(dict.fromkeys(refs))[:MAX_CHOSEN]:
        try:
            async with writing(request, reason or None) as caller:
                await _one(caller, kind, ref, act)
            done.append(ref)
        except NotFound:
            failed.append(Failed(ref, show.say("fault.not_there")))
        except Refused as exc:
            failed.append(Failed(ref, why(exc, show, set()) or show.say("o.fields_missing")))
    return Done(tuple(done), tuple(failed))


async def _one(caller: Caller, kind: str, ref: str, act: str) -> None:
    if act.startswith(DO):
        await service.do(caller, kind, ref, act.removeprefix(DO))
    else:
        await service.archive(caller, kind, ref, back=act == "restore")


def only(refs: Sequence[str]) -> str:
    """A filter for just these records."""
    return f"ref in [{', '.join(quoted(one) for one in list(dict.fromkeys(refs))[:MAX_CHOSEN])}]"
