"""Labels are drawn, and read back by an independent reader: from the page as a picture, and from the printer's language."""

import io
from collections.abc import Sequence

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cloud.errors import Refused
from cloud.papers.barcodes import GS1, QUIET, Symbology, draw_elements, draw_text
from cloud.papers.gs1 import FNC1, Element, joined
from cloud.papers.labels.code128 import invocations, modules
from cloud.papers.labels.pdf import MAX_LABELS, label_data
from cloud.papers.labels.placing import PlacedCode, place
from cloud.papers.labels.shapes import LOCATION, LOT, SHAPES, SSCC
from cloud.papers.labels.template import Label
from cloud.papers.labels.zpl import labels_zpl
from cloud.papers.typesetting import Typesetter
from tests.unit.cloud.papers import samples
from tests.unit.cloud.papers.zpl_reader import code128, formats, rows_of

DPI = 203.2
READS_AS = {Symbology.GS1_128: "]C1", Symbology.CODE_128: "]C0", Symbology.GS1_DATAMATRIX: "]d2", Symbology.QR: "]Q1"}


@pytest.fixture(scope="session")
def typesetter() -> Typesetter:
    if not (samples.LIBRARIES / "@fontsource").exists():
        pytest.skip("the fonts are missing: run script/setup")
    return Typesetter(samples.LIBRARIES)


def wanted(key: str, label: Label) -> list[tuple[str, bytes]]:
    """What a scanner should say of a label's codes."""
    placed = [one for one in place(SHAPES[key], label) if isinstance(one, PlacedCode)]
    found = []
    for one in placed:
        text = one.holds if isinstance(one.holds, str) else joined(one.holds)
        found.append((READS_AS[one.part.symbology], text.encode()))
    return sorted(found)


def read(page: bytes) -> list[tuple[str, bytes]]:
    codes = zxingcpp.read_barcodes(Image.open(io.BytesIO(page)))
    # A GS1 code's text is written for people; its bytes have the separators.
    plain = {"]C0", "]Q1"}
    return sorted(
        (one.symbology_identifier, one.text.encode() if one.symbology_identifier in plain else one.bytes) for one in codes
    )


@pytest.mark.parametrize("key", list(samples.LABELS))
def test_codes_of_printed_labels_are_read_back(typesetter: Typesetter, key: str) -> None:
    labels = samples.LABELS[key]
    pages = typesetter.pictures_now("label.typ", label_data(SHAPES[key], labels), dots_per_inch=DPI)
    assert len(pages) == len(labels)
    for page, label in zip(pages, labels, strict=True):
        assert read(page) == wanted(key, label)


@pytest.mark.parametrize("dots", [8, 12])
@pytest.mark.parametrize("key", list(samples.LABELS))
def test_the_printer_is_told_the_same_codes(typesetter: Typesetter, key: str, dots: int) -> None:
    labels = samples.LABELS[key]
    found = formats(labels_zpl(typesetter, SHAPES[key], labels, dots=dots).decode())
    kinds = {"code128": ("]C1", "]C0"), "datamatrix": ("]d2", "]d1"), "qr": ("]Q3", "]Q1")}
    for one, label in zip(found, labels, strict=True):
        codes = [
            (kinds[field.kind][0 if field.gs1 else 1], field.holds.encode()) for field in one.fields if field.kind in kinds
        ]
        assert sorted(codes) == wanted(key, label)
        assert (one.width, one.height) == (SHAPES[key].width * dots, SHAPES[key].height * dots)


@pytest.mark.parametrize("dots", [8, 12])
def test_what_the_printer_draws_stays_on_the_label_with_its_margins(typesetter: Typesetter, dots: int) -> None:
    for key, labels in samples.LABELS.items():
        for one in formats(labels_zpl(typesetter, SHAPES[key], labels, dots=dots).decode()):
            for field in one.fields:
                assert 0 <= field.y < one.height
                if field.kind == "code128":
                    text = (FNC1 if field.gs1 else "") + field.holds
                    quiet = QUIET[Symbology.CODE_128] * field.module
                    wide = modules(invocations(text.lstrip(FNC1), gs1=field.gs1)) * field.module
                    assert quiet <= field.x
                    assert field.x + wide + quiet <= one.width


def test_hebrew_goes_to_the_printer_as_a_picture_latin_as_text(typesetter: Typesetter) -> None:
    (one,) = formats(labels_zpl(typesetter, LOCATION, samples.LABELS["location"]).decode())
    assert [field.holds for field in one.fields if field.kind == "text"] == ["A-01-02"]
    (picture,) = [field for field in one.fields if field.kind == "picture"]
    rows = rows_of(picture.holds)
    assert len(rows) == 5.5 * 8
    inked = sum(int(row, 16).bit_count() for row in rows)
    assert 200 < inked < 4000
    # Centred: nothing of it stands in the outer quarters.
    quarter = len(rows[0]) // 4
    assert not any(row[:quarter].strip("0") or row[-quarter:].strip("0") for row in rows)


