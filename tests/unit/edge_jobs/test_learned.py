"""Codes that a box was told: whose they are, and when the core's own word takes their place."""

from drivers.api import Kind, Reading
from edge.jobs.learned import LEARNED_REV, Learned
from edge.jobs.scans import ScanKind, classify
from edge.mirror.view import MasterView
from sync_protocol.entries import Clk, StepEntry
from sync_protocol.masters import Code
from sync_protocol.steps import RECEIVE, FieldValue, Learn, Open, ReceiveStep, name_of
from tests.unit.edge_jobs.station import BOLT, CRATE
from tests.unit.edge_jobs.test_engine import CONTEXT

READING = "0" * 32 + ":1"
SCANNED = Reading(Kind.CODE, "4711", None, frozenset(), b"")


def say(n: int, step: ReceiveStep, job: str = "job-1") -> StepEntry:
    return StepEntry(
        boot_id="b", mono_ns=n, wall_ns=0, clk=Clk(s="ntp"), job=job, job_kind=RECEIVE, n=n, step=name_of(step), station="s",
        by="dana", data=step.model_dump(mode="json", exclude_none=True),
    )  # fmt: skip


def told(*steps: ReceiveStep) -> Learned:
    found = Learned()
    for n, step in enumerate(steps):
        found.seen(say(n, step))
    return found


def of_supplier(ref: str) -> Open:
    return Open(supplier=ref, document=FieldValue(value="D", mode="manual", reason="typed"))


def test_a_suppliers_own_code_says_nothing_of_anothers_goods() -> None:
    known = told(of_supplier("SUP-A"), Learn(scheme="supplier", code="4711", product=BOLT, reading=READING))
    masters = known.over(CONTEXT.masters)
    meant = classify(SCANNED, masters, "SUP-A")
    assert (meant.kind, meant.key) == (ScanKind.PRODUCT, BOLT)
    assert classify(SCANNED, masters, "SUP-B").kind is not ScanKind.PRODUCT


def test_the_cores_word_takes_the_place_of_a_learned_code() -> None:
    known = told(of_supplier("SUP-A"), Learn(scheme="supplier", code="4711", product=BOLT, reading=READING))
    said = Code(scheme="supplier", code="4711", product=CRATE, party="SUP-A")
    masters = MasterView({**CONTEXT.masters.rows, ("code", "supplier:4711:SUP-A"): (8, said)})
    assert known.over(masters) is masters


def test_a_code_of_the_house_is_everybodys() -> None:
    known = told(of_supplier("SUP-A"), Learn(scheme="own", code="H-1", product=BOLT, reading=READING))
    assert known.over(CONTEXT.masters).rows["code", "own:H-1"][0] == LEARNED_REV
