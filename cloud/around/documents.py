"""Documents as they are read: newest versions first, names that are safe, and the headers that a download goes out with."""

import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.around.gate import PORTAL
from cloud.around.models import Attachment
from cloud.around.sniff import SHOWN
from sync_protocol.wiretext import clean

MAX_NAME = 120
"""Characters: with two bytes for a Hebrew letter within the 255 bytes that file systems take."""

_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"/\\|?*', "_"))
"""What some file system does not take in a name."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document at a record: its newest version, and the others, newest first."""

    newest: Attachment
    older: tuple[Attachment, ...] = ()


async def documents(session: AsyncSession, kind: str, record_id: int, *, internal: bool) -> list[Document]:
    """The documents at a record, last changed first; without `internal` only what the portal sees."""
    rows = await session.scalars(
        select(Attachment).where(*_here(Attachment, kind, record_id, internal=internal)).order_by(Attachment.id.desc())
    )
    found: dict[int, list[Attachment]] = {}
    for row in rows:
        found.setdefault(row.document, []).append(row)
    return [Document(versions[0], tuple(versions[1:])) for versions in found.values()]


async def has_document(
    session: AsyncSession, kind: str, record_id: int, file_kind: str, *, signed: bool | None = None, internal: bool = True
) -> bool:
    """Whether a document of this kind is at the record; `signed` asks of its newest version."""
    newer = aliased(Attachment)
    after = [*_here(newer, kind, record_id, internal=internal), newer.number > Attachment.number]
    same = func.coalesce(newer.version_of, newer.id) == func.coalesce(Attachment.version_of, Attachment.id)
    wanted = [*_here(Attachment, kind, record_id, internal=internal), Attachment.file_kind == file_kind]
    if signed is not None:
        wanted.append(Attachment.signed.is_(signed))
    found = select(Attachment.id).where(*wanted, ~select(newer.id).where(*after, same).exists())
    return await session.scalar(found.limit(1)) is not None


def _here(table: type[Attachment], kind: str, record_id: int, *, internal: bool) -> list[ColumnElement[bool]]:
    place = [table.kind == kind, table.record_id == record_id, table.archived_at.is_(None)]
    return place if internal else [*place, table.visibility == PORTAL]


def file_name(text: str) -> str:
    """A name that every file system takes: no folders, no controls, no marks of direction, not hidden; its suffix is kept."""
    bare = unicodedata.normalize("NFC", text.replace("\\", "/").rstrip("/").rpartition("/")[2])
    name = clean("".join(char for char in bare if char >= " "), 4 * MAX_NAME).translate(_FORBIDDEN).strip(" .")
    if len(name) > MAX_NAME:
        suffix = PurePosixPath(name).suffix[:16]
        name = name[: MAX_NAME - len(suffix)].rstrip(" .") + suffix
    return name or "file"


def download_headers(name: str, mime: str, *, inline: bool) -> tuple[str, dict[str, str]]:
    """Media type and headers of an answer that is this file. Only pictures and PDF are shown in place, when `inline` asks.

    RFC 6266, 4.3 and appendix D: a plain name for old clients, the real one beside it in UTF-8 (RFC 8187).
    """
    shown = inline and mime in SHOWN
    plain = "".join(char if " " <= char <= "~" and char not in '"%' else "_" for char in name)
    how = "inline" if shown else "attachment"
    return mime if shown else "application/octet-stream", {
        "Content-Disposition": f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