def test_pallet_number_is_never_finer_than_half_a_millimetre() -> None:
    for label in samples.LABELS["sscc"]:
        (code,) = [one for one in place(SSCC, label) if isinstance(one, PlacedCode) and one.part.says == "sscc"]
        assert code.module / 8 >= 0.495
        assert code.height >= 31.75


def test_label_is_turned_round_for_hebrew() -> None:
    hebrew, english = samples.LABELS["lot"][0], Label(samples.LABELS["lot"][0].texts, samples.LABELS["lot"][0].codes)
    for right, left in zip(place(LOT, hebrew), place(LOT, english), strict=True):
        assert right.x == pytest.approx(LOT.width - left.x - getattr(left, "width", left.part.width), abs=0.25)


@pytest.mark.parametrize(
    "elements",
    [
        (Element("01", "07290001234571"),),
        (Element("00", "106141411234567890"),),
        (Element("10", ""),),
        (Element("10", "x" * 21),),
        (Element("10", "לוט"),),
        (Element("10", "a[b]"),),
        (Element("99", "x"),),
        (Element("37", "123456789"),),
        (Element("01", samples.GTIN), Element("10", "x" * 20), Element("21", "y" * 20)),
    ],
)
def test_what_a_code_cannot_say_is_refused(elements: tuple[Element, ...]) -> None:
    with pytest.raises(Refused, match="label_code_unfit"):
        draw_elements(Symbology.GS1_128, elements)


@pytest.mark.parametrize("text", ["", "שלום", "x" * 200])
def test_text_that_bars_cannot_hold_is_refused(text: str) -> None:
    label = Label({}, {"place": text or "é\u05d0"})
    with pytest.raises(Refused, match="label_code_"):
        list(place(LOCATION, label))


def test_no_labels_and_too_many_are_refused(typesetter: Typesetter) -> None:
    for labels in ((), samples.LABELS["location"] * (MAX_LABELS + 1)):
        with pytest.raises(Refused, match="labels_"):
            label_data(LOCATION, labels)
        with pytest.raises(Refused, match="labels_"):
            labels_zpl(typesetter, LOCATION, labels)


LOTS = st.text("".join(chr(one) for one in range(0x21, 0x7B) if chr(one) not in "#$@[\\]^`"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(LOTS, LOTS)
def test_any_lot_and_serial_is_read_back_with_its_separator(lot: str, serial: str) -> None:
    elements = (Element("01", samples.GTIN), Element("10", lot), Element("21", serial))
    said = joined(elements)
    assert said == f"01{samples.GTIN}10{lot}{FNC1}21{serial}"
    square = draw_elements(Symbology.GS1_DATAMATRIX, elements)
    assert square.width == square.height
    (found,) = zxingcpp.read_barcodes(_picture(elements, Symbology.GS1_DATAMATRIX))
    assert (found.symbology_identifier, found.bytes) == ("]d2", said.encode())


def _picture(elements: Sequence[Element], symbology: Symbology) -> zxingcpp.Image:
    formats_ = {Symbology.GS1_DATAMATRIX: zxingcpp.BarcodeFormat.DataMatrix, Symbology.GS1_128: zxingcpp.BarcodeFormat.Code128}
    assert symbology in GS1
    text = "".join(f"[{one.ai}]{one.value}" for one in elements)
    return zxingcpp.create_barcode(text, formats_[symbology], gs1=True, force_square=True).to_image(scale=4)


@settings(max_examples=300)
@given(
    st.text("".join(chr(one) for one in range(0x20, 0x7F)) + FNC1 + "0123456789" * 5, min_size=1, max_size=40), st.booleans()
)
def test_any_text_comes_back_from_the_printers_data(text: str, gs1: bool) -> None:
    assert code128(invocations(text, gs1=gs1)) == (FNC1 if gs1 else "") + text


@settings(max_examples=60, deadline=None)
@given(st.text("ABC019", min_size=1, max_size=16))
def test_the_width_is_reckoned_as_narrow_as_a_good_encoder_draws_or_little_more(text: str) -> None:
    """The reckoned width decides where the symbol stands: it may not be less than what has to be drawn."""
    best = draw_text(Symbology.CODE_128, text).width
    assert best <= modules(invocations(text, gs1=False)) <= best + 33
