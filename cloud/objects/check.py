"""Whether a definition can work: its names lead somewhere, nothing goes round in circles, and every guard can hold."""

import difflib
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter

from cloud.objects.definition import CUSTOM, FieldDef, ObjectDef
from cloud.objects.faults import DefinitionFault
from cloud.objects.schema import schema_of, system_fields
from cloud.objects.source import Path, Source
from sync_protocol.expressions import Expression, ExpressionFault, Given, Schema, nodes

FIELD_CONDITIONS = ("visible_when", "required_when", "readonly_when", "options_when", "validate", "compute", "default")
_PART = r"(?:[^{}\s]|\{(?:year|month|n)(?::0\d)?\})*"
NUMBER = re.compile(rf"{_PART}\{{n(?::0\d)?\}}{_PART}")
"""Patterns that give every record another number, of a length that is known."""

MAX_NUMBER = 40
MAX_FIELDS = 300
MAX_STATES = 60

_GIVEN = Given(datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC).date())


def check(definition: ObjectDef, objects: Mapping[str, ObjectDef], source: Source) -> list[DefinitionFault]:
    """Every fault, with the line in the source. `objects` has all other kinds; the definition itself is taken as it is here."""
    checker = _Checker(definition, {**objects, definition.key: definition}, source)
    checker.run()
    return checker.faults


@dataclass(slots=True)
class _Checker:
    definition: ObjectDef
    objects: Mapping[str, ObjectDef]
    source: Source
    faults: list[DefinitionFault] = field(default_factory=list)
    schema: Schema = field(init=False)

    def __post_init__(self) -> None:
        self.schema = schema_of(self.definition, self.objects)

    def run(self) -> None:
        found = self.definition
        if len(found.fields) > MAX_FIELDS or len(found.states) > MAX_STATES:
            self.fault((), "too_large", f"at most {MAX_FIELDS} fields and {MAX_STATES} states")
            return
        if not found.fields:
            self.fault(("fields",), "no_fields", "an object has at least one field")
        for one in found.live:
            self._field(one)
        self._names()
        self._machine()
        self._circles()

    def fault(self, path: Path, code: str, message: str, column: int = 0) -> None:
        said = ".".join(str(one) for one in path)
        self.faults.append(DefinitionFault(self.source.line(path), said, code, message, column))

    def _field(self, one: FieldDef) -> None:
        path: Path = ("fields", one.key)
        if one.target and one.target not in self.objects:
            self.fault((*path, "object"), "unknown_object", _unknown("object", one.target, self.objects))
        if one.type in {"choice", "choices"} and not one.options:
            self.fault(path, "no_options", "a choice has options")
        if one.section and one.section not in {section.key for section in self.definition.sections}:
            known = [section.key for section in self.definition.sections]
            self.fault((*path, "section"), "unknown_section", _unknown("section", one.section, known))
        self._fits_type(one, path)
        for name in FIELD_CONDITIONS:
            self._expression(getattr(one, name), (*path, name), self.schema)
        if one.where and one.target in self.objects:
            self._expression(one.where, (*path, "where"), schema_of(self.objects[one.target], self.objects))

    def _fits_type(self, one: FieldDef, path: Path) -> None:
        if one.min is not None and one.max is not None and one.min > one.max:
            self.fault((*path, "min"), "range", "min is above max")
        if one.indexed and one.type in {"json", "choices", "refs", "long"}:
            self.fault((*path, "indexed"), "not_indexed", f"a field of type {one.type} cannot be indexed")
        if one.unique and one.type not in {"text", "int", "ref", "date", "choice"}:
            self.fault((*path, "unique"), "not_unique", f"a field of type {one.type} cannot be unique")
        if one.compute and (one.required or one.default or one.type in {"ref", "refs", "file"}):
            self.fault(path, "computed", "a computed field is never required, has no default and is no reference")
        if one.options_when and one.type not in {"choice", "choices"}:
            self.fault((*path, "options_when"), "not_a_choice", "only choices have options")

    def _expression(self, text: str, path: Path, schema: Schema) -> Expression | None:
        if not text:
            return None
        try:
            found = Expression(text, schema)
        except ExpressionFault as exc:
            self.fault(path, exc.code, exc.message, exc.column)
            return None
        for column, name, key in _compared_options(found.tree, self.definition):
            self.fault(path, "unknown_option", _unknown(f"option of {name}", key, self._options(name)), column)
        return found

    def _options(self, name: str) -> list[str]:
        if name == "state":
            return list(self.definition.state_by_key)
        return [one.key for one in self.definition.by_key[name].options]

    def _names(self) -> None:
        known = {one.key for one in self.definition.live} | set(system_fields(self.definition))
        for number, name in enumerate(self.definition.columns):
            if name not in known:
                self.fault(("columns", number), "unknown_field", _unknown("field", name, known))
        if self.definition.sort and self.definition.sort.removeprefix("-") not in known:
            self.fault(("sort",), "unknown_field", _unknown("field", self.definition.sort.removeprefix("-"), known))
        for place in ("title", "title_he"):
            self._title(place, getattr(self.definition, place), known)
        pattern = self.definition.number
        if pattern and not (len(pattern) <= MAX_NUMBER and NUMBER.fullmatch(pattern)):
            self.fault(("number",), "template", "a number is text with {n} or {n:04} in it, and {year} or {month}")
        self._site()

    def _title(self, place: str, template: str, known: set[str]) -> None:
        try:
            named = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        except ValueError:
            self.fault((place,), "template", "a title is text with {field} in it")
            return
        for name in named:
            first = name.partition(".")[0]
            if first not in known:
                self.fault((place,), "unknown_field", _unknown("field", first, known))

    def _site(self) -> None:
        found = self._expression(self.definition.site, ("site",), self.schema)
        if found is not None and not isinstance(found.tree, nodes.Field):
            self.fault(("site",), "no_field", "the site is a field, or one behind a reference")

    def _machine(self) -> None:
        states = self.definition.state_by_key
        if self.definition.transitions and not states:
            self.fault(("transitions",), "no_states", "transitions need states")
            return
        reached = {self.definition.states[0].key} if states else set()
        taken: set[tuple[str, str]] = set()
        for one in self.definition.transitions:
            path: Path = ("transitions", one.key)
            for name in (*one.sources, one.target):
                if name not in states:
                    self.fault(path, "unknown_state", _unknown("state", name, states))
            reached.add(one.target)
            for pair in ((source, one.key) for source in one.sources):
                if pair in taken:
                    self.fault(path, "ambiguous", f"{one.key} from {pair[0]} stands twice")
                taken.add(pair)
            self._guard(one.when, (*path, "when"), one.sources)
            for name in one.require:
                self._required(name, path)
        # A coded machine's states are compared with its code, which also has ways that only the program takes.
        for name in () if self.definition.typed else states:
            if name not in reached:
                self.fault(("states", name), "unreachable", f"nothing leads to the state {name}")

    def _guard(self, text: str, path: Path, sources: tuple[str, ...]) -> None:
        found = self._expression(text, path, self.schema)
        if found is None:
            return
        if not any(True for _ in _fields_of(found.tree)):
            try:
                if not found.holds({}, _GIVEN):
                    self.fault(path, "impossible", "this can never hold")
            except ExpressionFault:
                return
        for part in found.tree.parts if isinstance(found.tree, nodes.Both) and found.tree.op == "and" else (found.tree,):
            wanted = _state_wanted(part)
            if wanted is not None and wanted not in sources:
                self.fault(path, "impossible", f"the record is never {wanted} here", part.column)

    def _required(self, name: str, path: Path) -> None:
        wanted = self.definition.by_key.get(name)
        if wanted is None or wanted.archived:
            live = [one.key for one in self.definition.live]
            self.fault((*path, "require"), "unknown_field", _unknown("field", name, live))
        elif wanted.visible_when.strip() in {"False", "None"}:
            self.fault((*path, "require"), "impossible", f"{name} is never visible")

    def _circles(self) -> None:
        needs = {one.key: _computed_from(one, self.definition, self.schema) for one in self.definition.live if one.compute}
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as exc:
            way = list(reversed(exc.args[1]))
            self.fault(("fields", way[0], "compute"), "circle", "goes round in a circle: " + " → ".join(way))


