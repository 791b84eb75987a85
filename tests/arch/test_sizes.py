"""Modules stay under 500 lines and functions under 60. The lists of those that do not may only get shorter."""

import ast

from tests.arch.pages import PACKAGES, page, sources

MODULE, FUNCTION = 500, 60

LONG_MODULES = {
    "tallybox.py": "the command line: one function a command, to be split when it gets a second reader",
}
LONG_FUNCTIONS = {
    "cloud/db/migrations/versions/r0001_first_tables.py:upgrade": "the first schema, generated and never changed again",
}


def test_modules_stay_small() -> None:
    assert {name for name in sources() if page(name).count("\n") > MODULE} == LONG_MODULES.keys()


def test_functions_stay_small() -> None:
    long = {
        f"{path}:{node.name}"
        for path, module in sources().items()
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - min([node.lineno, *(one.lineno for one in node.decorator_list)]) + 1 > FUNCTION
    }
    assert long == LONG_FUNCTIONS.keys()


def test_every_module_says_what_it_is_for() -> None:
    silent = {path for path, module in sources().items() if not ast.get_docstring(module) and page(path).strip()}
    assert not silent
    assert len({path.partition("/")[0] for path in sources()} & {*PACKAGES}) == len(PACKAGES)
