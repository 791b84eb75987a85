"""Numbers of GS1: their check digits, and the one form in which a GTIN is kept."""

from cloud.errors import Refused

GTIN_LENGTHS = (8, 12, 13, 14)
SSCC_LENGTH = 18


def check_digit(body: str) -> str:
    """The digit that belongs behind these (GS1 General Specifications 7.9.1): weights 3, 1, 3... from the right."""
    total = sum(int(one) * (3 if place % 2 == 0 else 1) for place, one in enumerate(reversed(body)))
    return str(-total % 10)


def gtin14(text: str) -> str:
    """A GTIN of 8, 12, 13 or 14 digits with zeros before it, as codes are kept. Blanks and hyphens inside are dropped.

    Raises Refused `gtin_form`, or `gtin_check_digit` with the `digit` that would be right.
    """
    digits = text.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) in GTIN_LENGTHS):
        raise Refused("gtin_form", number=text[:40])
    _check(digits)
    return digits.zfill(14)


def sscc(text: str) -> str:
    """A serial shipping container code of 18 digits. Raises as `gtin14`."""
    digits = text.replace(" ", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) == SSCC_LENGTH):
        raise Refused("sscc_form", number=text[:40])
    _check(digits)
    return digits


def _check(digits: str) -> None:
    right = check_digit(digits[:-1])
    if digits[-1] != right:
        raise Refused("gtin_check_digit", number=digits, digit=right)
