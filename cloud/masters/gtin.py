"""The one form in which GTINs and SSCCs are kept; a number that cannot be one is refused."""

from cloud.errors import Refused
from sync_protocol.identifiers import SSCC_LENGTH, check_digit

GTIN_LENGTHS = (8, 12, 13, 14)


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
