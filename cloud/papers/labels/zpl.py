"""Labels in ZPL II, the language of most label printers. Codes are drawn by the printer, Latin text in its own letters.

Source: Zebra, "ZPL II Programming Guide", under the names of the commands.
"""

import io
from collections.abc import Mapping, Sequence

from PIL import Image

from cloud.papers.barcodes import GS1, LINEAR, Symbology
from cloud.papers.gs1 import Element, joined
from cloud.papers.labels.code128 import invocations, modules
from cloud.papers.labels.pdf import bounded, told_data, words_data
from cloud.papers.labels.placing import DOTS, Placed, PlacedCode, PlacedLine, PlacedWords, place
from cloud.papers.labels.template import Label, Template
from cloud.papers.typesetting import Typesetter

HEX = "\\"
"""What stands before a character's code in field data; `_` is taken by the codes of ^BX."""

INK = 128
"""Darker than this is black."""

AT_ONCE = 200
"""Pictures of one run of the typesetter; every one of them is held in memory, some kilobytes each."""

_UNSAFE = frozenset("^~" + HEX)
_JUSTIFIED = {"start": "L", "center": "C", "end": "R"}
_OTHER_SIDE = {"L": "R", "R": "L", "C": "C"}


def labels_zpl(typesetter: Typesetter, template: Template, labels: Sequence[Label], *, dots: int = DOTS) -> bytes:
    """All labels, one format each; `dots` a millimetre: 8 or 12. In the caller's own thread. Raises as the PDF does."""
    bounded(labels)
    placed = [list(place(template, label, dots)) for label in labels]
    drawn = _pictures(typesetter, [(one, label) for parts, label in zip(placed, labels, strict=True) for one in parts], dots)
    return "".join(_label(template, label, parts, drawn, dots) for parts, label in zip(placed, labels, strict=True)).encode()


def _label(template: Template, label: Label, parts: Sequence[Placed], drawn: Mapping[str, str], dots: int) -> str:
    lines = ["^XA", "^CI28", f"^PW{round(template.width * dots)}", f"^LL{round(template.height * dots)}", "^LH0,0"]
    for placed in parts:
        if isinstance(placed, PlacedCode):
            lines += _code(placed, dots)
        elif isinstance(placed, PlacedLine):
            thick = max(1, round(placed.part.thickness * dots))
            lines.append(f"{_at(placed.x, placed.part.y, dots)}^GB{round(placed.part.width * dots)},{thick},{thick}^FS")
        else:
            lines.append(_words(placed, label, drawn, dots))
    return "\n".join([*lines, "^XZ", ""])


def _at(x: float, y: float, dots: int) -> str:
    return f"^FO{round(x * dots)},{round(y * dots)}"


def _words(placed: PlacedWords, label: Label, drawn: Mapping[str, str], dots: int) -> str:
    data = words_data(placed, label)
    at = _at(placed.x, placed.part.y, dots)
    if not placed.text.isascii():
        return at + drawn[_alike(data)]
    return at + _letters(placed.text, data, "R" if label.rtl and data["align"] == "end" else _JUSTIFIED[data["align"]], dots)


def _letters(text: str, data: dict[str, object], side: str, dots: int) -> str:
    width, room, size = (float(str(data[name])) for name in ("width", "height", "size"))
    # Letters of font 0 are about half as wide as they are high.
    least = size / 2
    while size > least and -(-len(text) * size * 0.5 // width) * size > room:
        size *= 0.93
    height, lines = round(size * dots), max(1, int(room // size))
    return f"^A0N,{height},{height}^FB{round(width * dots)},{lines},0,{side},0^FH{HEX}^FD{field_data(text)}^FS"


def _pictures(typesetter: Typesetter, parts: Sequence[tuple[Placed, Label]], dots: int) -> dict[str, str]:
    """Texts as pictures: printers have no letters of every alphabet, and none sets them from right to left. Every text once,
    many at a time: what a label says is mostly what its neighbours say too."""
    wanted = {
        _alike(data): data
        for data in (words_data(one, label) for one, label in parts if isinstance(one, PlacedWords) and not one.text.isascii())
    }
    texts, found = list(wanted.values()), []
    for start in range(0, len(texts), AT_ONCE):
        data = {"texts": texts[start : start + AT_ONCE]}
        found += typesetter.pictures_now("word.typ", data, dots_per_inch=dots * 25.4)
    return {key: _picture(page) for key, page in zip(wanted, found, strict=True)}


def _alike(data: Mapping[str, object]) -> str:
    """The same for texts that look the same wherever they stand."""
    return repr([data[name] for name in ("text", "width", "height", "size", "bold", "rtl", "align")])


def _picture(page: bytes) -> str:
    with Image.open(io.BytesIO(page)) as picture:
        black = picture.convert("L").point(lambda shade: 0 if shade >= INK else 255).convert("1")
    wide = -(-black.width // 8)
    raw = black.tobytes()
    rows = [raw[start : start + wide].hex().upper() for start in range(0, len(raw), wide)]
    return f"^GFA,{len(raw)},{len(raw)},{wide},{_shortened(rows)}^FS"


def _shortened(rows: Sequence[str]) -> str:
    """A comma stands for zeros to the end of the row, a colon for the row before once more."""
    found, last = [], None
    for row in rows:
        bare = row.rstrip("0")
        found.append(":" if row == last else row if len(bare) == len(row) else bare + ("0" if len(bare) % 2 else "") + ",")
        last = row
    return "".join(found)


def _code(placed: PlacedCode, dots: int) -> list[str]:
    symbology = placed.part.symbology
    height = round(placed.height * dots)
    x = placed.x
    if symbology in LINEAR:
        # The printer's symbol may be some modules longer or shorter than the one that was drawn: both have one middle.
        sequence = invocations(_plain(placed.holds), gs1=symbology in GS1)
        x += (placed.width - modules(sequence) * placed.module / dots) / 2
        drawn = f"^BY{placed.module}^BCN,{height},N,N,N,N^FH{HEX}^FD{field_data(sequence)}^FS"
    elif symbology is Symbology.GS1_DATAMATRIX:
        # `_1` is FNC1, and so is the separator; an underscore of the data is said twice.
        text = joined(_elements(placed.holds), "\0").replace("_", "__").replace("\0", "_1")
        drawn = f"^BXN,{placed.module},200,,,,_,1^FH{HEX}^FD_1{field_data(text)}^FS"
    else:
        drawn = f"^BQN,2,{placed.module}^FH{HEX}^FDMA,{field_data(str(placed.holds))}^FS"
    # ^BQ draws its square ten dots below the field's origin.
    lower = 10 if symbology is Symbology.QR else 0
    code = f"^FO{round(x * dots)},{max(0, round(placed.y * dots) - lower)}{drawn}"
    if not placed.told:
        return [code]
    told = told_data(placed)
    return [code, _at(told["x"], told["y"], dots) + _letters(placed.told, told, "C", dots)]


def _elements(holds: str | tuple[Element, ...]) -> tuple[Element, ...]:
    return () if isinstance(holds, str) else holds


def _plain(holds: str | tuple[Element, ...]) -> str:
    return holds if isinstance(holds, str) else joined(holds)


def field_data(text: str) -> str:
    """Text as a field holds it: what would begin a command, and what is no letter, by its code in UTF-8."""
    return "".join(
        "".join(f"{HEX}{byte:02X}" for byte in char.encode()) if char in _UNSAFE or not char.isprintable() else char
        for char in text
    )
