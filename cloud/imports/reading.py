"""A file of whatever format people send, as one table."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cloud.imports.faults import FileRefused
from cloud.imports.table import MAX_BYTES, Table
from cloud.imports.text_files import read_csv, read_jsonl
from cloud.imports.xlsx_files import read_xlsx

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0"
"""Begins workbooks of before 2007, and those with a password."""
HEAD_TABS = str.maketrans({"_": " ", "-": " ", "*": " ", "\t": " ", "\n": " "})


@dataclass(frozen=True, slots=True)
class How:
    """What the sender says about the file; "" where the file is to tell."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


def read_file(path: Path, how: How, kinds: tuple[str, ...] = ()) -> Table:
    """The file's table, by what it begins with and not by its name. `kinds`: ends of the name of the wanted sheet. Raises
    FileRefused."""
    if path.stat().st_size > MAX_BYTES:
        raise FileRefused("import_bytes", max=str(MAX_BYTES // (1024 * 1024)))
    with path.open("rb") as file:
        begin = file.read(64)
    if not begin:
        raise FileRefused("import_empty")
    if begin.startswith(ZIP):
        return read_xlsx(path, how.sheet, kinds)
    if begin.startswith(OLE):
        raise FileRefused("import_old_excel")
    if begin.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{"):
        return read_jsonl(path)
    return read_csv(path, how.encoding, how.delimiter)


def plain_name(head: str) -> str:
    """A column's name without what people write differently: case, spaces, underscores, the star of required ones."""
    return " ".join(head.translate(HEAD_TABS).casefold().split())


def signature(head: list[str]) -> str:
    """The same for files with the same columns in the same order; columns for people do not count."""
    names = [plain_name(one) for one in head if not one.startswith("#")]
    return hashlib.sha256("\0".join(names).encode()).hexdigest()
