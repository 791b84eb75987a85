"""Our own documents and sources, read as data."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("sync_protocol", "drivers", "edge", "cloud", "provisioning", "firmware_sim")

_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_TICKED = re.compile(r"`([^`\n]+)`")


@cache
def page(name: str) -> str:
    """One document by its path in the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading, its sub-headings included."""
    for found in _HEADING.finditer(text):
        if found[2].strip() == title:
            level = len(found[1])
            ends = (next_.start() for next_ in _HEADING.finditer(text, found.end()) if len(next_[1]) <= level)
            return text[found.end() : next(ends, len(text))]
    raise AssertionError(f"no heading {title!r}")


def table(text: str) -> list[dict[str, str]]:
    """The first table of a text: one dict a row, by the words of its head."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def ticked(text: str) -> set[str]:
    """Every `code span`."""
    return set(_TICKED.findall(text))


def bare(cell: str) -> str:
    """A cell without its ticks."""
    return cell.replace("`", "")


def missing(wanted: set[str], text: str) -> set[str]:
    """Which names are in no code span of the text; a span may hold more than the name."""
    spans = ticked(text)
    return {name for name in wanted if not any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", span) for span in spans)}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file under version control, and those that are about to be; everything but what is ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    names = found.stdout.decode().split("\0") if found.returncode == 0 else []
    return tuple(path for name in names if name and (path := ROOT / name).is_file()) or tuple(_walked())


def _walked() -> Iterator[Path]:
    # A source archive has no version control: the packages and documents are still there.
    for name in (*PACKAGES, "docs", "tests", "bench"):
        yield from (path for path in (ROOT / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts)


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the product by its path in the repository, parsed."""
    paths = [path for path in tracked() if path.suffix == ".py"]
    inside = [path.relative_to(ROOT) for path in paths]
    return {str(path): ast.parse(page(str(path))) for path in inside if path.parts[0] in {*PACKAGES, "tallybox.py"}}
