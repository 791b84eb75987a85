"""Trade item and logistic unit numbers: check digits, EAN and UPC lengths, UPC-E expansion, SSCC.

Sources: GS1 General Specifications 7.9 (check digit), 5.2.2.4.2 (UPC-E), 2.1.3 (restricted circulation prefixes).
"""

import re

GTIN_LENGTHS = frozenset({8, 12, 13, 14})

_DIGITS = re.compile(r"[0-9]+", re.ASCII)


class NumberFault(ValueError):
    """Digits that are not a number of the kind asked for; caught by `meaning` and never leaves the scanners."""


def is_digits(text: str) -> bool:
    """ASCII digits only: `str.isdigit` would let superscripts and other scripts pass."""
    return _DIGITS.fullmatch(text) is not None


def check_digit(digits: str) -> int:
    """The check digit that belongs behind `digits`: weights 3 and 1 from the right."""
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return -total % 10


def is_checked(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it."""
    return len(digits) > 1 and is_digits(digits) and int(digits[-1]) == check_digit(digits[:-1])


def gtin14(digits: str, lengths: frozenset[int] = GTIN_LENGTHS) -> str:
    """A GTIN of one of `lengths`, as 14 digits for comparing. Raises NumberFault."""
    if not is_digits(digits):
        raise NumberFault("digits expected")
    if len(digits) not in lengths:
        raise NumberFault(f"{len(digits)} digits, expected {' or '.join(map(str, sorted(lengths)))}")
    if not is_checked(digits):
        raise NumberFault(f"check digit {digits[-1]}, expected {check_digit(digits[:-1])}")
    return digits.zfill(14)


def sscc(digits: str) -> str:
    """A serial shipping container code. Raises NumberFault."""
    if not is_digits(digits) or len(digits) != 18:
        raise NumberFault("18 digits expected")
    if not is_checked(digits):
        raise NumberFault(f"check digit {digits[-1]}, expected {check_digit(digits[:-1])}")
    return digits


def expand_upc_e(digits: str) -> str:
    """UPC-E of 6 digits (number system 0), 7 (with number system) or 8 (and check digit) to UPC-A. Raises NumberFault."""
    if not is_digits(digits) or len(digits) not in {6, 7, 8}:
        raise NumberFault("6, 7 or 8 digits expected")
    body = f"0{digits}" if len(digits) == 6 else digits
    if body[0] not in "01":
        raise NumberFault("the number system of UPC-E is 0 or 1")
    system, middle, last = body[0], body[1:6], body[6]
    if last in "012":
        item = f"{middle[:2]}{last}0000{middle[2:]}"
    elif last == "3":
        item = f"{middle[:3]}00000{middle[3:]}"
    elif last == "4":
        item = f"{middle[:4]}00000{middle[4]}"
    else:
        item = f"{middle}0000{last}"
    upc_a = f"{system}{item}{check_digit(system + item)}"
    if len(digits) == 8 and digits[-1] != upc_a[-1]:
        raise NumberFault(f"check digit {digits[-1]}, expected {upc_a[-1]}")
    return upc_a


def is_restricted(gtin: str) -> bool:
    """Whether a 14-digit GTIN is a number of a shop or country (EAN-13 prefix 02, 04, 20 to 29), which names no trade item."""
    return gtin[0] == "0" and (gtin[1] == "2" or gtin[1:3] in {"02", "04"})
