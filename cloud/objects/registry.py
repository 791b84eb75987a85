"""Every definition in force: the shipped ones, what customers added to them, and customers' own."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import NotFound
from cloud.objects.check import check
from cloud.objects.definition import CUSTOM, FieldDef, ObjectDef
from cloud.objects.faults import BadDefinition, DefinitionFault
from cloud.objects.models import StoredDefinition
from cloud.objects.reading import read_object
from cloud.objects.source import Source, read_yaml
from cloud.objects.typed import TypedKind, derive_from, with_machine

log = structlog.get_logger()

MERGED = frozenset({"fields", "states", "transitions", "sections"})
"""Parts of a shipped definition to which a customer adds entries of their own."""

ADJUSTABLE = frozenset(
    (
        *("label", "help", "section", "required", "indexed", "searchable", "archived", "default", "visible_when"),
        *("required_when", "readonly_when", "options_when", "validate", "message", "max_length", "options", "portal"),
        "evidence",
    )
)
"""What a customer may say about a shipped field. Its type, column and meaning stay: code rests on them."""

ADJUSTABLE_WHOLE = frozenset({"key", "label", "plural", "columns", "sort", "portal", *MERGED})
ADJUSTABLE_TRANSITION = frozenset({"label", "when", "message", "require", "reason"})


@dataclass(frozen=True)
class Shipped:
    """What a release brings: kinds with tables, and YAML files of kinds without."""

    typed: tuple[TypedKind, ...] = ()
    files: tuple[Path, ...] = ()

    def __add__(self, other: "Shipped") -> "Shipped":
        return Shipped(self.typed + other.typed, self.files + other.files)


@dataclass(frozen=True)
class Objects:
    """One state of all definitions. `stamp` is the newest stored version it was made with."""

    definitions: Mapping[str, ObjectDef]
    typed: Mapping[str, TypedKind]
    stamp: int = 0

    def get(self, kind: str) -> ObjectDef:
        """Raises NotFound for a kind that nobody defined."""
        found = self.definitions.get(kind)
        if found is None:
            raise NotFound("object", kind)
        return found

    def leading_to(self, kind: str) -> list[tuple[ObjectDef, FieldDef]]:
        """References of all objects to this kind: the other side of one-to-many and many-to-many relations."""
        return [
            (one, each)
            for one in self.definitions.values()
            for each in one.live
            if each.target == kind and each.type in {"ref", "refs"} and not one.archived
        ]


@dataclass
class Registry:
    """Gives the definitions in force; looks once a transaction whether another process saved a newer one."""

    shipped: Shipped
    _base: Mapping[str, Source] = field(init=False)
    _typed: Mapping[str, TypedKind] = field(init=False)
    _now: Objects | None = None

    def __post_init__(self) -> None:
        """Raises BadDefinition where a shipped definition is wrong."""
        self._typed = {one.key: one for one in self.shipped.typed}
        files = [*(one.definition for one in self.shipped.typed), *self.shipped.files]
        self._base = {source.data["key"]: source for source in (read_yaml(path.read_text("utf-8")) for path in files)}
        self._check_all(self.plain())

    def plain(self) -> Objects:
        """The shipped definitions as they come."""
        return Objects({key: self._read(key, source) for key, source in self._base.items()}, self._typed)

    def last(self) -> Objects:
        """The definitions as this process saw them last: for what may lag behind, such as a menu."""
        return self._now or self.plain()

    async def current(self, session: AsyncSession) -> Objects:
        """The definitions in force as the session's transaction sees them."""
        stamp = await session.scalar(select(func.coalesce(func.max(StoredDefinition.id), 0))) or 0
        if self._now is None or self._now.stamp != stamp:
            self._now = await self._load(session, stamp)
        return self._now

    async def _load(self, session: AsyncSession, stamp: int) -> Objects:
        newest = select(func.max(StoredDefinition.id)).group_by(StoredDefinition.key)
        rows = (await session.scalars(select(StoredDefinition).where(StoredDefinition.id.in_(newest)))).all()
        found = dict(self.plain().definitions)
        for row in rows:
            try:
                found[row.key] = self.combined(read_yaml(row.text), row.carried, version=row.version)
            except BadDefinition as exc:
                log.warning("definition_not_in_force", kind=row.key, version=row.version, faults=str(exc)[:1000])
                shipped = found.get(row.key)
                if shipped is not None:
                    # It may have demanded more than the shipped one: until it is mended, such records are read and no more.
                    found[row.key] = dataclasses.replace(shipped, read_only=True, transitions=())
        return Objects(found, self._typed, stamp)

    def combined(self, said: Source, carried: Mapping[str, Any], *, version: int) -> ObjectDef:
        """The definition that a customer's text gives: on its own, or on top of the shipped one of the same key."""
        demand_shape(said)
        key = str(said.data.get("key", ""))
        base = self._base.get(key)
        if base is None:
            made = self._read(key, Source(with_carried(said.data, carried), said.lines))
            return dataclasses.replace(made, custom=True, version=version)
        typed = self._typed.get(key)
        faults = list(_not_theirs(base, said, coded=typed is not None and typed.machine is not None))
        if faults:
            raise BadDefinition(faults, key)
        whole = _merge(base.data, with_carried(said.data, carried))
        return dataclasses.replace(self._read(key, Source(whole, said.lines)), version=version)

    def read(self, text: str, objects: Objects, *, carried: Mapping[str, Any] | None = None, version: int = 1) -> ObjectDef:
        """A definition that somebody wants to save, checked against all others. Raises BadDefinition with every fault."""
        said = read_yaml(text)
        found = self.combined(said, carried or {}, version=version)
        if found.custom and not found.key.startswith(CUSTOM):
            # Else an update could bring one of the same key.
            raise BadDefinition(
                [DefinitionFault(said.line(("key",)), "key", "not_yours", f"a key of your own begins with {CUSTOM}")]
            )
        if found.custom and found.storage != "record":
            raise BadDefinition(
                [DefinitionFault(said.line(("storage",)), "storage", "storage", "only shipped objects have tables")]
            )
        faults = check(found, objects.definitions, said)
        if faults:
            raise BadDefinition(faults, found.key)
        return found

    def _read(self, key: str, source: Source) -> ObjectDef:
        typed = self._typed.get(key)
        if typed is None:
            return read_object(source)
        tables = {one.model.__tablename__: one.key for one in self.shipped.typed}
        whole = Source(dict(with_machine(source.data, typed)), source.lines)
        return read_object(whole, derive_from(typed, tables))

    def faults(self, objects: Objects) -> Iterator[tuple[str, DefinitionFault]]:
        """What is wrong with any of them, by kind. Lines are known of shipped ones only."""
        for key, found in objects.definitions.items():
            for fault in check(found, objects.definitions, self._base.get(key, Source({}))):
                yield key, fault

    def _check_all(self, objects: Objects) -> None:
        found = list(self.faults(objects))
        found += [
            (key, DefinitionFault(0, f"fields.{one.key}", "reserved", f"shipped keys do not begin with {CUSTOM}"))
            for key, definition in objects.definitions.items()
            for one in definition.fields
            if one.key.startswith(CUSTOM)
        ]
        if found:
            raise BadDefinition([fault for _, fault in found], ", ".join(sorted({key for key, _ in found})))


