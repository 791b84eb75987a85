"""What an object is: its fields, states, transitions and sections, as plain data. Made from YAML or from rows."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal, get_args

FieldType = Literal[
    "text", "long", "int", "decimal", "money", "bool", "date", "datetime", "choice", "choices", "ref", "refs", "file", "json"
]
TYPES: tuple[FieldType, ...] = get_args(FieldType)

Phase = Literal["open", "active", "waiting", "won", "lost", "done", "cancelled"]
"""What a state means to the program, whatever its name: behaviour reads the phase, people see the label."""
PHASES: tuple[Phase, ...] = get_args(Phase)
CLOSED: frozenset[Phase] = frozenset({"won", "lost", "done", "cancelled"})

RECORD = "record"
"""Storage of objects without a table of their own."""

CUSTOM = "x_"
"""Keys that customers add to shipped objects begin so, and shipped keys never do: neither ever meets the other."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name in both languages; where one is missing, the other stands for it."""

    en: str
    he: str | None = None

    def in_(self, locale: str) -> str:
        return self.he if locale == "he" and self.he else self.en


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a choice. Only `key` is stored."""

    key: str
    label: Label
    archived: bool = False


@dataclass(frozen=True, slots=True)
class FieldDef:
    """One field. All `*_when`, `default`, `validate` and `compute` are expressions over the record's fields; "" is none.

    `required_when` of a hidden field has no effect. `options_when` gives the list of allowed option keys. `where` is a
    condition on the records that a reference may lead to, over their fields. A field with `compute` is never written by hand.
    """

    key: str
    type: FieldType
    label: Label
    help: Label | None = None
    section: str = ""
    required: bool = False
    unique: bool = False
    readonly: bool = False
    indexed: bool = False
    searchable: bool = False
    archived: bool = False
    options: tuple[Option, ...] = ()
    target: str = ""
    """Kind that a `ref` or `refs` leads to."""
    where: str = ""
    unit: str = ""
    """UCUM code of a decimal."""
    currency: str = ""
    """ISO 4217 code of money; "" is the house's."""
    min: Decimal | None = None
    max: Decimal | None = None
    decimals: int = 6
    """Places of a decimal, at most 6; money has 2 where nothing is said."""
    max_length: int = 200
    """Characters of a text; a long text has 10,000."""
    default: str = ""
    visible_when: str = ""
    required_when: str = ""
    readonly_when: str = ""
    options_when: str = ""
    validate: str = ""
    message: Label | None = None
    """What a person reads where `validate` does not hold."""
    compute: str = ""
    evidence: Literal["none", "optional", "required"] = "none"
    portal: Literal["hidden", "read", "write"] = "hidden"
    of: tuple["FieldDef", ...] = ()
    """Columns of a `json` field's rows."""
    column: str = ""
    """Attribute of the typed table that holds it; "" where it lies in JSON."""

    @property
    def computed(self) -> bool:
        return bool(self.compute)

    def option(self, key: object) -> Option | None:
        return next((one for one in self.options if one.key == key), None)


@dataclass(frozen=True, slots=True)
class StateDef:
    """One state; `phase` says what it means to the program."""

    key: str
    phase: Phase
    label: Label


@dataclass(frozen=True, slots=True)
class TransitionDef:
    """One way from states to a state. `when` is the customer's guard, `message` what a person reads where it does not hold;
    `roles` may take it where grants say nothing else; `require` are fields that must have a value."""

    key: str
    sources: tuple[str, ...]
    target: str
    label: Label
    when: str = ""
    message: Label | None = None
    roles: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    reason: bool = False


@dataclass(frozen=True, slots=True)
class SectionDef:
    """A heading of the form."""

    key: str
    label: Label


@dataclass(frozen=True)
class ObjectDef:
    """One kind of record. The first of `states` is where a record begins; without states it has none.

    `title` is a template over fields (`{party} – {name}`). `number` is the pattern of `ref` for new records
    (`D-{year}-{n:04}`); "" where the person gives the number. `site` is the path to the site's code by which roles of one site
    are kept to it ("" for objects of the whole house). `ref` is the field that people call the record by.
    """

    key: str
    label: Label
    plural: Label
    fields: tuple[FieldDef, ...]
    title: str = "{ref}"
    title_he: str = ""
    """The same in Hebrew, where names have a field of their own for it."""
    number: str = ""
    ref: str = "ref"
    storage: str = RECORD
    icon: str = "record"
    site: str = ""
    group: str = "records"
    """Where the menu has it: `masters`, `records`, `work` or `admin`."""
    sections: tuple[SectionDef, ...] = ()
    states: tuple[StateDef, ...] = ()
    transitions: tuple[TransitionDef, ...] = ()
    columns: tuple[str, ...] = ()
    """Fields of the list where nobody chose others."""
    sort: str = ""
    """Order of the list where nobody chose another: a field, with `-` before it the other way round; "" is newest first."""
    portal: Mapping[str, object] = field(default_factory=dict)
    read_only: bool = False
    """Made and changed by the program alone: pages and programs read it and take its transitions."""
    custom: bool = False
    """A customer's own object."""
    version: int = 1
    archived: bool = False

    @cached_property
    def by_key(self) -> dict[str, FieldDef]:
        """Every field, the archived ones too."""
        return {one.key: one for one in self.fields}

    @cached_property
    def live(self) -> tuple[FieldDef, ...]:
        """Fields that are not archived."""
        return tuple(one for one in self.fields if not one.archived)

    @cached_property
    def state_by_key(self) -> dict[str, StateDef]:
        return {one.key: one for one in self.states}

    @cached_property
    def title_fields(self) -> frozenset[str]:
        """Names that the title is made of."""
        parsed = string.Formatter().parse(self.title + self.title_he)
        return frozenset(name.partition(".")[0] for _, name, _, _ in parsed if name)

    @cached_property
    def plain_title(self) -> bool:
        """Whether the title is the same in every language and rests on the record alone."""
        return not self.title_he and not any(one.target for one in self.fields if one.key in self.title_fields)

    @property
    def typed(self) -> bool:
        """Whether it has a table of its own."""
        return self.storage != RECORD
