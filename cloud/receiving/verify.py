"""Verifies a goods receipt again from the signed journal entries up: every field, with only the boxes' public keys.

Three things are compared: what the rows say, what the operator's signed steps say, and what the signed readings say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.errors import NotFound, StepFault
from cloud.receiving.evidence.comparing import compare, compare_times
from cloud.receiving.evidence.deciding import judge_decisions, moves_problems, receipt_events
from cloud.receiving.evidence.fields import (
    SHARED,
    FieldProof,
    Known,
    Place,
    Proves,
    counts,
    field_proof,
    reading_of,
    step_of,
)
from cloud.receiving.evidence.ledger import POSTED, ledger_problems, posted_digest
from cloud.receiving.fold import Draft, Step, fold
from cloud.receiving.models import Evidence, LineStanding, ProjectionFault, Receipt, ReceiptLine, ReceiptStep
from cloud.receiving.origin import Devices, parsed
from cloud.receiving.proof import EntryProof, Prover
from cloud.receiving.timing import TimeProof, Timing
from sync_protocol.entries import StepEntry
from sync_protocol.ids import EntryId, RunId

__all__ = ["Case", "FieldProof", "VerifyReport", "judge", "verify", "verify_receipt"]


class VerifyReport(BaseModel):
    """The whole receipt. `problems` are those of no single field, as `code` or `code:place`; `ok` is the verdict over all.

    `opened` and `finished` are the times of its first and last step.
    """

    model_config = ConfigDict(frozen=True)

    ref: str
    uid: str
    state: str
    ok: bool
    problems: list[str]
    opened: TimeProof | None = None
    finished: TimeProof | None = None
    fields: list[FieldProof]


async def verify_receipt(session: AsyncSession, ref: str) -> VerifyReport:
    """Verify one receipt by its number, with the times of everything; reads only. Raises NotFound."""
    receipt = await session.scalar(select(Receipt).where(Receipt.ref == ref))
    if receipt is None:
        raise NotFound("receipt", ref)
    return await verify(session, receipt, times=True)


async def verify(session: AsyncSession, receipt: Receipt, *, times: bool = False) -> VerifyReport:
    """As `verify_receipt`, for rows that are at hand.

    `times` looks at what costs some statements more: when everything happened, the ledger, the log of decisions. A receipt
    that is being posted has no moves yet.
    """
    rows = [row for row in receipt.evidence if counts(row)]
    step_rows = await _step_rows(session, receipt)
    prover = Prover(session, receipt.box_id)
    readings = [at for row in rows if (at := reading_of(row)) is not None]
    wanted = [*readings, *map(step_of, rows), *(EntryId(RunId(row.run), row.seq) for row in step_rows)]
    await prover.load(wanted)
    faults = await session.scalars(
        select(ProjectionFault.n).where(ProjectionFault.job == receipt.uid, ProjectionFault.box_id == receipt.box_id)
    )
    case = Case(
        receipt,
        step_rows,
        prover,
        frozenset(n for n in faults if n is not None),
        await _used_elsewhere(session, receipt),
        await Devices.load(session, readings),
        await Timing.load(session, prover, wanted) if times else None,
    )
    return judge(case, await _around(session, receipt) if times else ())


async def _around(session: AsyncSession, receipt: Receipt) -> list[str]:
    """What is wrong in the ledger and in the log."""
    events = await receipt_events(session, receipt)
    problems = [*await ledger_problems(session, receipt), *judge_decisions(receipt, events)]
    if receipt.state in POSTED:
        problems += moves_problems(events, await posted_digest(session, receipt))
    return problems


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a verdict rests on, from wherever it was read. `faults`: numbers of steps of which nothing was made, as
    a person was shown; `used_elsewhere` as in Known."""

    receipt: Receipt
    steps: Sequence[ReceiptStep]
    prover: Proves
    faults: frozenset[int]
    used_elsewhere: frozenset[Place]
    devices: Devices
    timing: Timing | None


