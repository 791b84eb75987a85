"""Which names an expression may use: the fields of an object, and the fields behind a reference or in a list of rows."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sync_protocol.expressions.faults import ExpressionFault

Shape = Literal["value", "record", "rows", "values"]
"""`record` and `rows` have fields of their own (one of them, or a list of them); `values` is a list without."""

Kind = Literal["text", "number", "bool", "date", "datetime", "list"]
"""What a value is. Of a field with shape `values` it says what each value in the list is."""

REF = "ref"
"""The field by which people call a record: it stands for the record where a value is needed."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Names to what stands behind them; `inside` has the fields of a `record` or of each of the `rows`.

    `kinds` may say what the values are; where it does, an expression that never fits them is refused when it is read.
    """

    shapes: Mapping[str, Shape]
    inside: Mapping[str, "Schema"] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    def shape_of(self, path: tuple[str, ...], column: int) -> tuple[Shape, "Schema | None"]:
        """What a path leads to. Raises ExpressionFault with the nearest name where there is one."""
        here: Schema | None = self
        shape: Shape = "record"
        for depth, name in enumerate(path):
            if here is None or shape != "record":
                raise ExpressionFault("unknown_name", column, f"{'.'.join(path[:depth])} has no fields")
            if name not in here.shapes:
                raise ExpressionFault("unknown_name", column, _unknown(name, here.shapes))
            shape, here = here.shapes[name], here.inside.get(name)
        return shape, here

    def kind_of(self, path: tuple[str, ...]) -> tuple[Shape, Kind | None] | None:
        """Shape and kind of what a path leads to; None where the schema ends before it."""
        here: Schema | None = self
        for name in path[:-1]:
            here = None if here is None else here.inside.get(name)
        shape = None if here is None else here.shapes.get(path[-1])
        return None if here is None or shape is None else (shape, here.kinds.get(path[-1]))


def _unknown(name: str, known: Mapping[str, Shape]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no field {name}" + (f"; did you mean {near[0]}?" if near else "")
