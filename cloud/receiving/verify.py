"""Verifies a goods receipt again from the signed journal entries up: every field, with only the boxes' public keys.

Three things are compared: what the rows say, what the operator's signed steps say, and what the signed readings say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.errors import NotFound, StepFault
from cloud.receiving.amounts import vouches
from cloud.receiving.fold import Claim, Draft, DraftLine, Step, fold
from cloud.receiving.models import Evidence, LineStanding, ProjectionFault, Receipt, ReceiptLine, ReceiptStep
from cloud.receiving.origin import Devices, parsed, shown
from cloud.receiving.proof import EntryProof, Prover, Verdict
from cloud.receiving.timing import TimeProof, Timing
from sync_protocol.entries import ReadingEntry, StepEntry
from sync_protocol.ids import EntryId, RunId


class FieldProof(BaseModel):
    """One field and its way back. Times are ISO 8601 in UTC; `raw_hex` are the bytes of the instrument's frame.

    `line` None means the head of the receipt. `signature` and `chain` are those of the reading, or of the operator's step when
    the value was typed; `settings` are the device's, with which its driver reads `raw_hex` again; `step_good` says whether the
    step itself is proved. `time` is when the reading was taken or the value typed, as far as that is known; `box_time` and
    `clock` only say what the box's wall clock showed. `problems` are translation keys; empty means `ok`.
    """

    model_config = ConfigDict(frozen=True)

    line: int | None
    field: str
    mode: Literal["device", "manual"]
    value: str
    unit: str | None
    reason: str | None
    by: str
    reading: str | None
    device: str | None = None
    driver: str | None = None
    identity: str | None = None
    settings: dict[str, Any] = {}
    box: str
    time: TimeProof | None = None
    box_time: str | None = None
    clock: str | None = None
    clock_err_ms: int | None = None
    instrument_time: str | None = None
    received_at: str | None = None
    flags: list[str] = []
    read_value: str | None = None
    raw_hex: str | None = None
    signature: Verdict
    chain: Verdict
    detail: str | None = None
    step: str
    step_good: bool
    problems: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems


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
    """As `verify_receipt`, for rows that are at hand; `times` costs a few statements more and what they find counts too."""
    rows = [row for row in receipt.evidence if _counts(row)]
    readings = {row.id: EntryId(RunId(row.run), row.seq) for row in rows if row.run is not None and row.seq is not None}
    step_rows = await _step_rows(session, receipt)
    prover = Prover(session, receipt.box_id)
    said_in = [EntryId(RunId(row.step_run), row.step_seq) for row in rows]
    await prover.load([*readings.values(), *said_in, *(EntryId(RunId(row.run), row.seq) for row in step_rows)])
    steps, problems = _proved_steps(receipt, step_rows, prover)
    problems += await _missing_steps(session, receipt, [step.entry.n for step, _ in steps.values()])
    draft: Draft | None = None
    try:
        draft = fold(step for step, _ in steps.values())
    except StepFault as exc:
        problems.append(f"steps_contradict:{exc.code}")
    if draft is None:
        problems.append("no_steps")
    else:
        problems += compare(receipt, draft)
    checked = _Checked(
        prover,
        draft,
        {at for at, (_, proof) in steps.items() if proof.good},
        await _used_elsewhere(session, receipt),
        await Devices.load(session, readings.values()),
        await Timing.load(session, prover, [*readings.values(), *said_in, *steps]) if times else None,
    )
    fields = [_field(receipt, row, readings.get(row.id), checked) for row in rows]
    ends = {0: "opened"}
    ends |= {row.n: "finished" for row in step_rows if row.step in ENDS}
    happened = {ends[row.n]: checked.time(EntryId(RunId(row.run), row.seq)) for row in step_rows if row.n in ends}
    problems += [f"time_not_proved:{name}" for name, time in happened.items() if time is not None and time.missing]
    ok = not problems and all(field.ok for field in fields)
    head = {"ref": receipt.ref, "uid": receipt.uid, "state": receipt.state}
    return VerifyReport.model_validate(head | {"ok": ok, "problems": problems, "fields": fields} | happened)


ENDS = frozenset({"finish", "abandon"})


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is known of a receipt before its fields are looked at."""

    prover: Prover
    draft: Draft | None
    good_steps: set[EntryId]
    used_elsewhere: set[int]
    """Ids of evidence rows whose reading also stands for something else."""
    devices: Devices
    timing: Timing | None

    def time(self, at: EntryId) -> TimeProof | None:
        """When an entry happened, None when that was not asked."""
        return self.timing.time(at) if self.timing is not None else None


