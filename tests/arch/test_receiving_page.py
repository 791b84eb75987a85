"""docs/RECEIVING.md names every input, step, reason, check, state and action there is, and nothing that is not."""

from cloud.receiving.machine import RECEIPT
from edge.jobs.awaiting import Awaits
from edge.jobs.checks import AT_THE_END, REASON_GIVEN, WITHOUT_AMOUNT
from edge.jobs.reasons import ANNOUNCED, COUNTED, GOOD, PACKAGING, REASONS, TYPED, UNDO
from edge.jobs.receive import STAGES, Stage
from edge.jobs.scanned import SHEET
from edge.jobs.weighing import WeightState
from sync_protocol.receiving.settings import ALWAYS, CHECKS, NUMBERS
from sync_protocol.steps import RECEIVE_STEPS, name_of
from tests.arch.pages import bare, missing, page, section, table, ticked

PAGE = page("docs/RECEIVING.md")
BOX, CLOUD = section(PAGE, "At the box"), section(PAGE, "In the cloud")


def words(cell: str) -> set[str]:
    return set(bare(cell).replace(",", "").split())


def test_every_awaited_input_is_described() -> None:
    assert {bare(row["awaited"]) for row in table(BOX)} == set(Awaits)


def test_every_step_has_its_fields() -> None:
    steps = section(BOX, "Steps")
    assert {bare(row["step"]): words(row["fields"]) for row in table(steps)} == {
        name: set(model.model_fields) for name, model in RECEIVE_STEPS.items()
    }
    follow = {bare(row["stage"]): words(row["steps that may follow"]) for row in table(steps.partition("`checks`.")[2])}
    assert follow == {stage: {name_of_type(step) for at, step in STAGES if at is stage} for stage in Stage}


def name_of_type(step: type) -> str:
    return name_of(step.model_construct())  # type: ignore[attr-defined]


def test_every_reason_is_listed() -> None:
    reasons = section(BOX, "Reasons")
    assert {bare(row["occasion"]): words(row["codes"]) for row in table(reasons)} == {
        occasion: set(codes) for occasion, codes in REASONS.items()
    }
    assert {COUNTED, TYPED, ANNOUNCED, PACKAGING, GOOD, UNDO} <= ticked(reasons)


def test_every_state_of_the_scale_is_listed() -> None:
    assert set().union(*(words(row["state"]) for row in table(section(BOX, "When a weight can be taken")))) == set(WeightState)


def test_every_check_of_the_core_has_its_number_and_severity() -> None:
    rows = table(section(CLOUD, "Checks in the cloud"))
    assert {bare(row["check"]): row["severity"] for row in rows} == CHECKS
    numbers = {check: str(number) for number, checks in NUMBERS.items() for check in checks}
    assert {bare(row["check"]): row["no."] for row in rows} == {check: numbers.get(check, "–") for check in CHECKS}


def test_every_stop_that_is_never_softened_is_named() -> None:
    assert ticked(section(CLOUD, "Decisions")) >= ALWAYS


def test_when_the_box_looks_at_a_check_is_listed() -> None:
    said = [words(row["checks"]) for row in table(section(BOX, "Checks at the box"))]
    assert said == [WITHOUT_AMOUNT, AT_THE_END, REASON_GIVEN]
    assert set().union(*said) <= set(CHECKS)


def test_every_command_of_the_sheet_is_listed() -> None:
    sheet = section(BOX, "Codes of the station's sheet")
    assert not missing({*SHEET, "TAKE", "ABANDON"}, sheet)


def test_every_state_and_action_is_listed() -> None:
    states = section(CLOUD, "States")
    assert {bare(row["state"]) for row in table(states)} == RECEIPT.states
    rows = table(states.partition("opposite moves |")[2])
    assert [(bare(row["action"]), words(row["from"]), bare(row["to"]), words(row["who"])) for row in rows] == [
        (row.action, set(row.sources), row.target, {str(role) for role in row.roles}) for row in RECEIPT.transitions
    ]
