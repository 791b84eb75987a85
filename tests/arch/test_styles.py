"""Style sheets know no left and no right, so that pages turn round with the language."""

import re
from pathlib import Path

import pytest

from tests.arch.pages import ROOT, tracked

SHEETS = [path for path in tracked() if path.suffix == ".css"]
SIDES = "left|right|top|bottom"
PHYSICAL = re.compile(
    rf"(?<![\w-])(?:(?:margin|padding|scroll-margin|scroll-padding)-(?:{SIDES})|border-(?:{SIDES})(?:-\w+)*|{SIDES})\s*:"
    r"|(?<![\w-])(?:text-align|float|clear|caption-side)\s*:\s*(?:left|right)\b"
    r"|(?<![\w-])(?:min-|max-)?(?:width|height)\s*:"
)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
MEDIA = re.compile(r"@(?:media|container)[^{]*")


def test_there_are_style_sheets() -> None:
    assert {sheet.relative_to(ROOT).parts[0] for sheet in SHEETS} == {"edge", "cloud"}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_no_physical_properties(sheet: Path) -> None:
    text = MEDIA.sub("", COMMENT.sub("", sheet.read_text(encoding="utf-8")))
    assert not PHYSICAL.findall(text)