def judge(case: Case, more: Sequence[str] = ()) -> VerifyReport:
    """The verdict; `more` are problems that were found beside. Pure."""
    receipt = case.receipt
    steps, problems = _proved_steps(receipt, case.steps, case.prover)
    problems += _missing_steps([step.entry.n for step, _ in steps.values()], case.faults)
    draft: Draft | None = None
    try:
        draft = fold(step for step, _ in steps.values())
    except StepFault as exc:
        problems.append(f"steps_contradict:{exc.code}")
    problems += compare(receipt, draft) if draft is not None else ["no_steps"]
    problems += compare_times(receipt, [step for step, _ in steps.values()], case.prover)
    good = frozenset(at for at, (_, proof) in steps.items() if proof.good)
    known = Known(case.prover, draft, good, case.used_elsewhere, case.devices, case.timing)
    fields = [field_proof(receipt, row, known) for row in receipt.evidence if counts(row)]
    ends = {0: "opened"} | {row.n: "finished" for row in case.steps if row.step in ENDS}
    happened = {ends[row.n]: known.time(EntryId(RunId(row.run), row.seq)) for row in case.steps if row.n in ends}
    problems += [f"time_not_proved:{name}" for name, time in happened.items() if time is not None and time.missing]
    problems += more
    ok = not problems and all(field.ok for field in fields)
    head = {"ref": receipt.ref, "uid": receipt.uid, "state": receipt.state}
    return VerifyReport.model_validate(head | {"ok": ok, "problems": problems, "fields": fields} | happened)


ENDS = frozenset({"finish", "abandon"})

NOT_COUNTING = ("cancelled", "reversed")


async def _step_rows(session: AsyncSession, receipt: Receipt) -> Sequence[ReceiptStep]:
    rows = await session.scalars(select(ReceiptStep).where(ReceiptStep.receipt_id == receipt.id).order_by(ReceiptStep.id))
    return rows.all()


def _proved_steps(
    receipt: Receipt, rows: Sequence[ReceiptStep], prover: Proves
) -> tuple[dict[EntryId, tuple[Step, EntryProof]], list[str]]:
    steps: dict[EntryId, tuple[Step, EntryProof]] = {}
    problems: list[str] = []
    for row in rows:
        at = EntryId(RunId(row.run), row.seq)
        proof = prover.prove(at)
        if not proof.good:
            problems.append(f"step_not_proved:{row.n}")
        entry = parsed(proof.entry)
        if not isinstance(entry, StepEntry) or entry.job != receipt.uid or entry.n != row.n:
            problems.append(f"step_of_another_job:{row.n}")
        else:
            steps[at] = (Step(entry, at), proof)
    return steps, problems


def _missing_steps(numbers: Sequence[int], faults: frozenset[int]) -> list[str]:
    """A number between the first and the last step that is neither a step nor a fault that a person was shown."""
    known = {*numbers, *faults}
    return [f"step_missing:{n}" for n in range(max(numbers, default=-1)) if n not in known]


async def _used_elsewhere(session: AsyncSession, receipt: Receipt) -> frozenset[Place]:
    """Fields whose reading also stands for another line or receipt that counts; several fields of one line are one use.

    A pallet's number is read once for everything that lies on it.
    """
    other, other_line, other_receipt, line = aliased(Evidence), aliased(ReceiptLine), aliased(Receipt), aliased(ReceiptLine)
    elsewhere = or_(
        other.receipt_id != Evidence.receipt_id,
        func.coalesce(other.line_id, 0) != func.coalesce(Evidence.line_id, 0),
    )
    rows = await session.execute(
        select(line.number, Evidence.field)
        .join(other, and_(other.run == Evidence.run, other.seq == Evidence.seq, elsewhere))
        .join(other_receipt, other_receipt.id == other.receipt_id)
        .outerjoin(other_line, other_line.id == other.line_id)
        .outerjoin(line, line.id == Evidence.line_id)
        .where(
            Evidence.receipt_id == receipt.id,
            Evidence.field != SHARED,
            other.field != SHARED,
            other_receipt.state.not_in(NOT_COUNTING),
            or_(other_line.id.is_(None), other_line.standing != LineStanding.DISCARDED),
        )
        .distinct()
    )
    return frozenset((number, field) for number, field in rows)
