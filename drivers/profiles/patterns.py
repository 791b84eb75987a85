"""Regular expressions of profiles: only such whose work on a line is bounded, whatever the line holds.

Python's engine tries one way after another. How many there can be is counted from the expression itself: a repetition counts
once where nothing behind it can begin with what it repeats, else once for each length. What exceeds the budget is refused.
"""

import re
import warnings
from collections.abc import Callable
from importlib import import_module
from itertools import combinations
from typing import Any

BUDGET = 1_000_000
"""Ways times characters of the longest line: some tens of milliseconds at the worst on a small computer."""

MAX_PATTERN = 500
"""Characters: three times the longest that any shipped profile needs."""

MAX_UNROLLED = 20
"""Times that a group may be repeated: fields of a line, not lines of a file."""

MAX_PARTS = 10_000
"""Parts that are looked at, repeated groups written out: expressions of a profile have some tens."""

_ALL = (1 << 256) - 1
_END = 1 << 256
"""Lines are read as ISO-8859-1, one character a byte; the end of the line stands behind them as one more."""

# The parsed form is what the engine itself works from. It is not part of Python's documented interface, but the same in 3.11
# to 3.14; a Python that has it no longer fails when this module is loaded, not when a line comes.
_parser: Any = import_module("re._parser")


class PatternFault(ValueError):
    """An expression that a profile may not use; the message says what to write instead."""


def compiled(pattern: str, longest: int) -> re.Pattern[str]:
    """The expression, for whole lines of at most `longest` characters. Raises PatternFault."""
    if len(pattern) > MAX_PATTERN:
        raise PatternFault(f"an expression has at most {MAX_PATTERN} characters")
    try:
        with warnings.catch_warnings():
            # What a later Python would read differently (`[[`, `--` in a set) is not taken by this one.
            warnings.simplefilter("error")
            parsed = _parser.parse(pattern, re.ASCII)
            found = re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError, Warning) as exc:
        raise PatternFault(f"no regular expression: {exc}") from exc
    if parsed.state.flags & ~re.ASCII:
        raise PatternFault("flags such as (?i) are not taken: write both letters, as in [Kk][Gg]")
    ways, _ = _Counter(longest).sequence(list(parsed), _END)
    if ways * longest > BUDGET:
        raise PatternFault(
            f"on some lines this could be tried in {ways} ways: say how long each part is (`[0-9]{{1,8}}` instead of `[0-9]+`, "
            "` {0,9}` instead of `.*`), or keep neighbours apart by what they consist of"
        )
    return found


class _Counter:
    """Ways of an expression, from its end to its beginning; sets of characters are bit masks."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._parts = 0
        self._known: dict[str, Callable[[Any, int], tuple[int, int]]] = {
            "SUBPATTERN": self._group,
            "ATOMIC_GROUP": lambda items, after: self.sequence(list(items), after),
            "BRANCH": self._branch,
            "MAX_REPEAT": self._repeat,
            "MIN_REPEAT": self._repeat,
            "POSSESSIVE_REPEAT": self._possessive,
            "AT": lambda _where, after: (1, after),
        }

    def sequence(self, items: list[Any], after: int) -> tuple[int, int]:
        """How many ways, and what characters it may begin with (those of `after` too where it may be empty)."""
        ways = 1
        for item in reversed(items):
            one, after = self._item(item, after)
            ways *= one
        return ways, after

    def _item(self, item: Any, after: int) -> tuple[int, int]:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise PatternFault("repeated groups within repeated groups: write the line out")
        single = _characters(item)
        if single is not None:
            return 1, single
        known = self._known.get(str(item[0]))
        if known is None:
            raise PatternFault("looking ahead or behind and back references are not taken")
        return known(item[1], after)

    def _group(self, given: Any, after: int) -> tuple[int, int]:
        _, added, removed, items = given
        if added or removed:
            raise PatternFault("flags such as (?i:...) are not taken: write both letters, as in [Kk][Gg]")
        return self.sequence(list(items), after)

    def _branch(self, given: Any, after: int) -> tuple[int, int]:
        found = [self.sequence(list(items), after) for items in given[1]]
        apart = all(not one[1] & other[1] for one, other in combinations(found, 2))
        ways = max(found)[0] if apart else sum(one for one, _ in found)
        first = 0
        for _, begins in found:
            first |= begins
        return ways, first

    def _possessive(self, given: Any, after: int) -> tuple[int, int]:
        low, _, items = given
        single = _characters(items[0]) if len(items) == 1 else None
        if single is None:
            return self._repeat(given, after)
        return 1, single | (0 if low else after)

    def _repeat(self, given: Any, after: int) -> tuple[int, int]:
        low, high, items = int(given[0]), int(given[1]), list(given[2])
        single = _characters(items[0]) if len(items) == 1 else None
        if single is not None:
            lengths = min(high, self._longest) - min(low, self._longest) + 1
            return lengths if single & after else 1, single | (0 if low else after)
        if high <= 1:
            ways, first = self.sequence(items, after)
            return (ways + 1, first | after) if not low and first & after else (ways, first | (0 if low else after))
        if low != high or high > MAX_UNROLLED:
            raise PatternFault(
                "a group in brackets may be optional, or repeated a fixed number of times: instead of `(,[0-9]+)*` write out "
                "each field as `(,[0-9]{1,8})?`"
            )
        return self.sequence(items * high, after)


def _characters(item: Any) -> int | None:
    """The set of characters that an item of one character stands for; None for any other item."""
    name, given = str(item[0]), item[1]
    match name:
        case "LITERAL":
            return _bit(given)
        case "NOT_LITERAL":
            return _ALL & ~_bit(given)
        case "ANY":
            return _ALL & ~_bit(10)
        case "IN":
            return _set(given)
        case _:
            return None


def _set(members: Any) -> int:
    found, negated = 0, False
    for member in members:
        name, given = str(member[0]), member[1]
        match name:
            case "NEGATE":
                negated = True
            case "RANGE":
                found |= sum(_bit(code) for code in range(given[0], min(given[1], 255) + 1))
            case "CATEGORY":
                found |= _CATEGORIES[str(given)]
            case _:
                found |= _bit(given)
    return _ALL & ~found if negated else found


def _bit(code: int) -> int:
    return 1 << code if code < 256 else 0


def _matching(shorthand: str) -> int:
    one = re.compile(shorthand, re.ASCII)
    return sum(_bit(code) for code in range(256) if one.match(chr(code)))


_CATEGORIES = {
    "CATEGORY_DIGIT": _matching(r"\d"),
    "CATEGORY_NOT_DIGIT": _matching(r"\D"),
    "CATEGORY_SPACE": _matching(r"\s"),
    "CATEGORY_NOT_SPACE": _matching(r"\S"),
    "CATEGORY_WORD": _matching(r"\w"),
    "CATEGORY_NOT_WORD": _matching(r"\W"),
}
