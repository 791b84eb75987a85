"""One receipt whole: its rows, what the verification says of each value, and its history."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.blobs.refs import blobs_of_job
from cloud.boxes.models import Box
from cloud.errors import NotFound
from cloud.kernel.events import history
from cloud.kernel.models import Event
from cloud.people.models import User
from cloud.receiving.deciding import REFUSE
from cloud.receiving.decisions import receipt_by_ref
from cloud.receiving.machine import open_questions
from cloud.receiving.models import Receipt
from cloud.receiving.timing import TimeProof
from cloud.receiving.verify import FieldProof, VerifyReport, verify
from cloud.web import views
from cloud.web.reach import EVERYWHERE, Reach
from cloud.web.reads.receipt_parts import Lines, arrival_of, lines_of, name_of
from sync_protocol.receiving.settings import Severity


async def read_receipt(session: AsyncSession, ref: str, reach: Reach = EVERYWHERE) -> views.Receipt:
    """The receipt of this number, verified now. Raises the core's NotFound, also for one of a site that is out of reach."""
    row = await receipt_by_ref(session, ref)
    site = row.site.code if row.site else None
    if not reach.allows(site):
        raise NotFound("receipt", ref)
    report = await verify(session, row, times=True)
    names = _Names(await _box_names(session), await _people(session))
    files = await blobs_of_job(session, row.uid)
    here = frozenset(ref.sha256 for ref, status in files if status == "stored")
    events = await history(session, "receipt", row.ref)
    lines = await lines_of(session, row)
    return replace(
        _head(row, report, names, _parts(row, names, here)),
        site=site,
        lines=_lines(row, report, names, lines),
        header_proofs=tuple(_proof(field, names.boxes, names.people) for field in report.fields if field.line is None),
        files=tuple(views.File(ref.sha256, ref.name, ref.size, here=status == "stored") for ref, status in files),
        history=tuple(_happening(event, names.boxes, names.people) for event in reversed(events)),
    )


@dataclass(frozen=True, slots=True)
class _Names:
    """What boxes and people are called, by id and login."""

    boxes: dict[str, str]
    people: dict[str, str]

    def person(self, login: str | None) -> str | None:
        return self.people.get(login, login) if login else None


def _head(row: Receipt, report: VerifyReport, names: _Names, parts: dict[str, Any]) -> views.Receipt:
    return views.Receipt(
        ref=row.ref,
        uid=row.uid,
        site=None,
        state=row.state,
        version=row.version,
        needs_review=row.needs_review,
        review_reason=row.review_reason,
        supplier=name_of(row.supplier),
        owner=name_of(row.owner),
        order=row.order_ref,
        notice=row.notice_ref,
        number=row.number,
        document=row.document_no,
        no_document_reason=row.no_document_reason,
        station=row.station_code,
        station_name=name_of(row.station),
        box=views.Name(names.boxes.get(row.box_id, row.box_id)),
        operator=names.person(row.operator),
        opened=_when(report.opened),
        opened_at=row.opened_at,
        opened_received_at=row.opened_received_at,
        finished=_when(report.finished),
        finished_at=row.finished_at,
        finished_received_at=row.finished_received_at,
        posted_at=row.posted_at,
        posted_by=names.person(row.posted_by),
        done_at=row.done_at,
        reversed_at=row.reversed_at,
        reversed_by=names.person(row.reversed_by),
        verification=verification(report),
        cannot_post=_cannot_post(row, report),
        arrival=arrival_of(row),
        **parts,
    )


def _parts(row: Receipt, names: _Names, here: frozenset[str]) -> dict[str, Any]:
    """What hangs on the receipt: exceptions, photos, learned codes, remainders."""
    return {
        "exceptions": tuple(
            views.FailedCheck(
                id=one.id,
                code=one.check,
                severity=one.severity,
                line=one.line_number,
                expected=one.expected,
                found=one.found,
                decision=one.decision,
                decided_by=names.person(one.by),
                decided_at=one.decided_at,
                reason=one.reason,
            )
            for one in row.exceptions
        ),
        "photos": tuple(
            views.Photo(one.sha256, one.subject, one.line_number, names.person(one.by), one.sha256 in here)
            for one in row.photos
        ),
        "learned": tuple(
            views.Learned(one.id, one.scheme, one.code, one.sku, name_of(one.product), one.standing, names.person(one.by))
            for one in row.learned
        ),
        "remainders": tuple(views.Remainder(one.order_line, one.policy, one.reason) for one in row.remainders),
    }


