"""What a file is by its bytes, what it may be called, and how it is handed out."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.around.documents import MAX_NAME, download_headers, file_name
from cloud.around.sniff import HEAD, SHOWN, sniff

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@pytest.mark.parametrize(
    ("head", "name", "media"),
    [
        (b"%PDF-1.7\n...", "a.exe", "application/pdf"),
        (PNG, "a.txt", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a", "image/jpeg"),
        (b"GIF89a...", "a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "a.webp", "application/octet-stream"),
        (b"PK\x03\x04....", "a.zip", "application/zip"),
        ("שלום,1\n".encode(), "a.csv", "text/csv"),
        ("שלום,1\n".encode(), "a", "text/plain"),
        (b"<html><script>alert(1)</script>", "a.html", "text/plain"),
        (b"<svg onload='x'/>", "a.svg", "text/plain"),
        (b"MZ\x90\x00", "a.pdf", "application/octet-stream"),
        (b"\xff\xfe\x00", "a.csv", "application/octet-stream"),
        (b"", "a.pdf", "application/octet-stream"),
    ],
)
def test_first_bytes_say_what_a_file_is(head: bytes, name: str, media: str) -> None:
    assert sniff(head, name) == media


def test_text_cut_within_a_letter_is_still_text() -> None:
    assert sniff(("a" + "ש" * HEAD).encode()[:HEAD], "a.txt") == "text/plain"


@given(st.binary(max_size=200), st.text(max_size=20))
def test_nothing_that_runs_is_ever_shown_in_place(head: bytes, name: str) -> None:
    assert sniff(head, name) not in {"text/html", "image/svg+xml", "application/xml", "text/xml"}
    assert not {"text/plain", "text/csv"} & SHOWN


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("חוזה 2026.pdf", "חוזה 2026.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\dana\\photo.jpg", "photo.jpg"),
        (".htaccess", "htaccess"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("a\r\nSet-Cookie: x.pdf", "aSet-Cookie_ x.pdf"),
        ('a"b<c>.pdf', "a_b_c_.pdf"),
        ("", "file"),
        ("...", "file"),
        ("folder/", "folder"),
    ],
)
def test_name_is_safe_everywhere(given_name: str, name: str) -> None:
    assert file_name(given_name) == name


def test_long_name_keeps_its_suffix() -> None:
    name = file_name("ש" * 300 + ".pdf")
    assert len(name) == MAX_NAME
    assert name.endswith("ש.pdf")


@given(st.text(max_size=400))
def test_any_name_is_made_safe_and_stays_so(text: str) -> None:
    name = file_name(text)
    assert name
    assert len(name) <= MAX_NAME
    assert len(name.encode()) <= 4 * MAX_NAME
    assert not set(name) & set('<>:"/\\|?*\r\n\0')
    assert not name.startswith(".")


@given(st.text(max_size=60), st.booleans())
def test_headers_are_ascii_and_hold_the_name(text: str, inline: bool) -> None:
    name = file_name(text)
    _, headers = download_headers(name, "application/pdf", inline=inline)
    value = headers["Content-Disposition"]
    assert value.isascii()
    assert "\n" not in value
    assert value.count('"') == 2
    assert unquote(value.rpartition("UTF-8''")[2]) == name


@pytest.mark.parametrize(
    ("mime", "inline", "how", "media"),
    [
        ("application/pdf", True, "inline", "application/pdf"),
        ("image/png", True, "inline", "image/png"),
        ("image/png", False, "attachment", "application/octet-stream"),
        ("text/plain", True, "attachment", "application/octet-stream"),
        ("application/zip", True, "attachment", "application/octet-stream"),
    ],
)
def test_only_pictures_and_pdf_are_shown_in_place(mime: str, inline: bool, how: str, media: str) -> None:
    found, headers = download_headers("חוזה.pdf", mime, inline=inline)
    assert found == media
    assert headers["Content-Disposition"].startswith(f"{how}; filename=\"____.pdf\"; filename*=UTF-8''%D7%97")
    assert headers["X-Content-Type-Options"] == "nosniff"
