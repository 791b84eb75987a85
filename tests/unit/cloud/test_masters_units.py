"""Amounts change their unit exactly, within their dimension, or not at all."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Refused
from cloud.masters.units import BUILT_IN, PLACES, Factor, content, convert, countable, exact, ratio
from sync_protocol.quantity import UNITS

AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=6, allow_nan=False, allow_infinity=False)
SCALED = sorted(code for code, unit in BUILT_IN.items() if countable(code))


@pytest.mark.parametrize(
    ("amount", "frm", "to", "result"),
    [
        ("1", "[lb_av]", "kg", "0.45359237"),
        ("2.5", "t", "kg", "2500"),
        ("12.340", "kg", "g", "12340"),
        ("1", "g", "t", "0.000001"),
        ("750", "mL", "L", "0.75"),
        ("1", "m3", "L", "1000"),
        ("1", "[in_i]", "cm", "2.54"),
        ("1", "[ft_i]", "[in_i]", "12"),
        ("1", "[gal_us]", "mL", "3785.411784"),
        ("90", "min", "h", "1.5"),
        ("-3", "{pcs}", "{pcs}", "-3"),
        ("-4.5", "Cel", "Cel", "-4.5"),
        ("0", "kg", "g", "0"),
        ("123456789012.123456", "kg", "g", "123456789012123.456"),
    ],
)
def test_amounts_are_converted_exactly(amount: str, frm: str, to: str, result: str) -> None:
    assert format(convert(Decimal(amount), frm, to), "f") == result


@pytest.mark.parametrize(
    ("frm", "to", "code"),
    [
        ("kg", "L", "unit_dimension"),
        ("{pcs}", "kg", "unit_dimension"),
        ("Cel", "[degF]", "unit_dimension"),
        ("kg", "stone", "unit_unknown"),
        ("", "kg", "unit_unknown"),
        ("kg", "[lb_av]", "unit_inexact"),
    ],
)
def test_what_cannot_be_converted_is_refused(frm: str, to: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        convert(Decimal(1), frm, to)
    assert refused.value.code == code


def test_degrees_of_one_house_unit_are_not_multiples_of_another() -> None:
    units = {**BUILT_IN, "K": Factor("temperature", Fraction(1))}
    with pytest.raises(Refused, match="unit_offset"):
        ratio("Cel", "K", units)
    assert not countable("Cel", units)


@pytest.mark.parametrize(("amount", "result"), [("1", "2.205"), ("0.5", "1.102"), ("0", "0.000")])
def test_rounding_is_asked_for_and_half_to_even(amount: str, result: str) -> None:
    assert str(convert(Decimal(amount), "kg", "[lb_av]", decimals=3)) == result


@given(AMOUNTS, st.sampled_from(SCALED), st.sampled_from(SCALED))
def test_there_and_back_is_the_same(amount: Decimal, frm: str, to: str) -> None:
    if BUILT_IN[frm].dimension == BUILT_IN[to].dimension:
        assert exact(exact(amount, frm, to), to, frm) == Fraction(amount)


@given(AMOUNTS, st.sampled_from(SCALED), st.sampled_from(SCALED))
def test_a_decimal_result_is_the_exact_one_or_none(amount: Decimal, frm: str, to: str) -> None:
    if BUILT_IN[frm].dimension != BUILT_IN[to].dimension:
        return
    right = exact(amount, frm, to)
    if (right * 10**PLACES).denominator == 1:
        assert Fraction(convert(amount, frm, to)) == right
    else:
        with pytest.raises(Refused, match="unit_inexact"):
            convert(amount, frm, to)


def test_units_of_the_box_mean_the_same_here() -> None:
    assert {code: (BUILT_IN[code].dimension, BUILT_IN[code].factor) for code in UNITS} == UNITS


@pytest.mark.parametrize(
    ("packs", "pack_qty", "pack_unit", "unit", "result"),
    [("3", "12", None, "{pcs}", "36"), ("2", "500", "g", "kg", "1"), ("0.5", "12.5", "kg", "g", "6250")],
)
def test_packs_hold_so_much_of_the_product(packs: str, pack_qty: str, pack_unit: str | None, unit: str, result: str) -> None:
    assert content(Decimal(packs), Decimal(pack_qty), pack_unit, unit) == Fraction(result)
