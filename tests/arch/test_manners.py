"""Tests use real parts, and no file names a machine or a host that only its author has."""

import ast
from collections.abc import Iterator

import pytest

from tests.arch.pages import ROOT, page, tracked

INSIDE = [path.relative_to(ROOT) for path in tracked()]
PICTURES = {".png", ".jpg", ".woff2", ".ico"}
HOSTS = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("yarnpkg", "com"), ("npmmirror", "com"))
# Put together here, so that this file names none of them.
FORBIDDEN = [*(f"/{name}/" for name in ("work", "root")), *(".".join(parts) for parts in HOSTS)]


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_mocks() -> None:
    tests = [str(path) for path in INSIDE if path.suffix == ".py" and path.parts[0] == "tests"]
    assert not [
        name for name in tests for module in imported(page(name)) if module.startswith(("unittest", "mock", "pytest_mock"))
    ]


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_words_of_one_machine(word: str) -> None:
    assert not [str(path) for path in INSIDE if path.suffix not in PICTURES and word.encode() in (ROOT / path).read_bytes()]
