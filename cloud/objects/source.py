"""YAML with the line of every key: what a definition is read from.

Numbers stay as written, and only `true` and `false` are yes or no.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from cloud.objects.faults import BadDefinition, DefinitionFault

MAX_TEXT = 200_000
"""Characters of a definition: some 1,500 fields."""

MAX_DEPTH = 12

Path = tuple[str | int, ...]

_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Only for its parser: what scalars mean is decided here, since YAML 1.1 takes `no` for false and `1.10` for a float."""


@dataclass(frozen=True, slots=True)
class Source:
    """`data` is dicts, lists, str, bool, None, int and Decimal; `lines` has the line (from 1) of every place in it."""

    data: dict[str, Any]
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of a place, or of the nearest one around it; 0 where the source had no text."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def read_yaml(text: str) -> Source:
    """Read one mapping. Raises BadDefinition for what is not YAML, for aliases and tags, and for a key that stands twice."""
    if len(text) > MAX_TEXT:
        raise BadDefinition([DefinitionFault(1, "", "too_large", f"more than {MAX_TEXT} characters")])
    try:
        _demand_shallow(text)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as exc:
        mark: Any = exc.problem_mark or exc.context_mark
        line = 1 if mark is None else mark.line + 1
        raise BadDefinition([DefinitionFault(line, "", "syntax", exc.problem or "cannot be read")]) from exc
    except yaml.YAMLError as exc:
        raise BadDefinition([DefinitionFault(1, "", "syntax", "cannot be read as YAML")]) from exc
    if not isinstance(node, yaml.MappingNode):
        raise BadDefinition([DefinitionFault(1, "", "shape", "a definition is a list of `key: value` lines")])
    found = _Plain()
    return Source(found.plain(node, ()), found.lines)


def _demand_shallow(text: str) -> None:
    """Whoever makes a tree of it calls itself once a level, and in C that ends the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH + 1:
            mark: Any = event.start_mark
            raise BadDefinition([DefinitionFault(mark.line + 1, "", "shape", f"nested deeper than {MAX_DEPTH}")])


@dataclass(slots=True)
class _Plain:
    lines: dict[Path, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def plain(self, node: Any, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self.seen:
            # Nested aliases grow without end ("billion laughs").
            raise BadDefinition([DefinitionFault(self.lines[path], _said(path), "alias", "aliases are not allowed")])
        self.seen.add(id(node))
        if len(path) > MAX_DEPTH:
            raise BadDefinition([DefinitionFault(self.lines[path], _said(path), "shape", f"nested deeper than {MAX_DEPTH}")])
        if isinstance(node, yaml.ScalarNode):
            if "\x00" in node.value:
                raise BadDefinition(
                    [DefinitionFault(self.lines[path], _said(path), "text", "no database keeps this character")]
                )
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(one, (*path, place)) for place, one in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in _pairs(node, path):
            here = (*path, key.value)
            self.lines[here] = key.start_mark.line + 1
            if key.value in found:
                raise BadDefinition([DefinitionFault(self.lines[here], _said(here), "twice", "stands twice")])
            found[key.value] = self.plain(value, here)
        return found


def _pairs(node: Any, path: Path) -> Iterator[tuple[Any, Any]]:
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            raise BadDefinition([DefinitionFault(key.start_mark.line + 1, _said(path), "shape", "a key is a plain word")])
        yield key, value


def _scalar(node: Any) -> object:
    text: str = node.value
    if node.style:  # quoted or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] in "+-.0123456789":
        try:
            number = Decimal(text)
        except InvalidOperation:
            return text
        if number.is_finite() and len(text) <= 40:
            whole = text.lstrip("+-").isdigit()
            return int(text) if whole else number
    return text


def _said(path: Path) -> str:
    return ".".join(str(one) for one in path)
