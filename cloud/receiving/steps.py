"""One step becomes part of a receipt: rows, transitions, and at the end the checks and the posting."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import from_wall_ns
from cloud.errors import Refused, StepFault
from cloud.ingest.models import JournalEntry
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.transition import transition
from cloud.receiving.approving import actor_at, approve
from cloud.receiving.checks import all_findings
from cloud.receiving.fold import Draft, Stage, Step, apply, begin, fold
from cloud.receiving.machine import RECEIPT, exception_row, holds, open_questions
from cloud.receiving.models import Receipt, ReceiptStep
from cloud.receiving.rows import Arrived, new_receipt, write_beside, write_head, write_line
from cloud.receiving.waiting import first_names
from cloud.trade.notices import note_arrived, note_receiving
from sync_protocol.entries import StepEntry, parse
from sync_protocol.ids import EntryId, RunId
from sync_protocol.receiving.finding import Finding
from sync_protocol.receiving.settings import CHECKS

log = structlog.get_logger()

MAX_TEXT = 512
"""Characters of any text in a step; the longest that a person or reader gives is half of it."""

MAX_ID = 64
MAX_NUMBER = 1 << 31
"""Beyond any line, step or revision; columns end here or later."""


@dataclass(frozen=True, slots=True)
class Job:
    """A receipt at hand: its row and what its steps so far make of it."""

    receipt: Receipt
    draft: Draft
    steps: int
    """How many steps it was made from."""


MAX_DRAFTS = 64
"""Receipts that are counted at the same time, and some: a draft of a hundred lines takes a hundred kilobytes."""


@dataclass(frozen=True, slots=True)
class Drafts:
    """Drafts of the jobs that were worked on last, between transactions: folding a long one anew for each step takes long."""

    _kept: OrderedDict[str, tuple[int, Draft]] = field(default_factory=OrderedDict)

    def find(self, job: str, steps: int) -> Draft | None:
        """The draft of a job that was made from this many steps."""
        kept = self._kept.get(job)
        return kept[1] if kept is not None and kept[0] == steps else None

    def keep(self, jobs: "Jobs") -> None:
        """Keep what a transaction that was committed made of its jobs."""
        for uid, job in jobs.items():
            self._kept[uid] = job.steps, job.draft
            self._kept.move_to_end(uid)
        while len(self._kept) > MAX_DRAFTS:
            self._kept.popitem(last=False)


class Jobs(dict[str, Job]):
    """By job id, within one transaction; who undoes a part of the transaction takes its jobs out."""

    def __init__(self, drafts: Drafts) -> None:
        super().__init__()
        self.drafts = drafts


async def take_step(session: AsyncSession, arrived: Arrived, jobs: Jobs) -> None:
    """Work one step of job kind `receive` into its receipt. Raises StepFault, and then nothing may be kept of it."""
    entry = arrived.step.entry
    check_texts(entry)
    job = jobs.get(entry.job) or await _load(session, entry.job, jobs.drafts)
    if job is None:
        jobs[entry.job] = await _open(session, arrived)
        return
    receipt, draft = job.receipt, job.draft
    if receipt.box_id != arrived.box:
        raise StepFault("job_of_another_box", receipt.ref)
    if entry.n < draft.next_n:
        if await _same_step(session, receipt, arrived.step):
            return
        raise StepFault("step_again", f"step {entry.n}, {draft.next_n} was awaited")
    after = apply(draft, arrived.step)
    _add_step(session, receipt, arrived.step)
    await _write(session, receipt, draft, after, arrived)
    jobs[entry.job] = Job(receipt, after, job.steps + 1)


async def awaited(session: AsyncSession, entry: StepEntry, jobs: Jobs) -> int:
    """The number of the step that a job awaits, 0 where there is no such job. Raises StepFault for what is no step of ours."""
    check_texts(entry)
    if entry.job not in jobs:
        found = await _load(session, entry.job, jobs.drafts)
        if found is None:
            return 0
        jobs[entry.job] = found
    return jobs[entry.job].draft.next_n


async def find_receipt(session: AsyncSession, uid: str) -> Receipt | None:
    """The receipt of a job."""
    return await session.scalar(select(Receipt).where(Receipt.uid == uid))


async def _open(session: AsyncSession, arrived: Arrived) -> Job:
    draft = begin(arrived.step)
    receipt = await new_receipt(session, draft, arrived)
    _add_step(session, receipt, arrived.step)
    taken = await _taken(session, arrived)
    changes: Mapping[str, Any] = {"state": [None, receipt.state], "order": [None, receipt.order_ref]}
    await append_event(session, taken, action="open", kind=RECEIPT.kind, ref=receipt.ref, changes=changes)
    if receipt.notice_uid is not None:
        await note_arrived(session, receipt.notice_uid, taken)
    return Job(receipt, draft, 1)


def _add_step(session: AsyncSession, receipt: Receipt, step: Step) -> None:
    session.add(ReceiptStep(receipt_id=receipt.id, n=step.entry.n, step=step.entry.step, run=step.at.run, seq=step.at.seq))


async def _load(session: AsyncSession, uid: str, drafts: Drafts) -> Job | None:
    receipt = await find_receipt(session, uid)
    if receipt is None:
        return None
    # Steps are only ever added, so that a draft made from as many was made from the same.
    count = await session.scalar(select(func.count()).where(ReceiptStep.receipt_id == receipt.id)) or 0
    draft = drafts.find(uid, count) or fold([Step(entry, at) for at, entry in await _stored_steps(session, receipt)])
    if draft is None:
        raise StepFault("no_such_job", f"{receipt.ref} has no steps")
    return Job(receipt, draft, count)


async def _stored_steps(session: AsyncSession, receipt: Receipt) -> list[tuple[EntryId, StepEntry]]:
    rows = await session.execute(
        select(JournalEntry.run, JournalEntry.seq, JournalEntry.content)
        .join(ReceiptStep, (ReceiptStep.run == JournalEntry.run) & (ReceiptStep.seq == JournalEntry.seq))
        .where(ReceiptStep.receipt_id == receipt.id)
        .order_by(ReceiptStep.id)
    )
    found = [(EntryId(RunId(run), seq), parse(content)) for run, seq, content in rows]
    return [(at, entry) for at, entry in found if isinstance(entry, StepEntry)]


async def _same_step(session: AsyncSession, receipt: Receipt, step: Step) -> bool:
    """Whether the job has this very step already: a box that lost an answer may write one again, under a new id if it must."""
    new = step.entry
    same = [old for _, old in await _stored_steps(session, receipt) if (old.n, old.step, old.by) == (new.n, new.step, new.by)]
    if any(old.data == new.data for old in same) or new.was is None:
        return any(old.data == new.data for old in same)
    # It names readings that were said again too by their new ids.
    said = await first_names(session, new.data)
    return any([await first_names(session, old.data) == said for old in same])


async def _write(session: AsyncSession, receipt: Receipt, before: Draft, after: Draft, arrived: Arrived) -> None:
    known = {line.number: line for line in before.lines}
    for line in after.lines:
        if known.get(line.number) != line:
            await write_line(session, receipt, line)
    if after.arrival is not before.arrival:
        await write_head(session, receipt, after)
    await write_beside(session, receipt, before, after)
    counts = receipt.state == "open" and bool(after.lines)
    if not counts and after.stage is Stage.OPEN:
        return  # most steps: no state changes, so it is nobody's action
    taken = await _taken(session, arrived)
    if counts:
        await transition(session, RECEIPT, receipt, "count", taken)
        if receipt.notice_uid is not None:
            await note_receiving(session, receipt.notice_uid, taken)
    if after.stage is Stage.FINISHED:
        await _finish(session, receipt, arrived, taken, after)
    if after.stage is Stage.ABANDONED:
        await transition(session, RECEIPT, receipt, "abandon", taken)


async def _finish(session: AsyncSession, receipt: Receipt, arrived: Arrived, taken: Taken, draft: Draft) -> None:
    receipt.finished_at = from_wall_ns(arrived.step.entry.wall_ns)
    receipt.finished_received_at = arrived.received_at
    await session.flush()
    findings = await all_findings(session, receipt)
    if not await holds(session, receipt):
        findings.append(Finding("not_verified", severity=CHECKS["not_verified"]))
    receipt.exceptions.extend(exception_row(finding) for finding in findings)
    await session.flush()
    await transition(session, RECEIPT, receipt, "finish", taken)
    approver = await approve(session, receipt, draft.approvals, arrived)
    questions = open_questions(receipt)
    if not questions:
        await _post(session, receipt, approver or taken)
        return
    _ask_for_review(receipt, questions[0].check)


async def _post(session: AsyncSession, receipt: Receipt, taken: Taken) -> None:
    """Post at once; what is in the way of that is for a person, and the receipt stays as it was."""
    try:
        async with session.begin_nested():
            await transition(session, RECEIPT, receipt, "post", taken)
    except Refused as exc:
        log.info("receipt_not_posted", ref=receipt.ref, code=exc.code)
        await session.refresh(receipt)
        _ask_for_review(receipt, exc.code)


def _ask_for_review(receipt: Receipt, why: str) -> None:
    receipt.needs_review, receipt.review_reason = True, why


async def _taken(session: AsyncSession, arrived: Arrived) -> Taken:
    """The operator, through the box; the time is when the cloud got the entry, so that records made again are the same."""
    reason = arrived.step.entry.data.get("reason")
    actor = await actor_at(session, arrived.step.entry.by, arrived.box)
    return Taken(actor, arrived.received_at, reason if isinstance(reason, str) else None)


def check_texts(entry: StepEntry) -> None:
    """Refuse what no database column or page should meet: NUL, endless texts and numbers."""
    for text in (entry.job, entry.station, entry.by, entry.step):
        if not text or len(text) > MAX_ID:
            raise StepFault("text_too_long", text)
    if not 0 <= entry.n < MAX_NUMBER:
        raise StepFault("number_too_large", str(entry.n))
    for value in _leaves([entry.job, entry.station, entry.by, entry.data]):
        if isinstance(value, str) and (len(value) > MAX_TEXT or "\x00" in value):
            raise StepFault("text_unfit", value)
        if isinstance(value, int) and abs(value) >= MAX_NUMBER:
            raise StepFault("number_too_large", str(value)[:40])


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in (key, *_leaves(each))]
    if isinstance(value, list):
        return [leaf for each in value for leaf in _leaves(each)]
    return [value]
