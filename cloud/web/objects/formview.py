"""A form as its page shows it: every field with what stands in it, what may be chosen, and what is wrong with it."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from cloud.kernel.access import CREATE, READ, WRITE
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, ObjectDef, Option, SectionDef
from cloud.objects.faults import FieldFault
from cloud.objects.naming import named as named_for
from cloud.objects.permits import Reach, reach, ways_of
from cloud.objects.rows import Reference, Rows
from cloud.objects.validation import Draft, draft
from cloud.objects.values import said
from cloud.web import marks
from cloud.web.objects.given import local_text
from cloud.web.objects.references import ref_of, worded
from cloud.web.objects.values import Shower

Tables = Mapping[str, Sequence[Mapping[str, object]]]

HIDDEN_ROUNDS = 4
"""How often a form is worked out again without what became invisible: each round can hide what rested on the one before."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table inside a form."""

    field: FieldDef
    name: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class FieldView:
    """`text` is what stands in its control; `chosen` the values of a list; `shown` is for fields that are not written here.
    `mark` differs whenever anything but the control's value does."""

    field: FieldDef
    text: str
    chosen: tuple[tuple[str, str], ...]
    options: tuple[Option, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shown: Markup
    faults: tuple[Markup, ...]
    required: bool
    readonly: bool
    hidden: bool
    mark: str = ""

    @property
    def id(self) -> str:
        return f"f-{self.field.key}"

    @property
    def name(self) -> str:
        return f"f.{self.field.key}"


@dataclass(frozen=True, slots=True)
class SectionView:
    section: SectionDef | None
    fields: tuple[FieldView, ...]

    @property
    def visible(self) -> bool:
        return any(not one.hidden for one in self.fields)


@dataclass(frozen=True, slots=True)
class FormView:
    """`faults`: of fields, in their order, then of fields that are not in the form."""

    definition: ObjectDef
    sections: tuple[SectionView, ...]
    others: tuple[Markup, ...]

    @property
    def faulty(self) -> list[FieldView]:
        return [one for section in self.sections for one in section.fields if one.faults and not one.hidden]


@dataclass(frozen=True)
class Filled:
    """A draft and what was given for it, without what became invisible."""

    draft: Draft
    given: Mapping[str, object]


async def filled(caller: Caller, rows: Rows, row: Any | None, given: Mapping[str, object]) -> Filled:
    """Work the form out. What the definition hides now is no longer given: the person cannot see it."""
    left = dict(given)
    made = await draft(caller, rows, row, left)
    for _ in range(HIDDEN_ROUNDS):
        unseen = [name for name in left if name in made.hidden]
        if not unseen:
            break
        left = {name: value for name, value in left.items() if name not in unseen}
        made = await draft(caller, rows, row, left)
    return Filled(made, left)


async def writable(caller: Caller, rows: Rows, row: Any | None) -> Reach:
    """Fields that the caller may write on this record, or on a new one."""
    if row is not None:
        return await reach(caller, rows, row, WRITE)
    return Reach(tuple(mask for _, mask in ways_of(caller, rows.definition, CREATE)))


async def readable(caller: Caller, rows: Rows, row: Any | None) -> Reach:
    if row is not None:
        return await reach(caller, rows, row, READ)
    return Reach(tuple(mask for _, mask in ways_of(caller, rows.definition, READ)))


@dataclass(frozen=True)
class FormMaker:
    """Makes views of one form."""

    caller: Caller
    show: Shower
    rows: Rows
    row: Any | None

    async def view(
        self, found: Filled, given: Mapping[str, object], *, told: Collection[str] | None = None, tables: Tables | None = None
    ) -> FormView:
        """`given` is what the person typed, shown as it is; `told`: fields whose faults are said already (None: of all);
        `tables`: rows of tables as they stood in the form, the empty ones too."""
        may_write = await writable(self.caller, self.rows, self.row)
        may_read = await readable(self.caller, self.rows, self.row)
        views: dict[str, FieldView] = {}
        for one in self.rows.definition.live:
            if not (may_read.allows(one.key) or may_write.allows(one.key)):
                continue
            closed = not may_write.allows(one.key)
            if closed and self.row is None:
                continue
            views[one.key] = await self._field(one, found, given, told, closed=closed, rows=(tables or {}).get(one.key))
        others = [
            self.fault(one) for one in found.draft.faults if one.field not in views and (told is None or one.field in told)
        ]
        return FormView(self.rows.definition, _sections(self.rows.definition, views), tuple(others))

    async def _field(
        self,
        one: FieldDef,
        found: Filled,
        given: Mapping[str, object],
        told: Collection[str] | None,
        *,
        closed: bool,
        rows: Sequence[Mapping[str, object]] | None,
    ) -> FieldView:
        made = found.draft
        readonly = closed or one.key in made.readonly
        hidden = one.key in made.hidden
        faults = [self.fault(each) for each in made.faults if each.field == one.key and (told is None or one.key in told)]
        value = made.values.get(one.key)
        given_text = given.get(one.key) if one.key in given and not readonly else None
        options = self._options(one, made, value)
        shown = await self._shown(one, value) if readonly else marks.NOTHING
        required = one.key in made.required and not readonly
        state = (readonly, hidden, required, str(shown), [one.key for one in options], [str(each) for each in faults])
        return FieldView(
            field=one,
            text=await self._text(one, value, given_text),
            chosen=await self._chosen(one, value, given_text),
            options=options,
            rows=self._table(one, value, given_text if rows is None else rows),
            shown=shown,
            faults=tuple(faults),
            required=required,
            readonly=readonly,
            hidden=hidden,
            mark=hashlib.sha256(repr(state).encode()).hexdigest()[:12],
        )

    def _options(self, one: FieldDef, made: Draft, value: Any) -> tuple[Option, ...]:
        allowed = made.options.get(one.key)
        chosen = value if isinstance(value, list) else [value]
        return tuple(
            each
            for each in one.options
            if (each.key in chosen or not each.archived) and (allowed is None or each.key in allowed or each.key in chosen)
        )

    async def _shown(self, one: FieldDef, value: Any) -> Markup:
        if one.type == "ref" and value is not None:
            value = await self._reference(one, value)
        elif one.type == "refs":
            named = await named_for(self.caller, one, value or [])
            value = list(named.values())
        return self.show.field(one, value)

    async def _reference(self, one: FieldDef, row_id: Any) -> Reference | None:
        return (await named_for(self.caller, one, [row_id])).get(row_id)

    async def _text(self, one: FieldDef, value: Any, given: object) -> str:
        if one.type == "ref":
            found = await self._reference(one, value) if value is not None else None
            typed = given if isinstance(given, str) else None
            if found is not None and (typed is None or ref_of(typed) == found.ref):
                return worded(found, self.show.locale)
            return typed or ""
        if one.type in {"refs", "choices"} or (one.type == "json" and one.of):
            return ""
        return text_of(one, value if given is None else given, self.show)

    async def _chosen(self, one: FieldDef, value: Any, given: object) -> tuple[tuple[str, str], ...]:
        """Values of a list with their words."""
        if one.type == "choices":
            keys = given if isinstance(given, list) else value or []
            return tuple((str(each), str(each)) for each in keys)
        if one.type != "refs":
            return ()
        if isinstance(given, list):
            known = await self.caller.references.resolve(one.target, [str(each) for each in given])
            named = await named_for(self.caller, one, known.values())
            words = {each.ref: worded(each, self.show.locale) for each in named.values()}
            return tuple((str(each), words.get(str(each), str(each))) for each in given)
        named = await named_for(self.caller, one, value or [])
        return tuple((each.ref, worded(each, self.show.locale)) for each in named.values())

    def _table(self, one: FieldDef, value: Any, given: object) -> tuple[tuple[Cell, ...], ...]:
        if one.type != "json" or not one.of:
            return ()
        listed: Sequence[object] = given if isinstance(given, list) else value or []
        rows = [dict(row) for row in listed if isinstance(row, Mapping)] or [{}]
        return tuple(
            tuple(
                Cell(
                    inner,
                    f"f.{one.key}.{number}.{inner.key}",
                    f"f-{one.key}-{number}-{inner.key}",
                    text_of(inner, row.get(inner.key), self.show),
                )
                for inner in one.of
            )
            for number, row in enumerate(rows)
        )

    def fault(self, fault: FieldFault) -> Markup:
        """What a person reads of a fault."""
        if fault.message:
            return marks.words(fault.message.get(self.show.locale) or fault.message.get("en", ""))
        definition = self.rows.definition
        values = {name: marks.ltr(value) for name, value in fault.values.items()}
        if fault.code == "row":
            return self._row_fault(fault)
        if fault.code == "required_for":
            step = next((one.label for one in definition.transitions if one.key == fault.values["action"]), None)
            values["action"] = self.show.label(step) if step else values["action"]
        return self.show.say(f"invalid.{fault.code}", **values)

    def _row_fault(self, fault: FieldFault) -> Markup:
        field = self.rows.definition.by_key.get(fault.field)
        inner = next((one for one in (field.of if field else ()) if one.key == fault.values["name"]), None)
        why = f"invalid.{fault.values['why']}"
        plain = (
            self.show.say(why) if why in PLAIN and self.show.renderer.catalogues.has(why) else self.show.say("invalid.value")
        )
        name = self.show.label(inner.label) if inner else marks.ltr(fault.values["name"])
        return self.show.say("invalid.row", row=marks.ltr(fault.values["row"]), name=name, why=plain)


PLAIN = frozenset(
    f"invalid.{code}" for code in ("required", "decimal", "decimal_comma", "decimal_size", "int", "bool", "date", "datetime")
)
"""Faults whose words need nothing filled in: all that is said of a cell."""


def text_of(one: FieldDef, value: Any, show: Shower) -> str:
    """A value as its control holds it; what was typed stays as it was typed."""
    if value is None:
        return ""
    if one.type == "datetime":
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return str(value)
        return local_text(value, show.zone) if value.tzinfo is not None else value.isoformat()
    if one.type == "bool":
        return str(value).lower()
    if one.type == "json" and not isinstance(value, str):
        return json.dumps(said(value), ensure_ascii=False, indent=2)
    return str(said(value))


def _sections(definition: ObjectDef, views: Mapping[str, FieldView]) -> tuple[SectionView, ...]:
    """Fields under their headings; those without one come first."""
    found = []
    for section in (None, *definition.sections):
        key = section.key if section else ""
        fields = tuple(views[one.key] for one in definition.live if one.key in views and one.section == key)
        if fields:
            found.append(SectionView(section, fields))
    return tuple(found)
