"""Small formulas over a record's fields, in Python's syntax: conditions, defaults, computed values, filters.

The same text means the same on the box and in the core. An expression sees the fields it is given and nothing else, its numbers
are exact decimals, and what it may cost is bounded before it runs.
"""

from sync_protocol.expressions.evaluate import Budget, Expression, Given
from sync_protocol.expressions.faults import ExpressionFault
from sync_protocol.expressions.parse import parse
from sync_protocol.expressions.schema import Kind, Schema, Shape

__all__ = ["Budget", "Expression", "ExpressionFault", "Given", "Kind", "Schema", "Shape", "parse"]
