"""Each check of a receipt on both sides of its limit, from nothing but plain facts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.identifiers import check_digit
from sync_protocol.masters import Location, Notice, NoticeLine, Order, OrderLine, Product
from sync_protocol.quantity import Quantity
from sync_protocol.receiving.checks import approver_finding, bucket_finding, findings
from sync_protocol.receiving.facts import LineFacts, LotFact, ReadingFact, ReceiptFacts
from sync_protocol.receiving.settings import ALWAYS, CHECKS, NUMBERS, Severity

TODAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SSCC = "34012345000000000"
SSCC += check_digit(SSCC)


def q(text: str) -> Quantity:
    return Quantity.parse(text)


def product(**changed: Any) -> Product:
    return Product(**({"sku": "A", "name": "A", "unit": "kg"} | changed))


def order_line(**changed: Any) -> OrderLine:
    return OrderLine(**({"line": "1", "product": "A", "quantity": "100", "unit": "kg"} | changed))


def notice_line(**changed: Any) -> NoticeLine:
    return NoticeLine(**({"line": "1", "product": "A", "quantity": "100", "unit": "kg"} | changed))


def line(number: int = 1, **changed: Any) -> LineFacts:
    plain: dict[str, Any] = {"sku": "A", "product": product(), "order_line": order_line(), "quantity": q("100 kg")}
    return LineFacts(number=number, **(plain | changed))


def notice(**changed: Any) -> Notice:
    return Notice(**({"ref": "NT-1", "supplier": "S", "lines": []} | changed))


def receipt(*lines: LineFacts, **changed: Any) -> ReceiptFacts:
    plain: dict[str, Any] = {
        "arrival": TODAY,
        "now": NOON,
        "order_given": "PO-1",
        "order": Order(ref="PO-1", supplier="S", lines=[]),
        "order_state": "confirmed",
        "supplier": "S",
        "document": "DN-1",
    }
    return ReceiptFacts(lines=lines or (line(),), **(plain | changed))


def codes(facts: ReceiptFacts) -> list[str]:
    return [each.check for each in findings(facts)]


def of(**changed: Any) -> ReceiptFacts:
    """A receipt of one line that differs so."""
    return receipt(line(**changed))


def counted(quantity: str = "3 {pcs}", **changed: Any) -> LineFacts:
    plain: dict[str, Any] = {
        "product": product(unit="{pcs}", tracking="serial"),
        "order_line": order_line(unit="{pcs}", quantity="3"),
        "quantity": q(quantity),
    }
    return line(**(plain | changed))


def weighed(flags: str = "stable", **changed: Any) -> LineFacts:
    return line(quantity_mode="device", weight=ReadingFact(kind="mass", flags=frozenset(flags.split()), **changed))


def test_what_is_right_has_no_finding() -> None:
    assert codes(receipt()) == []


COLD = {"temp_min": "2", "temp_max": "8"}
SEALED = notice(container="CSQU3054383", seals=["AB 12"])
IN_BOX = {"container": "CSQU 305438-3", "notice_given": "NT-1", "notice_state": "announced"}
ON_NOTICE = {"order_line": None, "notice_line": notice_line()}
BY_NOTICE = {"order_given": None, "order": None, "order_state": None, "notice_given": "NT-1"}

CASES: dict[str, tuple[ReceiptFacts, list[str]]] = {
    # Of the steps themselves.
    "no line": (replace(receipt(), lines=()), ["no_lines"]),
    "a line left open": (receipt(left_open=(2,)), ["line_left_open"]),
    "strange station": (receipt(station="x", station_known=False), ["station_unknown"]),
    "strange operator": (receipt(operator="x", operator_known=False), ["operator_unknown"]),
    "no delivery note": (receipt(document=None), ["document_missing"]),
    "no delivery note with a reason": (receipt(document=None, no_document_reason="comes_later"), []),
    "kept against a check": (of(kept_reason="checked_again"), ["kept_by_operator"]),
    # 1
    "blind": (replace(receipt(), order_given=None, order=None, order_state=None), ["order_missing"]),
    "by notice alone": (receipt(line(**ON_NOTICE), **BY_NOTICE, notice=notice(), notice_state="arrived"), []),
    "unknown order": (receipt(order=None, order_state=None), ["order_unknown"]),
    "order on hold": (receipt(order_state="on_hold"), ["order_not_confirmed"]),
    "other supplier": (receipt(supplier="T"), ["supplier_differs"]),
    "notice of another supplier": (
        receipt(line(notice_line=notice_line()), notice_given="NT-1", notice=notice(supplier="T")),
        ["supplier_differs"],
    ),
    "other currency": (
        receipt(
            line(notice_line=notice_line()),
            order=Order(ref="PO-1", supplier="S", lines=[], currency="ILS"),
            notice_given="NT-1",
            notice=notice(currency="EUR"),
        ),
        ["currency_differs"],
    ),
    "same currency": (
        receipt(
            line(notice_line=notice_line()),
            order=Order(ref="PO-1", supplier="S", lines=[], currency="ILS"),
            notice_given="NT-1",
            notice=notice(currency="ILS"),
        ),
        [],
    ),
    "unknown notice": (receipt(notice_given="NT-9"), ["notice_unknown"]),
    "notice done": (
        receipt(line(notice_line=notice_line()), notice_given="NT-1", notice=notice(), notice_state="received"),
        ["notice_not_open"],
    ),
    # 2
    "unknown product": (of(product=None), ["product_unknown"]),
    "not ordered": (of(order_line=None), ["product_not_on_order"]),
    "another product's line": (of(order_line=order_line(product="B")), ["product_not_on_order"]),
    "not announced": (receipt(notice_given="NT-1", notice=notice()), ["product_not_on_notice"]),
    # 3
    "known code": (of(code="c", code_means=frozenset({"A"})), []),
    "unknown code": (of(code="c"), ["code_unknown"]),
    "learned code": (of(code="c", learned=True), ["code_learned"]),
    "another product's code": (of(code="c", code_means=frozenset({"B"}), learned=True), ["code_of_other_product"]),
    "code of two": (of(code="c", code_means=frozenset({"A", "B"})), ["code_ambiguous"]),
    # 4
    "grams of kilograms": (of(quantity=q("100000 g")), []),
    "pieces of kilograms": (of(quantity=q("100 {pcs}"), order_line=None), ["product_not_on_order", "unit_differs"]),
    "ordered in pieces": (of(order_line=order_line(unit="{pcs}", quantity="0")), ["unit_differs"]),
    # 5: exact, over all deliveries, with what was agreed.
    "100 of 100": (of(quantity=q("100.000 kg")), []),
    "100.002 of 100": (of(quantity=q("100.002 kg")), ["over_tolerance"]),
    "a millionth over": (of(quantity=q("100.000001 kg")), ["over_tolerance"]),
    "tolerance exactly met": (of(product=product(over_tolerance="0.05"), quantity=q("105 kg")), []),
    "tolerance left": (of(product=product(over_tolerance="0.05"), quantity=q("105.0001 kg")), ["over_tolerance"]),
    "the line's own tolerance": (
        of(product=product(over_tolerance="0.05"), order_line=order_line(over_tolerance="0"), quantity=q("100.1 kg")),
        ["over_tolerance"],
    ),
    "the last of several deliveries": (of(order_line=order_line(received="99.5"), quantity=q("0.5 kg")), []),
    "one too many deliveries": (of(order_line=order_line(received="100"), quantity=q("0.001 kg")), ["over_tolerance"]),
    "two lines together": (receipt(line(1, quantity=q("60 kg")), line(2, quantity=q("40.001 kg"))), ["over_tolerance"]),
    "pounds of a kilogram, by a hair": (
        of(order_line=order_line(quantity="0.45359237"), quantity=q("1.00000001 [lb_av]")),
        ["over_tolerance"],
    ),
    "pounds of a kilogram": (of(order_line=order_line(quantity="0.45359237"), quantity=q("1 [lb_av]")), []),
    "a line that was closed": (of(order_line=order_line(received="40", closed=True), quantity=q("1 kg")), ["over_tolerance"]),
    # 6
    "too little": (of(quantity=q("99.999 kg")), ["under_tolerance"]),
    "too little within tolerance": (of(product=product(under_tolerance="0.02"), quantity=q("98 kg")), []),
    "too little beyond tolerance": (of(product=product(under_tolerance="0.02"), quantity=q("97.9 kg")), ["under_tolerance"]),
    # 8
    "a number each": (receipt(counted(serials=("1", "2", "3"))), []),
    "one number missing": (receipt(counted(serials=("1", "2"))), ["serial_count"]),
    "one number too many": (receipt(counted(serials=("1", "2", "3", "4"))), ["serial_count"]),
    "a number twice": (receipt(counted(serials=("1", "2", "2"))), ["serial_twice"]),
    "a number on two lines": (
        receipt(counted("1 {pcs}", number=1, serials=("1",)), counted("2 {pcs}", number=2, serials=("1", "2"))),
        ["serial_twice"],
    ),
    "a number in stock": (receipt(counted(serials=("1", "2", "3"), serials_in_stock=frozenset({"3"}))), ["serial_in_stock"]),
    "announced numbers": (
        receipt(
            counted(serials=("1", "2", "3"), notice_line=notice_line(unit="{pcs}", serials=["1", "2", "3", "4"])),
        ),
        [],
    ),
    "a number nobody announced": (
        receipt(counted(serials=("1", "2", "9"), notice_line=notice_line(unit="{pcs}", serials=["1", "2", "3"]))),
        ["serial_not_announced"],
    ),
    "two numbers that share a weight": (of(product=product(tracking="serial"), serials=("1", "2")), ["serial_count"]),
    # 9, 10, 11
    "no lot": (of(product=product(tracking="lot")), ["lot_missing"]),
    "the lot's own date": (of(lot="L", expiry=TODAY, lot_known=LotFact(TODAY, "released")), []),
    "another date": (
        of(lot="L", expiry=TODAY + timedelta(1), lot_known=LotFact(TODAY, "released")),
        ["lot_expiry_differs"],
    ),
    "one lot, two dates": (
        receipt(
            line(1, lot="L", expiry=TODAY, quantity=q("50 kg")), line(2, lot="L", expiry=date(2027, 1, 1), quantity=q("50 kg"))
        ),
        ["lot_expiry_differs"],
    ),
    "no date": (of(product=product(expiry="required")), ["expiry_missing"]),
    "the lot has the date": (
        of(product=product(expiry="required"), lot="L", lot_known=LotFact(date(2027, 1, 1), "released")),
        [],
    ),
    "expires today": (of(expiry=TODAY), []),
    "expired yesterday": (of(expiry=TODAY - timedelta(1)), ["expired"]),
    "long enough": (of(product=product(min_life_days=10), expiry=TODAY + timedelta(10)), []),
    "not long enough": (of(product=product(min_life_days=10), expiry=TODAY + timedelta(9)), ["life_too_short"]),
    "a lot that waits": (of(lot="L", lot_known=LotFact(None, "pending")), []),
    "a recalled lot": (of(lot="L", lot_known=LotFact(None, "recalled")), ["lot_blocked"]),
    # 12
    "gross less tare": (of(gross=q("120 kg"), tare=q("20000 g"), tare_known=True), []),
    "no tare": (of(gross=q("100 kg")), ["tare_missing"]),
    "a typed tare": (of(gross=q("120 kg"), tare=q("20 kg")), ["tare_missing"]),
    "less than nothing": (
        of(gross=q("20 kg"), tare=q("20.001 kg"), tare_known=True, quantity=q("-0.001 kg")),
        ["net_negative", "net_negative", "under_tolerance"],
    ),
    "exactly nothing": (
        of(gross=q("20 kg"), tare=q("20 kg"), tare_known=True, quantity=q("0 kg")),
        ["under_tolerance"],
    ),
    "another net": (of(gross=q("120 kg"), tare=q("19.999 kg"), tare_known=True), ["net_differs"]),
    # 13
    "share exactly met": (of(product=product(weight_tolerance="0.25"), notice_line=notice_line(weight="80")), []),
    "share left by a gram": (
        of(product=product(weight_tolerance="0.25"), notice_line=notice_line(weight="79.999")),
        ["weight_off_notice"],
    ),
    "within the share": (of(product=product(weight_tolerance="0.01"), notice_line=notice_line(weight="100.9")), []),
    "lighter than announced": (
        of(product=product(weight_tolerance="0.01"), notice_line=notice_line(weight="102")),
        ["weight_off_notice"],
    ),
    "nobody compares": (of(notice_line=notice_line(weight="102")), []),
    "as heavy as counted": (
        receipt(
            counted(product=product(unit="{pcs}", unit_weight="2", weight_tolerance="0.1"), pieces=q("6.6 kg")),
        ),
        [],
    ),
    "heavier than counted": (
        receipt(
            counted(product=product(unit="{pcs}", unit_weight="2", weight_tolerance="0.1"), pieces=q("6.601 kg")),
        ),
        ["weight_off_count"],
    ),
    # 14
    "typed, where it must be scanned": (of(product=product(identity_policy="required")), ["identity_not_measured"]),
    "scanned": (of(product=product(identity_policy="required"), identity_mode="device"), []),
    "typed, where it must be weighed": (of(product=product(weight_policy="required")), ["weight_not_measured"]),
    "typed against the scale": (
        of(product=product(weight_policy="required"), quantity_mode="override"),
        ["weight_not_measured"],
    ),
    "net of a weighed gross": (
        of(
            product=product(weight_policy="required"),
            quantity_mode="derived",
            gross=q("120 kg"),
            tare=q("20 kg"),
            tare_known=True,
            weight=ReadingFact("mass", frozenset({"stable"})),
        ),
        [],
    ),
    "at rest": (receipt(weighed()), []),
    "in motion": (receipt(weighed("motion")), ["weight_not_stable"]),
    "overloaded": (receipt(weighed("stable overload")), ["weight_not_stable"]),
    "nobody says it rests": (receipt(weighed("net")), ["weight_not_stable"]),
    "ten minutes old": (receipt(weighed(age_s=600.0)), []),
    "older": (receipt(weighed(age_s=600.5)), ["weight_old"]),
    "calibrated": (receipt(weighed(calibrated=True)), []),
    "not calibrated that day": (receipt(weighed(calibrated=False)), ["scale_out_of_calibration"]),
    "the scale says so": (receipt(weighed("stable out_of_calibration")), ["scale_out_of_calibration"]),
    "stands for another line": (receipt(weighed(used_by="GR-1")), ["reading_used_twice"]),
    # 15
    "the announced container and seal": (receipt(line(notice_line=notice_line()), notice=SEALED, seal="ab12", **IN_BOX), []),
    "wrong check digit": (receipt(container="CSQU3054384"), ["container_check_digit"]),
    "another container": (
        receipt(line(notice_line=notice_line()), notice=notice(container="MSKU0134110"), **IN_BOX),
        ["container_differs"],
    ),
    "another seal": (receipt(line(notice_line=notice_line()), notice=SEALED, seal="ab13", **IN_BOX), ["seal_differs"]),
    "no seal on a sealed container": (receipt(line(notice_line=notice_line()), notice=SEALED, **IN_BOX), ["seal_differs"]),
    # 16
    "nobody measured": (of(product=product(**COLD)), ["temperature_missing"]),
    "just cold enough": (receipt(line(product=product(**COLD)), temperature=q("8.0 Cel")), []),
    "too warm": (receipt(line(product=product(**COLD)), temperature=q("8.1 Cel")), ["temperature_out_of_range"]),
    "too cold": (receipt(line(product=product(**COLD)), temperature=q("1.9 Cel")), ["temperature_out_of_range"]),
    "46.4 Fahrenheit are 8": (receipt(line(product=product(**COLD)), temperature=q("46.4 [degF]")), []),
    "46.5 Fahrenheit are more": (
        receipt(line(product=product(**COLD)), temperature=q("46.5 [degF]")),
        ["temperature_out_of_range"],
    ),
    # 17, 18
    "the note came before": (receipt(document_received="GR-1"), ["document_again"]),
    "a pallet": (of(sscc=SSCC), []),
    "a pallet that came before": (of(sscc=SSCC, sscc_received="GR-1"), ["sscc_again"]),
    "no pallet's number": (of(sscc=SSCC[:17] + str((int(SSCC[17]) + 1) % 10)), ["sscc_check_digit"]),
    # 19
    "arrived now": (receipt(arrived_at=NOON, shipped_at=NOON), []),
    "from the future": (receipt(arrived_at=NOON + timedelta(microseconds=1)), ["arrival_in_future"]),
    "no clock": (receipt(arrived_at=NOON + timedelta(days=9), now=None), []),
    "sent after it came": (receipt(arrived_at=NOON, shipped_at=NOON + timedelta(seconds=1)), ["arrival_before_shipping"]),
    "announced for tomorrow": (
        receipt(line(notice_line=notice_line()), notice_given="NT-1", notice=notice(shipped_at="2026-11-23T00:00:00+00:00")),
        ["arrival_before_shipping"],
    ),
    # 20
    "a dock": (of(location=Location(code="D", name="D", usage="receiving")), []),
    "nowhere": (of(location=Location(code="C", name="C", usage="customer")), ["location_unfit"]),
    "cold goods in the warm": (
        receipt(
            line(
                product=product(**COLD), location=Location(code="D", name="D", usage="receiving", temperature_class="ambient")
            ),
            temperature=q("5 Cel"),
        ),
        ["location_unfit"],
    ),
    "cold goods in the cold": (
        receipt(
            line(product=product(**COLD), location=Location(code="D", name="D", usage="receiving", temp_min="2", temp_max="8")),
            temperature=q("5 Cel"),
        ),
        [],
    ),
    "the owner's place": (of(owner="O", location=Location(code="D", name="D", usage="stock", owner="O")), []),
    "another's place": (
        of(owner="P", location=Location(code="D", name="D", usage="stock", owner="O")),
        ["location_of_other_owner"],
    ),
    # 21
    "damaged, seen": (of(condition="damaged", photos=1), ["damaged"]),
    "damaged, not seen": (of(condition="damaged"), ["damaged", "photo_missing"]),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_check_on_both_sides_of_its_limit(case: tuple[ReceiptFacts, list[str]]) -> None:
    facts, wanted = case
    assert sorted(codes(facts)) == sorted(wanted)


def _tried() -> Iterator[str]:
    for _, wanted in CASES.values():
        yield from wanted


def test_every_check_is_tried() -> None:
    elsewhere = {"steps_contradict", "not_verified", "buckets_differ", "approver_is_counter"}
    assert set(_tried()) | elsewhere == set(CHECKS)


def test_every_number_has_its_checks_and_no_check_two_numbers() -> None:
    numbered = [check for checks in NUMBERS.values() for check in checks]
    assert (sorted(NUMBERS), len(numbered)) == (list(range(1, 23)), len(set(numbered)))
    assert set(numbered) <= set(CHECKS)


def test_buckets_add_up_to_what_was_received() -> None:
    hundred = Decimal(100)
    assert bucket_finding(1, hundred, {"released": Decimal(80), "rejected": Decimal(20)}) is None
    found = bucket_finding(1, hundred, {"released": Decimal(80), "rejected": Decimal("19.999999")})
    assert found is not None
    assert (found.check, found.expected, found.found, found.severity) == ("buckets_differ", "100", "99.999999", Severity.STOP)


@pytest.mark.parametrize(("approver", "apart", "refused"), [("a", True, True), ("a", False, False), ("b", True, False)])
def test_who_counted_does_not_decide_where_that_is_asked(approver: str, apart: bool, refused: bool) -> None:
    assert (approver_finding("expired", approver, frozenset({"a"}), apart=apart) is not None) is refused


def test_the_products_setting_goes_before_the_houses() -> None:
    said = {("over_tolerance", None): Severity.STOP, ("over_tolerance", "A"): Severity.INFO}
    facts = receipt(line(quantity=q("101 kg")), severities=said)
    assert [each.severity for each in findings(facts)] == [Severity.INFO]
    other = replace(facts, severities={("over_tolerance", None): Severity.STOP})
    assert [each.severity for each in findings(other)] == [Severity.STOP]


@pytest.mark.parametrize("check", sorted(ALWAYS))
def test_what_nothing_can_be_posted_of_is_not_softened(check: str) -> None:
    facts = replace(of(product=None), severities={(each, None): Severity.INFO for each in CHECKS})
    assert CHECKS[check] is Severity.STOP
    assert [each.severity for each in findings(facts) if each.check == "product_unknown"] == [Severity.STOP]


@given(st.decimals(min_value=0, max_value=1000, places=6), st.decimals(min_value=0, max_value=1000, places=6))
def test_amounts_are_compared_to_the_last_digit(ordered: Decimal, came: Decimal) -> None:
    facts = of(order_line=order_line(quantity=format(ordered, "f")), quantity=Quantity(came, "kg"))
    wanted = [] if came == ordered else ["over_tolerance"] if came > ordered else ["under_tolerance"]
    assert codes(facts) == wanted
