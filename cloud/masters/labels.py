"""Reading suppliers' own labels: rules that say where in the text of a barcode a lot, a date or a weight stands."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cloud.errors import Refused
from sync_protocol.quantity import plain

FIELDS = ("code", "lot", "serial", "expiry", "made_on", "quantity", "weight", "sscc", "document")
DATES, NUMBERS = frozenset({"expiry", "made_on"}), frozenset({"quantity", "weight"})
WAYS = ("prefix", "part", "positions", "regex")

DATE_FORMS = ("YYMMDD", "DDMMYY", "YYYYMMDD", "DDMMYYYY", "YYYY-MM-DD", "DD/MM/YYYY", "DD.MM.YY")

MAX_RULES = 30
MAX_TEXT = 500
"""Characters of a scanned text that are looked at."""

MAX_PATTERN = 100
MAX_OPEN = 2
MAX_SEARCHED = 200
"""Repetitions without a fixed number in one pattern, and characters it is looked for in. A text can be tried in about their
power of ways, from every place: a million at most, some hundredths of a second. A third would make it a minute."""


NAMED = {"{space}": " ", "{tab}": "\t", "{gs}": "\x1d", "{line}": "\n"}
"""Separators that a form cannot hold or nobody can see, as rules write them; GS is FNC1 of GS1 codes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one field is found.

    `prefix`: what follows `mark`, up to `until` (empty: the end). `part`: the `first`-th part of the text between `mark`s.
    `positions`: characters `first` to `last`, from 1, both included. `regex`: the one group of the pattern `mark`.
    Separators that cannot be seen are written by name: `{space}`, `{tab}`, `{gs}`, `{line}`. `form` is how a date is written;
    `decimals` how many of a number's digits stand behind the point that is not printed.
    """

    field: str
    way: str
    mark: str = ""
    until: str = ""
    first: int = 0
    last: int = 0
    form: str = ""
    decimals: int = 0
    required: bool = True


def rules_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules as they are stored. Raises Refused `label_rule` with the `rule`'s place (from 1) and `what` is wrong."""
    if not 0 < len(rows) <= MAX_RULES:
        raise Refused("label_rules", max=str(MAX_RULES))
    return tuple(_rule(place, row) for place, row in enumerate(rows, 1))


def read_label(rules: Sequence[Rule], text: str) -> dict[str, str]:
    """What a scanned text says by these rules: dates as ISO, numbers as plain digits, the rest as printed.

    Raises Refused `label_unread` with the `field` that was not found or cannot be.
    """
    if len(text) > MAX_TEXT:
        raise Refused("label_unread", field="", found=text[:40])
    found: dict[str, str] = {}
    for rule in rules:
        raw = _FIND[rule.way](rule, text)
        if raw is None or not raw.strip():
            if rule.required:
                raise Refused("label_unread", field=rule.field, found="")
            continue
        value = _value(rule, raw.strip())
        if value is None:
            raise Refused("label_unread", field=rule.field, found=raw[:40])
        found[rule.field] = value
    return found


def _rule(place: int, row: Mapping[str, Any]) -> Rule:
    try:
        rule = Rule(
            field=str(row.get("field") or ""),
            way=str(row.get("way") or ""),
            mark=_spelled_out(row.get("mark")),
            until=_spelled_out(row.get("until")),
            first=int(row.get("first") or 0),
            last=int(row.get("last") or 0),
            form=str(row.get("form") or ""),
            decimals=int(row.get("decimals") or 0),
            required=row.get("required") is not False,
        )
    except (TypeError, ValueError) as exc:
        raise Refused("label_rule", rule=str(place), what="number") from exc
    wrong = _wrong(rule)
    if wrong:
        raise Refused("label_rule", rule=str(place), what=wrong)
    return rule


def _spelled_out(said: object) -> str:
    text = str(said or "")
    for name, char in NAMED.items():
        text = text.replace(name, char)
    return text


def _wrong(rule: Rule) -> str:
    if rule.field not in FIELDS:
        return "field"
    if rule.way not in WAYS:
        return "way"
    if (rule.field in DATES) != bool(rule.form) or (rule.form and rule.form not in DATE_FORMS):
        return "form"
    if not 0 <= rule.decimals <= 6 or (rule.decimals and rule.field not in NUMBERS):
        return "decimals"
    return _WRONG[rule.way](rule)


def _wrong_pattern(rule: Rule) -> str:
    """Patterns are staff's, texts are strangers': what could be tried in endlessly many ways is refused."""
    text = rule.mark
    bare = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", text)
    if not text or len(text) > MAX_PATTERN:
        return "mark"
    if "(?" in bare or re.search(r"\\[1-9]", text) or re.search(r"\)[*+?{]", bare) or bare.count("(") != 1:
        return "mark"
    if len(re.findall(r"[*+?]|\{\d*,\d*\}", bare)) > MAX_OPEN:
        return "mark"
    try:
        re.compile(text)
    except re.error:
        return "mark"
    return ""


_WRONG = {
    "prefix": lambda rule: "" if rule.mark else "mark",
    "part": lambda rule: ("" if rule.first >= 1 else "first") if rule.mark else "mark",
    "positions": lambda rule: "" if 1 <= rule.first <= rule.last <= MAX_TEXT else "first",
    "regex": _wrong_pattern,
}


def _after(rule: Rule, text: str) -> str | None:
    start = text.find(rule.mark)
    if start < 0:
        return None
    rest = text[start + len(rule.mark) :]
    return rest.partition(rule.until)[0] if rule.until else rest


def _part(rule: Rule, text: str) -> str | None:
    parts = text.split(rule.mark)
    return parts[rule.first - 1] if rule.first <= len(parts) else None


def _positions(rule: Rule, text: str) -> str | None:
    return text[rule.first - 1 : rule.last] if len(text) >= rule.last else None


def _group(rule: Rule, text: str) -> str | None:
    found = re.search(rule.mark, text[:MAX_SEARCHED])
    return found.group(1) if found else None


_FIND = {"prefix": _after, "part": _part, "positions": _positions, "regex": _group}


def _value(rule: Rule, raw: str) -> str | None:
    if rule.field in DATES:
        return _date(rule.form, raw)
    if rule.field in NUMBERS:
        return _number(raw, rule.decimals)
    return raw


def _number(raw: str, decimals: int) -> str | None:
    raw = raw.replace(",", ".")
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", raw, re.ASCII) or (decimals and "." in raw):
        return None
    return plain(Decimal(raw).scaleb(-decimals))


def _date(form: str, raw: str) -> str | None:
    pattern = re.sub(r"Y+|M+|D+", lambda one: f"(?P<{one[0][0]}>[0-9]{{{len(one[0])}}})", re.escape(form))
    found = re.fullmatch(pattern, raw, re.ASCII)
    if found is None:
        return None
    year = int(found["Y"]) + (2000 if len(found["Y"]) == 2 else 0)
    try:
        return date(year, int(found["M"]), int(found["D"])).isoformat()
    except ValueError:
        return None
