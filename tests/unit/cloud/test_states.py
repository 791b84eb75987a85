"""States change in one place, and every machine is whole."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cloud
from cloud.errors import WrongState
from cloud.kernel.transition import Machine
from cloud.masters.machine import PURCHASE_ORDER
from cloud.receiving.machine import RECEIPT

ROOT = Path(cloud.__file__).parent
ALLOWED = ROOT / "kernel" / "transition.py"
MACHINES = [PURCHASE_ORDER, RECEIPT]


def _assignments(tree: ast.AST) -> Iterator[int]:
    """Lines that give a `.state` another value: assignments, setattr, and `.values(state=...)` of statements."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
        flat = [each for target in targets for each in ast.walk(target)]
        if any(isinstance(each, ast.Attribute) and each.attr == "state" and isinstance(each.ctx, ast.Store) for each in flat):
            yield node.lineno
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            strings = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            if (name == "values" and any(word.arg == "state" for word in node.keywords)) or (
                name == "setattr" and "state" in strings
            ):
                yield node.lineno


# The web application keeps its dependencies in `app.state`, which is Starlette's and no record's.
def _is_about_apps(path: Path) -> bool:
    return path.is_relative_to(ROOT / "web")


def test_only_the_transition_function_assigns_a_state() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in ROOT.rglob("*.py")
        if path != ALLOWED and not _is_about_apps(path)
        for line in _assignments(ast.parse(path.read_text()))
    }
    assert found == set()
    assert list(_assignments(ast.parse(ALLOWED.read_text())))


@pytest.mark.parametrize("code", ["x.state = 1", "a, x.state = 1, 2", "x.state += 1", "setattr(x, 'state', 1)",
                                  "update(T).values(state='posted')"])  # fmt: skip
def test_the_check_sees_every_way_of_assigning(code: str) -> None:
    assert list(_assignments(ast.parse(code)))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.kind)
def test_every_state_is_reached_and_every_action_is_unambiguous(machine: Machine) -> None:
    reached = {machine.initial} | {row.target for row in machine.transitions}
    assert reached == machine.states
    pairs = [(state, row.action) for row in machine.transitions for state in row.sources]
    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.kind)
def test_what_is_not_in_the_table_is_refused(machine: Machine) -> None:
    actions = {row.action for row in machine.transitions}
    known = {(state, row.action) for row in machine.transitions for state in row.sources}
    for state in machine.states:
        for action in actions:
            if (state, action) in known:
                assert state in machine.find(state, action).sources
            else:
                with pytest.raises(WrongState):
                    machine.find(state, action)


def test_nobody_who_only_reads_or_counts_decides() -> None:
    for role in ("viewer", "operator", "nobody", ""):
        for state in ("check", "posted", "cancelled"):
            assert not {"decide", "recheck", "review", "abandon"} & set(RECEIPT.actions(state, role))
    assert RECEIPT.actions("check", "viewer") == []
    assert set(RECEIPT.actions("check", "supervisor")) == {"decide", "undecide", "recheck", "post", "abandon"}


def test_a_closed_receipt_is_never_opened_again() -> None:
    onwards = {"posted": {"posted", "done", "reversed"}, "done": {"done", "reversed"}}
    for state in ("posted", "done", "cancelled", "reversed"):
        assert {row.target for row in RECEIPT.transitions if state in row.sources} == onwards.get(state, {state})