def compute_order(definition: ObjectDef, objects: Mapping[str, ObjectDef]) -> list[FieldDef]:
    """Computed fields so that each comes after those it rests on."""
    schema = schema_of(definition, objects)
    needs = {one.key: _computed_from(one, definition, schema) for one in definition.live if one.compute}
    return [definition.by_key[key] for key in TopologicalSorter(needs).static_order()]


def _computed_from(one: FieldDef, definition: ObjectDef, schema: Schema) -> set[str]:
    try:
        tree = Expression(one.compute, schema).tree
    except ExpressionFault:
        return set()
    return {path[0] for path in _fields_of(tree) if path[0] in definition.by_key and definition.by_key[path[0]].compute}


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    for name in getattr(node, "__slots__", ()):
        yield from _nodes_in(getattr(node, name))


def _nodes_in(value: object) -> Iterator[nodes.Node]:
    if isinstance(value, tuple):
        for one in value:
            yield from _nodes_in(one)
    elif hasattr(value, "column") and type(value).__module__ == nodes.__name__:
        yield value  # type: ignore[misc]


def _fields_of(node: nodes.Node) -> Iterator[tuple[str, ...]]:
    if isinstance(node, nodes.Field):
        yield node.path
    for one in _children(node):
        yield from _fields_of(one)


def _compared_options(node: nodes.Node, definition: ObjectDef) -> Iterator[tuple[int, str, str]]:
    """Choices (and the state) that are compared with a word that is none of their options."""
    if isinstance(node, nodes.Compared) and isinstance(node.first, nodes.Field) and len(node.first.path) == 1:
        yield from _strange(node, node.first.path[0], definition)
    for one in _children(node):
        yield from _compared_options(one, definition)


def _strange(node: nodes.Compared, name: str, definition: ObjectDef) -> Iterator[tuple[int, str, str]]:
    field = definition.by_key.get(name)
    if name == "state" and field is None:
        known = set(definition.state_by_key)
    elif field is not None and field.type == "choice":
        known = {one.key for one in field.options}
    else:
        return
    for op, right in node.rest:
        listed = right.items if op in {"in", "not in"} and isinstance(right, nodes.Listed) else (right,)
        for one in listed:
            word = one.value if isinstance(one, nodes.Constant) else None
            if op in {"==", "!=", "in", "not in"} and isinstance(word, str) and word not in known:
                yield one.column, name, word


def _state_wanted(node: nodes.Node) -> str | None:
    """`state == 'x'` as a condition of its own."""
    if not isinstance(node, nodes.Compared) or not isinstance(node.first, nodes.Field) or node.first.path != ("state",):
        return None
    op, right = node.rest[0]
    return str(right.value) if len(node.rest) == 1 and op == "==" and isinstance(right, nodes.Constant) else None


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"there is no {what} {name[:40]}" + (f"; did you mean {near[0]}?" if near else "")


def shipped_names_are_plain(definition: ObjectDef) -> bool:
    """Whether no shipped key begins as customers' keys do."""
    return not any(one.key.startswith(CUSTOM) for one in definition.fields)
