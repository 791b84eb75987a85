"""Folding steps: what fits, what does not, and that a refused step changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import StepFault
from cloud.receiving.amounts import exact, vouches
from cloud.receiving.fold import Draft, Stage, Step, apply, begin, fold
from cloud.receiving.models import LineStanding
from sync_protocol.entries import Clk, ReadingEntry, StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId
from sync_protocol.quantity import Quantity
from sync_protocol.steps import Abandon, Amount, Confirm, Discard, FieldValue, Finish, Item, Open, name_of

RUN = RunId("ab" * 16)
STAMP = {"boot_id": "b", "mono_ns": 1, "wall_ns": 2, "clk": Clk(s="none")}


def typed(value: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason="r")


def step(n: int, payload) -> Step:
    data = payload.model_dump(mode="json", exclude_none=True)
    entry = StepEntry(**STAMP, job="j", job_kind="receive", n=n, step=name_of(payload), station="s", by="dana", data=data)
    return Step(entry, EntryId(RUN, n))


OPEN = Open(order="PO-1")
ITEM = Item(line=1, product="A", product_rev=1, identity=typed("A"))
AMOUNT = Amount(line=1, quantity=typed("5", "kg"))
CONFIRM = Confirm(line=1)


def folded(*payloads) -> Draft:
    draft = fold(step(n, payload) for n, payload in enumerate(payloads))
    assert draft is not None
    return draft


def test_no_steps_are_no_receipt() -> None:
    assert fold([]) is None


def test_whole_receipt() -> None:
    draft = folded(OPEN, ITEM, AMOUNT, CONFIRM, Finish(lines=[1]))
    assert (draft.stage, draft.lines[0].standing, draft.lines[0].amount) == (
        Stage.FINISHED,
        LineStanding.CONFIRMED,
        Quantity.parse("5 kg"),
    )
    assert draft.next_n == 5


@pytest.mark.parametrize(
    ("before", "payload", "code"),
    [
        ([], ITEM, "no_such_job"),
        ([OPEN], OPEN, "step_does_not_fit"),
        ([OPEN], AMOUNT, "no_such_line"),
        ([OPEN], CONFIRM, "no_such_line"),
        ([OPEN], Discard(line=1, reason="r"), "no_such_line"),
        ([OPEN], Finish(lines=[1]), "lines_differ"),
        ([OPEN, ITEM], CONFIRM, "line_without_amount"),
        ([OPEN, ITEM], Amount(line=1, quantity=typed("x")), "bad_amount"),
        ([OPEN, ITEM], Amount(line=1, quantity=typed("1", "stone")), "bad_amount"),
        ([OPEN, ITEM, AMOUNT, CONFIRM], AMOUNT, "no_such_line"),
        ([OPEN, ITEM, AMOUNT, CONFIRM], ITEM, "line_again"),
        ([OPEN, ITEM, AMOUNT, CONFIRM], Finish(lines=[]), "lines_differ"),
        ([OPEN, ITEM, AMOUNT, CONFIRM, Finish(lines=[1])], Discard(line=1, reason="r"), "step_does_not_fit"),
        ([OPEN, Abandon(reason="r")], ITEM, "step_does_not_fit"),
        ([OPEN, ITEM, Discard(line=1, reason="r")], Discard(line=1, reason="r"), "no_such_line"),
    ],
)
def test_step_that_does_not_fit(before, payload, code: str) -> None:
    with pytest.raises(StepFault) as caught:
        folded(*before, payload)
    assert caught.value.code == code


SECOND = ITEM.model_copy(update={"line": 2})
_PAYLOADS = st.sampled_from(
    [
        *(OPEN, ITEM, AMOUNT, CONFIRM, Discard(line=1, reason="r"), Finish(lines=[1]), Finish(lines=[]), Abandon(reason="r")),
        *(SECOND, Amount(line=2, quantity=typed("3", "g")), Confirm(line=2)),
    ]
)


@given(st.lists(_PAYLOADS, max_size=20))
def test_confirmed_lines_always_have_an_amount_and_closed_receipts_never_change(payloads) -> None:
    draft = begin(step(0, OPEN))
    for n, payload in enumerate(payloads, 1):
        before = draft
        try:
            draft = apply(draft, step(n, payload))
        except StepFault:
            assert draft is before
        else:
            assert before.stage is Stage.OPEN
        assert all(line.amount is not None for line in draft.lines if line.standing is LineStanding.CONFIRMED)
        assert [line.number for line in draft.lines] == sorted({line.number for line in draft.lines})


def reading(**fields) -> ReadingEntry:
    given = {"device": "d", "driver": "x", "kind": "code", "raw": ""}
    return ReadingEntry(**STAMP, **(given | fields))


@pytest.mark.parametrize(
    ("entry", "field", "value", "unit", "says"),
    [
        ({"kind": "mass", "value": "12.340", "unit": "kg"}, "quantity", "12.340", "kg", True),
        ({"kind": "mass", "value": "12.340", "unit": "kg"}, "quantity", "12340", "g", True),
        ({"kind": "mass", "value": "12.340", "unit": "kg"}, "quantity", "12.3400", "kg", True),
        ({"kind": "mass", "value": "12.340", "unit": "kg"}, "quantity", "12.341", "kg", False),
        ({"kind": "mass", "value": "12.340", "unit": "kg"}, "quantity", "12.340", None, False),
        ({"kind": "mass", "value": "12.340", "unit": "kg"}, "quantity", "12.340", "g", False),
        ({"kind": "mass", "value": "12.340", "unit": "kg", "op": "<"}, "quantity", "12.340", "kg", False),
        ({"kind": "mass", "value": None}, "quantity", "0", "kg", False),
        ({"kind": "mass", "value": "1", "unit": "kg"}, "lot", "1", None, False),
        ({"value": "12.340"}, "quantity", "12.340", "kg", False),
        ({"value": "0107"}, "identity", "0107", None, True),
        ({"value": "0107", "details": {"gtin": "07"}}, "identity", "07", None, True),
        ({"value": "0107", "details": {"gtin": "07"}}, "lot", "07", None, False),
        ({"value": "x", "details": {"ai.10": "L"}}, "lot", "L", None, True),
        ({"value": "L"}, "lot", "L", None, True),
        ({"value": "x", "details": {"expiry": "2027-01-01"}}, "expiry", "2027-01-01", None, True),
        ({"value": "2027-01-01"}, "expiry", "2027-01-01", None, False),
        ({"value": "PO:PO-1"}, "order", "PO-1", None, True),
        ({"value": "TB-ORDER:PO-1"}, "order", "PO-1", None, True),
        ({"value": "x", "details": {"ai.400": "PO-1"}}, "order", "PO-1", None, True),
        ({"value": "PO-2"}, "order", "PO-1", None, False),
        ({"value": "DN"}, "document", "DN", None, True),
        ({"value": "DN"}, "color", "DN", None, False),
    ],
)
def test_what_a_reading_vouches_for(entry, field: str, value: str, unit: str | None, says: bool) -> None:
    assert vouches(reading(**entry), field, value, unit) is says


def test_amounts_are_compared_exactly() -> None:
    assert exact(Quantity.parse("100.002 kg"), "g") > 100_001
    with pytest.raises(TextFault):
        exact(Quantity.parse("1 kg"), "{pcs}")
