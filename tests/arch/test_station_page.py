"""docs/STATION.md names every input, step, doubt, reason and command of the smaller jobs, and nothing that is not."""

import re

from edge.jobs.desk import MAX_OPEN
from edge.jobs.movement import words
from edge.jobs.movement.counting import MAX_COUNTED
from edge.jobs.movement.moving import MAX_ACTS
from edge.jobs.movement.places import SUGGESTED
from edge.jobs.movement.scans import COMMANDS, PLACE_PREFIX, SHEET_PREFIX
from sync_protocol.movements import MOVEMENT_STEPS
from tests.arch.pages import ROOT, bare, page, section, table, ticked

PAGE = page("docs/STATION.md")


def names(cell: str) -> list[str]:
    return re.split(", *", bare(cell)) if cell else []


def test_every_awaited_input_of_the_smaller_jobs_is_described() -> None:
    awaited = {str(one) for each in (words.MoveAwaits, words.CountAwaits, words.GateAwaits) for one in each}
    assert {bare(row["awaited"]) for row in table(section(PAGE, "What is asked"))} == awaited


def test_every_step_of_the_smaller_jobs_has_its_fields() -> None:
    said = {
        (job, bare(row["step"])): set(names(row["fields"]))
        for row in table(section(PAGE, "Steps"))
        for job in names(row["job"])
    }
    assert said == {at: set(model.model_fields) for at, model in MOVEMENT_STEPS.items()}


def test_every_doubt_is_described() -> None:
    source = (ROOT / "edge/jobs/movement/moving.py").read_text(encoding="utf-8")
    body = source[source.index("def _doubts(") : source.index("def _decides(")]
    codes = {code for code in re.findall(r'"([a-z_]+)"', body) if "_" in code}
    assert {code for row in table(section(PAGE, "Put away and move")) for code in names(row["doubt"])} == codes - {"stock"}


def test_every_reason_of_the_smaller_jobs_is_listed() -> None:
    reasons = section(PAGE, "Reasons")
    assert {bare(row["occasion"]): tuple(names(row["codes"])) for row in table(reasons)} == words.REASONS
    assert {words.COUNTED, words.FROM_STOCK, words.ALL_THERE, words.TOUCHED, words.FROM_SHEET} <= ticked(reasons)


def test_every_command_of_the_smaller_jobs_is_listed() -> None:
    codes = {code for row in table(section(PAGE, "Codes of the station's sheet")) for code in names(row["code"])}
    commands = {f"TB-CMD:{name}" for name, _ in COMMANDS} | {"TB-CMD:TAKE"}
    assert {code for code in codes if code.startswith("TB-CMD:")} == commands
    assert {f"{PLACE_PREFIX}<code>", f"{SHEET_PREFIX}<ref>"} <= codes


def test_the_limits_are_the_codes_own() -> None:
    assert (MAX_OPEN, SUGGESTED) == (12, 3)
    assert f"{MAX_ACTS} acts, a count {MAX_COUNTED:,} lines" in PAGE
