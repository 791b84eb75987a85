"""Files at a record: documents and their versions, archived and never deleted."""

from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.documents import file_name
from cloud.around.following import News, follow, tell
from cloud.around.gate import INTERNAL, Readers, RecordRef, Visibility
from cloud.around.index import FILE, forget_part, index_part
from cloud.around.kept import Kept
from cloud.around.models import Attachment
from cloud.blobs.models import Blob
from cloud.db.engine import is_sqlite
from cloud.errors import Forbidden, NotFound
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event

FileKind = Literal["contract", "certificate", "photo", "delivery_note", "other"]
FILE_KINDS: tuple[FileKind, ...] = get_args(FileKind)

ADDED, ARCHIVED, CHANGED = "file_added", "file_archived", "file_changed"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be put at a record. `version_of`: any version of the document of which this is the next; kind and visibility
    are that one's where none is given."""

    name: str
    kept: Kept
    kind: FileKind | None = None
    visibility: Visibility | None = None
    version_of: int | None = None
    signed: bool = False


async def attach(session: AsyncSession, record: RecordRef, new: NewFile, taken: Taken, readers: Readers) -> Attachment:
    """Put a kept file at a record, as a new document or as the next version of one; followers who may see it are told.

    Raises NotFound for a document that is not at this record, Forbidden where an outsider would add something internal.
    """
    before = None if new.version_of is None else await _newest(session, record, new.version_of)
    visibility = new.visibility or (before.visibility if before is not None else INTERNAL)
    if visibility == INTERNAL and not record.internal:
        raise Forbidden("forbidden", action=ADDED, role=taken.actor.role)
    await _note_blob(session, new.kept, taken)
    row = Attachment(
        kind=record.kind,
        record_id=record.id,
        ref=record.ref,
        sha256=new.kept.sha256,
        size=new.kept.size,
        name=file_name(new.name),
        mime=new.kept.mime,
        file_kind=new.kind or (before.file_kind if before is not None else "other"),
        visibility=visibility,
        version_of=None if before is None else before.document,
        number=1 if before is None else before.number + 1,
        signed=new.signed,
        uploaded_by=taken.actor.name,
        uploaded_at=taken.at,
    )
    session.add(row)
    await session.flush()
    internal = visibility == INTERNAL
    changes = {"file": [None if before is None else before.id, row.id], "sha256": [None, row.sha256], "name": [None, row.name]}
    changes["visibility"] = [None, visibility]
    await append_event(session, taken, action=ADDED, kind=record.kind, ref=record.ref, changes=changes)
    await index_part(session, record, FILE, row.id, row.name, internal=internal, at=taken.at)
    if taken.actor.kind == "user":
        await follow(session, record, taken.actor.name, taken.at, asked=False)
    await tell(session, record, News("file", ADDED, internal, row.id), taken, readers)
    return row


async def archive(session: AsyncSession, record: RecordRef, file: int, taken: Taken) -> Attachment:
    """Offer this version no more; the one before it is the newest again. Archiving twice is no error. Raises NotFound."""
    row = await find_file(session, record, file, lock=True)
    if row.archived_at is None:
        row.archived_at, row.archived_by = taken.at, taken.actor.name
        changes = {"file": [row.id, None], "name": [row.name, None], "visibility": [row.visibility, None]}
        await append_event(session, taken, action=ARCHIVED, kind=record.kind, ref=record.ref, changes=changes)
        await forget_part(session, record.kind, record.id, FILE, row.id)
        await session.flush()
    return row


async def describe(
    session: AsyncSession,
    record: RecordRef,
    file: int,
    taken: Taken,
    *,
    kind: FileKind | None = None,
    signed: bool | None = None,
    visibility: Visibility | None = None,
) -> Attachment:
    """Say something else of a version: what it is, whether it is signed, who may see it. Raises NotFound, and Forbidden for an
    outsider's try to make it internal."""
    row = await find_file(session, record, file, lock=True)
    if visibility == INTERNAL and not record.internal:
        raise Forbidden("forbidden", action=CHANGED, role=taken.actor.role)
    wanted = {"file_kind": kind, "signed": signed, "visibility": visibility}
    changes = {
        name: [getattr(row, name), value] for name, value in wanted.items() if value is not None and getattr(row, name) != value
    }
    if not changes:
        return row
    for name, (_, value) in changes.items():
        setattr(row, name, value)
    said = {"file": [row.id, row.id], **changes}
    await append_event(session, taken, action=CHANGED, kind=record.kind, ref=record.ref, changes=said)
    if "visibility" in changes and row.archived_at is None:
        await index_part(session, record, FILE, row.id, row.name, internal=row.visibility == INTERNAL, at=taken.at)
    await session.flush()
    return row


async def find_file(session: AsyncSession, record: RecordRef, file: int, *, lock: bool = False) -> Attachment:
    """A version of a document at this record that whoever opened the record may see, archived or not. Raises NotFound."""
    wanted = select(Attachment).where(Attachment.id == file, Attachment.kind == record.kind, Attachment.record_id == record.id)
    row = await session.scalar(wanted.with_for_update() if lock else wanted)
    if row is None or (row.visibility == INTERNAL and not record.internal):
        raise NotFound("file", str(file))
    return row


async def _newest(session: AsyncSession, record: RecordRef, version: int) -> Attachment:
    """The last version, archived or not; the document's first is locked, so that two uploads do not take the same number."""
    known = await find_file(session, record, version)
    await session.execute(select(Attachment.id).where(Attachment.id == known.document).with_for_update())
    document = func.coalesce(Attachment.version_of, Attachment.id) == known.document
    return (await session.scalars(select(Attachment).where(document).order_by(Attachment.number.desc()).limit(1))).one()


async def _note_blob(session: AsyncSession, kept: Kept, taken: Taken) -> None:
    upsert = sqlite.insert(Blob) if is_sqlite(session) else postgresql.insert(Blob)
    values = {"sha256": kept.sha256, "size": kept.size, "stored_at": taken.at}
    await session.execute(upsert.values(values).on_conflict_do_nothing(index_elements=["sha256"]))
