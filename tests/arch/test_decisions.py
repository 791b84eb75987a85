"""Every decision is on the list, in its form, and half a page long."""

import pytest

from tests.arch.pages import ROOT, page, section

FILES = sorted(path.name for path in (ROOT / "docs/DECISIONS").glob("[0-9]*.md"))


@pytest.mark.parametrize("name", FILES)
def test_a_decision_says_why_and_what_follows(name: str) -> None:
    text = page(f"docs/DECISIONS/{name}")
    assert text.startswith(f"# {int(name[:4])}. ")
    assert all(section(text, title).strip() for title in ("Why", "What", "What follows"))
    assert text.count("\n") < 50
    assert f"({name})" in page("docs/DECISIONS/README.md")


def test_decisions_are_numbered_without_holes() -> None:
    assert [int(name[:4]) for name in FILES] == list(range(1, len(FILES) + 1))
