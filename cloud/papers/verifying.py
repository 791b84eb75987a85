"""Whether a paper that somebody holds is one that we made, and whether it is still the newest. Says nothing else of it.

Who asks with a hash learns only whether it belongs to the paper that they name; an unknown paper is answered as a wrong hash.
"""

import hmac
import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.papers.kinds import PAPERS
from cloud.papers.models import Paper
from cloud.papers.snapshot import digest

RATE = 20
"""Questions a minute from one address: more than anybody types, too few to try anything."""

RATE_OF_ALL = 600
"""Questions a minute from everybody: what the database bears beside its work."""

_NO_PAPER = digest("no paper has this hash")
"""Compared with when the paper is unknown, so that the answer takes as long."""

_CODE = re.compile(r"(?:^|/)([0-9a-f]{32})#([0-9a-f]{64})$")
_BLANKS = re.compile(r"[\s\-:]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """`superseded` is said only of a paper that matched."""

    match: bool
    superseded: bool = False


async def check(session: AsyncSession, uid: str, sha256: str) -> Answer:
    """Whether the hash is that of the paper's frozen text, or of the bytes of one of its copies."""
    paper = await session.scalar(select(Paper).where(Paper.uid == uid))
    known = [paper.sha256, *(copy.pdf_sha256 for copy in paper.copies)] if paper is not None else [_NO_PAPER]
    match = False
    for one in known:
        match |= hmac.compare_digest(one.encode(), sha256.encode())
    superseded = await _superseded(session, paper)
    return Answer(match and paper is not None, superseded) if match and paper is not None else Answer(match=False)


async def _superseded(session: AsyncSession, paper: Paper | None) -> bool:
    """Another paper of the record says something else since, or the record changed since the last paper of it."""
    kind, record = (paper.kind, paper.record) if paper is not None else ("goods_received", "")
    last = await session.scalar(
        select(Paper).where(Paper.record == record, Paper.kind == kind).order_by(Paper.id.desc()).limit(1)
    )
    model = PAPERS[kind].model if kind in PAPERS else PAPERS["goods_received"].model
    version = await session.scalar(select(model.version).where(model.uid == record))
    if paper is None or last is None:
        return False
    return last.content_sha256 != paper.content_sha256 or version != last.version


def read_hash(text: str) -> tuple[str | None, str]:
    """The paper's uid, where the text is a whole code, and the hash in whatever groups it was typed; empty for what is none."""
    said = text.strip().lower()
    code = _CODE.search(said)
    if code is not None:
        return code[1], code[2]
    bare = _BLANKS.sub("", said).removeprefix("#")
    return None, bare if re.fullmatch(r"[0-9a-f]{64}", bare, re.ASCII) else ""
