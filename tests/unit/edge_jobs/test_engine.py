"""The rules of a receipt: every command in every state, amounts, checks, and invariants under random commands."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits, Decision, awaits
from edge.jobs.checks import all_checks, failed_checks
from edge.jobs.drafts import DRAFT_TEXT, ItemDraft, OrderDraft
from edge.jobs.engine import TABLE, decide
from edge.jobs.keeping import UNDO_NS
from edge.jobs.moment import Context
from edge.jobs.reasons import REASONS
from edge.jobs.receive import CLOSED, STAGES, Moment, ReceiveJob, Stage, apply, draft_fits, fold
from sync_protocol.entries import Clk, StepEntry
from sync_protocol.steps import RECEIVE, RECEIVE_STEPS, Discard, FieldValue, Finish, Item, name_of, readings_of
from tests.unit.edge_jobs.station import (
    BOLT,
    CONTAINER,
    CRATE,
    DRILL,
    FLOUR,
    LOOSE_PALLET,
    NOTICE,
    OIL,
    ORDER,
    PALLET,
    RICE,
    UNKNOWN_GTIN,
    masters,
)

READING = "0" * 32 + ":5"
OTHER_READING = "0" * 32 + ":6"
NOW = Moment("boot-1", 50_000_000_000)
CONTEXT = Context(masters(), date(2026, 11, 22), NOW)


def device(value: str, unit: str | None = None, reading: str = READING) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="device", reading=reading)


def typed(value: str, reason: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason)


def scan(product: str, text: str = "label", lot: str | None = "L1", expiry: str | None = "2027-03-31") -> c.ScanItem:
    return c.ScanItem(product, text, READING, lot, expiry)


def step_on(job: ReceiveJob, command: c.Command, context: Context = CONTEXT) -> ReceiveJob:
    """The job after a command, as the desk does it."""
    decision = decide(job, command, context)
    for step in decision.steps:
        job = apply(job, step, context.now, kept=decision.kept, by=decision.by or "dana")
        job = replace(job, by=job.by or "dana")
    return replace(job, draft=decision.draft)


def after(*commands: c.Command) -> ReceiveJob:
    job = ReceiveJob("job-1")
    for command in commands:
        job = step_on(job, command)
    return job


OPENED = (c.ChooseOrder(ORDER), c.GiveDocument(typed("DN-1", "typed")))
OIL_LINE = (*OPENED, scan(OIL))
WEIGHED = (*OIL_LINE, c.GiveWeight(device("12.340", "kg")))
CONFIRMED = (*WEIGHED, c.ConfirmLine())

UNKNOWN = c.ScanUnknown("gtin", UNKNOWN_GTIN, UNKNOWN_GTIN, READING)
ANNOUNCED = (c.ChooseNotice(NOTICE), c.GiveDocument(typed("DN-2291/7", "announced")))
OVER = (*OIL_LINE, c.GiveWeight(device("30", "kg")))

STATES: dict[Awaits, ReceiveJob] = {
    Awaits.ORDER: after(),
    Awaits.SUPPLIER: after(c.BeginBlind()),
    Awaits.DOCUMENT: after(OPENED[0]),
    Awaits.ARRIVAL: after(*OPENED, c.AskArrival("seal")),
    Awaits.PALLET: after(*ANNOUNCED, c.ScanUnit(PALLET, PALLET, READING)),
    Awaits.CODE: after(*OPENED, UNKNOWN),
    Awaits.SERIAL: after(*OPENED, c.ScanItem(DRILL, "label", READING, serial="SN-1")),
    Awaits.TARE: after(*OIL_LINE, c.AskTare()),
    Awaits.SUPERVISOR: after(*OVER, c.AskApproval("over_tolerance", 1)),
    Awaits.REMAINDER: after(*CONFIRMED, c.AskRemainder()),
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
    c.ChooseNotice(NOTICE),
    c.BeginBlind(),
    c.ChooseSupplier("S-2"),
    c.AskArrival("container"),
    c.GiveArrival(typed(CONTAINER, "from_paper"), "container"),
    UNKNOWN,
    c.NameProduct(BOLT, "new_label"),
    c.ScanUnit(LOOSE_PALLET, LOOSE_PALLET, READING),
    c.TakePallet(),
    c.CheckPallet(),
    c.LeavePallet(),
    c.GiveSerial(device("SN-2")),
    c.TakeBackSerial(),
    c.SerialsDone(),
    c.AskTare(),
    c.GiveTare(packaging="EUR"),
    c.GivePieces(Decimal(4)),
    c.SetCondition("damaged", "wet"),
    c.AddPhoto("a" * 64, "goods"),
    c.AskApproval("over_tolerance", 1),
    c.ShowBadge("ruth", READING),
    c.ApproveCheck("ruth", "accept", "checked_again"),
    c.AskRemainder(),
    c.SetRemainder("2", "not_needed"),
)

# What each command leads to from the states that take it; everything else must be refused as `not_now`.
ON_LINE = (Awaits.SERIAL, Awaits.TARE, Awaits.WEIGHT, Awaits.COUNT, Awaits.CONFIRM)
ALLOWED: dict[type[c.Command], dict[Awaits, Awaits]] = {
    c.ChooseOrder: {Awaits.ORDER: Awaits.DOCUMENT},
    c.GiveDocument: {Awaits.DOCUMENT: Awaits.ITEM},
    c.NoDocument: {Awaits.DOCUMENT: Awaits.ITEM},
    c.ScanItem: {Awaits.ITEM: Awaits.WEIGHT},
    c.ChooseProduct: {Awaits.ITEM: Awaits.COUNT},
    c.AddAgain: {Awaits.AGAIN: Awaits.WEIGHT},
    c.Drop: {
        **dict.fromkeys((Awaits.SUPPLIER, Awaits.DOCUMENT), Awaits.ORDER),
        **dict.fromkeys((Awaits.AGAIN, Awaits.LOT, Awaits.EXPIRY, Awaits.ARRIVAL, Awaits.PALLET), Awaits.ITEM),
        **dict.fromkeys((Awaits.CODE, Awaits.REMAINDER), Awaits.ITEM),
        Awaits.TARE: Awaits.WEIGHT,
        Awaits.SUPERVISOR: Awaits.CONFIRM,
    },
    c.GiveLot: {Awaits.LOT: Awaits.WEIGHT},
    c.GiveExpiry: {Awaits.EXPIRY: Awaits.WEIGHT},
    c.GiveWeight: {Awaits.WEIGHT: Awaits.CONFIRM},
    c.GiveCount: {Awaits.COUNT: Awaits.CONFIRM},
    c.ConfirmLine: {Awaits.CONFIRM: Awaits.ITEM},
    c.DiscardLine: dict.fromkeys((Awaits.ITEM, *ON_LINE), Awaits.ITEM),
    c.Undo: dict.fromkeys((Awaits.ITEM, *ON_LINE), Awaits.ITEM),
    c.FinishJob: dict.fromkeys((Awaits.ITEM, Awaits.REMAINDER), Awaits.NOTHING),
    c.AbandonJob: {
        **dict.fromkeys((Awaits.SUPPLIER, Awaits.DOCUMENT), Awaits.ORDER),
        **dict.fromkeys(set(Awaits) - {Awaits.ORDER, Awaits.SUPPLIER, Awaits.DOCUMENT, Awaits.NOTHING}, Awaits.NOTHING),
    },
    c.ChooseNotice: {Awaits.ORDER: Awaits.DOCUMENT},
    c.BeginBlind: {Awaits.ORDER: Awaits.SUPPLIER},
    c.ChooseSupplier: {Awaits.SUPPLIER: Awaits.DOCUMENT},
    c.AskArrival: {Awaits.ITEM: Awaits.ARRIVAL},
    c.GiveArrival: dict.fromkeys((Awaits.ITEM, Awaits.ARRIVAL), Awaits.ITEM),
    c.ScanUnknown: {Awaits.ITEM: Awaits.CODE},
    c.NameProduct: {Awaits.CODE: Awaits.COUNT},
    c.ScanUnit: dict.fromkeys((Awaits.ITEM, Awaits.PALLET), Awaits.ITEM),
    c.TakePallet: {Awaits.PALLET: Awaits.ITEM},
    c.CheckPallet: {Awaits.PALLET: Awaits.ITEM},
    c.LeavePallet: {Awaits.ITEM: Awaits.ITEM},
    c.GiveSerial: {Awaits.SERIAL: Awaits.SERIAL},
    c.TakeBackSerial: {Awaits.SERIAL: Awaits.SERIAL},
    c.SerialsDone: {Awaits.SERIAL: Awaits.CONFIRM},
    c.AskTare: {Awaits.WEIGHT: Awaits.TARE},
    c.GiveTare: {Awaits.TARE: Awaits.WEIGHT},
    c.GivePieces: {Awaits.WEIGHT: Awaits.WEIGHT},
    c.SetCondition: {state: state for state in (Awaits.ITEM, Awaits.CONFIRM)},
    c.AddPhoto: {state: state for state in (Awaits.ITEM, Awaits.CONFIRM, Awaits.REMAINDER)},
    c.AskApproval: {Awaits.CONFIRM: Awaits.SUPERVISOR},
    c.ShowBadge: {Awaits.SUPERVISOR: Awaits.SUPERVISOR},
    c.ApproveCheck: {Awaits.SUPERVISOR: Awaits.CONFIRM},
    c.AskRemainder: {Awaits.ITEM: Awaits.REMAINDER},
    c.SetRemainder: {Awaits.REMAINDER: Awaits.REMAINDER},
}

OF_THEIR_OWN: dict[tuple[type[c.Command], Awaits], str] = {
    # The line of this state fails no check, or none of this name.
    (c.AskApproval, Awaits.CONFIRM): "no_such_check",
    (c.AskApproval, Awaits.REMAINDER): "no_such_check",
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
    if (own := OF_THEIR_OWN.get((type(command), awaited))) is not None:
        with pytest.raises(JobRefused, match=own):
            decide(STATES[awaited], command, CONTEXT)
    elif expected is None:
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
        payload |= {"identity": device("x"), "quantity": device("1", "kg"), "serial": device("x"), "condition": "good"}
        payload |= {"subject": "goods", "sha256": "a" * 64, "scheme": "own", "code": "x"}
        payload |= {"check": "expired", "decision": "accept"}
        with pytest.raises(JobRefused, match="step_does_not_fit"):
            apply(ReceiveJob("j", stage=stage), RECEIVE_STEPS[step].model_validate(payload), NOW)


SECOND = device("12.870", "kg", OTHER_READING)
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
        ((*OPENED, scan(CRATE)), [("product_not_on_order", None, None)]),
        ((*OPENED, scan(OIL, expiry="2026-11-21")), [("expired", "2026-11-22", "1")]),
        ((*OPENED, scan(OIL, expiry="2026-11-22")), []),
        # Ordered 24 kg with 5 % tolerance: 25.2 is the limit itself, one gram above is too much.
        ((*OIL_LINE, c.GiveWeight(device("25.2", "kg"))), []),
        ((*OIL_LINE, c.GiveWeight(device("25201", "g"))), [("over_tolerance", "25.2", "0.001")]),
        (
            (*CONFIRMED, scan(OIL, "b"), c.GiveWeight(device("12.870", "kg", OTHER_READING))),
            [("over_tolerance", "25.2", "0.01")],
        ),
        # 25 of 50 kg were received before and there is no tolerance.
        ((*OPENED, scan(RICE), c.GiveWeight(device("25", "kg"))), []),
        ((*OPENED, scan(RICE), c.GiveWeight(device("25.005", "kg"))), [("over_tolerance", "50", "0.005")]),
    ],
)
def test_checks_at_the_line(commands: tuple[c.Command, ...], expected: list[tuple[str, str | None, str | None]]) -> None:
    job = after(*commands)
    found = failed_checks(job, job.lines[-1], CONTEXT)
    assert [(check.code, check.limit, check.difference) for check in found] == expected


def test_discarded_lines_do_not_count_towards_the_order() -> None:
    job = after(*CONFIRMED, c.DiscardLine("damaged", 1), scan(OIL, "b"), c.GiveWeight(device("20", "kg")))
    assert failed_checks(job, job.lines[-1], CONTEXT) == ()


def test_a_line_that_fails_a_check_is_kept_only_with_a_reason() -> None:
    job = after(*OPENED, scan(CRATE), c.GiveCount(Decimal(2)))
    with pytest.raises(JobRefused) as refused:
        decide(job, c.ConfirmLine(), CONTEXT)
    assert (refused.value.code, refused.value.values) == ("needs_reason", {"check": "product_not_on_order"})
    decision = decide(job, c.ConfirmLine("supervisor_agreed"), CONTEXT)
    assert decision.kept == "supervisor_agreed"
    assert [check.code for check in decision.checks] == ["product_not_on_order"]
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
READINGS = st.integers(1, 9).map(lambda number: f"{'0' * 32}:{number}")
RANDOM_COMMANDS = st.one_of(
    st.sampled_from(OPENED),
    st.sampled_from(ANNOUNCED),
    st.sampled_from(COMMANDS),
    st.sampled_from([c.ScanUnit(PALLET, PALLET, READING), c.ConfirmLine("checked_again"), c.SerialsDone()]),
    st.builds(
        c.ScanItem,
        st.sampled_from([OIL, RICE, BOLT, FLOUR, CRATE, DRILL, "nothing"]),
        st.sampled_from(["a", "b", "c"]),
        READINGS,
        st.sampled_from([None, "L1"]),
        st.sampled_from([None, "2027-03-31", "2020-01-01", "soon"]),
        st.sampled_from([None, "SN-1", "SN-77"]),
        st.sampled_from([None, "12"]),
    ),
    st.builds(lambda value, reading: c.GiveWeight(device(value, "kg", reading)), VALUES, READINGS),
    st.builds(lambda value, reading: c.GiveTare(device(value, "kg", reading)), VALUES, READINGS),
    st.builds(lambda value: c.GiveWeight(typed(value, "scale_down", "kg")), VALUES),
    st.builds(lambda value, packs: c.GiveCount(Decimal(value), packs=packs), VALUES, st.booleans()),
    st.builds(c.ConfirmLine, st.sampled_from([None, "checked_again"])),
    st.builds(c.DiscardLine, st.just("damaged"), st.sampled_from([None, 1, 2])),
    st.builds(c.AskApproval, st.sampled_from(["product_not_on_order", "order_missing", "damaged"]), st.sampled_from([None, 1])),
    st.builds(c.ApproveCheck, st.sampled_from(["ruth", "dana"]), st.sampled_from(["accept", "refuse"]), st.just("set_apart")),
)


def entries_of(job: ReceiveJob, decision: Decision, cmd: str) -> Iterator[StepEntry]:
    """The decision as the desk writes it: one entry per step, the command and the remarks with the last."""
    for at, step in enumerate(decision.steps):
        last = at == len(decision.steps) - 1
        remarks = {"cmd": cmd} | ({"kept_because": decision.kept} if decision.kept else {}) if last else {}
        yield StepEntry(
            boot_id=NOW.boot_id,
            mono_ns=NOW.ns,
            wall_ns=0,
            clk=Clk(s="none"),
            job=job.id,
            job_kind=RECEIVE,
            n=job.steps + at,
            step=name_of(step),
            station="s",
            by=decision.by or "dana",
            data=step.model_dump(mode="json", exclude_none=True) | remarks,
        )


@given(st.lists(RANDOM_COMMANDS, max_size=60))
def test_random_commands_never_break_a_receipt(commands: list[c.Command]) -> None:
    begun = job = ReceiveJob("job-1")
    entries: list[StepEntry] = []
    for number, command in enumerate(commands):
        try:
            decision = decide(job, command, CONTEXT)
        except JobRefused:
            continue
        written = list(entries_of(job, decision, f"c{number}"))
        entries += written
        job = fold(job, written)
        waiting = replace(decision.draft, at=job.steps) if decision.draft is not None else None
        # A restart between any two commands gives the same job, and its draft fits.
        assert fold(begun, entries) == replace(job, draft=None)
        assert waiting is None or draft_fits(job, DRAFT_TEXT.validate_json(DRAFT_TEXT.dump_json(waiting)))
        job = replace(job, draft=waiting)
        assert all_checks(job, CONTEXT) is not None
        if isinstance(decision.step, Finish):
            assert decision.step.lines
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
            assert line.amount.mode in {"device", "derived"}
        serials = [one.value for one in line.serials]
        assert len(serials) == len(set(serials))
        if product.tracking == "serial":
            assert Decimal(line.amount.value) == len(serials)


def test_an_order_draft_is_dropped_without_a_trace() -> None:
    job = after(OPENED[0])
    assert isinstance(job.draft, OrderDraft)
    assert step_on(job, c.Drop()) == ReceiveJob("job-1")
    assert decide(job, c.AbandonJob("wrong_order"), CONTEXT).step is None
