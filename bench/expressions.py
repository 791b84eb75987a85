"""Expressions: evaluations a second beside simpleeval and native Python, reading, what a bomb costs, and filters into SQL.

One rule of six conditions, the last over five readings, judges 10,000 records. simpleeval as it comes works with floats, so it
gets floats; native Python is the same rule as a function over decimals. All three must agree on every record.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from simpleeval import EvalWithCompoundTypes
from sqlalchemy import Column, Integer, MetaData, Table

from cloud.db.types import Json
from cloud.objects.filtering import SqlField, compile_filter
from cloud.objects.filtering_json import json_field
from sync_protocol.expressions import Expression, ExpressionFault, Given, Schema
from sync_protocol.expressions.evaluate import MAX_STEPS

RECORDS, ROUNDS, FEWER = 10_000, 5, 1_000
"""simpleeval takes the fewer: it is that much slower."""

GIVEN = Given(now=datetime(2026, 11, 22, 14, 30, tzinfo=UTC), today=date(2026, 11, 22))
RULE = (
    "qty > 0 and qty <= ordered * 1.5 and supplier == 'ACME' and expires > today() + days(30)"
    " and status in ['open', 'check'] and all(r.stable and r.value > 0.5 for r in readings)"
)
SCHEMA = Schema(
    {**dict.fromkeys(("qty", "ordered", "supplier", "expires", "status"), "value"), "readings": "rows"},
    {"readings": Schema({"stable": "value", "value": "value"}, kinds={"stable": "bool", "value": "number"})},
    {"qty": "number", "ordered": "number", "supplier": "text", "expires": "date", "status": "text"},
)
FILTER = (
    "qty > 0 and qty <= 150.5 and supplier == 'ACME' and expires > today() + days(30)"
    " and status in ['open', 'check'] and not late"
)
TYPES = {"qty": "decimal", "supplier": "text", "expires": "date", "status": "choice", "late": "bool"}
BOMBS = {
    "sums over rows": ("sum(a.q * a.q + a.q / 7 for a in rows)", {"rows": [{"q": Decimal("1.000000001")}] * 10_000}),
    "remainders of 34 digits": ("[9e33 % 7.000000000000000000000000000000001 for a in rows]", {"rows": [1] * 10_000}),
    "long texts compared": ("[t == u for a in rows]", {"rows": [1] * 10_000, "t": "x" * 9_999 + "y", "u": "x" * 9_999 + "z"}),
    "long texts searched": ("[u in t for a in rows]", {"rows": [1] * 10_000, "t": "ab" * 5_000, "u": "ab" * 2_000 + "c"}),
    "long texts in lower case": ("[lower(t) for a in rows]", {"rows": [1] * 10_000, "t": "Ä" * 10_000}),
    "texts put together": ("[t + t for a in rows]", {"rows": [1] * 10_000, "t": "x" * 5_000}),
    "lists of constants": (f"[[{'1,' * 250}] for a in rows]", {"rows": [1] * 10_000}),
    "largest of constants": (f"[max({'1,' * 250}1) for a in rows]", {"rows": [1] * 10_000}),
    "chains of constants": (f"[0 < {'1 <= ' * 200}1 for a in rows]", {"rows": [1] * 10_000}),
    "largest of long texts": ("max(texts)", {"texts": ["x" * 10_000 + str(n) for n in range(10_000)]}),
    "many rows": ("sum(1 for a in rows)", {"rows": range(10**9)}),
}


def records(count: int) -> list[dict[str, Any]]:
    draw = Random(7)
    return [
        {
            "qty": Decimal(draw.randrange(-100, 100_000)) / 1000,
            "ordered": Decimal(draw.randrange(40, 100)),
            "supplier": draw.choice(["ACME"] * 9 + ["OTHER"]),
            "expires": date(2026, 12, 1) + timedelta(days=draw.randrange(600)),
            "status": draw.choice(["open", "check", "open", "closed"]),
            "readings": [
                {"stable": draw.random() > 0.05, "value": Decimal(draw.randrange(400, 30_000)) / 1000} for _ in range(5)
            ],
        }
        for _ in range(count)
    ]


def with_floats(record: dict[str, Any]) -> dict[str, Any]:
    readings = [{**one, "value": float(one["value"])} for one in record["readings"]]
    return {**record, "qty": float(record["qty"]), "ordered": float(record["ordered"]), "readings": readings}


LIMIT, LEAST, FACTOR = GIVEN.today + timedelta(days=30), Decimal("0.5"), Decimal("1.5")


def native(record: dict[str, Any]) -> bool:
    return (
        record["qty"] > 0
        and record["qty"] <= record["ordered"] * FACTOR
        and record["supplier"] == "ACME"
        and record["expires"] > LIMIT
        and record["status"] in ("open", "check")
        and all(one["stable"] and one["value"] > LEAST for one in record["readings"])
    )


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median time of the work."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def evaluations() -> list[dict[str, Any]]:
    every = records(RECORDS)
    floats = [with_floats(one) for one in every[:FEWER]]
    expression = Expression(RULE, SCHEMA)
    theirs = EvalWithCompoundTypes(functions={"today": lambda: GIVEN.today, "days": lambda n: timedelta(days=n), "all": all})
    parsed = theirs.parse(RULE)

    def simple(record: dict[str, Any]) -> object:
        theirs.names = record
        return theirs.eval(RULE, previously_parsed=parsed)

    right = [native(one) for one in every]
    assert [expression.holds(one, GIVEN) for one in every] == right
    assert [bool(simple(one)) for one in floats] == right[:FEWER]
    ours = seconds(lambda: [expression.holds(one, GIVEN) for one in every]) / RECORDS
    plain = seconds(lambda: [native(one) for one in every]) / RECORDS
    their = seconds(lambda: [simple(one) for one in floats]) / FEWER
    rows = [("ours", ours), ("simpleeval, floats", their), ("native Python", plain)]
    return [
        {
            "bench": "expressions",
            "what": what,
            "per_s": round(1 / each),
            "us_each": round(each * 1e6, 2),
            "of_ours": round(each / ours, 2),
        }
        for what, each in rows
    ]


class Columns:
    def __init__(self, dialect: str) -> None:
        self._table = Table("record", MetaData(), Column("id", Integer), Column("data", Json))
        self._dialect = dialect

    def column(self, path: tuple[str, ...]) -> SqlField:
        return json_field(self._table.c.data, path[0], TYPES[path[0]], self._dialect)  # type: ignore[arg-type]


def reading() -> list[dict[str, Any]]:
    read = seconds(lambda: [Expression(RULE) for _ in range(200)]) / 200
    checked = seconds(lambda: [Expression(RULE, SCHEMA) for _ in range(200)]) / 200
    theirs = EvalWithCompoundTypes()
    parse = seconds(lambda: [theirs.parse(RULE) for _ in range(200)]) / 200
    tree = Expression(FILTER).tree
    found = [("read", read), ("read with names and kinds", checked), ("simpleeval parse", parse)]
    for dialect in ("sqlite", "postgresql"):
        columns = Columns(dialect)
        each = seconds(lambda c=columns, d=dialect: [compile_filter(tree, c, GIVEN, d) for _ in range(50)]) / 50  # type: ignore[misc]
        found.append((f"filter of six into SQL, {dialect}", each))
    return [{"bench": "expressions", "what": what, "us_each": round(each * 1e6)} for what, each in found]


def bombs() -> list[dict[str, Any]]:
    rows = []
    for what, (text, record) in BOMBS.items():
        expression = Expression(text)

        def burst(expression: Expression = expression, record: dict[str, Any] = record) -> str:
            try:
                expression.value(record, GIVEN)
            except ExpressionFault as exc:
                return exc.code
            return "ended"

        assert burst() == "budget", what
        rows.append({"bench": "expressions", "what": f"bomb: {what}", "ms": round(seconds(burst) * 1e3, 2), "steps": MAX_STEPS})
    return rows


def run() -> list[dict[str, Any]]:
    """Rates, reading times, and what it takes to use the budget up."""
    return [*evaluations(), *reading(), *bombs()]


if __name__ == "__main__":
    for line in run():
        print(line)
