"""Making a paper: what it says is frozen first, and what is typeset is the frozen text."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.blobs.store import BlobStore
from cloud.db.engine import is_sqlite
from cloud.errors import Forbidden, NotFound
from cloud.kernel.access import READ
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.papers.kinds import PaperKind, paper_kind
from cloud.papers.layout.sheet import Stamp, sheet, title_of
from cloud.papers.models import Paper, PaperCopy
from cloud.papers.pictures import photos_of, with_photos
from cloud.papers.reads.common import Reading, people
from cloud.papers.snapshot import Head, canonical, content_of, digest, frozen
from cloud.papers.typesetting import Typesetter
from cloud.papers.views import View
from cloud.papers.words import Language, Words
from cloud.stock.verdicts import demand_sound

TEMPLATE = "document.typ"
UID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Office:
    """What papers are made with. `address`: under which the world reaches us, empty where it does not; `more`: words of other
    parts by language; `blobs`: where photos lie, None where none are taken."""

    typesetter: Typesetter
    zone: ZoneInfo
    organisation: str = ""
    address: str = ""
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    blobs: BlobStore | None = None

    def words(self, language: Language) -> Words:
        return Words(language, self.zone, self.more.get(language, {}))


async def make(
    caller: Caller,
    office: Office,
    key: str,
    ref: str,
    language: Language,
    *,
    draw: Callable[[int], bytes] = secrets.token_bytes,
) -> Paper:
    """The paper of a record as it stands now; the one that there is where nothing changed since.

    Raises NotFound, Forbidden where the caller does not see the whole record, Refused `paper_not_for_this`; GuardFailed
    `not_verified` where the receipt of its goods does not verify.
    """
    kind = paper_kind(key)
    row, record_ref = await _record(caller, kind, ref)
    receipt = kind.receipt(row)
    if receipt is not None:
        await demand_sound(caller.session, receipt, record_ref)
    view = await kind.read(Reading(caller.session, office.organisation), row)
    content = content_of(view)
    content_sha256 = digest(canonical(content))
    last = await _newest(caller.session, kind, row.uid, language)
    if last is not None and (last.content_sha256, last.version) == (content_sha256, row.version):
        return last
    head = Head(
        uid=draw(UID_BYTES).hex(),
        kind=kind.key,
        record_kind=kind.record_kind,
        record=row.uid,
        record_ref=record_ref,
        version=row.version,
        language=language,
        made_at=caller.taken.at,
        made_by=(await people(caller.session, [caller.login]))[caller.login],
    )
    return await _store(caller, head, frozen(head, content), content_sha256)


async def newest(caller: Caller, key: str, ref: str, language: Language) -> Paper:
    """The last paper that was made of a record in a language. Raises NotFound, Forbidden."""
    kind = paper_kind(key)
    row, _ = await _record(caller, kind, ref)
    found = await _newest(caller.session, kind, row.uid, language)
    if found is None:
        raise NotFound("paper", f"{key} {ref}")
    return found


async def _record(caller: Caller, kind: PaperKind, ref: str) -> tuple[Any, str]:
    """The record's row, whole: a paper says everything, so that whoever sees only some fields gets none."""
    item = await service.get(caller, kind.record_kind, ref)
    if not item.reach.whole:
        raise Forbidden("forbidden", action=READ, role=caller.taken.actor.role)
    return item.row, item.ref


async def _newest(session: AsyncSession, kind: PaperKind, record: str, language: str) -> Paper | None:
    return await session.scalar(
        select(Paper)
        .where(
            Paper.record_kind == kind.record_kind, Paper.record == record, Paper.kind == kind.key, Paper.language == language
        )
        .order_by(Paper.id.desc())
        .limit(1)
    )


async def _store(caller: Caller, head: Head, snapshot: str, content_sha256: str) -> Paper:
    row = Paper(
        uid=head.uid,
        kind=head.kind,
        record_kind=head.record_kind,
        record=head.record,
        record_ref=head.record_ref,
        version=head.version,
        language=head.language,
        snapshot=snapshot,
        sha256=digest(snapshot),
        content_sha256=content_sha256,
        made_at=head.made_at,
        made_by=caller.login,
    )
    caller.session.add(row)
    changes = {"paper": [None, head.kind], "language": [None, head.language], "sha256": [None, row.sha256]}
    await append_event(
        caller.session, caller.taken, action="make_paper", kind=head.record_kind, ref=head.record_ref, changes=changes
    )
    await caller.session.flush()
    return row


async def typeset(office: Office, paper: Paper) -> bytes:
    """The paper as PDF, from its frozen text alone. Photos that are not here yet are left open. Raises as typesetting does."""
    held = json.loads(paper.snapshot)
    head = _head().validate_python(held["paper"])
    view: View = _view(paper.kind).validate_python(held["content"])
    words = office.words("he" if paper.language == "he" else "en")
    data = sheet(view, words, Stamp(head, paper.sha256, office.address))
    files = await photos_of(office.blobs, data)
    if files:
        data = await asyncio.to_thread(with_photos, data, files)
    return await office.typesetter.pdf(TEMPLATE, data, title=title_of(words, head), made_at=head.made_at)


async def count_copy(session: AsyncSession, paper_id: int, pdf: bytes, taken: Taken, *, given_out: bool) -> None:
    """Keep which bytes a paper was given out in, and how often. Looking at it again counts nothing, but new bytes are kept."""
    sha256 = digest(pdf)
    insert = sqlite.insert(PaperCopy) if is_sqlite(session) else postgresql.insert(PaperCopy)
    values = {
        "paper_id": paper_id,
        "pdf_sha256": sha256,
        "copies": int(given_out),
        "first_at": taken.at,
        "first_by": taken.actor.name,
    }
    await session.execute(
        insert.values(values).on_conflict_do_update(
            index_elements=["paper_id", "pdf_sha256"], set_={"copies": PaperCopy.copies + int(given_out)}
        )
    )


def file_name(paper: Paper) -> str:
    """Of the PDF, for whoever stores it."""
    day: datetime = paper.made_at
    return f"{paper.kind}-{paper.record_ref}-{paper.language}-{day:%Y%m%d}.pdf".replace("/", "-").replace("_", "-")


@lru_cache(maxsize=1)
def _head() -> TypeAdapter[Head]:
    return TypeAdapter(Head)


@lru_cache(maxsize=16)
def _view(key: str) -> TypeAdapter[Any]:
    return TypeAdapter(paper_kind(key).view)