def _lines(row: Receipt, report: VerifyReport, names: _Names, lines: Lines) -> tuple[views.Line, ...]:
    located = [_located(problem) for problem in report.problems]
    return tuple(
        replace(
            lines.line(line),
            problems=tuple(code for number, _, code, _ in located if number == line.number),
            proofs=tuple(_proof(field, names.boxes, names.people) for field in report.fields if field.line == line.number),
        )
        for line in row.lines
    )


def verification(report: VerifyReport) -> views.Verification:
    """The report's verdict; what is wrong in the same way at several places of a line is said once."""
    found: dict[tuple[int | None, tuple[str, ...]], tuple[list[str], list[str]]] = {}
    for problem in report.problems:
        line, field, code, place = _located(problem)
        fields, places = found.setdefault((line, (code,)), ([], []))
        fields += [field] if field else []
        places += [place] if place else []
    for one in report.fields:
        if one.problems:
            found.setdefault((one.line, tuple(one.problems)), ([], []))[0].append(one.field)
    troubles = (views.Trouble(line, tuple(fields), codes, tuple(places)) for (line, codes), (fields, places) in found.items())
    return views.Verification(report.ok, len(report.fields), tuple(troubles))


def _located(problem: str) -> tuple[int | None, str | None, str, str | None]:
    """Line, field, code and place of `code:place`; a place is a line's number, `line.field`, a column or a step."""
    code, _, place = problem.partition(":")
    if code.startswith("line_") and place.isdigit():
        return int(place), None, code, None
    line, dot, field = place.partition(".")
    if dot and line.isdigit():
        return int(line), field, code, None
    return None, None, code, place or None


def _cannot_post(row: Receipt, report: VerifyReport) -> str | None:
    if not report.ok:
        return "not_verified"
    if row.state in {"open", "counting"}:
        return "not_finished"
    questions = open_questions(row)
    if any(one.severity == Severity.STOP for one in questions):
        return "stop"
    if any(one.decision == REFUSE for one in questions):
        return "refused"
    return "undecided" if questions else None


def _proof(field: FieldProof, boxes: dict[str, str], people: dict[str, str]) -> views.Proof:
    return views.Proof(
        field=field.field,
        mode=field.mode,
        value=field.value,
        unit=field.unit,
        ok=field.ok,
        problems=tuple(field.problems),
        detail=field.detail,
        by=people.get(field.by, field.by),
        reason=field.reason,
        formula=getattr(field, "formula", None),
        reading=field.reading,
        step=field.step,
        device=field.device,
        device_name=field.identity,
        driver=field.driver,
        box=field.box,
        box_name=boxes.get(field.box, field.box),
        time=_when(field.time),
        at=_time(field.box_time),
        clock=field.clock,
        clock_error_ms=field.clock_err_ms,
        received_at=_time(field.received_at),
        flags=tuple(field.flags),
        raw=bytes.fromhex(field.raw_hex) if field.raw_hex is not None else None,
        signature_ok=field.signature == "good",
        chain_ok=field.chain == "good",
    )


def _happening(event: Event, boxes: dict[str, str], people: dict[str, str]) -> views.Happening:
    names = boxes if event.actor_kind == "box" else people
    old, new = _states(event)
    return views.Happening(
        at=event.at,
        actor_kind=event.actor_kind,
        actor=names.get(event.actor, event.actor),
        via=boxes.get(event.via, event.via) if event.via else None,
        action=event.action,
        old_state=old,
        new_state=new,
        check=str(event.changes["check"]) if "check" in event.changes else None,
        reason=event.reason,
    )


def _states(event: Event) -> tuple[str | None, str | None]:
    """What the event made of the state; nothing where it stayed."""
    change = event.changes.get("state")
    if not isinstance(change, list) or len(change) != 2 or change[0] == change[1]:
        return None, None
    return change[0], change[1]


async def _box_names(session: AsyncSession) -> dict[str, str]:
    rows = await session.execute(select(Box.id, Box.name))
    return {row[0]: row[1] for row in rows}


async def _people(session: AsyncSession) -> dict[str, str]:
    rows = await session.execute(select(User.login, User.name))
    return {row[0]: row[1] for row in rows}


def _when(time: TimeProof | None) -> views.Time | None:
    if time is None:
        return None
    best, earliest, latest = (_time(text) for text in (time.best, time.earliest, time.latest))
    return views.Time(best, time.err_ms, earliest, latest, time.basis, time.sure)


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
