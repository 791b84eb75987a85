"""The encodings in which readers send text. It is the symbol's own encoding, or what the reader is set to make of it."""

import codecs
from typing import Annotated

from pydantic import AfterValidator, Field

ENCODINGS = frozenset(
    codecs.lookup(name).name
    for name in (
        "utf-8",
        "ascii",
        "iso-8859-1",
        "iso-8859-8",
        "iso-8859-15",
        "cp1252",
        "cp1255",
        "cp862",
        "shift_jis",
        "gb18030",
    )
)


def known_encoding(name: str) -> str:
    """The encoding's canonical name. Raises ValueError for another than ENCODINGS."""
    try:
        found = codecs.lookup(name).name
    except LookupError as exc:
        raise ValueError("unknown encoding") from exc
    if found not in ENCODINGS:
        raise ValueError("no encoding of barcode text")
    return found


TextEncoding = Annotated[
    str,
    AfterValidator(known_encoding),
    Field(description="How the reader encodes text: utf-8, iso-8859-8 or cp1255 for Hebrew, iso-8859-1 and others."),
]
