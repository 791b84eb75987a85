"""Documents: the frozen text comes back as it was, the same data gives the same bytes, the code on the page leads to the page
where it is checked, and every word is there in both languages."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from pydantic import TypeAdapter

from cloud.errors import Refused
from cloud.papers import fonts
from cloud.papers.faults import FontsMissing, TypesetFault
from cloud.papers.kinds import LABELS, PAPERS, papers_of
from cloud.papers.labels.contents import SOURCES
from cloud.papers.layout import cells
from cloud.papers.layout.sheet import sheet, title_of
from cloud.papers.pictures import photos_of, small_picture, with_photos
from cloud.papers.snapshot import canonical, code_text, content_of, digest, frozen
from cloud.papers.typesetting import MAX_WAITING, Typesetter
from cloud.papers.verifying import read_hash
from cloud.papers.views import Amount
from cloud.papers.words import LANGUAGES, Language, keys
from tests.unit.cloud.papers import samples

SHEET = "document.typ"
CASES = [(kind, language) for kind in samples.VIEWS for language in LANGUAGES]


@pytest.fixture(scope="session")
def setter() -> Typesetter:
    if not (samples.LIBRARIES / "@fontsource").exists():
        pytest.skip("the fonts are missing: run script/setup")
    return Typesetter(samples.LIBRARIES)


def test_there_is_a_sample_of_every_paper() -> None:
    assert samples.VIEWS.keys() == PAPERS.keys()
    assert all(isinstance(view, PAPERS[kind].view) for kind, view in samples.VIEWS.items())


@pytest.mark.parametrize("kind", list(samples.VIEWS))
def test_frozen_text_comes_back_as_the_view_that_it_was(kind: str) -> None:
    view = samples.VIEWS[kind]
    text = frozen(samples.head(kind, "he"), content_of(view))
    held = json.loads(text)
    assert TypeAdapter(PAPERS[kind].view).validate_python(held["content"]) == view
    assert canonical(held) == text
    assert held["paper"]["made_at"] == "2026-11-22T08:30:00Z"


def test_the_hash_hangs_on_every_value_and_on_the_paper_itself() -> None:
    view = samples.received()
    texts = {
        frozen(samples.head("goods_received", "he"), content_of(one))
        for one in (view, replace(view, seal="S-992"), replace(view, lines=view.lines[:1]), replace(view, vehicle=None))
    }
    texts |= {
        frozen(replace(samples.head("goods_received", "he"), uid=uid, version=version), content_of(view))
        for uid, version in (("00", 3), (samples.UID, 4))
    }
    assert len({digest(text) for text in texts}) == 6


@pytest.mark.parametrize(("kind", "language"), CASES)
def test_the_same_data_gives_the_same_bytes_and_its_code_is_read(setter: Typesetter, kind: str, language: Language) -> None:
    words, stamp = samples.words(language), samples.stamp(kind, language)
    data = sheet(samples.VIEWS[kind], words, stamp)
    made = [
        one.pdf_now(SHEET, data, title=title_of(words, stamp.head), made_at=samples.NOW)
        for one in (setter, Typesetter(samples.LIBRARIES))
    ]
    assert made[0] == made[1]
    assert made[0].startswith(b"%PDF-")
    page = Image.open(io.BytesIO(setter.pictures_now(SHEET, data, dots_per_inch=200)[0]))
    (code,) = zxingcpp.read_barcodes(page, formats=zxingcpp.BarcodeFormat.QRCode)
    assert code.text == f"https://stock.example/v/{samples.UID}#{samples.SHA256}"
    # Nothing but the head's code, on the far side of where one begins to read.
    assert (code.position.top_left.x < page.width / 2) == (language == "he")


def test_paper_of_a_house_without_address_only_names_itself() -> None:
    assert code_text(samples.UID, samples.SHA256, "") == f"tallybox:paper/{samples.UID}#{samples.SHA256}"
    assert code_text("u", "h", "https://stock.example/") == "https://stock.example/v/u#h"
    data = sheet(samples.RETURN, samples.words("en"), samples.stamp("return_note", "en", ""))
    assert "https:" not in data["check"]


def test_a_long_note_goes_on_over_pages(setter: Typesetter) -> None:
    data = sheet(samples.received(200), samples.words("he"), samples.stamp("goods_received", "he"))
    assert 8 <= len(setter.pictures_now(SHEET, data, dots_per_inch=20)) <= 14


def test_data_is_never_read_as_markup(setter: Typesetter) -> None:
    hostile = '#panic() ] $x$ \\ "quoted" <b> `code` *bold* // /* \u202e'
    view = replace(samples.received(), operator=hostile, document_no=hostile, seal=hostile, ref=hostile)
    data = sheet(view, samples.words("en"), samples.stamp("goods_received", "en"))
    assert setter.pdf_now(SHEET, data, title=hostile, made_at=samples.NOW).startswith(b"%PDF-")
    assert "\u202e" not in json.dumps(data, ensure_ascii=False)


def test_amount_with_a_latin_unit_is_one_run_and_with_a_hebrew_one_two() -> None:
    hebrew, english = samples.words("he"), samples.words("en")
    cold = cells.amount(Amount("-18.5", "Cel"), hebrew)
    assert [(run["t"], run["d"]) for run in cold] == [("-18.5\u00a0°C", "ltr")]
    heavy = cells.amount(Amount("-2", "kg"), hebrew)
    assert [(run["t"], run["d"]) for run in heavy] == [("-2", "ltr"), ("ק״ג", "rtl")]
    assert [run["t"] for run in cells.amount(Amount("-2", "kg"), english)] == ["-2\u00a0kg"]
    assert [run["t"] for run in cells.amount(Amount("7", "1"), english)] == ["7"]
    assert cells.amount(None, english) == []


def test_long_code_may_be_broken_and_short_one_stays() -> None:
    assert cells.code("A-01-02")["t"] == "A-01-02"
    broken = cells.code("X" * 40)["t"]
    assert broken.replace("\u200b", "") == "X" * 40
    assert max(len(part) for part in broken.split("\u200b")) == cells.LONGEST


def test_both_languages_have_the_same_words_and_hebrew_is_hebrew() -> None:
    found = keys()
    assert found["he"] == found["en"]
    hebrew = samples.words("he")
    assert [key for key in found["he"] if not re.search("[\u05d0-\u05ea]", hebrew.say(key, **_values()))] == ["unit.Cel"]


def test_every_word_is_used() -> None:
    folder = Path(fonts.__file__).parent
    code = "\n".join(path.read_text() for path in folder.rglob("*.py"))
    made = ("unit", "origin", "condition", "bucket", "state", "decision", "direction", "laden", "hold", "subject", "field")
    made += ("fact", "column", "sign", "title", "proof")
    assert [
        key for key in keys()["en"] if key.partition(".")[0] not in made and not re.search(f"[\"']{re.escape(key)}[\"']", code)
    ] == []


def _values() -> dict[str, str]:
    names = ("page", "pages", "at", "by", "number", "count", "address", "fields", "serials", "gross", "tare", "line", "day")
    return dict.fromkeys(names, "1")


def test_every_record_says_what_can_be_printed_of_it() -> None:
    offers = papers_of("receipt", "GR/1")
    assert [one.key for one in offers if one.made] == ["goods_received", "discrepancy", "put_away"]
    assert offers[0].href == "/papers/goods_received/GR%2F1.pdf"
    assert {one.href for one in offers if not one.made} == {
        f"/labels/receipt_{of}/GR%2F1.{form}" for of in ("lots", "units") for form in ("pdf", "zpl")
    }
    english = samples.words("en")
    kinds = {one.record_kind for one in PAPERS.values()} | set(LABELS.values())
    assert all(english.say(offer.title) for kind in kinds for offer in papers_of(kind, "X"))
    assert SOURCES.keys() == LABELS.keys()


@pytest.mark.parametrize(
    ("typed", "uid", "sha256"),
    [
        (samples.SHA256, None, samples.SHA256),
        (" ".join(samples.SHA256.upper()[start : start + 8] for start in range(0, 64, 8)), None, samples.SHA256),
        (f"https://stock.example/v/{samples.UID}#{samples.SHA256}", samples.UID, samples.SHA256),
        (f" tallybox:paper/{samples.UID}#{samples.SHA256}\n", samples.UID, samples.SHA256),
        (f"#{samples.SHA256}", None, samples.SHA256),
        ("", None, ""),
        (samples.SHA256[:-1], None, ""),
        (samples.SHA256 + "0", None, ""),
        ("x" * 64, None, ""),
        ("٠" * 64, None, ""),
    ],
)
def test_hash_is_read_however_it_was_typed(typed: str, uid: str | None, sha256: str) -> None:
    assert read_hash(typed) == (uid, sha256)


def photo(width: int = 1200, height: int = 600, form: str = "JPEG") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(made, form)
    return made.getvalue()


def test_photo_is_made_small_and_what_is_none_is_left_open(setter: Typesetter) -> None:
    assert 'width="900" height="450"' in small_picture(photo())
    assert small_picture(photo(form="PNG"))
    for bad in (b"", b"not a picture", photo()[:200], photo(form="GIF"), b"<svg/>"):
        assert small_picture(bad) == ""
    data = sheet(samples.DIFFERING, samples.words("he"), samples.stamp("discrepancy", "he"))
    open_, shown = data, with_photos(data, {samples.SHA256: photo()})
    sizes = [len(setter.pdf_now(SHEET, one, title="x", made_at=samples.NOW)) for one in (open_, shown)]
    assert sizes[1] > sizes[0] + 500


def test_picture_that_claims_a_huge_size_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.papers.pictures.MAX_PIXELS", 100)
    assert small_picture(photo()) == ""


async def test_without_a_store_of_files_no_photo_is_there() -> None:
    data = sheet(samples.DIFFERING, samples.words("he"), samples.stamp("discrepancy", "he"))
    assert await photos_of(None, data) == {}


async def test_who_comes_behind_many_papers_is_asked_to_wait(setter: Typesetter) -> None:
    busy = Typesetter(samples.LIBRARIES)
    busy._waiting = MAX_WAITING
    with pytest.raises(Refused, match="papers_busy"):
        await busy.pdf(SHEET, {}, title="", made_at=samples.NOW)
    assert busy._waiting == MAX_WAITING


async def test_failed_paper_gives_its_place_back(setter: Typesetter) -> None:
    with pytest.raises(TypesetFault):
        await setter.pdf(SHEET, {"rtl": True}, title="", made_at=samples.NOW)
    assert setter._waiting == 0


def test_missing_font_is_named(tmp_path: Path) -> None:
    with pytest.raises(FontsMissing, match=r"noto-sans-latin-400-normal\.woff"):
        fonts.load_fonts(tmp_path)


def test_fonts_are_in_memory_once_loaded(setter: Typesetter) -> None:
    found = fonts.load_fonts(samples.LIBRARIES)
    assert sorted(found.families()) == sorted(fonts.FAMILIES)
    assert fonts.load_fonts(samples.LIBRARIES) is found
