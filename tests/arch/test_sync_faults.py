"""Every row of the tables of invariants and faults in docs/SYNC.md names a test that is there."""

import ast

import pytest

from tests.arch.pages import ROOT, bare, page, section, table

SYNC = page("docs/SYNC.md")
INVARIANTS = table(section(SYNC, "Invariants"))
FAULTS = table(section(SYNC, "Faults"))


@pytest.mark.parametrize("named", [row["asserted by"] for row in INVARIANTS] + [row["covered by"] for row in FAULTS])
def test_the_test_that_is_named_is_there(named: str) -> None:
    path, _, name = bare(named).partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_all_twelve_invariants_stand_there() -> None:
    assert [next(iter(row.values())) for row in INVARIANTS] == [f"I{number}" for number in range(1, 13)]