def _counts(row: Evidence) -> bool:
    return row.line is None or row.line.standing != LineStanding.DISCARDED


async def _step_rows(session: AsyncSession, receipt: Receipt) -> Sequence[ReceiptStep]:
    rows = await session.scalars(select(ReceiptStep).where(ReceiptStep.receipt_id == receipt.id).order_by(ReceiptStep.id))
    return rows.all()


def _proved_steps(
    receipt: Receipt, rows: Sequence[ReceiptStep], prover: Prover
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


async def _missing_steps(session: AsyncSession, receipt: Receipt, numbers: Sequence[int]) -> list[str]:
    """A number between the first and the last step that is neither a step nor a fault that a person was shown."""
    faults = await session.scalars(
        select(ProjectionFault.n).where(ProjectionFault.job == receipt.uid, ProjectionFault.box_id == receipt.box_id)
    )
    known = {*numbers, *faults}
    return [f"step_missing:{n}" for n in range(max(numbers, default=-1)) if n not in known]


def compare(receipt: Receipt, draft: Draft) -> list[str]:
    """Where the rows say something else than the steps: `head_differs:<column>`, `line_differs:<number>`..."""
    head = {
        "uid": (receipt.uid, draft.job),
        "operator": (receipt.operator, draft.operator),
        "station_code": (receipt.station_code, draft.station),
        "order_ref": (receipt.order_ref, draft.opened.order),
        "document_no": (receipt.document_no, draft.document.value.value if draft.document else None),
        "no_document_reason": (receipt.no_document_reason, draft.opened.no_document_reason),
    }
    problems = [f"head_differs:{name}" for name, (row, said) in head.items() if row != said]
    rows = {line.number: line for line in receipt.lines}
    said_lines = {line.number: line for line in draft.lines}
    problems += [f"line_not_in_steps:{number}" for number in sorted(rows.keys() - said_lines.keys())]
    problems += [f"line_missing:{number}" for number in sorted(said_lines.keys() - rows.keys())]
    both = sorted(rows.keys() & said_lines.keys())
    problems += [f"line_differs:{number}" for number in both if not _same_line(rows[number], said_lines[number])]
    return problems + _evidence_missing(receipt, draft)


def _same_line(row: ReceiptLine, said: DraftLine) -> bool:
    amount = said.amount
    return (
        row.sku == said.item.product
        and row.product_rev == said.item.product_rev
        and (row.product is None or row.product.sku == row.sku)
        and row.lot == (said.lot.value.value if said.lot else None)
        and row.expiry == said.expiry_date
        and (row.quantity, row.unit) == ((amount.value, amount.unit) if amount else (None, None))
        and row.standing == said.standing
    )


def _evidence_missing(receipt: Receipt, draft: Draft) -> list[str]:
    claimed: set[tuple[int | None, str]] = {(None, name) for name in draft.claims()}
    claimed |= {(line.number, name) for line in draft.lines for name in line.claims()}
    there = [(row.line.number if row.line else None, row.field) for row in receipt.evidence]
    problems = [f"evidence_missing:{_place(*key)}" for key in sorted(claimed - set(there), key=str)]
    problems += [f"evidence_not_in_steps:{_place(*key)}" for key in sorted(set(there) - claimed, key=str)]
    return problems + [
        f"evidence_twice:{_place(*key)}" for key in sorted({key for key in there if there.count(key) > 1}, key=str)
    ]


def _place(line: int | None, field: str) -> str:
    return field if line is None else f"{line}.{field}"


def _field(receipt: Receipt, row: Evidence, at: EntryId | None, checked: _Checked) -> FieldProof:
    step_at = EntryId(RunId(row.step_run), row.step_seq)
    problems = list(_against_step(row, at, checked.draft, step_at))
    step_good = step_at in checked.good_steps
    if not step_good:
        problems.append("step_not_proved")
    proof = checked.prover.prove(at if at is not None else step_at)
    problems += _against_proof(proof)
    entry = parsed(proof.entry)
    if row.mode == "device":
        problems += _against_reading(row, entry if at is not None else None)
        if row.id in checked.used_elsewhere:
            problems.append("reading_used_twice")
    described = checked.devices.before(at, entry.device) if at is not None and isinstance(entry, ReadingEntry) else None
    time = checked.time(at if at is not None else step_at)
    if time is not None and time.missing:
        problems.append("time_not_proved")
    return FieldProof.model_validate(
        {
            "line": row.line.number if row.line else None,
            "field": row.field,
            "mode": row.mode,
            "value": row.value,
            "unit": row.unit,
            "reason": row.reason,
            "by": row.by,
            "reading": None if at is None else str(at),
            "box": receipt.box_id,
            "signature": proof.signature,
            "chain": proof.chain,
            "detail": proof.detail,
            "step": str(step_at),
            "step_good": step_good,
            "problems": problems,
            "time": time,
            "identity": described.identity if described else None,
            "settings": described.settings if described else {},
            **shown(proof, entry),
        }
    )


def _against_step(row: Evidence, at: EntryId | None, draft: Draft | None, step_at: EntryId) -> Iterable[str]:
    claim = _claim(row, draft)
    if claim is None:
        yield "not_in_steps"
        return
    field = claim.value
    said = (field.value, field.unit, field.mode, claim.reading, field.reason, claim.by, claim.step)
    if said != (row.value, row.unit, row.mode, at, row.reason, row.by, step_at):
        yield "differs_from_step"


def _claim(row: Evidence, draft: Draft | None) -> Claim | None:
    if draft is None:
        return None
    if row.line is None:
        return draft.claims().get(row.field)
    line = draft.line(row.line.number)
    return line.claims().get(row.field) if line is not None else None


def _against_proof(proof: EntryProof) -> list[str]:
    problems = []
    if proof.signature != "good":
        problems.append(f"signature_{proof.signature}")
    if proof.chain != "good":
        problems.append(f"chain_{proof.chain}")
    return problems


def _against_reading(row: Evidence, reading: object) -> Iterable[str]:
    if not isinstance(reading, ReadingEntry):
        yield "no_reading"
    elif not vouches(reading, row.field, row.value, row.unit):
        yield "value_differs_from_reading"


async def _used_elsewhere(session: AsyncSession, receipt: Receipt) -> set[int]:
    """Evidence whose reading also stands for another line or receipt that counts; several fields of one line are one use."""
    other, other_line, other_receipt = aliased(Evidence), aliased(ReceiptLine), aliased(Receipt)
    elsewhere = or_(
        other.receipt_id != Evidence.receipt_id,
        func.coalesce(other.line_id, 0) != func.coalesce(Evidence.line_id, 0),
    )
    rows = await session.scalars(
        select(Evidence.id)
        .join(other, and_(other.run == Evidence.run, other.seq == Evidence.seq, elsewhere))
        .join(other_receipt, other_receipt.id == other.receipt_id)
        .outerjoin(other_line, other_line.id == other.line_id)
        .where(
            Evidence.receipt_id == receipt.id,
            other_receipt.state != "cancelled",
            or_(other_line.id.is_(None), other_line.standing != LineStanding.DISCARDED),
        )
        .distinct()
    )
    return set(rows)
