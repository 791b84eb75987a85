"""The rules of the whole receipt: notices, pallets, codes, serials, tare, damage, supervisors, and what did not come."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits, awaits
from edge.jobs.checks import all_checks
from edge.jobs.engine import decide
from edge.jobs.facts import facts_of
from edge.jobs.measuring import MAX_SERIALS
from edge.jobs.moment import Context
from edge.jobs.pallets import MAX_TAKEN
from edge.jobs.receive import ReceiveJob, apply, fold
from edge.mirror.view import MasterView
from sync_protocol.entries import Clk, StepEntry
from sync_protocol.masters import CheckSetting, Code, Location, Unit
from sync_protocol.quantity import Quantity
from sync_protocol.receiving.facts import LotFact
from sync_protocol.receiving.settings import Severity
from sync_protocol.steps import RECEIVE, Amount, Approve, Finish, Item, Learn, Serial
from tests.unit.edge_jobs.station import (
    BOLT,
    CRATE,
    DRILL,
    LOOSE_PALLET,
    NOTICE,
    OIL,
    ORDER,
    PALLET,
    RICE,
    UNKNOWN_GTIN,
)
from tests.unit.edge_jobs.test_engine import ANNOUNCED, CONTEXT, NOW, OPENED, READING, after, device, scan, step_on, typed


def with_rows(**rows: object) -> Context:
    """The small site with further rows, by table and key (`product__RICE-25`)."""
    named = {(table, key): (8, row) for name, row in rows.items() for table, _, key in [name.partition("__")]}
    return replace(CONTEXT, masters=MasterView({**CONTEXT.masters.rows, **named}))  # type: ignore[dict-item]


def run(*commands: c.Command, context: Context = CONTEXT) -> ReceiveJob:
    job = ReceiveJob("job-1")
    for command in commands:
        job = step_on(job, command, context)
    return job


def refusal(job: ReceiveJob, command: c.Command, context: Context = CONTEXT) -> str:
    with pytest.raises(JobRefused) as refused:
        decide(job, command, context)
    return refused.value.code


def codes(job: ReceiveJob, line: int | None, context: Context = CONTEXT) -> set[str]:
    return {check.code for check in all_checks(job, context).get(line, ())}


ON_PALLET = (*ANNOUNCED, c.ScanUnit(PALLET, PALLET, READING))
DRILLS = (*OPENED, c.ScanItem(DRILL, "label", READING, serial="SN-1"))
RICE_LINE = (*OPENED, scan(RICE, lot=None, expiry=None))


def test_a_notice_brings_its_order_sender_and_lines() -> None:
    job = run(*ANNOUNCED)
    assert job.opened is not None
    assert (job.opened.notice, job.opened.notice_rev, job.opened.order, job.opened.supplier) == (NOTICE, 7, ORDER, "S-1")
    item = step_on(job, scan(BOLT)).lines[0].item
    assert (item.notice_line, item.order_line) == ("2", "3")


def test_what_stands_on_no_notice_and_no_order_is_found() -> None:
    job = run(*ANNOUNCED, scan(CRATE), c.GiveCount(Decimal(1)))
    assert codes(job, 1) >= {"product_not_on_notice", "product_not_on_order"}
    blind = run(c.BeginBlind(), c.ChooseSupplier("S-2"), c.NoDocument("not_supplied"), scan(CRATE), c.GiveCount(Decimal(1)))
    assert codes(blind, 1) == set()
    assert codes(blind, None) == {"order_missing"}


def test_the_owner_alone_is_enough_to_begin() -> None:
    job = run(c.BeginBlind(), c.ChooseSupplier(owner="S-2"), c.NoDocument("not_supplied"))
    assert job.opened is not None
    assert (job.opened.supplier, job.opened.owner) == ("S-2", "S-2")
    assert refusal(run(c.BeginBlind()), c.ChooseSupplier()) == "missing"
    assert refusal(run(c.BeginBlind()), c.ChooseSupplier("nobody")) == "unknown_party"


def test_a_pallet_is_taken_as_announced_line_by_line() -> None:
    decision = decide(run(*ON_PALLET), c.TakePallet(), CONTEXT)
    assert [type(step).__name__ for step in decision.steps] == ["Item", "Amount", "Confirm"] * 2
    job = run(*ON_PALLET, c.TakePallet())
    assert [(line.item.product, line.amount and line.amount.reason, line.confirmed) for line in job.lines] == [
        (RICE, "announced", True),
        (BOLT, "announced", True),
    ]
    assert {line.item.unit and line.item.unit.reading for line in job.lines} == {READING}
    # It is empty now: scanned once more it is only what the next goods lie on.
    assert awaits(step_on(job, c.ScanUnit(PALLET, PALLET, READING)), CONTEXT.masters) is Awaits.ITEM


def test_a_pallet_stops_at_the_line_that_a_check_holds() -> None:
    rice = CONTEXT.masters.product(RICE)
    notice = CONTEXT.masters.notice(NOTICE)
    assert rice is not None
    assert notice is not None
    lines = [notice.lines[0].model_copy(update={"quantity": "26"}), *notice.lines[1:]]
    context = with_rows(**{f"notice__{NOTICE}": notice.model_copy(update={"lines": lines})})
    job = run(*ON_PALLET, c.TakePallet(), context=context)
    assert awaits(job, context.masters) is Awaits.CONFIRM
    assert len(job.lines) == 1
    rest = run(*ON_PALLET, c.TakePallet(), c.ConfirmLine("checked_again"), context=context)
    assert awaits(step_on(rest, c.ScanUnit(PALLET, PALLET, READING), context), context.masters) is Awaits.PALLET


def test_a_pallet_of_many_lines_is_taken_in_parts() -> None:
    notice = CONTEXT.masters.notice(NOTICE)
    assert notice is not None
    row = notice.lines[1].model_copy(update={"quantity": "1"})
    lines = [row.model_copy(update={"line": str(number)}) for number in range(MAX_TAKEN + 2)]
    context = with_rows(**{f"notice__{NOTICE}": notice.model_copy(update={"lines": lines})})
    job = run(*ON_PALLET, c.TakePallet(), context=context)
    assert len(job.lines) == MAX_TAKEN
    rest = run(*ON_PALLET, c.TakePallet(), c.ScanUnit(PALLET, PALLET, READING), c.TakePallet(), context=context)
    assert [line.confirmed for line in rest.lines] == [True] * (MAX_TAKEN + 2)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"identity_policy": "required"}, "identity_required"),
        ({"weight_policy": "required"}, "weight_required"),
        ({"tracking": "lot"}, "pallet_lacks"),
        ({"tracking": "serial"}, "pallet_lacks"),
        ({"expiry": "required"}, "pallet_lacks"),
    ],
)
def test_a_pallet_that_has_to_be_looked_at_is_not_taken(changes: dict[str, str], code: str) -> None:
    rice = CONTEXT.masters.product(RICE)
    assert rice is not None
    context = with_rows(**{f"product__{RICE}": rice.model_copy(update=changes)})
    assert refusal(run(*ON_PALLET, context=context), c.TakePallet(), context) == code


def test_goods_lie_on_the_pallet_that_was_scanned_last() -> None:
    mixed = (
        *OPENED,
        c.ScanUnit(LOOSE_PALLET, LOOSE_PALLET, READING),
        scan(BOLT, "a"),
        c.GiveCount(Decimal(1)),
        c.ConfirmLine(),
        scan(BOLT, "b"),
        c.GiveCount(Decimal(1)),
        c.ConfirmLine(),
    )
    job = run(*mixed)
    assert [line.item.unit and line.item.unit.value for line in job.lines] == [LOOSE_PALLET, LOOSE_PALLET]
    # The word outlives what comes between, and a code that waits for its product.
    between = (c.LeavePallet(), c.GiveArrival(typed("SL-1", "from_paper"), "seal"), c.AskArrival("seal"), c.Drop())
    unknown = c.ScanUnknown("gtin", UNKNOWN_GTIN, UNKNOWN_GTIN, READING)
    job = run(*mixed, *between, unknown, c.NameProduct(BOLT, "new_label"))
    assert job.lines[-1].item.unit is None


def test_an_unknown_code_is_learned_with_its_line() -> None:
    decision = decide(
        run(*OPENED, c.ScanUnknown("own", "X-1", "X-1", READING)), c.NameProduct(BOLT, "new_pack", Decimal(12)), CONTEXT
    )
    learn, item = decision.steps
    assert isinstance(learn, Learn)
    assert isinstance(item, Item)
    assert (learn.code, learn.product, learn.pack, learn.reading) == ("X-1", BOLT, "12", READING)
    assert (item.identity, item.pack) == (device("X-1"), "12")
    job = run(*OPENED, c.ScanUnknown("own", "X-1", "X-1", READING), c.NameProduct(BOLT, "new_pack", Decimal(12)))
    assert codes(job, 1) >= {"code_learned"}
    assert step_on(job, c.GiveCount(Decimal(3), packs=True)).lines[0].amount == typed("36", "counted", "{pcs}")


def test_a_learned_code_waits_for_the_lot_of_its_product() -> None:
    job = run(*OPENED, c.ScanUnknown("own", "X-1", "X-1", READING), c.NameProduct(OIL, "new_label"))
    assert awaits(job, CONTEXT.masters) is Awaits.LOT
    assert [step.code for step in job.learned] == ["X-1"]


def test_a_code_of_several_products_is_asked_about_and_not_learned() -> None:
    unknown = c.ScanUnknown("own", "TWO", "TWO", READING, choices=(BOLT, CRATE))
    job = run(*OPENED, unknown, c.NameProduct(CRATE))
    assert (job.lines[0].item.product, job.learned) == (CRATE, ())
    assert refusal(run(*OPENED, unknown), c.NameProduct(RICE)) == "not_a_choice"
    assert "code_ambiguous" in codes(job, 1)


def test_serials_are_counted_and_never_twice() -> None:
    job = run(*DRILLS)
    assert [one.value for one in job.lines[0].serials] == ["SN-1"]
    assert refusal(job, c.GiveSerial(device("SN-1"))) == "serial_twice"
    job = run(*DRILLS, c.GiveSerial(device("SN-2")), c.GiveSerial(typed("SN-3", "unreadable")), c.TakeBackSerial("SN-2"))
    job = step_on(job, c.SerialsDone())
    amount = job.lines[0].amount
    assert amount is not None
    assert (amount.value, amount.mode, amount.formula) == ("2", "derived", "serials")
    again = c.ScanItem(DRILL, "label", READING, serial="SN-3")
    assert refusal(step_on(job, c.ConfirmLine("checked_again")), again) == "serial_twice"
    assert refusal(run(*DRILLS, c.TakeBackSerial()), c.SerialsDone()) == "no_serials"
    assert refusal(run(*DRILLS), c.TakeBackSerial("SN-9")) == "no_such_serial"


def test_a_line_has_a_limit_of_serials() -> None:
    job = run(*DRILLS)
    for number in range(MAX_SERIALS - 1):
        job = apply(job, Serial(line=1, serial=device(f"S{number}")), NOW)
    assert refusal(job, c.GiveSerial(device("ONE-MORE"))) == "too_many_serials"


def test_a_serial_that_is_in_stock_is_found() -> None:
    job = run(*OPENED, c.ScanItem(DRILL, "label", READING, serial="SN-77"), c.SerialsDone())
    assert "serial_in_stock" in codes(job, 1)


@pytest.mark.parametrize(
    ("gross", "tare", "net"),
    [
        (("52.5", "kg"), ("22.5", "kg"), ("30.0", "kg")),
        (("52500", "g"), ("22.5", "kg"), ("30000", "g")),
        # 22.5 kg have no finite form in pounds: the net weight is said in kilograms, in which pounds have one.
        (("100", "[lb_av]"), ("22.5", "kg"), ("22.859237", "kg")),
    ],
)
def test_net_is_gross_less_tare_to_the_digit(gross: tuple[str, str], tare: tuple[str, str], net: tuple[str, str]) -> None:
    job = run(*RICE_LINE, c.AskTare(), c.GiveTare(device(*tare)), c.GiveWeight(device(*gross)))
    amount = job.lines[0].measured
    assert amount is not None
    assert amount.gross == device(*gross)
    assert amount.tare == device(*tare)
    assert (amount.quantity.value, amount.quantity.unit, amount.quantity.formula) == (*net, "gross - tare")
    assert not codes(job, 1) & {"net_differs", "tare_missing", "net_negative"}


def test_a_tare_is_known_weighed_or_typed() -> None:
    parts = (*RICE_LINE, c.AskTare())
    known = run(*parts, c.GiveTare(packaging="EUR"), c.GiveWeight(device("30", "kg"))).lines[0].measured
    assert known is not None
    assert (known.packaging, known.tare) == ("EUR", typed("22.5", "packaging", "kg"))
    guess = run(*parts, c.GiveTare(typed("20", "scale_down", "kg")), c.GiveWeight(device("30", "kg")))
    assert "tare_missing" in codes(guess, 1)
    assert refusal(run(*parts), c.GiveTare(packaging="XXL")) == "unknown_packaging"
    assert refusal(run(*parts), c.GiveTare(typed("20", "whim", "kg"))) == "unknown_reason"
    assert refusal(run(*parts), c.GiveTare(device("20", "mm"))) == "wrong_unit"
    assert refusal(run(*parts, c.GiveTare(packaging="EUR")), c.GiveWeight(device("22.5", "kg"))) == "net_negative"


def test_catch_weight_holds_count_and_weight() -> None:
    job = run(*RICE_LINE, c.GivePieces(Decimal(4)), c.GiveWeight(device("12", "kg")))
    assert job.lines[0].measured == Amount(line=1, quantity=device("12", "kg"), pieces=typed("4", "counted", "{pcs}"))
    bolt = CONTEXT.masters.product(BOLT)
    assert bolt is not None
    context = with_rows(
        **{
            f"product__{BOLT}": bolt.model_copy(
                update={"weight_policy": "required", "unit_weight": "0.05", "weight_tolerance": "0.1"}
            )
        }
    )
    job = run(*OPENED, scan(BOLT), c.GiveCount(Decimal(100)), context=context)
    assert awaits(job, context.masters) is Awaits.WEIGHT
    heavy = step_on(job, c.GiveWeight(device("6", "kg")), context)
    assert heavy.lines[0].measured == Amount(line=1, quantity=typed("100", "counted", "{pcs}"), pieces=device("6", "kg"))
    assert "weight_off_count" in codes(heavy, 1, context)
    assert "weight_off_count" not in codes(step_on(job, c.GiveWeight(device("5.5", "kg")), context), 1, context)


def test_damage_is_said_seen_and_taken_back() -> None:
    job = run(*RICE_LINE, c.GiveWeight(device("5", "kg")), c.SetCondition("damaged", "wet"))
    assert codes(job, 1) >= {"damaged", "photo_missing"}
    job = step_on(job, c.AddPhoto("a" * 64, "damage"))
    assert "photo_missing" not in codes(job, 1)
    # The damage has its reason: confirming asks for no other.
    assert decide(job, c.ConfirmLine(), CONTEXT).kept is None
    assert not codes(step_on(job, c.SetCondition("good", "")), 1) & {"damaged"}
    assert refusal(run(*RICE_LINE, c.GiveWeight(device("5", "kg"))), c.SetCondition("good", "")) == "not_damaged"
    assert refusal(job, c.SetCondition("damaged", "whim")) == "unknown_reason"


OVER = (*RICE_LINE, c.GiveWeight(device("30", "kg")))
ASKED = (*OVER, c.AskApproval("over_tolerance", 1))


def test_a_supervisor_decides_instead_of_a_reason() -> None:
    job = run(*ASKED, c.ApproveCheck("ruth", "accept", "supplier_agreed"))
    assert job.approved[0].step == Approve(check="over_tolerance", line=1, decision="accept", reason="supplier_agreed")
    assert job.approved[0].by == "ruth"
    assert decide(job, c.ConfirmLine(), CONTEXT).kept is None
    assert refusal(job, c.AskApproval("over_tolerance", 1)) == "not_to_decide"


def test_what_a_supervisor_refuses_cannot_be_kept() -> None:
    job = run(*ASKED, c.ApproveCheck("ruth", "refuse", "not_acceptable"))
    assert refusal(job, c.ConfirmLine("checked_again")) == "stopped"
    assert step_on(job, c.DiscardLine("wrong_amount")).lines[0].discarded == "wrong_amount"


def test_a_badge_is_named_only_by_its_own_supervisor() -> None:
    shown = (*ASKED, c.ShowBadge("ruth", READING))
    assert run(*shown, c.ApproveCheck("ruth", "accept", "set_apart")).approved[0].step.method == "badge_and_pin"
    assert refusal(run(*ASKED), c.ShowBadge("dana", READING)) == "not_a_supervisor"
    assert refusal(run(*ASKED), c.ApproveCheck("dana", "accept", "set_apart")) == "not_a_supervisor"


def test_who_counted_decides_only_where_the_house_allows_it() -> None:
    line = after(*RICE_LINE)
    counted = apply(line, Amount(line=1, quantity=device("30", "kg")), NOW, by="ruth")
    job = step_on(counted, c.AskApproval("over_tolerance", 1))
    word = c.ApproveCheck("ruth", "accept", "set_apart")
    assert refusal(job, word) == "approver_is_counter"
    context = with_rows(check__approver_is_counter=CheckSetting(check="approver_is_counter", severity="info"))
    assert decide(job, word, context).by == "ruth"


def test_what_stops_cannot_be_kept_whatever_the_reason() -> None:
    job = run(*OPENED, scan(OIL, lot="L-OLD"), c.GiveWeight(device("5", "kg")))
    assert "lot_expiry_differs" in codes(job, 1)
    assert refusal(job, c.ConfirmLine("checked_again")) == "stopped"
    assert refusal(job, c.AskApproval("lot_expiry_differs", 1)) == "not_to_decide"


def test_a_house_can_soften_and_sharpen_a_check() -> None:
    soft = with_rows(check__over=CheckSetting(check="over_tolerance", product=RICE, severity="info"))
    assert decide(run(*OVER), c.ConfirmLine(), soft).kept is None
    sharp = with_rows(check__over=CheckSetting(check="over_tolerance", severity="stop"))
    assert refusal(run(*OVER), c.ConfirmLine("checked_again"), sharp) == "stopped"


def test_the_rest_of_an_order_is_awaited_or_given_up() -> None:
    done = (*RICE_LINE, c.GiveWeight(device("25", "kg")), c.ConfirmLine())
    plain = decide(run(*done), c.FinishJob(), CONTEXT).step
    assert isinstance(plain, Finish)
    assert [(row.order_line, row.policy) for row in plain.remainders] == [
        ("1", "back_order"),
        ("3", "back_order"),
        ("4", "back_order"),
    ]
    asked = run(
        *done, c.AskRemainder(), c.SetRemainder("1", "supplier_cannot"), c.SetRemainder("3", "not_needed"), c.SetRemainder("3")
    )
    shut = decide(asked, c.FinishJob(), CONTEXT).step
    assert isinstance(shut, Finish)
    assert [(row.policy, row.reason) for row in shut.remainders] == [
        ("close_short", "supplier_cannot"),
        ("back_order", None),
        ("back_order", None),
    ]
    assert refusal(asked, c.SetRemainder("2", "not_needed")) == "no_such_line"
    assert refusal(asked, c.SetRemainder("1", "whim")) == "unknown_reason"


@pytest.mark.parametrize(
    ("what", "value", "code"),
    [
        ("temperature", typed("-300", "on_paper", "Cel"), "unknown_reason"),
        ("temperature", typed("-300", "from_paper", "Cel"), "not_a_temperature"),
        ("temperature", typed("5", "from_paper", "kg"), "not_a_temperature"),
        ("temperature", typed("warm", "from_paper", "Cel"), "not_an_amount"),
        ("weighbridge", typed("0", "from_paper", "kg"), "not_positive"),
        ("arrived_at", typed("yesterday", "from_paper"), "not_a_date"),
        ("seal", typed(" ", "from_paper"), "bad_text"),
    ],
)
def test_what_came_with_the_delivery_has_a_form(what: str, value: object, code: str) -> None:
    assert refusal(run(*OPENED), c.GiveArrival(value, what)) == code  # type: ignore[arg-type]


def test_arrival_data_add_up() -> None:
    job = run(*OPENED, c.GiveArrival(typed("a", "from_paper"), "seal"), c.GiveArrival(typed("b", "from_paper"), "seal"))
    job = step_on(job, c.GiveArrival(typed("-4.5", "from_display", "Cel"), "temperature"))
    assert job.arrival is not None
    assert (job.arrival.seal, job.arrival.temperature) == (typed("b", "from_paper"), typed("-4.5", "from_display", "Cel"))


def test_facts_say_what_the_mirror_knows() -> None:
    context = replace(
        with_rows(
            **{
                f"unit__{LOOSE_PALLET}": Unit(sscc=LOOSE_PALLET, receipt="another"),
                "location__DOCK": Location(code="DOCK", name="Dock", usage="receiving"),
                "check__expired": CheckSetting(check="expired", severity="stop"),
            }
        ),
        at=datetime(2026, 11, 22, 9, tzinfo=UTC),
    )
    job = run(
        c.ChooseOrder(ORDER),
        c.GiveDocument(device("DN-OLD")),
        c.ScanUnit(LOOSE_PALLET, LOOSE_PALLET, READING),
        scan(OIL, "0107290001234565", lot="L-OLD"),
        c.GiveWeight(device("5", "kg")),
        context=context,
    )
    facts = facts_of(job, context)
    line = facts.lines[0]
    assert (facts.document_received, facts.order_state, facts.now) == ("GR-2026-0003", "confirmed", context.at)
    assert facts.severities == {("expired", None): Severity.STOP}
    assert (line.sscc, line.sscc_received, line.code_means) == (LOOSE_PALLET, "another", frozenset({OIL}))
    assert line.lot_known == LotFact(datetime(2027, 1, 31, tzinfo=UTC).date(), "released")
    assert (line.quantity, line.weight and line.weight.flags) == (Quantity(Decimal(5), "kg"), {"stable"})


def test_a_codes_other_meanings_and_anothers_code_are_told_apart() -> None:
    context = with_rows(**{"code__own:label": Code(scheme="own", code="label", product=RICE)})
    job = run(*OPENED, c.ScanItem(BOLT, "label", READING), c.GiveCount(Decimal(1)), context=context)
    assert "code_of_other_product" in codes(job, 1, context)


def test_a_journal_of_the_version_before_still_folds() -> None:
    """Its steps know neither notices nor remainders, and its amounts nothing but the quantity."""
    data: list[tuple[str, dict[str, object]]] = [
        ("open", {"order": ORDER, "order_rev": 7, "supplier": "S-1", "no_document_reason": "not_supplied"}),
        (
            "item",
            {"line": 1, "product": RICE, "product_rev": 7, "identity": {"value": "x", "mode": "device", "reading": READING}},
        ),
        ("amount", {"line": 1, "quantity": {"value": "5", "unit": "kg", "mode": "device", "reading": READING}}),
        ("confirm", {"line": 1, "kept_because": "checked_again", "checks": [{"code": "unexpected_item"}]}),
        ("finish", {"lines": [1]}),
    ]
    entries = [
        StepEntry(
            boot_id="b",
            mono_ns=1,
            wall_ns=1,
            clk=Clk(s="none"),
            job="j",
            job_kind=RECEIVE,
            n=n,
            step=step,
            station="s",
            by="dana",
            data={**payload, "cmd": f"c{n}"},
        )
        for n, (step, payload) in enumerate(data)
    ]
    job = fold(ReceiveJob("j"), entries)
    assert (job.closed, job.lines[0].kept, job.lines[0].counted_by, len(job.commands)) == (True, "checked_again", "dana", 5)
