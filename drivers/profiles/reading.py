"""What a line means by a profile: the value with its unit and marks, a state, a refusal, or nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from drivers.api import Acknowledged, Decoded, Flag, Malformed, Reading, Refused, Status
from drivers.framing import parity_of
from drivers.kinds import kind_of
from drivers.profiles.patterns import PatternFault, compiled
from drivers.profiles.schema import GROUPS, NUMBERS, Profile
from drivers.vocabulary import DETAIL_TEXTS
from sync_protocol.quantity import UNITS

NO_VALUE = frozenset({Flag.OVERLOAD, Flag.UNDERLOAD, Flag.NOT_ZEROED, Flag.UNAVAILABLE})
"""Marks with which the digits of a line mean nothing, whatever they show."""

NUMBER = re.compile(r"-?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})", re.ASCII)

PLAIN_UNITS = ("g", "mg", "kg", "t", "mm", "cm", "m", "N", "%", "Pa", "hPa", "kPa", "bar", "V", "mV", "A", "mA")
"""Taken where a line says them so and the profile has no table of units: there is no second meaning."""


class _Nothing(ValueError):
    """Why a line that looks right gives no value."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines of a profile, ready to be read. Raises PatternFault, naming key and place, for what it may not hold."""

    profile: Profile
    split: Callable[[str], Mapping[str, str | None] | None]
    states: tuple[tuple[re.Pattern[str], Flag], ...]
    refusals: tuple[tuple[re.Pattern[str], str], ...]
    ignored: tuple[re.Pattern[str], ...]
    answers: tuple[tuple[re.Pattern[str], str], ...]

    @classmethod
    def of(cls, profile: Profile) -> "Rules":
        def one(where: str, pattern: str) -> re.Pattern[str]:
            try:
                return compiled(pattern, profile.framing.longest)
            except PatternFault as exc:
                raise PatternFault(f"{where}: {exc}") from exc

        return cls(
            profile,
            _splitter(profile, one),
            tuple((one("states.pattern", state.pattern), Flag(state.means)) for state in profile.states),
            tuple((one("refusals.pattern", refusal.pattern), refusal.reason) for refusal in profile.refusals),
            tuple(one("ignore", pattern) for pattern in profile.ignore),
            tuple(
                (one(f"commands.{name}.answer", command.answer), name)
                for name, command in profile.commands.items()
                if command.answer is not None
            ),
        )

    def read(self, raw: bytes, asked: str | None) -> list[Decoded]:
        """Everything in one line. Bytes in front of what begins it are noise."""
        start = self.profile.framing.start.encode("latin-1")
        before, found, _ = raw.partition(start) if start else (b"", b"", b"")
        if not start or (found and not before):
            return [self._line(raw, asked)]
        if not found:
            return [Malformed(self._why_not(raw, "line without its beginning"), raw)]
        return [Malformed("bytes in front of a line", before), self._line(raw[len(before) :], asked)]

    def _line(self, raw: bytes, asked: str | None) -> Decoded:
        text = self._body(raw)
        groups = self.split(text)
        if groups is not None:
            try:
                return self._reading(raw, groups)
            except _Nothing as exc:
                return Malformed(str(exc), raw)
        return self._without_value(raw, text, asked)

    def _without_value(self, raw: bytes, text: str, asked: str | None) -> Decoded:
        for pattern, flag in self.states:
            if pattern.fullmatch(text):
                return Reading(self.profile.kind, None, None, frozenset({flag}), raw)
        for pattern, reason in self.refusals:
            if match := pattern.fullmatch(text):
                return Refused(match.groupdict().get("code") or text.strip(), reason, raw)
        done = [name for pattern, name in self.answers if pattern.fullmatch(text)]
        if done:
            return Acknowledged(asked if asked in done else done[0], raw)
        if not text.strip() or any(pattern.fullmatch(text) for pattern in self.ignored):
            return Status(text.strip() or "blank line", raw)
        return Malformed(self._why_not(raw, "not a line of this profile"), raw)

    def _why_not(self, raw: bytes, otherwise: str) -> str:
        parity = parity_of(raw)
        if parity is None:
            return otherwise
        return f"line setting: bytes carry {parity} parity in bit 7; the device sends 7 data bits"

    def _body(self, raw: bytes) -> str:
        framing = self.profile.framing
        text = raw.decode("latin-1").removeprefix(framing.start)
        for end in sorted(framing.ends, key=len, reverse=True):
            if text.endswith(end):
                text = text[: -len(end)]
                break
        # The rest of a CR LF whose CR already ended the line before.
        return text.lstrip("\n") if "\r" in framing.ends and not framing.start else text

    def _reading(self, raw: bytes, groups: Mapping[str, str | None]) -> Reading:
        flags = self._flags(groups)
        time = (groups.get("time") or "").strip() or None
        if flags & NO_VALUE:
            return Reading(self.profile.kind, None, None, flags, raw, instrument_time=time)
        unit = self._unit(groups)
        value = self._number(groups.get("value"), groups.get("sign"))
        kind = kind_of(unit, self.profile.kind)
        return Reading(kind, value, unit, flags, raw, instrument_time=time, details=self._details(groups))

    def _flags(self, groups: Mapping[str, str | None]) -> frozenset[Flag]:
        found: set[Flag] = set()
        for group, meanings in self.profile.marks.items():
            mark = (groups.get(group) or "").strip()
            means = meanings.get(mark)
            if means is None:
                if mark:
                    raise _Nothing(f"unknown mark {mark[:20]!r} where the profile has {group}")
                continue
            found.update(Flag(one) for one in ((means,) if isinstance(means, str) else means))
        return frozenset(found)

    def _unit(self, groups: Mapping[str, str | None]) -> str:
        reading = self.profile.reading
        word = groups.get("unit")
        if word is None or "unit" not in groups:
            if reading.unit is None:
                raise _Nothing("value without a unit")
            return reading.unit
        word = word.strip()
        unit = reading.units.get(word)
        if unit is None and not reading.units and word in PLAIN_UNITS:
            unit = word
        if unit is None or unit not in UNITS:
            raise _Nothing(f"unknown unit {word[:20]!r}" if word else "value without a unit")
        return unit

    def _number(self, given: str | None, sign: str | None) -> Decimal:
        reading = self.profile.reading
        text = "".join((given or "").split())
        if reading.decimal_comma:
            text = text.replace(",", ".")
        minus = (sign or "").strip()
        if minus not in {"", "+", "-"} or (minus and text[:1] in {"+", "-"}):
            raise _Nothing(f"unknown sign {minus[:20]!r}")
        text = f"{'-' if minus == '-' else ''}{text.removeprefix('+')}"
        if not NUMBER.fullmatch(text):
            raise _Nothing(f"no number where the value stands: {text[:40]!r}")
        if reading.decimals is None:
            return Decimal(text)
        if "." in text:
            raise _Nothing("a decimal point, where the profile says that there is none")
        return Decimal(text).scaleb(-reading.decimals)

    def _details(self, groups: Mapping[str, str | None]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, text in groups.items():
            if not (text and text.strip()) or name in self.profile.marks:
                continue
            if name in NUMBERS:
                found[name] = format(self._number(text, None), "f")
            elif name in DETAIL_TEXTS:
                found[name] = text.strip()
        return found


def _splitter(profile: Profile, one: Callable[[str, str], re.Pattern[str]]) -> Callable[[str], Mapping[str, str | None] | None]:
    """From a line to its groups; None for a line that has another form."""
    reading = profile.reading
    columns = reading.columns
    if columns is not None:
        _check_groups(set(columns), set(profile.marks), "columns")
        last = columns["value"][1]
        return lambda text: (
            {name: text[first - 1 : end] for name, (first, end) in columns.items()} if len(text) >= last else None
        )
    pattern = one("reading.pattern", reading.pattern or "")
    _check_groups(set(pattern.groupindex), set(profile.marks), "pattern")

    def split(text: str) -> Mapping[str, str | None] | None:
        match = pattern.fullmatch(text)
        return None if match is None else match.groupdict()

    return split


def _check_groups(names: set[str], marked: set[str], where: str) -> None:
    known = GROUPS | marked
    if "value" not in names:
        raise PatternFault(f"reading.{where}: nothing is called `value`")
    if unmarked := sorted(marked - names):
        raise PatternFault(f"marks.{unmarked[0]}: no part of the line is called {unmarked[0]}")
    if strange := sorted(names - known):
        raise PatternFault(
            f"reading.{where}: what does {strange[0]} mean? Give it a table [marks.{strange[0]}], or one of the names "
            f"{', '.join(sorted(GROUPS))}"
        )
