"""A definition's text becomes an ObjectDef. Every word that nobody knows is a fault with its line; nothing is guessed."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from cloud.db.types import MICRO
from cloud.objects.definition import (
    PHASES,
    TYPES,
    FieldDef,
    Label,
    ObjectDef,
    Option,
    SectionDef,
    StateDef,
    TransitionDef,
)
from cloud.objects.faults import BadDefinition, DefinitionFault
from cloud.objects.source import Path, Source

KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")

MAX_LENGTH = 10_000
"""Characters of the longest text."""

MAX_DIGITS = 19
"""Before the point, of the largest number that a column takes."""

SYSTEM_FIELDS = ("ref", "state", "title", "owner", "archived", "created_at", "created_by", "updated_at", "updated_by")
"""What every record has besides its definition's fields, for lists and conditions."""

RESERVED = frozenset(
    (*SYSTEM_FIELDS, "id", "uid", "kind", "phase", "version", "source_key", "now", "and", "or", "not", "in", "is", "if", "else")
) | {"for", "none", "true", "false"}
"""Names that every record has, or that expressions read as something else."""

SHORT_TYPES = {"party": "party", "product": "product"}
"""`type: party` is a reference to a party."""

_FIELD_KEYS = frozenset(one.name for one in fields(FieldDef)) - {"key", "target"} | {"object"}
_OBJECT_KEYS = frozenset(one.name for one in fields(ObjectDef)) - {"custom", "version"} | {"archived"}
_STATE_KEYS = frozenset({"phase", "label"})
_TRANSITION_KEYS = frozenset({"from", "to", "label", "when", "message", "roles", "require", "reason"})
_EXPRESSIONS = ("default", "visible_when", "required_when", "readonly_when", "options_when", "validate", "compute", "where")

Derive = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""For a typed table: what the column of a field says itself (type, required, unique, object, column)."""


def read_object(source: Source, derive: Derive | None = None) -> ObjectDef:
    """Raises BadDefinition with every fault of form. Whether its names and expressions fit is `cloud.objects.check`'s work."""
    reader = _Reader(source, derive)
    found = reader.whole()
    if reader.faults:
        raise BadDefinition(reader.faults, str(source.data.get("key", "")))
    return found


