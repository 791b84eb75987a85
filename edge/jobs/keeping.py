"""What becomes of lines and of the whole receipt: condition, pictures, supervisors, confirming, ending. Rules; pure."""

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Final

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.amounts import still_open
from edge.jobs.awaiting import Awaits, Decision
from edge.jobs.checks import Check, all_checks, failed_checks
from edge.jobs.drafts import ApprovalDraft, RemainderDraft
from edge.jobs.facts import severities
from edge.jobs.moment import Context
from edge.jobs.reasons import GOOD, UNDO, Occasion, known
from edge.jobs.receive import Line, ReceiveJob, Stage
from sync_protocol.masters import OrderLine
from sync_protocol.receiving.settings import Severity, severity
from sync_protocol.steps import Abandon, Approve, Condition, Confirm, Discard, Finish, Photo, Remainder

UNDO_NS: Final = 10_000_000_000
"""How long the newest line can be taken back without a reason: long enough to notice, too short to rewrite history."""

MAX_PHOTOS: Final = 20
"""Pictures of one line, and of the delivery: what one looks at; each is sent over a thin line."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def set_condition(job: ReceiveJob, command: c.SetCondition, _context: Context) -> Decision:
    line = _live(job, command.line)
    if command.condition == "good":
        if not line.damaged:
            raise JobRefused("not_damaged")
        return Decision(Condition(line=line.number, condition="good", reason=GOOD))
    return Decision(Condition(line=line.number, condition="damaged", reason=known(Occasion.DAMAGE, command.reason)))


def add_photo(job: ReceiveJob, command: c.AddPhoto, _context: Context) -> Decision:
    if not _SHA256.fullmatch(command.sha256):
        raise JobRefused("bad_text", limit="64")
    number = command.line or (job.current.number if job.current is not None else None)
    photos = _live(job, number).photos if number is not None else job.photos
    if len(photos) >= MAX_PHOTOS:
        raise JobRefused("too_many_photos", limit=str(MAX_PHOTOS))
    return Decision(Photo(line=number, subject=command.subject, sha256=command.sha256), draft=_kept(job))


def _kept(job: ReceiveJob) -> RemainderDraft | None:
    """A question that a picture in between does not answer."""
    return job.draft if isinstance(job.draft, RemainderDraft) else None


def ask_approval(job: ReceiveJob, command: c.AskApproval, context: Context) -> Decision:
    _undecided(job, command.check, command.line, context)
    shut = job.draft.shut if isinstance(job.draft, RemainderDraft) else None
    return Decision(draft=ApprovalDraft(check=command.check, line=command.line, shut=shut))


def _undecided(job: ReceiveJob, check: str, line: int | None, context: Context) -> Check:
    found = next((one for one in all_checks(job, context).get(line, ()) if one.code == check), None)
    if found is None:
        raise JobRefused("no_such_check")
    if not found.decidable:
        raise JobRefused("not_to_decide", check=check)
    return found


def show_badge(job: ReceiveJob, command: c.ShowBadge, context: Context) -> Decision:
    draft = _approval(job)
    _supervisor(command.login, context)
    return Decision(draft=replace(draft, login=command.login, badge=command.entry))


def approve_check(job: ReceiveJob, command: c.ApproveCheck, context: Context) -> Decision:
    """The step is the supervisor's, who is none of those that counted unless the house lets one be both."""
    draft = _approval(job)
    _supervisor(command.by, context)
    _undecided(job, draft.check, draft.line, context)
    if command.by in _counters(job, draft.line) and _apart(job, draft.line, context):
        raise JobRefused("approver_is_counter")
    by_badge = draft.badge is not None and draft.login == command.by
    step = Approve(
        check=draft.check,
        line=draft.line,
        decision=command.decision,
        reason=known(Occasion.DECIDE, command.reason),
        method="badge_and_pin" if by_badge else "pin",
        badge=draft.badge if by_badge else None,
    )
    return Decision(step, by=command.by, draft=RemainderDraft(shut=draft.shut) if draft.shut is not None else None)


def _approval(job: ReceiveJob) -> ApprovalDraft:
    if not isinstance(job.draft, ApprovalDraft):  # pragma: no cover - SUPERVISOR is awaited only with such a draft
        raise JobRefused("not_now", awaited=Awaits.ITEM)
    return job.draft


def _supervisor(login: str, context: Context) -> None:
    person = context.masters.person(login)
    if person is None or person.role != "supervisor":
        raise JobRefused("not_a_supervisor")


