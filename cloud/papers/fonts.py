"""The screens' fonts in the form that a typesetter reads. They are unpacked once a process and held in memory."""

import tempfile
from functools import lru_cache
from pathlib import Path

import typst
from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]

from cloud.papers.faults import FontsMissing

FAMILIES = ("Noto Sans", "Noto Sans Ext", "Noto Sans Hebrew")
"""In the order in which a letter is looked for."""

# Family -> file below the folder of browser libraries. A web font is cut into alphabets that all bear one name; a typesetter
# takes one file for a name, so each part gets its own.
_FILES = {
    "Noto Sans": "@fontsource/noto-sans/files/noto-sans-latin-{weight}-normal.woff",
    "Noto Sans Ext": "@fontsource/noto-sans/files/noto-sans-latin-ext-{weight}-normal.woff",
    "Noto Sans Hebrew": "@fontsource/noto-sans-hebrew/files/noto-sans-hebrew-hebrew-{weight}-normal.woff",
}
WEIGHTS = (400, 600)

_FAMILY_NAMES = frozenset({1, 16})
"""OpenType, table `name`: family, and family in programs that know many weights."""


@lru_cache(maxsize=4)
def load_fonts(browser_libs: Path) -> typst.Fonts:
    """All families in both weights. Takes a third of a second the first time. Raises FontsMissing."""
    with tempfile.TemporaryDirectory(prefix="tallybox-fonts-") as folder:
        for family, pattern in _FILES.items():
            for weight in WEIGHTS:
                _unpack(browser_libs / pattern.format(weight=weight), family, Path(folder) / f"{family}-{weight}.ttf")
        found = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])
        # Files are read when a letter is first wanted of them; afterwards the folder is not needed.
        typst.compile(_every_font(), font_paths=found, format="pdf")
    return found


def _unpack(source: Path, family: str, target: Path) -> None:
    try:
        font = TTFont(source)
    except (OSError, TTLibError) as exc:
        raise FontsMissing(f"no font at {source}") from exc
    with font:
        font.flavor = None
        for record in font["name"].names:
            if record.nameID in _FAMILY_NAMES:
                record.string = family
        font.save(target)


def _every_font() -> bytes:
    # A letter of every part: without one of its own a font is not opened.
    letters = dict(zip(FAMILIES, "aāא", strict=True))
    lines = (
        f'#text(font: "{family}", weight: {weight}, fallback: false)[{letters[family]}]'
        for family in FAMILIES
        for weight in WEIGHTS
    )
    return "\n".join(lines).encode()
