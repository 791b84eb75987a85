"""What can be wrong with definitions and with values of records.

CloudError
├── BadDefinition          the editor's: a definition cannot be used; every fault names its line
└── Refused
    └── Invalid            the writer's: values that the definition does not take; every fault names its field
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud.errors import CloudError, Refused


@dataclass(frozen=True, slots=True)
class DefinitionFault:
    """`line` counts from 1 in the text that was read (0: unknown), `path` leads through its keys; `message` is English prose
    for whoever writes definitions, `column` the place inside an expression (0: none)."""

    line: int
    path: str
    code: str
    message: str
    column: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", column {self.column} of the expression" if self.column else "")
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class BadDefinition(CloudError):
    """A definition cannot be used. `faults` has all that were found, by line."""

    def __init__(self, faults: Sequence[DefinitionFault], name: str = "") -> None:
        self.faults = tuple(sorted(faults, key=lambda one: (one.line, one.path)))
        super().__init__("; ".join(filter(None, [name, *(str(one) for one in self.faults[:20])])))


@dataclass(frozen=True, slots=True)
class FieldFault:
    """`code` is a translation key below `invalid.`, with `values` for its placeholders; `message` is what the definition says
    itself, in both languages, where it does."""

    field: str
    code: str
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    message: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Invalid(Refused):
    """Values that cannot be taken; nothing was saved."""

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        super().__init__("invalid", fields=", ".join(dict.fromkeys(one.field for one in faults)))
        self.faults = tuple(faults)
