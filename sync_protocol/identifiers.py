"""Numbers that carry a check digit: GS1 keys (SSCC, GTIN) and freight containers. Pure; box and core judge them alike."""

from collections.abc import Mapping

SSCC_LENGTH = 18
"""Serial shipping container code: GS1 General Specifications, 3.2 (application identifier 00)."""
CONTAINER_LENGTH = 11
"""ISO 6346:2022, clause 3: three letters of the owner, one of the category, six digits, the check digit."""
CATEGORIES = "UJZ"
"""ISO 6346, 3.3: freight containers, equipment that is detachable from them, trailers and chassis."""

_SEPARATORS = str.maketrans("", "", " -/.\t")
"""As containers and papers show the number: `CSQU 305438 3`, `CSQU-305438/3`."""


def check_digit(body: str) -> str:
    """The digit that belongs behind these of a GS1 key (GS1 General Specifications, 7.9.1): weights 3, 1, 3... from behind."""
    total = sum(int(one) * (3 if place % 2 == 0 else 1) for place, one in enumerate(reversed(body)))
    return str(-total % 10)


def sscc_ok(text: str) -> bool:
    """Whether this is an SSCC: 18 digits, nothing else, the last the check digit of the others."""
    return _digits(text) and len(text) == SSCC_LENGTH and text[-1] == check_digit(text[:-1])


def normal_container(text: str) -> str:
    """A container's number as it is kept: capitals and digits without separators. Says nothing of whether it is right."""
    return text.translate(_SEPARATORS).upper()


def container_digit(body: str) -> str:
    """The check digit of a container's first ten characters (ISO 6346, annex A). Body: four capitals and six digits."""
    total = sum(_VALUES[one] << place for place, one in enumerate(body))
    return str(total % 11 % 10)


def container_fault(text: str) -> str | None:
    """What is wrong with a container's number, None where nothing is: `form`, `category` or `check_digit`.

    Separators and small letters are no fault (`normal_container`).
    """
    number = normal_container(text)
    letters, digits = number[:4], number[4:]
    if len(number) != CONTAINER_LENGTH or not (letters.isascii() and letters.isalpha() and _digits(digits)):
        return "form"
    if letters[-1] not in CATEGORIES:
        return "category"
    return None if digits[-1] == container_digit(number[:-1]) else "check_digit"


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _values() -> Mapping[str, int]:
    """ISO 6346, table A.1: letters count on from 10 and leave out the multiples of 11, which the remainder would swallow."""
    numbers = [one for one in range(10, 39) if one % 11]
    return {str(one): one for one in range(10)} | dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", numbers, strict=True))


_VALUES = _values()
