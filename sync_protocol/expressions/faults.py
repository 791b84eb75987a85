"""What can be wrong with an expression: always with the column where it is."""

from typing import Literal

Code = Literal["syntax", "forbidden", "too_large", "unknown_name", "unknown_function", "arguments", "kind", "value", "budget"]


class ExpressionFault(Exception):
    """`column` counts characters from 1. `syntax` to `kind` show when an expression is read, the others when it is worked
    out: `value` for what cannot be done with the values at hand, `budget` for too much work. `kind` is said only where the
    schema knows kinds: such a thing could never be done, or never be true."""

    def __init__(self, code: Code, column: int, message: str) -> None:
        super().__init__(f"column {column}: {message}")
        self.code: Code = code
        self.column = column
        self.message = message
