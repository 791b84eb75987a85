"""Links inside the documents lead somewhere: the file is there, and the heading in it."""

import re

import pytest

from tests.arch.pages import ROOT, page, ticked, tracked

PAGES = sorted(str(path.relative_to(ROOT)) for path in tracked() if path.suffix == ".md")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"(?:cloud|docs|drivers|edge|firmware_sim|provisioning|script|sync_protocol|tests|bench)(?:/[\w.-]+)+")


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_links_resolve(name: str) -> None:
    for target in LINK.findall(page(name)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.exists(), target
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", PAGES)
def test_paths_of_the_repository_exist(name: str) -> None:
    named = {span.partition(":")[0] for span in ticked(page(name)) if PATH.fullmatch(span.partition(":")[0])}
    made = {"bench/results/latest.json"}
    assert not {path for path in named - made if not (ROOT / path).exists() and not (ROOT / f"{path}.py").exists()}


@pytest.mark.parametrize("name", PAGES)
def test_lines_fit_an_editor(name: str) -> None:
    prose = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
    assert not [line for line in prose.splitlines() if len(line) > 140 and not line.startswith("|")]
