"""From the text of a profile to its rules: what does not fit is told with its line, its key, and what to write there."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from drivers.api import Decoded, Malformed, Reading, Refused, SettingsFault
from drivers.profiles.patterns import PatternFault
from drivers.profiles.reading import Rules
from drivers.profiles.schema import ExamplePart, Profile

MAX_TEXT = 16_384
"""Characters of a profile. It travels with each run of the journal, whose entries hold 64 KiB."""

_TABLE = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_.\"-]+)\s*\]{1,2}\s*(?:#.*)?", re.ASCII)


class ProfileFault(SettingsFault):
    """A profile that cannot be used; the message names file, line and key, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A profile with its rules."""

    profile: Profile
    rules: Rules


def read_text(path: Path) -> str:
    """The text of a profile's file. Raises ProfileFault."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a terminal would be waited for
            raise ProfileFault(f"{path}: cannot be read: it is no file", setting="file")
        with path.open("rb") as file:
            data = file.read(MAX_TEXT + 1)
    except (OSError, ValueError) as exc:  # ValueError: a zero character in the path
        why = exc.strerror if isinstance(exc, OSError) else None
        raise ProfileFault(f"{path}: cannot be read: {why or exc}", setting="file") from exc
    if len(data) > MAX_TEXT:
        raise ProfileFault(f"{path}: a profile has at most {MAX_TEXT} bytes", setting="file")
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise ProfileFault(f"{path}: the text is not UTF-8", setting="file") from exc


def load(text: str, origin: str) -> Loaded:
    """The profile of a text; `origin` is the file that messages name. Raises ProfileFault."""
    try:
        profile = Profile.model_validate(tomllib.loads(text))
        rules = Rules.of(profile)
    except RecursionError as exc:
        raise ProfileFault(f"{origin}: brackets within brackets, too deep to read") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ProfileFault(f"{origin}: not TOML: {exc}. Texts with a backslash go into single quotes: '[0-9]+'") from exc
    except ValidationError as exc:
        raise ProfileFault("; ".join(_told(origin, text, fault) for fault in exc.errors(include_url=False)[:3])) from exc
    except PatternFault as exc:
        key = str(exc).partition(": ")[0]
        raise ProfileFault(f"{_place(origin, text, tuple(key.split('.')))}{exc}") from exc
    for number, example in enumerate(profile.examples):
        _check_example(rules, example, _place(origin, text, ("examples", number, "line")))
        if profile.poll is None:
            _check_cut(rules, example, _place(origin, text, ("reading", "pattern")))
    return Loaded(profile, rules)


def _check_example(rules: Rules, example: ExamplePart, place: str) -> None:
    found = rules.read(example.line.encode("latin-1", "replace"), None)
    told = [_summary(item) for item in found]
    wanted = {"value": example.value, "unit": example.unit, "flags": sorted(example.flags), "refused": example.refused}
    if told != [wanted]:
        reasons = [item.reason for item in found if isinstance(item, Malformed)]
        shown = "; ".join(reasons) or ", ".join(f"{name} = {value!r}" for name, value in told[0].items())
        raise ProfileFault(f"{place}examples: {example.line!r} reads as: {shown}")


def _check_cut(rules: Rules, example: ExamplePart, place: str) -> None:
    """An instrument that talks by itself is joined in the middle of a line: the rest of it must not be a value."""
    for at in range(1, len(example.line)):
        cut = example.line[at:]
        for item in rules.read(cut.encode("latin-1", "replace"), None):
            if isinstance(item, Reading) and item.value is not None and (value := format(item.value, "f")) != example.value:
                raise ProfileFault(
                    f"{place}reading: a line of which the front is missing, {cut!r}, reads as {value}: let the pattern say how "
                    "a line begins (a blank, a letter, all its columns), or give framing a `start`"
                )


def _summary(item: Decoded) -> dict[str, object]:
    found: dict[str, object] = {"value": None, "unit": None, "flags": [], "refused": isinstance(item, Refused)}
    if isinstance(item, Malformed):
        found["flags"] = [item.reason]
    if isinstance(item, Reading):
        found |= {"unit": item.unit, "flags": sorted(flag.value for flag in item.flags)}
        found["value"] = None if item.value is None else format(item.value, "f")
    return found


def _told(origin: str, text: str, fault: Any) -> str:
    """One fault of the schema in words: where, what, and what belongs there."""
    loc = tuple(part for part in fault["loc"] if part != "[key]")
    key = ".".join(str(part) for part in loc) or "profile"
    found = _place(origin, text, loc)
    match fault["type"]:
        case "missing":
            what = "is missing"
        case "extra_forbidden":
            known = _keys_beside(loc)
            what = f"is no key here; there are {', '.join(known)}" if known else "is no key here"
        case "value_error":
            what = str(fault["ctx"]["error"])
        case _:
            what = str(fault["msg"])
    hint = _description(loc)
    return f"{found}{key}: {what}{f'. {hint}' if hint else ''}"


def _place(origin: str, text: str, loc: tuple[Any, ...]) -> str:
    line = _line_of(text, loc)
    return f"{origin}, line {line}: " if line else f"{origin}: "


def _line_of(text: str, loc: tuple[Any, ...]) -> int | None:
    """The line of a key, as far as it can be seen: its own, else that of its table."""
    names = [part for part in loc if isinstance(part, str)]
    index = next((part for part in loc if isinstance(part, int)), 0)
    table: list[str] = []
    seen, best, at = -1, 0, None
    for number, row in enumerate(text.splitlines(), start=1):
        header = _TABLE.fullmatch(row)
        if header:
            table = header[1].replace('"', "").split(".")
            seen += 1 if names[:1] == table[:1] and row.lstrip().startswith("[[") else 0
        key = row.partition("=")[0].strip().strip('"') if not header and "=" in row else None
        path = [*table, *(key.split(".") if key else [])]
        depth = len(path) if path == names[: len(path)] else 0
        if depth > best and (seen < 0 or not table or seen == index or names[:1] != table[:1]):
            best, at = depth, number
    return at


def _model_at(loc: tuple[Any, ...]) -> type[BaseModel] | None:
    """The part of the schema in which the last name of `loc` stands."""
    model: type[BaseModel] = Profile
    for part in loc[:-1]:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        inner = None if field is None else _inner(field.annotation)
        if inner is not None:
            model = inner
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _inner(one)) is not None), None)


def _keys_beside(loc: tuple[Any, ...]) -> list[str]:
    model = _model_at(loc)
    return [] if model is None else list(model.model_fields)


def _description(loc: tuple[Any, ...]) -> str | None:
    names = [part for part in loc if isinstance(part, str)]
    model = _model_at(loc)
    field = None if model is None or not names else model.model_fields.get(names[-1])
    return None if field is None else field.description