def _counters(job: ReceiveJob, line: int | None) -> set[str | None]:
    lines = (one for one in job.lines if one.live and line in {None, one.number})
    return {one.counted_by for one in lines} | ({job.by} if line is None else set())


def _apart(job: ReceiveJob, line: int | None, context: Context) -> bool:
    sku = job.lines[line - 1].item.product if line is not None else None
    return severity("approver_is_counter", sku, severities(context.masters)) is Severity.STOP


def confirm(job: ReceiveJob, command: c.ConfirmLine, context: Context) -> Decision:
    line = job.lines[-1]
    checks = failed_checks(job, line, context)
    if (stop := next((one for one in checks if one.stops), None)) is not None:
        raise JobRefused("stopped", check=stop.code)
    asking = tuple(one for one in checks if one.asks)
    if asking and command.reason is None:
        raise JobRefused("needs_reason", check=asking[0].code)
    kept = known(Occasion.KEEP, command.reason) if asking and command.reason else None
    return Decision(Confirm(line=line.number), kept=kept, checks=asking)


def discard(job: ReceiveJob, command: c.DiscardLine, _context: Context) -> Decision:
    return Decision(_discarded(job, command.line, known(Occasion.DISCARD, command.reason)))


def _discarded(job: ReceiveJob, number: int | None, reason: str) -> Discard:
    line = _live(job, number)
    if job.current is not None and line is not job.current:
        raise JobRefused("other_line_open", line=str(job.current.number))
    return Discard(line=line.number, reason=reason)


def _live(job: ReceiveJob, number: int | None) -> Line:
    line = job.line(number) if number is not None else job.last_live()
    if line is None or not line.live:
        raise JobRefused("no_such_line")
    return line


def undo(job: ReceiveJob, _command: c.Undo, context: Context) -> Decision:
    line = job.last_live()
    if line is None:
        raise JobRefused("nothing_to_undo")
    if not line.at.within(context.now, UNDO_NS):
        raise JobRefused("undo_too_late")
    return Decision(_discarded(job, line.number, UNDO))


def open_rests(job: ReceiveJob, context: Context) -> Iterator[tuple[OrderLine, Fraction]]:
    """The order's lines of which something is still to come after this receipt, and how much, in the line's unit."""
    order = context.masters.order(job.order) if job.order else None
    for row in order.lines if order is not None else ():
        if (rest := still_open(job, row)) > 0:
            yield row, rest


def ask_remainder(job: ReceiveJob, _command: c.AskRemainder, _context: Context) -> Decision:
    _counting(job)
    return Decision(draft=RemainderDraft())


def set_remainder(job: ReceiveJob, command: c.SetRemainder, context: Context) -> Decision:
    draft = job.draft
    if not isinstance(draft, RemainderDraft):  # pragma: no cover - REMAINDER is awaited only with such a draft
        raise JobRefused("not_now", awaited=Awaits.ITEM)
    if all(row.line != command.order_line for row, _ in open_rests(job, context)):
        raise JobRefused("no_such_line")
    shut = tuple(one for one in draft.shut if one[0] != command.order_line)
    if command.reason is not None:
        shut = (*shut, (command.order_line, known(Occasion.SHORT, command.reason)))
    return Decision(draft=RemainderDraft(shut=shut))


def finish(job: ReceiveJob, _command: c.FinishJob, context: Context) -> Decision:
    lines = _counting(job)
    shut = dict(job.draft.shut) if isinstance(job.draft, RemainderDraft) else {}
    remainders = [
        Remainder(
            order_line=row.line,
            policy="close_short" if row.line in shut else "back_order",
            reason=shut.get(row.line),
        )
        for row, _ in open_rests(job, context)
    ]
    return Decision(Finish(lines=lines, remainders=remainders))


def _counting(job: ReceiveJob) -> list[int]:
    lines = [line.number for line in job.lines if line.counts]
    if not lines:
        raise JobRefused("no_lines")
    return lines


def abandon(job: ReceiveJob, command: c.AbandonJob, _context: Context) -> Decision:
    reason = known(Occasion.ABANDON, command.reason)
    return Decision(Abandon(reason=reason) if job.stage is not Stage.NEW else None)


def drop(job: ReceiveJob, _command: c.Drop, _context: Context) -> Decision:
    """Forget what waits; a question in between gives way to the one it came from."""
    if isinstance(job.draft, ApprovalDraft) and job.draft.shut is not None:
        return Decision(draft=RemainderDraft(shut=job.draft.shut))
    return Decision()
