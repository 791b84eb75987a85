"""Only the supervisor catches what nobody foresaw and goes on; who catches everything in order to tidy up raises it again."""

import ast
from collections import Counter

from tests.arch.pages import sources

BROAD = {"Exception", "BaseException"}
SWALLOWED = {"edge": 1}
"""How many a package has; a number here may only fall."""


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = [handler.type] if not isinstance(handler.type, ast.Tuple) else handler.type.elts
    return any(one is None or (isinstance(one, ast.Name) and one.id in BROAD) for one in caught)


def raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_broad_excepts_only_get_fewer() -> None:
    found = Counter(
        path.partition("/")[0]
        for path, module in sources().items()
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not raises_again(node)
    )
    assert dict(found) == SWALLOWED
