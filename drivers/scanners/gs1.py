"""GS1 element strings: application identifiers, their values, check digits and dates.

The table of identifiers and the form of their data are biip's (from the GS1 Syntax Dictionary). Around it stands what biip 5.2
leaves open: empty messages, over-long fields, check digits inside longer values (8003...), digits of other scripts, values
that repeat, harvest ranges, and a clock of its own. Source: GS1 General Specifications 3, 7.8, 7.9 and 7.12.
"""

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from biip import ParseError
from biip.gs1_application_identifiers import GS1ApplicationIdentifier

from drivers.scanners.gtin import check_digit

GS = "\x1d"

CENTURY_YEAR = 2026
"""The window of 7.12 is laid around this year (1977 to 2076) and not around a clock: a codec has none, and a shelf life that
leaves the window comes decades after this program."""

MAX_ELEMENTS = 64
"""Element strings in one message. The largest symbol holds about 3,100 characters; real labels carry fewer than 20 fields."""

CHECKED_DIGITS = {
    "00": 18,
    "01": 14,
    "02": 14,
    "03": 14,
    "253": 13,
    "255": 13,
    "402": 17,
    "410": 13,
    "411": 13,
    "412": 13,
    "413": 13,
    "414": 13,
    "415": 13,
    "416": 13,
    "417": 13,
    "8003": 14,
    "8006": 14,
    "8017": 18,
    "8018": 18,
    "8026": 14,
}
"""How many digits from the start of the value end in a check digit (3.2 to 3.9)."""

DATES = {"11": "production", "12": "due", "13": "packaging", "15": "best_before", "16": "sell_by", "17": "expiry"}
"""Dates whose day may be 00, the last day of the month (3.4)."""

OTHER_DATES = frozenset({"4324", "4325", "4326", "7003", "7006", "7007", "7011", "8008"})
"""Values that begin with YYMMDD, or hold two of them (7007)."""

MEASURES = {"310": "net_weight_kg", "320": "net_weight_lb", "330": "gross_weight_kg"}
"""Three digits of the identifier; the fourth says how many decimals (3.6.2)."""

KEYS = frozenset({"00", "01", "02", "8003", "8006", "8017", "8018"}) | {f"41{n}" for n in range(8)}
"""Identifiers that start a message believably where no symbology identifier vouches for it."""

LOST_SEPARATOR = re.compile(
    r".+?(1[12 3567])[0-9]{2}(0[1-9]|1[0-2])(0[0-9]|[12][0-9]|3[01])($|(10|21|30|37|240|310[0-5]|392[0-9]).+$)".replace(
        " ", ""
    ),
    re.ASCII,
)
"""A date element at the end of a free text field, or in front of another element: most likely a swallowed GS."""

PREDEFINED = re.compile(r"0[0-4]|1[0-9]|20|3[1-6]|41", re.ASCII)
"""First two digits of identifiers whose values have predefined lengths. These are complete for good (7.8.5.2): what starts like
one of them and is none is damage. All others may have become identifiers since the table was made."""

_NEW = re.compile(r"[0-9]{2}[\x21-\x7e]+", re.ASCII)

_FIELD = re.compile(r"[\x21-\x7e]+", re.ASCII)


class ElementFault(ValueError):
    """The text is not a sequence of GS1 element strings; caught by `meaning` and never leaves the scanners."""


@dataclass(frozen=True, slots=True)
class Elements:
    """A message: values by identifier in their order, what follows from them, and what looks wrong with it."""

    ais: Mapping[str, str]
    derived: Mapping[str, str]
    warning: str | None = None
    unknown: tuple[str, ...] = ()
    """Fields whose identifier is in no table, as they stand there."""


def parse_elements(text: str, *, lenient_separators: bool = False) -> Elements:
    """Element strings with GS (U+001D) after fields of variable length. Raises ElementFault.

    Tolerated: GS in front, at the end, after a field that needs none, several in a row with `lenient_separators`. A field
    of an unknown identifier behind known ones is kept. Refused: an empty message, wrong lengths, character sets, check
    digits and dates, one identifier with two values.
    """
    rest = _single_separators(text) if lenient_separators else text.removeprefix(GS)
    ais: dict[str, str] = {}
    unknown: list[str] = []
    warnings: list[str] = []
    for _ in range(MAX_ELEMENTS):
        if ais and (field := _new_field(rest)) is not None:
            unknown.append(field)
            warnings.append(f"no known application identifier starts {field[:4]!r}")
            rest = rest[len(field) :].removeprefix(GS)
        else:
            identifier = _identifier(rest)
            value, rest = _value(identifier, rest[len(identifier.ai) :])
            warnings += _add(ais, identifier, value)
        if not rest:
            return Elements(ais, _derived(ais), "; ".join(warnings) or None, tuple(unknown))
    raise ElementFault(f"more than {MAX_ELEMENTS} element strings")


def parse_pairs(pairs: Iterable[tuple[str, str]]) -> Elements:
    """Element strings that come apart already, as identifier and value. Raises ElementFault, for unknown identifiers too."""
    ais: dict[str, str] = {}
    for ai, value in pairs:
        identifier = _identifier(ai)
        if identifier.ai != ai:
            raise ElementFault(f"no application identifier is {ai[:8]!r}")
        field, rest = _value(identifier, value)
        if rest or field != value:
            raise ElementFault(f"({ai}) does not fit its form {identifier.format}: {value[:40]!r}")
        _add(ais, identifier, value)
    return Elements(ais, _derived(ais))


