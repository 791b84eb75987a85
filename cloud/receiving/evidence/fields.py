"""One field of a receipt and its way back: what its row says against the operator's signed step and the signed reading."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from cloud.ingest.models import JournalEntry
from cloud.receiving.evidence.vouching import AMOUNTS, follows, says
from cloud.receiving.fold import Claim, Draft
from cloud.receiving.models import Evidence, LineStanding, Receipt
from cloud.receiving.origin import Devices, parsed, shown
from cloud.receiving.proof import EntryProof, Verdict
from cloud.receiving.timing import TimeProof, Timing
from sync_protocol.entries import ReadingEntry
from sync_protocol.ids import EntryId, RunId

SHARED = "unit"
"""The one field whose reading may stand for several lines: the number of the pallet on which they lie."""

Place = tuple[int | None, str]
"""Line (None: the head) and field."""


class FieldProof(BaseModel):
    """One field and its way back. Times are ISO 8601 in UTC; `raw_hex` are the bytes of the instrument's frame.

    `line` None means the head of the receipt. `signature` and `chain` are those of the reading, or of the operator's step when
    the value was typed or derived; `settings` are the device's, with which its driver reads `raw_hex` again; `step_good` says
    whether the step itself is proved. `time` is when the reading was taken or the value typed, as far as that is known;
    `box_time` and `clock` only say what the box's wall clock showed. `problems` are translation keys; empty means `ok`.
    """

    model_config = ConfigDict(frozen=True)

    line: int | None
    field: str
    mode: str
    """`device`, `manual`, `derived` or `override`; whatever stands there where somebody changed it."""
    value: str
    unit: str | None
    reason: str | None
    formula: str | None = None
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
    read_unit: str | None = None
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


class Proves(Protocol):
    """Whatever proves entries: the database's batches, or the frames of a bundle."""

    def prove(self, at: EntryId) -> EntryProof:
        """The proof of one of the entries that are at hand."""
        ...

    def stored(self, at: EntryId) -> JournalEntry | None:
        """The entry itself, whatever it proves."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a receipt before its fields are looked at. Without `timing` nothing is said of times."""

    prover: Proves
    draft: Draft | None
    good_steps: frozenset[EntryId]
    used_elsewhere: frozenset[Place]
    """Fields whose reading also stands for something else."""
    devices: Devices
    timing: Timing | None

    def time(self, at: EntryId) -> TimeProof | None:
        """When an entry happened, None when that was not asked."""
        return self.timing.time(at) if self.timing is not None else None


def counts(row: Evidence) -> bool:
    """Whether the field is one of a line that was not discarded, or of the head."""
    return row.line is None or row.line.standing != LineStanding.DISCARDED


def place(row: Evidence) -> Place:
    return (row.line.number if row.line else None, row.field)


def step_of(row: Evidence) -> EntryId:
    return EntryId(RunId(row.step_run), row.step_seq)


def reading_of(row: Evidence) -> EntryId | None:
    return None if row.run is None or row.seq is None else EntryId(RunId(row.run), row.seq)


def field_proof(receipt: Receipt, row: Evidence, known: Known) -> FieldProof:
    """Work out one field anew."""
    at, step_at = reading_of(row), step_of(row)
    problems = list(_against_step(row, at, known.draft, step_at))
    step_good = step_at in known.good_steps
    if not step_good:
        problems.append("step_not_proved")
    proof = known.prover.prove(at if at is not None else step_at)
    problems += _against_proof(proof)
    entry = parsed(proof.entry)
    problems += _by_mode(row, entry if at is not None else None, known)
    described = known.devices.before(at, entry.device) if at is not None and isinstance(entry, ReadingEntry) else None
    time = known.time(at if at is not None else step_at)
    if time is not None and time.missing:
        problems.append("time_not_proved")
    return FieldProof.model_validate(
        {
            "line": row.line.number if row.line else None,
            **{name: getattr(row, name) for name in ("field", "mode", "value", "unit", "reason", "formula", "by")},
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


def _by_mode(row: Evidence, reading: object, known: Known) -> Iterable[str]:
    match row.mode:
        case "device":
            yield from _against_reading(row, reading)
        case "override":
            yield from _over_reading(row, reading)
        case "derived":
            if not follows(row.formula, row.value, row.unit, *_beside(row, known.draft)):
                yield "formula_differs"
        case "manual":
            if not row.reason:
                yield "reason_missing"
        case _:
            yield "mode_unknown"
    if row.mode in {"device", "override"} and place(row) in known.used_elsewhere:
        yield "reading_used_twice"


def _against_reading(row: Evidence, reading: object) -> Iterable[str]:
    if not isinstance(reading, ReadingEntry):
        yield "no_reading"
    elif not says(reading, row.field, row.value, row.unit):
        yield "value_differs_from_reading"


def _over_reading(row: Evidence, reading: object) -> Iterable[str]:
    """A value typed against a reading: the reading is kept, says something else, and the reason is given."""
    if not isinstance(reading, ReadingEntry):
        yield "no_reading"
    elif says(reading, row.field, row.value, row.unit):
        yield "override_says_the_same"
    if not row.reason:
        yield "reason_missing"


def _beside(row: Evidence, draft: Draft | None) -> tuple[Mapping[str, tuple[str, str | None]], int]:
    """The other amounts of the line as its steps say them, and how many of its serial numbers count."""
    line = draft.line(row.line.number) if draft is not None and row.line is not None else None
    claims = line.claims() if line is not None else {}
    amounts = {name: (each.value.value, each.value.unit) for name, each in claims.items() if name in AMOUNTS}
    return amounts, sum(1 for name in claims if name.startswith("serial:"))


def _against_step(row: Evidence, at: EntryId | None, draft: Draft | None, step_at: EntryId) -> Iterable[str]:
    claim = _claim(row, draft)
    if claim is None:
        yield "not_in_steps"
        return
    field = claim.value
    said = (field.value, field.unit, field.mode, claim.reading, field.reason, field.formula, claim.by, claim.step)
    if said != (row.value, row.unit, row.mode, at, row.reason, row.formula, row.by, step_at):
        yield "differs_from_step"


def _claim(row: Evidence, draft: Draft | None) -> Claim | None:
    if draft is None:
        return None
    if row.line is None:
        return draft.claims().get(row.field)
    line = draft.line(row.line.number)
    return line.claims().get(row.field) if line is not None else None


def _against_proof(proof: EntryProof) -> Iterable[str]:
    if proof.signature != "good":
        yield f"signature_{proof.signature}"
    if proof.chain != "good":
        yield f"chain_{proof.chain}"


def used_twice(rows: Iterable[Evidence]) -> frozenset[Place]:
    """Fields whose reading stands for another line of the same receipt; several fields of one line are one use, and a pallet's
    number is read once for everything that lies on it."""
    uses: dict[EntryId, set[int | None]] = {}
    devices = [(row, at) for row in rows if row.field != SHARED and (at := reading_of(row)) is not None]
    for row, at in devices:
        uses.setdefault(at, set()).add(place(row)[0])
    return frozenset(place(row) for row, at in devices if len(uses[at]) > 1)
