"""A reader of ZPL as a printer understands it, as far as our labels go: fields with their place, kind and what they hold."""

import re
from dataclasses import dataclass

FNC1 = "\x1d"


@dataclass(frozen=True)
class Field:
    """`kind`: code128, datamatrix, qr, text, picture or line. `holds`: what a scanner or a person reads."""

    kind: str
    x: int
    y: int
    holds: str
    module: int = 0
    gs1: bool = False


@dataclass(frozen=True)
class Format:
    width: int
    height: int
    fields: tuple[Field, ...]


def formats(text: str) -> list[Format]:
    return [_format(one) for one in re.findall(r"\^XA(.*?)\^XZ", text, re.DOTALL)]


def _format(text: str) -> Format:
    assert "^CI28" in text
    return Format(
        int(_said(text, r"\^PW(\d+)")),
        int(_said(text, r"\^LL(\d+)")),
        tuple(_field(one) for one in re.findall(r"\^FO.*?\^FS", text, re.DOTALL)),
    )


def _said(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


def _field(text: str) -> Field:
    x, y = (int(one) for one in _said(text, r"\^FO(\d+,\d+)").split(","))
    if "^GB" in text:
        return Field("line", x, y, "")
    if "^GFA" in text:
        return Field("picture", x, y, _said(text, r"\^GFA,(.*)\^FS"))
    data = _unhexed(_said(text, r"(?s)\^FH\\\^FD(.*)\^FS"))
    if "^BC" in text:
        module, holds = int(_said(text, r"\^BY(\d+)")), code128(data)
        return Field("code128", x, y, holds.removeprefix(FNC1), module, gs1=holds.startswith(FNC1))
    if "^BX" in text:
        holds = re.sub("_(.)", lambda one: FNC1 if one[1] == "1" else one[1], data)
        return Field(
            "datamatrix", x, y, holds.removeprefix(FNC1), int(_said(text, r"\^BXN,(\d+),200,,,,_")), gs1=holds.startswith(FNC1)
        )
    if "^BQ" in text:
        assert data.startswith("MA,")
        return Field("qr", x, y, data[3:], int(_said(text, r"\^BQN,2,(\d+)")))
    return Field("text", x, y, data)


def _unhexed(text: str) -> str:
    assert not re.search(r"[\^~]", text)
    return re.sub(rb"\\([0-9A-F]{2})", lambda one: bytes.fromhex(one[1].decode()), text.encode()).decode()


def code128(data: str) -> str:
    """What a scanner gives for data of ^BC in its manual mode; every switch has to be right."""
    alphabet = {">;": "C", ">:": "B"}[data[:2]]
    found, place = "", 2
    while place < len(data):
        two = data[place : place + 2]
        if two == ">8":
            found, place = found + FNC1, place + 2
        elif two == ">6":
            assert alphabet == "C"
            alphabet, place = "B", place + 2
        elif two == ">5":
            assert alphabet == "B"
            alphabet, place = "C", place + 2
        elif alphabet == "C":
            assert re.fullmatch("[0-9]{2}", two), two
            found, place = found + two, place + 2
        elif two == ">0":
            found, place = found + ">", place + 2
        else:
            assert data[place] != ">"
            found, place = found + data[place], place + 1
    return found


def rows_of(picture: str) -> list[str]:
    """The rows of a picture, hexadecimal and whole: a comma ends a row with zeros, a colon says the row before again."""
    total, _, wide, packed = picture.split(",", 3)
    rows: list[str] = []
    row = ""
    for char in packed:
        if char == ":":
            assert not row
            rows.append(rows[-1])
        elif char == ",":
            rows.append(row.ljust(int(wide) * 2, "0"))
            row = ""
        else:
            row += char
            if len(row) == int(wide) * 2:
                rows.append(row)
                row = ""
    assert not row
    assert sum(len(one) for one in rows) // 2 == int(total)
    return rows