def is_plausible(text: str) -> bool:
    """Whether untyped text may be taken for element strings: it starts with a key, or a separator stands in it."""
    return GS in text or any(text.startswith(key) for key in KEYS)


def _single_separators(text: str) -> str:
    return GS.join(field for field in text.split(GS) if field)


def _add(ais: dict[str, str], identifier: GS1ApplicationIdentifier, value: str) -> list[str]:
    """Add one element; gives what looks wrong with it."""
    if ais.setdefault(identifier.ai, value) != value:
        raise ElementFault(f"({identifier.ai}) stands there twice with different values")
    if identifier.separator_required and LOST_SEPARATOR.fullmatch(value) is not None:
        return [f"({identifier.ai}) ends like another field: the reader may swallow the separator"]
    return []


def _new_field(rest: str) -> str | None:
    """The field in front when it can only be one of an identifier that is younger than the table."""
    field = rest.partition(GS)[0]
    if _NEW.fullmatch(field) is None or len(field) < 3 or PREDEFINED.match(field) is not None:
        return None
    try:
        GS1ApplicationIdentifier.extract(field)
    except ParseError:
        return field
    return None


def _identifier(rest: str) -> GS1ApplicationIdentifier:
    if not rest:
        raise ElementFault("no data")
    try:
        return GS1ApplicationIdentifier.extract(rest)
    except ParseError as exc:
        raise ElementFault(f"no application identifier starts with {rest[:4]!r}") from exc


def _value(identifier: GS1ApplicationIdentifier, rest: str) -> tuple[str, str]:
    """The value and what follows it. A field of variable length runs to the GS or the end and must fit as a whole."""
    ai = identifier.ai
    # The pattern covers the identifier too; \d in it would take digits of any script, hence the check for ASCII.
    pattern = re.compile(identifier.pattern.removeprefix("^").removesuffix("$"), re.ASCII)
    if identifier.separator_required:
        field, separator, following = rest.partition(GS)
        match = pattern.fullmatch(ai + field)
    else:
        match = pattern.match(ai + rest)
        field = rest[: match.end() - len(ai)] if match else rest
        following = rest[len(field) :]
        separator = GS if following.startswith(GS) else ""
        following = following.removeprefix(GS)
    if match is None or not _FIELD.fullmatch(field):
        raise ElementFault(f"({ai}) does not fit its form {identifier.format}: {field[:40]!r}")
    if separator and following.startswith(GS):
        raise ElementFault("two separators in a row")
    _check(ai, field)
    return field, following


def _check(ai: str, value: str) -> None:
    if (digits := CHECKED_DIGITS.get(ai)) is not None:
        key = value[:digits]
        if int(key[-1]) != check_digit(key[:-1]):
            raise ElementFault(f"({ai}) has check digit {key[-1]}, expected {check_digit(key[:-1])}")
    if ai in DATES:
        calendar_date(value)
    elif ai in OTHER_DATES:
        _check_moment(ai, value)


def _check_moment(ai: str, value: str) -> None:
    first = calendar_date(value[:6])
    if ai == "7007":
        if len(value) == 12 and calendar_date(value[6:]) < first:
            raise ElementFault("(7007) ends before it begins")
        return
    clock = [int(value[at : at + 2]) for at in range(6, len(value), 2)]
    if clock[:2] == [99, 99] and ai in {"4324", "4325"}:
        return  # 3.8.19: no time is meant
    if clock and (clock[0] > 23 or any(part > 59 for part in clock[1:])):
        raise ElementFault(f"({ai}) holds no time of day: {value[6:]!r}")


def calendar_date(yymmdd: str) -> date:
    """A date in the window around CENTURY_YEAR; day 00 is the last of its month. Raises ElementFault."""
    year, month, day = int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:6])
    away = year - CENTURY_YEAR % 100
    century = CENTURY_YEAR - CENTURY_YEAR % 100 - (100 if away >= 51 else 0) + (100 if away <= -50 else 0)
    if not 1 <= month <= 12:
        raise ElementFault(f"no month {month:02}")
    last = monthrange(century + year, month)[1]
    if day > last:
        raise ElementFault(f"no day {day:02} in {century + year}-{month:02}")
    return date(century + year, month, day or last)


def _derived(ais: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for ai, value in ais.items():
        if ai in DATES:
            found[DATES[ai]] = calendar_date(value).isoformat()
        elif ai[:3] in MEASURES:
            found[MEASURES[ai[:3]]] = _shifted(value, int(ai[3]))
        elif ai[:3] == "392":
            found["price"] = _shifted(value, int(ai[3]))
        elif ai[:3] == "393":
            found["currency"], found["price"] = value[:3], _shifted(value[3:], int(ai[3]))
        elif ai in {"30", "37"}:
            found["count"] = str(int(value))
    return found


def _shifted(digits: str, decimals: int) -> str:
    """Digits with an implied point, without leading zeros: `023456`, 2 is `234.56`."""
    padded = digits.zfill(decimals + 1)
    whole, fraction = (padded[:-decimals], padded[-decimals:]) if decimals else (padded, "")
    return f"{int(whole)}.{fraction}" if fraction else str(int(whole))
