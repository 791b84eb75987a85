"""What a file is, by its first bytes. What the sender calls it decides only between forms that look alike and are downloads."""

HEAD = 4096
"""Bytes that are looked at."""

PDF, PNG, JPEG, GIF, WEBP = "application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"
TEXT, CSV, ZIP, UNKNOWN = "text/plain", "text/csv", "application/zip", "application/octet-stream"

SHOWN = frozenset({PDF, PNG, JPEG, GIF, WEBP})
"""May stand in the page's place; everything else is a download. Nothing here runs scripts with our pages' rights."""

# Each format's own signature: PDF 2.0 (ISO 32000-2) 7.5.2; PNG (3rd ed.) 5.2; JPEG (T.81) B.1.1.3; GIF89a 17; RIFF container.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", PDF),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
)

# Office files are zip archives whose first entries name the format's parts (ECMA-376 part 2, 10.2).
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ZIPPED = {".xlsx": _OFFICE + "spreadsheetml.sheet", ".docx": _OFFICE + "wordprocessingml.document"}
_PARTS = (b"[Content_Types].xml", b"_rels/", b"xl/", b"word/", b"docProps/")

_CONTROL = frozenset(range(0x20)) - {*b"\t\n\r\f"}


def sniff(head: bytes, name: str) -> str:
    """The media type of a file that begins with `head`."""
    head = head[:HEAD]
    for magic, media in _MAGIC:
        if head.startswith(magic):
            return media
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith(b"PK\x03\x04"):
        return _zipped(head, name)
    return _text(head, name)


def _zipped(head: bytes, name: str) -> str:
    office = any(part in head for part in _PARTS)
    return next((media for suffix, media in _ZIPPED.items() if office and name.lower().endswith(suffix)), ZIP)


def _text(head: bytes, name: str) -> str:
    if not head or any(byte in _CONTROL for byte in head):
        return UNKNOWN
    # The last character may be cut by where the head ends.
    for cut in range(4):
        try:
            head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return CSV if name.lower().endswith(".csv") else TEXT
    return UNKNOWN
