"""The smaller jobs' rules: every command in every state is a step, a draft or a refusal with words; fold equals apply."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import JobRefused
from edge.jobs.kinds import Act, JobKind, Scene
from edge.jobs.movement import commands as m
from edge.jobs.movement.kinds import MOVEMENT_KINDS
from edge.jobs.movement.places import suggested
from edge.jobs.movement.scans import COMMANDS, MEANT, Seen
from edge.jobs.movement.words import REASONS, CountAwaits, GateAwaits, MoveAwaits
from edge.jobs.overlay import Overlay, Stock
from edge.jobs.receive import Moment
from edge.kiosk.texts import catalogue
from sync_protocol.entries import Clk, StepEntry
from sync_protocol.ids import EntryId, RunId
from sync_protocol.movements import MOVE, PUT_AWAY, movement_step
from sync_protocol.steps import FieldValue, readings_of
from tests.unit.edge_jobs.station import BOLT, CRATE, FLOUR, OIL, RICE
from tests.unit.edge_jobs.yard import COLD, DOCK, FREE, HELD, OTHERS, RECEIPT, SHELF, SSCC, yard_masters

READING = "0" * 32 + ":5"
NOW = Moment("boot-1", 50_000_000_000)
VIEW = yard_masters()
STOCK = Overlay().stock(VIEW)
KINDS = {kind.code: kind for kind in MOVEMENT_KINDS}
EN, HE = catalogue("en"), catalogue("he")


def scene(stock: Stock = STOCK, by: str = "omar") -> Scene:
    return Scene(VIEW, date(2026, 11, 22), NOW, by, stock)


def device(value: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="device", reading=READING)


def typed(value: str, reason: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason)


PLACES = st.sampled_from([SHELF, DOCK, COLD, OTHERS, "H-A-02", "NOWHERE", "SUPPLIERS", ""])
VALUES = st.builds(device, PLACES) | st.builds(typed, PLACES, st.sampled_from(["no_barcode", "touched", "bad"]))
AMOUNTS = st.builds(device, st.sampled_from(["1", "2.5", "0", "-1"]), st.just("kg")) | st.builds(
    typed, st.sampled_from(["1", "3", "0.5", "0", "x", "1000000000"]), st.sampled_from(["counted", "scale_down", "bad"])
)
SKUS = st.sampled_from([OIL, RICE, BOLT, CRATE, FLOUR, "UNHEARD-OF"])
COMMAND = st.one_of(
    st.builds(m.BeginMove, st.sampled_from([None, RECEIPT]), st.none() | VALUES),
    st.builds(m.BeginCount, st.sampled_from([None, "CS-1", "CS-2", "CS-9"]), st.none() | VALUES),
    st.builds(m.BeginGate, st.sampled_from([None, "in", "out"]), st.none() | st.builds(device, st.sampled_from([HELD, "X"]))),
    st.builds(m.GivePlace, VALUES | st.builds(device, st.sampled_from([FREE, HELD]))),
    st.builds(m.GiveGoods, SKUS, VALUES, st.sampled_from([None, "L-100", "L-9"])),
    st.builds(m.GiveUnit, st.builds(device, st.sampled_from([SSCC, "072900012345675128"]))),
    st.builds(m.ChooseRow, st.sampled_from(list(STOCK.rows))),
    st.builds(m.GiveLot, st.builds(typed, st.sampled_from(["L-100", "L-77"]), st.just("unreadable"))),
    st.just(m.NoLot()),
    st.builds(m.GiveMuch, AMOUNTS),
    st.just(m.TakeAll()),
    st.builds(m.GiveWhy, st.sampled_from(["seen_here", "because"])),
    st.builds(m.CountAgain, st.integers(1, 3)),
    st.builds(m.GiveSeal, VALUES),
    st.builds(m.GiveDetails, st.sampled_from([None, "12-345-67"]), laden=st.booleans(), damaged=st.booleans()),
    st.builds(m.AddPicture, st.sampled_from(["a" * 64, "b" * 64])),
    st.builds(m.Pass, st.sampled_from([None, "ruth"]), st.sampled_from([None, "hold_lifted"])),
    st.just(m.Back()),
    st.just(m.Finish()),
    st.builds(m.GiveUp, st.sampled_from(["started_by_mistake", "bad"])),
)


def entry(kind: JobKind, job: Any, act: Act, step: Any) -> StepEntry:
    return StepEntry(
        boot_id=NOW.boot_id,
        mono_ns=NOW.ns,
        wall_ns=1,
        clk=Clk(s="rtc", err_ms=1),
        job=job.id,
        job_kind=kind.code,
        n=job.steps,
        step=kind.name_of(step),
        station="receiving-1",
        by="omar",
        data=step.model_dump(mode="json", exclude_none=True) | {"cmd": f"c{job.steps}"} | act.remarks,
        readings=readings_of(step),
    )


def decided(kind: JobKind, job: Any, command: object, stock: Stock) -> tuple[Act | None, str]:
    """What the command becomes, or the code of its refusal."""
    try:
        return kind.decide(job, command, scene(stock)), ""
    except JobRefused as exc:
        return None, exc.code


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(list(KINDS.values())), commands=st.lists(COMMAND, max_size=25))
def test_any_commands_leave_a_job_that_its_steps_give_again(kind: JobKind, commands: list[object]) -> None:
    job: Any = kind.new("job-1")
    folded: Any = kind.new("job-1")
    overlay = Overlay()
    for number, command in enumerate(commands):
        if not kind.takes(command):
            continue
        stock = overlay.stock(VIEW)
        act, refused = decided(kind, job, command, stock)
        if act is None:
            assert f"refused.{refused}" in EN
            continue
        if act.step is not None:
            written = entry(kind, job, act, act.step)
            assert movement_step(written) == act.step
            overlay = overlay.after(EntryId(RunId("0" * 32), number), written)
            job = replace(kind.apply(job, act, NOW, f"c{job.steps}"), by="omar")
            folded = kind.fold(folded, [written])
        if act.step is None or act.draft is not None:
            job = kind.with_draft(job, act.draft, command=f"d{number}", by="omar")
        # Restart at any point: the steps give the job, the draft's text gives the rest.
        again = folded
        if job.draft is not None:
            read = kind.read_draft(kind.draft_text(job.draft))
            assert read == job.draft
            again = kind.restored(folded, read)
        assert replace(again, commands=frozenset(), by=None) == replace(job, commands=frozenset(), by=None)
        assert all(row.quantity > 0 for row in overlay.stock(VIEW).rows.values())
        if job.closed:
            break


@pytest.mark.parametrize("kind", [MOVE, PUT_AWAY])
def test_every_command_is_taken_only_where_the_table_says(kind: str) -> None:
    job = KINDS[kind].new("job-1")
    for command in (m.GivePlace(device(SHELF)), m.Finish(), m.Back(), m.TakeAll()):
        with pytest.raises(JobRefused, match="not_now"):
            KINDS[kind].decide(job, command, scene())


def test_every_input_and_reason_has_words_in_both_languages() -> None:
    asked = [awaited for family in (MoveAwaits, CountAwaits, GateAwaits) for awaited in family if awaited != "nothing"]
    keys = [f"{family}.{awaited}" for awaited in asked for family in ("ask", "hint", "awaits", "next")]
    keys += [f"reason.{code}" for codes in REASONS.values() for code in codes]
    keys += [f"reason.{code}" for code in ("counted", "from_stock", "all_there", "touched", "from_sheet", "no_check_digit")]
    keys += [f"kind.{seen}" for seen in Seen]
    keys += [
        f"doubt.{code}"
        for code in (
            "goods_held",
            "lot_missing",
            "serial_is_one",
            "source_unknown",
            "target_unknown",
            "unit_unknown",
            "unit_elsewhere",
            "not_there",
        )
    ]
    assert [key for key in keys if key not in EN or key not in HE] == []


def test_the_table_of_scans_names_only_inputs_that_exist() -> None:
    inputs = {*MoveAwaits, *CountAwaits, *GateAwaits}
    assert {awaited for _, awaited in MEANT} <= inputs
    assert {awaited for _, awaited in COMMANDS} <= inputs


def test_places_are_suggested_by_lot_then_product_then_emptiness() -> None:
    oil = VIEW.product(OIL)
    assert suggested(VIEW, STOCK, oil, "L-118/A", "HOUSE") == [SHELF, "H-A-02", COLD]
    # Rice of the house lies nowhere on a shelf; the other owner's shelf is not offered.
    assert suggested(VIEW, STOCK, VIEW.product(RICE), None, "HOUSE") == ["H-A-02", COLD]
    assert suggested(VIEW, STOCK, VIEW.product(RICE), None, "S-1") == [OTHERS, "H-A-02", COLD]
    assert suggested(VIEW, STOCK, None, None, None) == []
