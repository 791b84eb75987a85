"""Check digits of containers (ISO 6346) and of GS1 keys against numbers that stand on real things and in the standards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.identifiers import (
    check_digit,
    container_digit,
    container_fault,
    normal_container,
    sscc_ok,
)

# The standard's own example, then boxes of several owners; HLXU2008419 and MSCU6639870 have a remainder that is not the sum's.
CONTAINERS = ["CSQU3054383", "TOLU4734787", "MSKU6011672", "TGHU7599330", "HLXU2008419", "MEDU8707688", "MSCU6639870"]

# GS1 General Specifications, 7.9.1 (the example), and the example number of application identifier 00.
SSCCS = ["376104250021234569", "106141412345678908"]


@pytest.mark.parametrize("number", CONTAINERS)
def test_numbers_of_real_containers_are_right(number: str) -> None:
    assert container_fault(number) is None


@pytest.mark.parametrize("text", ["CSQU 305438 3", "csqu-305438-3", "CSQU 305.438/3", "\tCSQU3054383 "])
def test_a_container_number_is_read_as_it_is_painted(text: str) -> None:
    assert normal_container(text) == "CSQU3054383"
    assert container_fault(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "form"),
        ("CSQU305438", "form"),
        ("CSQU30543833", "form"),
        ("CS1U3054383", "form"),
        ("CSQU305438O", "form"),
        ("ÇSQU3054383", "form"),
        ("CSQU٣٠٥٤٣٨٣", "form"),
        ("CSQA3054383", "category"),
        ("CSQU3054384", "check_digit"),
        ("CSQU3054833", "check_digit"),
    ],
)
def test_what_is_wrong_with_a_container_number_is_said(text: str, fault: str) -> None:
    assert container_fault(text) == fault


def test_a_remainder_of_ten_is_written_as_nought() -> None:
    assert container_digit("TGHU759933") == "0"
    assert sum(container_digit(f"TGHU{n:06}") == "0" for n in range(1100)) == 200, "of eleven remainders two are written 0"


@given(st.from_regex(r"[A-Z]{3}[UJZ][0-9]{6}", fullmatch=True), st.integers(4, 9), st.integers(1, 9))
def test_one_wrong_digit_is_noticed_unless_the_remainder_was_ten(body: str, place: int, off: int) -> None:
    number = body + container_digit(body)
    wrong = number[:place] + str((int(number[place]) + off) % 10) + number[place + 1 :]
    assert container_fault(number) is None
    # 0 stands for the remainders 0 and 10: between those two alone a wrong digit is not seen.
    assert container_fault(wrong) == "check_digit" or number[-1] == "0"


@pytest.mark.parametrize("number", SSCCS)
def test_sscc_of_the_standard_are_right(number: str) -> None:
    assert sscc_ok(number)


@pytest.mark.parametrize("text", ["", "37610425002123456", "376104250021234568", "3761042500212345690", "٣٧٦١٠٤٢٥٠٠٢١٢٣٤٥٦٩"])
def test_what_is_no_sscc_is_refused(text: str) -> None:
    assert not sscc_ok(text)


@pytest.mark.parametrize(("body", "digit"), [("629104150021", "3"), ("37610425002123456", "9"), ("952123454321", "3")])
def test_the_check_digit_of_gs1_keys(body: str, digit: str) -> None:
    assert check_digit(body) == digit


@given(st.from_regex(r"[0-9]{17}", fullmatch=True), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_of_an_sscc_is_always_noticed(body: str, place: int, off: int) -> None:
    number = body + check_digit(body)
    wrong = number[:place] + str((int(number[place]) + off) % 10) + number[place + 1 :]
    assert sscc_ok(number)
    assert not sscc_ok(wrong)
