"""Registering boxes and finding out which one is calling."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box, BoxKey, BoxStatus
from cloud.errors import BoxFault, NotFound
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from sync_protocol import signing
from sync_protocol.errors import TextFault
from sync_protocol.ids import BoxId, box_id

SEEN_EVERY = timedelta(seconds=10)
"""`last_seen` is for people; writing it at every call would make every read a write."""


async def register_box(session: AsyncSession, *, box: BoxId, name: str, spki: bytes, station: str | None, taken: Taken) -> Box:
    """Let a box in, or give one that is known a new key, name or station; keys it had before still verify old batches.

    Raises TextFault for an id or key of the wrong form, BoxFault `key_taken` when another box has the key. A revoked box stays
    revoked.
    """
    box_id(box)
    signing.verifier(spki)
    key = signing.key_id(spki)
    owner = await session.get(BoxKey, key)
    if owner is not None and owner.box_id != box:
        raise BoxFault("key_taken", box)
    row = await session.get(Box, box, with_for_update=True)
    action = "register" if row is None else "register_again"
    if row is None:
        row = Box(id=box, registered_at=taken.at, status=BoxStatus.ACTIVE)
        session.add(row)
    row.name, row.spki, row.key_id, row.station_code = name, spki, key, station
    await session.flush()
    if owner is None:
        session.add(BoxKey(key_id=key, box_id=box, spki=spki, registered_at=taken.at))
    await append_event(session, taken, action=action, kind="box", ref=box, changes={"key_id": key.hex(), "station": station})
    await session.flush()
    return row


async def set_status(session: AsyncSession, *, box: str, status: BoxStatus, taken: Taken) -> Box:
    """Suspend, revoke or let in again. Raises NotFound."""
    row = await session.get(Box, box, with_for_update=True)
    if row is None:
        raise NotFound("box", box)
    changes = {"status": [row.status, str(status)]}
    row.status = status
    await append_event(session, taken, action="set_status", kind="box", ref=box, changes=changes)
    return row


async def box_by_certificate(session: AsyncSession, der: bytes | None) -> Box:
    """The box that a verified client certificate stands for: common name and key must both be the registered ones.

    Raises BoxFault `no_certificate`, `unreadable_certificate`, `unknown_box` or `wrong_key`. The status is left to the caller.
    """
    name, spki = certified(der)
    row = await session.get(Box, name)
    if row is None:
        raise BoxFault("unknown_box", name)
    if row.spki != spki:
        raise BoxFault("wrong_key", name)
    return row


async def keys_of(session: AsyncSession, box: str) -> dict[bytes, bytes]:
    """Every key the box ever had: key id to SubjectPublicKeyInfo (DER)."""
    rows: Sequence[BoxKey] = (await session.scalars(select(BoxKey).where(BoxKey.box_id == box))).all()
    return {row.key_id: row.spki for row in rows}


def seen_lately(last_seen: datetime | None, at: datetime) -> bool:
    """Whether that the box called is noted recently enough."""
    return last_seen is not None and timedelta(0) <= at - last_seen < SEEN_EVERY


def saw(box: Box, at: datetime) -> bool:
    """Note that the box called; False when that is noted recently enough."""
    if seen_lately(box.last_seen, at):
        return False
    box.last_seen = at
    return True


def certified(der: bytes | None) -> tuple[BoxId, bytes]:
    """Name and public key (SubjectPublicKeyInfo) that a certificate carries. Raises BoxFault `no_certificate`,
    `unreadable_certificate`, or `unknown_box` for a name that no box can have."""
    if der is None:
        raise BoxFault("no_certificate", "")
    return _read(der)


@lru_cache(maxsize=1024)
def _read(der: bytes) -> tuple[BoxId, bytes]:
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        key = certificate.public_key()
        if len(names) != 1 or not isinstance(key, ec.EllipticCurvePublicKey):
            raise BoxFault("unreadable_certificate", certificate.subject.rfc4514_string())
        return box_id(str(names[0].value)), signing.spki(key)
    except TextFault as exc:
        raise BoxFault("unknown_box", str(exc)) from exc
    except ValueError as exc:
        raise BoxFault("unreadable_certificate", der[:8].hex()) from exc
