"""The glossary has only words that this code base uses, and the change log knows the version that is being made."""

import tomllib

from tests.arch.pages import ROOT, page, section, table, tracked

GLOSSARY = page("docs/GLOSSARY.md")
SUFFIXES = {".py", ".po", ".md", ".html"}


def test_every_word_is_used() -> None:
    paths = [path for path in tracked() if path.suffix in SUFFIXES and path.name != "GLOSSARY.md"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths).lower()
    for title in ("Box and sync", "Cloud", "Weighing"):
        for row in table(section(GLOSSARY, title)):
            assert row["word"] in text or row["word"].replace(" ", "_") in text, row["word"]


def test_no_word_stands_twice() -> None:
    words = [row["word"] for title in ("Box and sync", "Cloud", "Weighing") for row in table(section(GLOSSARY, title))]
    assert len(words) == len(set(words))


def test_the_change_log_knows_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## [{version}]" in page("CHANGELOG.md")
