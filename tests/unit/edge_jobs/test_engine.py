"""The rules of a receipt: every command in every state, amounts, checks, and invariants under random commands."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.checks import failed_checks
from edge.jobs.engine import TABLE, UNDO_NS, Awaits, Context, awaits, decide
from edge.jobs.reasons import REASONS
from edge.jobs.receive import CLOSED, STAGES, ItemDraft, Moment, OrderDraft, ReceiveJob, Stage, apply, fold
from sync_protocol.entries import Clk, StepEntry
from sync_protocol.steps import RECEIVE, RECEIVE_STEPS, Discard, FieldValue, Finish, Item, name_of, readings_of
from tests.unit.edge_jobs.station import BOLT, CRATE, FLOUR, OIL, ORDER, RICE, masters

READING = "0" * 32 + ":5"
NOW = Moment("boot-1", 50_000_000_000)
CONTEXT = Context(masters(), date(2026, 11, 22), NOW)


def device(value: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="device", reading=READING)


def typed(value: str, reason: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason)


def scan(product: str, text: str = "label", lot: str | None = "L1", expiry: str | None = "2027-03-31") -> c.ScanItem:
    return c.ScanItem(product, text, READING, lot, expiry)


def step_on(job: ReceiveJob, command: c.Command, context: Context = CONTEXT) -> ReceiveJob:
    """The job after a command, as the desk does it."""
    decision = decide(job, command, context)
    if decision.step is None:
        return replace(job, draft=decision.draft)
    return apply(job, decision.step, context.now, kept=decision.kept)


def after(*commands: c.Command) -> ReceiveJob:
    job = ReceiveJob("job-1")
    for command in commands:
        job = step_on(job, command)
    return job


OPENED = (c.ChooseOrder(ORDER), c.GiveDocument(typed("DN-1", "typed")))
OIL_LINE = (*OPENED, scan(OIL))
WEIGHED = (*OIL_LINE, c.GiveWeight(device("12.340", "kg")))
CONFIRMED = (*WEIGHED, c.ConfirmLine())

STATES: dict[Awaits, ReceiveJob] = {
    Awaits.ORDER: after(),
    Awaits.DOCUMENT: after(OPENED[0]),
    Awaits.ITEM: after(*CONFIRMED),
    Awaits.AGAIN: after(*CONFIRMED, scan(OIL)),
    Awaits.LOT: after(*OPENED, scan(OIL, lot=None)),
    Awaits.EXPIRY: after(*OPENED, scan(OIL, expiry=None)),
    Awaits.WEIGHT: after(*OIL_LINE),
    Awaits.COUNT: after(*OPENED, scan(BOLT)),
    Awaits.CONFIRM: after(*WEIGHED),
    Awaits.NOTHING: after(*CONFIRMED, c.FinishJob()),
}

COMMANDS: tuple[c.Command, ...] = (
    c.ChooseOrder(ORDER),
    c.GiveDocument(typed("DN-1", "typed")),
    c.NoDocument("not_supplied"),
    scan(RICE, "another"),
    c.ChooseProduct(BOLT, "unreadable"),
    c.AddAgain(),
    c.Drop(),
    c.GiveLot(typed("L2", "no_barcode")),
    c.GiveExpiry(typed("2027-01-31", "no_barcode")),
    c.GiveWeight(device("3", "kg")),
    c.GiveCount(Decimal(3)),
    c.ConfirmLine(),
    c.DiscardLine("damaged"),
    c.Undo(),
    c.FinishJob(),
    c.AbandonJob("wrong_order"),
)

# What each command leads to from the states that take it; everything else must be refused as `not_now`.
ALLOWED: dict[type[c.Command], dict[Awaits, Awaits]] = {
    c.ChooseOrder: {Awaits.ORDER: Awaits.DOCUMENT},
    c.GiveDocument: {Awaits.DOCUMENT: Awaits.ITEM},
    c.NoDocument: {Awaits.DOCUMENT: Awaits.ITEM},
    c.ScanItem: {Awaits.ITEM: Awaits.WEIGHT},
    c.ChooseProduct: {Awaits.ITEM: Awaits.COUNT},
    c.AddAgain: {Awaits.AGAIN: Awaits.WEIGHT},
    c.Drop: {Awaits.DOCUMENT: Awaits.ORDER, Awaits.AGAIN: Awaits.ITEM, Awaits.LOT: Awaits.ITEM, Awaits.EXPIRY: Awaits.ITEM},
    c.GiveLot: {Awaits.LOT: Awaits.WEIGHT},
    c.GiveExpiry: {Awaits.EXPIRY: Awaits.WEIGHT},
    c.GiveWeight: {Awaits.WEIGHT: Awaits.CONFIRM},
    c.GiveCount: {Awaits.COUNT: Awaits.CONFIRM},
    c.ConfirmLine: {Awaits.CONFIRM: Awaits.ITEM},
    c.DiscardLine: dict.fromkeys((Awaits.ITEM, Awaits.WEIGHT, Awaits.COUNT, Awaits.CONFIRM), Awaits.ITEM),
    c.Undo: dict.fromkeys((Awaits.ITEM, Awaits.WEIGHT, Awaits.COUNT, Awaits.CONFIRM), Awaits.ITEM),
    c.FinishJob: {Awaits.ITEM: Awaits.NOTHING},
    c.AbandonJob: {
        Awaits.DOCUMENT: Awaits.ORDER,
        **dict.fromkeys(
            (Awaits.ITEM, Awaits.AGAIN, Awaits.LOT, Awaits.EXPIRY, Awaits.WEIGHT, Awaits.COUNT, Awaits.CONFIRM), Awaits.NOTHING
        ),
    },
}


def test_the_tables_are_complete() -> None:
    assert set(TABLE) == set(ALLOWED) == {type(command) for command in COMMANDS}
    assert set(STATES) == set(Awaits)
    assert {awaited: awaits(job, CONTEXT.masters) for awaited, job in STATES.items()} == {
        awaited: awaited for awaited in Awaits
    }


@pytest.mark.parametrize("awaited", Awaits)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_every_command_in_every_state(awaited: Awaits, command: c.Command) -> None:
    expected = ALLOWED[type(command)].get(awaited)
    if expected is None:
        with pytest.raises(JobRefused) as refused:
            decide(STATES[awaited], command, CONTEXT)
        assert refused.value.code == "not_now"
        assert refused.value.values == {"awaited": awaited}
    else:
        assert awaits(step_on(STATES[awaited], command), CONTEXT.masters) is expected


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("step", RECEIVE_STEPS)
def test_steps_outside_the_table_do_not_fit(stage: Stage, step: str) -> None:
    allowed = (stage, RECEIVE_STEPS[step]) in STAGES
    assert not (allowed and stage in CLOSED)
    if not allowed:
        payload: dict[str, Any] = {"line": 1, "reason": "x", "lines": [], "product": "p", "product_rev": 1}
        payload |= {"identity": device("x"), "quantity": device("1", "kg")}
        with pytest.raises(JobRefused, match="step_does_not_fit"):
            apply(ReceiveJob("j", stage=stage), RECEIVE_STEPS[step].model_validate(payload), NOW)


REFUSALS: list[tuple[tuple[c.Command, ...], c.Command, str]] = [
    ((), c.ChooseOrder("PO-9"), "unknown_order"),
    (OPENED[:1], c.NoDocument("because"), "unknown_reason"),
    (OPENED[:1], c.GiveDocument(typed(" ", "typed")), "bad_text"),
    (OPENED[:1], c.GiveDocument(typed("x" * 49, "typed")), "bad_text"),
    (OPENED, scan("nothing"), "unknown_product"),
    (OPENED, scan(OIL, "x" * 257), "code_too_long"),
    (OPENED, c.ChooseProduct(FLOUR, "unreadable"), "identity_required"),
    (OPENED, c.ChooseProduct(BOLT, "whim"), "unknown_reason"),
    (OPENED, c.FinishJob(), "no_lines"),
    (OPENED, c.Undo(), "nothing_to_undo"),
    (OPENED, c.DiscardLine("damaged"), "no_such_line"),
    ((*OPENED, scan(OIL, lot=None)), c.GiveLot(typed("L", "whim")), "unknown_reason"),
    ((*OPENED, scan(OIL, expiry=None)), c.GiveExpiry(typed("31/03/2027", "no_barcode")), "not_a_date"),
    ((*OPENED, scan(OIL, expiry=None)), c.GiveExpiry(typed("2027-02-30", "no_barcode")), "not_a_date"),
    (OIL_LINE, c.GiveWeight(typed("5", "scale_down", "kg")), "weight_required"),
    (OIL_LINE, c.GiveWeight(device("0.000", "kg")), "not_positive"),
    (OIL_LINE, c.GiveWeight(device("-1", "kg")), "not_positive"),
    (OIL_LINE, c.GiveWeight(device("1e3", "kg")), "not_an_amount"),
    (OIL_LINE, c.GiveWeight(device("5", "mm")), "wrong_unit"),
    (OIL_LINE, c.GiveWeight(device("5", "stone")), "not_an_amount"),
    ((*OPENED, scan(RICE)), c.GiveWeight(typed("5", "whim", "kg")), "unknown_reason"),
    ((*OPENED, scan(BOLT)), c.GiveCount(Decimal("1.5")), "whole_number"),
    ((*OPENED, scan(BOLT)), c.GiveCount(Decimal(0)), "not_positive"),
    ((*OPENED, scan(BOLT)), c.GiveCount(Decimal(10) ** 30), "too_much"),
    (CONFIRMED, c.DiscardLine("whim"), "unknown_reason"),
    (CONFIRMED, c.DiscardLine("damaged", 2), "no_such_line"),
    ((*CONFIRMED, c.DiscardLine("damaged", 1)), c.DiscardLine("damaged", 1), "no_such_line"),
    ((*CONFIRMED, c.DiscardLine("damaged", 1)), c.FinishJob(), "no_lines"),
    ((*CONFIRMED, scan(RICE, "b")), c.DiscardLine("damaged", 1), "other_line_open"),
    (CONFIRMED, c.AbandonJob("whim"), "unknown_reason"),
]


@pytest.mark.parametrize(("before", "command", "code"), REFUSALS, ids=lambda part: part if isinstance(part, str) else "")
def test_a_rule_refuses_with_its_code(before: tuple[c.Command, ...], command: c.Command, code: str) -> None:
    with pytest.raises(JobRefused) as refused:
        decide(after(*before), command, CONTEXT)
    assert refused.value.code == code


def test_a_weight_keeps_the_digits_of_the_scale() -> None:
    amount = after(*WEIGHED).lines[0].amount
    assert amount is not None
    assert (amount.value, amount.unit, amount.mode, amount.reading) == ("12.340", "kg", "device", READING)


def test_a_typed_weight_is_marked_where_the_product_allows_it() -> None:
    job = after(*OPENED, scan(RICE), c.GiveWeight(typed("5", "scale_down", "kg")))
    assert job.lines[0].amount == typed("5", "scale_down", "kg")


def test_lot_and_expiry_from_the_code_name_its_scan_and_typed_ones_their_reason() -> None:
    job = after(*OPENED, scan(OIL, lot=None), c.GiveLot(typed("L9", "unreadable")))
    item = job.lines[0].item
    assert item.expiry == device("2027-03-31")
    assert item.lot == typed("L9", "unreadable")
    assert readings_of(item) == [READING]


def test_an_item_names_its_order_line_and_revisions() -> None:
    item = after(*OPENED, scan(RICE)).lines[0].item
    assert (item.order_line, item.product_rev, item.line) == ("2", 7, 1)


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (WEIGHED, []),
        ((*OPENED, scan(CRATE)), [("unexpected_item", None, None)]),
        ((*OPENED, scan(OIL, expiry="2026-11-21")), [("expired", "2026-11-21", "1")]),
        ((*OPENED, scan(OIL, expiry="2026-11-22")), []),
        # Ordered 24 kg with 5 % tolerance: 25.2 is the limit itself, one gram above is too much.
        ((*OIL_LINE, c.GiveWeight(device("25.2", "kg"))), []),
        ((*OIL_LINE, c.GiveWeight(device("25201", "g"))), [("over_receipt", "25.2", "0.001")]),
        ((*CONFIRMED, scan(OIL, "b"), c.GiveWeight(device("12.870", "kg"))), [("over_receipt", "25.2", "0.01")]),
        # 25 of 50 kg were received before and there is no tolerance.
        ((*OPENED, scan(RICE), c.GiveWeight(device("25", "kg"))), []),
        ((*OPENED, scan(RICE), c.GiveWeight(device("25.005", "kg"))), [("over_receipt", "50", "0.005")]),
    ],
)
def test_checks_at_the_line(commands: tuple[c.Command, ...], expected: list[tuple[str, str | None, str | None]]) -> None:
    job = after(*commands)
    found = failed_checks(job, job.lines[-1], CONTEXT.masters, CONTEXT.today)
    assert [(check.code, check.limit, check.difference) for check in found] == expected


def test_discarded_lines_do_not_count_towards_the_order() -> None:
    job = after(*CONFIRMED, c.DiscardLine("damaged", 1), scan(OIL, "b"), c.GiveWeight(device("20", "kg")))
    assert failed_checks(job, job.lines[-1], CONTEXT.masters, CONTEXT.today) == ()


def test_a_line_that_fails_a_check_is_kept_only_with_a_reason() -> None:
    job = after(*OPENED, scan(CRATE), c.GiveCount(Decimal(2)))
    with pytest.raises(JobRefused) as refused:
        decide(job, c.ConfirmLine(), CONTEXT)
    assert (refused.value.code, refused.value.values) == ("needs_reason", {"check": "unexpected_item"})
    decision = decide(job, c.ConfirmLine("supervisor_agreed"), CONTEXT)
    assert decision.kept == "supervisor_agreed"
    assert [check.code for check in decision.checks] == ["unexpected_item"]
    with pytest.raises(JobRefused, match="unknown_reason"):
        decide(job, c.ConfirmLine("whim"), CONTEXT)


@pytest.mark.parametrize(
    ("later", "undone"),
    [
        (Moment("boot-1", NOW.ns + UNDO_NS), True),
        (Moment("boot-1", NOW.ns + UNDO_NS + 1), False),
        (Moment("boot-2", NOW.ns), False),
    ],
)
def test_undo_for_ten_seconds_of_the_same_boot(later: Moment, undone: bool) -> None:
    job, context = after(*CONFIRMED), replace(CONTEXT, now=later)
    if undone:
        assert decide(job, c.Undo(), context).step == Discard(line=1, reason="undo")
    else:
        with pytest.raises(JobRefused, match="undo_too_late"):
            decide(job, c.Undo(), context)


def test_the_same_code_again_is_asked_about() -> None:
    job = after(*CONFIRMED, scan(OIL))
    assert isinstance(job.draft, ItemDraft)
    assert job.draft.again
    assert len(step_on(job, c.AddAgain()).lines) == 2
    assert len(step_on(job, c.Drop()).lines) == 1
    # After a discard the code is not on a live line any more.
    assert awaits(after(*CONFIRMED, c.DiscardLine("damaged"), scan(OIL)), CONTEXT.masters) is Awaits.WEIGHT


def test_no_reason_list_is_longer_than_a_glance() -> None:
    assert all(1 <= len(codes) <= 5 for codes in REASONS.values())


VALUES = st.sampled_from(["12.340", "0", "1", "25.2", "-3", "7.5"])
RANDOM_COMMANDS = st.one_of(
    st.sampled_from(COMMANDS),
    st.builds(
        scan,
        st.sampled_from([OIL, RICE, BOLT, FLOUR, CRATE, "nothing"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([None, "L1"]),
        st.sampled_from([None, "2027-03-31", "2020-01-01", "soon"]),
    ),
    st.builds(lambda value: c.GiveWeight(device(value, "kg")), VALUES),
    st.builds(lambda value: c.GiveWeight(typed(value, "scale_down", "kg")), VALUES),
    st.builds(lambda value: c.GiveCount(Decimal(value)), VALUES),
    st.builds(c.ConfirmLine, st.sampled_from([None, "checked_again"])),
    st.builds(c.DiscardLine, st.just("damaged"), st.sampled_from([None, 1, 2])),
)


@given(st.lists(RANDOM_COMMANDS, max_size=40))
def test_random_commands_never_break_a_receipt(commands: list[c.Command]) -> None:
    job, entries = after(*OPENED), []
    begun = job
    for number, command in enumerate(commands):
        try:
            decision = decide(job, command, CONTEXT)
        except JobRefused:
            continue
        if decision.step is None:
            job = replace(job, draft=decision.draft)
            continue
        entry = StepEntry(
            boot_id=NOW.boot_id,
            mono_ns=NOW.ns,
            wall_ns=0,
            clk=Clk(s="none"),
            job=job.id,
            job_kind=RECEIVE,
            n=job.steps,
            step=name_of(decision.step),
            station="s",
            by="dana",
            data=decision.step.model_dump(mode="json", exclude_none=True)
            | {"cmd": f"c{number}"}
            | ({"kept_because": decision.kept} if decision.kept else {}),
        )
        entries.append(entry)
        job = replace(apply(job, decision.step, NOW, command=f"c{number}", kept=decision.kept), by="dana")
        if isinstance(decision.step, Finish):
            assert decision.step.lines
    assert replace(fold(begun, entries), draft=job.draft, by=None) == replace(job, by=None)
    for line in job.lines:
        _assert_line_is_sound(line.item, line)


def _assert_line_is_sound(item: Item, line: Any) -> None:
    product = CONTEXT.masters.product(item.product)
    assert product is not None
    if product.tracking == "lot":
        assert item.lot is not None
    if product.expiry == "required":
        assert item.expiry is not None
        date.fromisoformat(item.expiry.value)
    if line.confirmed:
        assert line.amount is not None
        assert Decimal(line.amount.value) > 0
        if product.weight_policy == "required":
            assert line.amount.mode == "device"


def test_an_order_draft_is_dropped_without_a_trace() -> None:
    job = after(OPENED[0])
    assert isinstance(job.draft, OrderDraft)
    assert step_on(job, c.Drop()) == ReceiveJob("job-1")
    assert decide(job, c.AbandonJob("wrong_order"), CONTEXT).step is None