def demand_shape(said: Source) -> None:
    """Raises BadDefinition where parts that are put together with others are no `key: value` lines."""
    faults = [
        DefinitionFault(said.line((part,)), part, "shape", "`key: value` lines are expected here")
        for part in sorted(MERGED)
        if not isinstance(said.data.get(part), dict | None)
    ]
    fields = said.data.get("fields")
    for key, one in fields.items() if isinstance(fields, dict) else ():
        options = one.get("options") if isinstance(one, dict) else None
        listed = isinstance(options, list) and all(isinstance(each, str | int | bool) for each in options)
        if not (listed or isinstance(options, dict | None)):
            line = said.line(("fields", key, "options"))
            faults.append(DefinitionFault(line, f"fields.{key}.options", "shape", "options are words, or `key: label` lines"))
    if faults:
        raise BadDefinition(faults, str(said.data.get("key", ""))[:60])


def with_carried(data: Mapping[str, Any], carried: Mapping[str, Any]) -> dict[str, Any]:
    """What a text says, with the fields and options that it names no more."""
    found = deepcopy(dict(data))
    for key, said in carried.get("fields", {}).items():
        found.setdefault("fields", {}).setdefault(key, said)
    for key, options in carried.get("options", {}).items():
        here = found.get("fields", {}).get(key)
        if isinstance(here, dict):
            named = here.get("options") or {}
            named = dict.fromkeys(named) if isinstance(named, list) else dict(named)
            for option, label in options.items():
                named.setdefault(option, label)
            here["options"] = named
    return found


def _merge(base: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    whole = deepcopy(dict(base))
    for name, value in said.items():
        if name in MERGED and isinstance(value, dict):
            part = whole.setdefault(name, {})
            for key, one in value.items():
                part[key] = _entry(part.get(key), one)
        else:
            whole[name] = value
    return whole


def _entry(base: object, said: object) -> object:
    if not isinstance(base, dict) or not isinstance(said, dict):
        return said
    whole = {**base, **said}
    if base.get("options") and said.get("options"):
        whole["options"] = {**_named(base["options"]), **_named(said["options"])}
    return whole


def _named(options: object) -> dict[str, Any]:
    return dict.fromkeys(str(one) for one in options) if isinstance(options, list) else dict(options)  # type: ignore[call-overload]


def _not_theirs(base: Source, said: Source, *, coded: bool) -> Sequence[DefinitionFault]:
    """What a customer may not say about a shipped object; of one whose machine is `coded`, no states and transitions."""
    strange = [name for name in said.data if name not in ADJUSTABLE_WHOLE]
    faults = [_refused(said, (name,), f"{name} of a shipped object is the program's") for name in strange]
    for part, adjustable in (("fields", ADJUSTABLE), ("transitions", ADJUSTABLE_TRANSITION), ("states", frozenset({"label"}))):
        for key, one in (said.data.get(part) or {}).items():
            shipped = (base.data.get(part) or {}).get(key)
            if shipped is None and coded and part != "fields":
                faults.append(_refused(said, (part, key), "states and transitions of this object are the program's"))
            elif shipped is None and part == "fields" and isinstance(one, dict) and "column" in one:
                faults.append(_refused(said, (part, key, "column"), "columns of a table are the program's"))
            elif shipped is None and not key.startswith(CUSTOM):
                faults.append(_refused(said, (part, key), f"a key of your own in a shipped object begins with {CUSTOM}"))
            elif shipped is not None:
                strange = [name for name in one if name not in adjustable] if isinstance(one, dict) else [""]
                faults += [_refused(said, (part, key, name), f"{name or key} here is the program's") for name in strange]
    return faults


def _refused(said: Source, path: tuple[str, ...], message: str) -> DefinitionFault:
    return DefinitionFault(said.line(path), ".".join(one for one in path if one), "not_yours", message)