@dataclass(slots=True)
class _Reader:
    source: Source
    derive: Derive | None
    faults: list[DefinitionFault] = field(default_factory=list)

    def fault(self, path: Path, code: str, message: str) -> None:
        self.faults.append(DefinitionFault(self.source.line(path), ".".join(str(one) for one in path), code, message))

    def whole(self) -> ObjectDef:
        data = self.source.data
        self._known(data, _OBJECT_KEYS, ())
        return ObjectDef(
            key=self._key(data.get("key"), ("key",)),
            label=self._label(data.get("label", data.get("key")), ("label",)),
            plural=self._label(data.get("plural", data.get("label", data.get("key"))), ("plural",)),
            fields=tuple(self._field(key, value, ("fields", key)) for key, value in self._items(data, "fields")),
            title=self._text(data, "title", "{ref}"),
            title_he=self._text(data, "title_he"),
            number=self._text(data, "number"),
            ref=self._text(data, "ref", "ref"),
            storage=self._text(data, "storage", "record"),
            icon=self._text(data, "icon", "record"),
            site=self._text(data, "site"),
            group=self._text(data, "group", "records"),
            sections=tuple(
                SectionDef(self._key(key, ("sections", key)), self._label(value, ("sections", key)))
                for key, value in self._items(data, "sections")
            ),
            states=tuple(self._state(key, value, ("states", key)) for key, value in self._items(data, "states")),
            transitions=tuple(
                self._transition(key, value, ("transitions", key)) for key, value in self._items(data, "transitions")
            ),
            sort=self._text(data, "sort"),
            columns=tuple(self._words(data.get("columns"), ("columns",))),
            portal=self._mapping(data.get("portal"), ("portal",)),
            read_only=self._flag(data, "read_only", ()),
            archived=self._flag(data, "archived", ()),
        )

    def _field(self, key: str, value: object, path: Path, *, inside: bool = False) -> FieldDef:
        said = dict(self._mapping(value, path))
        self._known(said, _FIELD_KEYS, path)
        if self.derive is not None and not inside:
            said = {**self.derive(key, said), **said}
        kind, target = self._type(said, path)
        decimals = self._whole(said, "decimals", path, 2 if kind == "money" else 6)
        if not 0 <= decimals <= 6:
            self.fault((*path, "decimals"), "range", "0 to 6 places")
        if said.get("column") and (self.derive is None or inside):
            self.fault((*path, "column"), "column", "only fields of a shipped object's table have a column")
        if not inside and key in RESERVED and not said.get("column"):
            self.fault(path, "reserved", f"{key} is a name that every record has or that expressions use")
        return FieldDef(
            key=self._key(key, path),
            type=kind,  # type: ignore[arg-type]
            label=self._label(said.get("label", key.replace("_", " ").capitalize()), (*path, "label")),
            help=self._label(said["help"], (*path, "help")) if said.get("help") else None,
            section=self._text(said, "section", path=path),
            **self._flags(said, path),
            options=tuple(self._options(said.get("options"), (*path, "options"))),
            target=target,
            **self._expressions(said, path),
            unit=self._text(said, "unit", path=path),
            currency=self._text(said, "currency", path=path),
            min=self._number(said, "min", path),
            max=self._number(said, "max", path),
            decimals=decimals,
            max_length=self._length(said, path, MAX_LENGTH if kind == "long" else 200),
            message=self._label(said["message"], (*path, "message")) if said.get("message") else None,
            evidence=self._choice(said, "evidence", ("none", "optional", "required"), path),  # type: ignore[arg-type]
            portal=self._choice(said, "portal", ("hidden", "read", "write"), path),  # type: ignore[arg-type]
            of=tuple(
                self._field(one, inner, (*path, "of", one), inside=True)
                for one, inner in self._mapping(said.get("of"), (*path, "of")).items()
            ),
            column=self._text(said, "column", path=path),
        )

    def _flags(self, said: Mapping[str, Any], path: Path) -> dict[str, Any]:
        return {name: self._flag(said, name, path) for name in _FLAGS}

    def _expressions(self, said: Mapping[str, Any], path: Path) -> dict[str, Any]:
        return {name: self._expression(said.get(name), (*path, name)) for name in _EXPRESSIONS}

    def _type(self, said: Mapping[str, Any], path: Path) -> tuple[str, str]:
        kind, target = said.get("type", "text"), self._text(said, "object", path=path)
        if isinstance(kind, str) and kind in SHORT_TYPES:
            return "ref", target or SHORT_TYPES[kind]
        if kind not in TYPES:
            self.fault((*path, "type"), "unknown_type", _unknown("type", str(kind), [*TYPES, *SHORT_TYPES]))
            return "text", target
        if kind in {"ref", "refs"} and not target:
            self.fault(path, "no_object", "a reference says with `object` where it leads")
        if kind not in {"ref", "refs"} and target:
            self.fault((*path, "object"), "not_a_reference", "only ref and refs have an object")
        return str(kind), target

    def _options(self, value: object, path: Path) -> Iterable[Option]:
        if isinstance(value, list):
            value = dict.fromkeys(str(one) for one in value)
        for named, label in self._mapping(value, path).items():
            # YAML reads a bare yes, no or 5 as something else than text.
            key = str(named)
            place = (*path, key)
            if not isinstance(named, str) or not re.fullmatch(r"[A-Za-z0-9_.+-]{1,60}", key):
                self.fault(place, "key", "an option's key is letters, digits, _ . + -, in quotes where it is a word of YAML")
            archived = isinstance(label, dict) and label.get("archived") is True
            said = {name: text for name, text in label.items() if name != "archived"} if isinstance(label, dict) else label
            yield Option(key, self._label(said or key, place), archived)

    def _state(self, key: str, value: object, path: Path) -> StateDef:
        said = {"phase": value} if isinstance(value, str) else dict(self._mapping(value, path))
        self._known(said, _STATE_KEYS, path)
        phase: Any = said.get("phase", "open")
        if phase not in PHASES:
            self.fault(path, "unknown_phase", _unknown("phase", str(phase), PHASES))
            phase = "open"
        return StateDef(self._key(key, path), phase, self._label(said.get("label", _spaced(key)), (*path, "label")))

    def _transition(self, key: str, value: object, path: Path) -> TransitionDef:
        said = dict(self._mapping(value, path))
        self._known(said, _TRANSITION_KEYS, path)
        if not said.get("from") or not isinstance(said.get("to"), str):
            self.fault(path, "incomplete", "a transition says `from` and `to`")
        return TransitionDef(
            key=self._key(key, path),
            sources=tuple(self._words(said.get("from"), (*path, "from"))),
            target=str(said.get("to", "")),
            label=self._label(said.get("label", _spaced(key)), (*path, "label")),
            when=self._expression(said.get("when"), (*path, "when")),
            message=self._label(said["message"], (*path, "message")) if said.get("message") else None,
            roles=tuple(self._words(said.get("roles"), (*path, "roles"))),
            require=tuple(self._words(said.get("require"), (*path, "require"))),
            reason=self._flag(said, "reason", path),
        )

    def _key(self, value: object, path: Path) -> str:
        if not isinstance(value, str) or not KEY.fullmatch(value):
            self.fault(
                path, "key", f"{str(value)[:40]!r}: a key is small Latin letters, digits and _, at most 40, a letter first"
            )
            return "x"
        return value

    def _label(self, value: object, path: Path) -> Label:
        if isinstance(value, str):
            return Label(value[:200])
        said = self._mapping(value, path)
        self._known(said, frozenset({"en", "he"}), path)
        en, he = said.get("en"), said.get("he")
        if not all(one is None or isinstance(one, str) for one in (en, he)) or not (en or he):
            self.fault(path, "label", "a label is text, or text for `en` and `he`")
        return Label(str(en or he or "")[:200], None if he is None else str(he)[:200])

    def _expression(self, value: object, path: Path) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value)
        if isinstance(value, int | Decimal):
            return str(value)
        if not isinstance(value, str):
            self.fault(path, "expression", "an expression is one line of text")
            return ""
        return value

    def _text(self, said: Mapping[str, Any], name: str, default: str = "", path: Path = ()) -> str:
        value = said.get(name, default)
        if value is None:
            return default
        if not isinstance(value, str):
            self.fault((*path, name), "text", f"{name} is text")
            return default
        return value

    def _flag(self, said: Mapping[str, Any], name: str, path: Path) -> bool:
        value = said.get(name, False)
        if not isinstance(value, bool):
            self.fault((*path, name), "flag", f"{name} is true or false")
        return value is True

    def _whole(self, said: Mapping[str, Any], name: str, path: Path, default: int) -> int:
        value = said.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault((*path, name), "number", f"{name} is a whole number")
            return default
        return value

    def _length(self, said: Mapping[str, Any], path: Path, default: int) -> int:
        found = self._whole(said, "max_length", path, default)
        if not 1 <= found <= MAX_LENGTH:
            self.fault((*path, "max_length"), "range", f"1 to {MAX_LENGTH} characters")
        return found

    def _number(self, said: Mapping[str, Any], name: str, path: Path) -> Decimal | None:
        value = said.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.fault((*path, name), "number", f"{name} is a number")
            return None
        found = Decimal(value)
        if found and not -MICRO <= found.adjusted() < MAX_DIGITS:
            self.fault((*path, name), "number", f"{name} is larger or finer than any field's value")
            return None
        return found

    def _choice(self, said: Mapping[str, Any], name: str, of: tuple[str, ...], path: Path) -> str:
        value = said.get(name, of[0])
        if value not in of:
            self.fault((*path, name), "choice", _unknown(name, str(value), of))
            return of[0]
        return str(value)

    def _words(self, value: object, path: Path) -> list[str]:
        if value is None:
            return []
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            self.fault(path, "words", "a name, or a list of names")
            return []
        return listed

    def _mapping(self, value: object, path: Path) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(path, "shape", "`key: value` lines are expected here")
            return {}
        return value

    def _items(self, data: Mapping[str, Any], name: str) -> Iterable[tuple[str, Any]]:
        return self._mapping(data.get(name), (name,)).items()

    def _known(self, said: Mapping[str, Any], known: frozenset[str], path: Path) -> None:
        for name in said:
            if name not in known:
                self.fault((*path, name), "unknown_word", _unknown("word", name, known))


_FLAGS = ("required", "unique", "readonly", "indexed", "searchable", "archived")


def _spaced(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"there is no {what} {name[:40]}" + (f"; did you mean {near[0]}?" if near else "")
