"""What is kept of a picture, what is found in it, and the codes that are read in it."""

import hashlib
import io

import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

from drivers.api import Kind, SettingsFault, WireFault
from drivers.cameras import pictures
from drivers.cameras.checks import Limits, look_at
from drivers.cameras.codes import codes_in
from drivers.cameras.pictures import encoded, opened, still_of
from drivers.settings import read_settings


def chart(width: int = 1600, height: int = 1200) -> Image.Image:
    """Print on a page: edges everywhere, light and dark."""
    image = Image.new("RGB", (width, height), (205, 205, 200))
    draw = ImageDraw.Draw(image)
    for row in range(20, height - 20, 40):
        draw.text((30, row), "12.345 kg  LOT A7731  " * (width // 160), fill=(20, 20, 20))
    return image


def saved(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize(("form", "media"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_picture_is_kept_byte_for_byte(form: str, media: str) -> None:
    picture = saved(chart(), form)
    still = still_of(picture, "http://camera/picture")
    assert (still.picture, still.media, still.width, still.height) == (picture, media, 1600, 1200)
    assert still.sha256 == hashlib.sha256(picture).hexdigest()
    assert not still.encoded_here


def test_jpeg_with_more_pictures_behind_it_is_a_jpeg() -> None:
    picture = saved(chart(400, 300), "MPO", save_all=True, append_images=[chart(100, 100)])
    still = still_of(picture, "x")
    assert (still.media, still.width, still.height) == ("image/jpeg", 400, 300)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning", "ignore:Possibly corrupt EXIF:UserWarning")
@pytest.mark.parametrize("exif", [b"MM\x00\x00\x00\x00\x00\x08", b"hello", b"MM\x00*\x00\x00\x00\x08\xff\xff"])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_broken_notes_beside_a_picture_are_passed_over(form: str, exif: bytes) -> None:
    picture = saved(chart(400, 300), form, exif=b"Exif\0\0" + exif)
    assert look_at(opened(picture), Limits()).orientation == 1


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"<html>",
        b"\xff\xd8\xff",
        saved(chart())[:-200],
        saved(chart())[:2000],
        saved(chart(), "GIF"),
        saved(chart(), "PNG")[:900],
    ],
    ids=["nothing", "a page", "a beginning", "end cut off", "half", "another format", "half a PNG"],
)
def test_what_is_no_whole_picture_is_refused(broken: bytes) -> None:
    with pytest.raises(WireFault):
        still_of(broken, "x")


def test_picture_that_claims_to_be_huge_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1600 * 1200 - 1)
    with pytest.raises(WireFault, match="too large"):
        opened(saved(chart()))
    # Pillow's own alarm for what a few bytes claim: a warning below twice its limit, an error above.
    for limit in (1_000_000, 500_000):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(WireFault, match="too large"):
            opened(saved(chart()))


def test_frame_of_a_video_says_that_the_box_encoded_it() -> None:
    still = encoded(chart(), "rtsp://camera/1")
    assert still.encoded_here
    assert opened(still.picture).size == (1600, 1200)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return Image.open(io.BytesIO(saved(image, exif=exif)))


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (chart(), ()),
        (chart(900, 700), ("too_small",)),
        (chart().filter(ImageFilter.GaussianBlur(6)), ("blurred",)),
        (chart().point([value // 30 for value in range(256)] * 3), ("blurred", "too_dark")),
        (Image.new("RGB", (1600, 1200), (255, 255, 255)), ("blurred", "too_bright")),
        (turned(chart(), 6), ("turned",)),
    ],
    ids=["good", "small", "blurred", "dark", "burnt out", "on its side"],
)
def test_findings_are_what_a_person_would_say(image: Image.Image, found: tuple[str, ...]) -> None:
    look = look_at(image, Limits())
    assert tuple(finding.code for finding in look.findings) == found
    assert look.about()["findings"] == " ".join(found)


def test_sharpness_hardly_depends_on_the_size() -> None:
    small, large = chart(1024, 768), chart(1024, 768).resize((3072, 2304), Image.Resampling.LANCZOS)
    ratio = look_at(large, Limits()).sharpness / look_at(small, Limits()).sharpness
    assert 0.5 < ratio < 2


def test_tiny_picture_is_measured_too() -> None:
    assert look_at(Image.new("L", (1, 1)), Limits()).findings


def test_limits_are_settings() -> None:
    strict = read_settings(Limits, {"min_sharpness": 1_000_000.0, "max_bright": 0.0})
    assert [finding.code for finding in look_at(chart(), strict).findings] == ["blurred"]
    with pytest.raises(SettingsFault):
        read_settings(Limits, {"max_dark": 2})


def label(text: str, form: zxingcpp.BarcodeFormat, *, gs1: bool = False) -> Image.Image:
    options = {"gs1": True} if gs1 else {}
    code = Image.fromarray(zxingcpp.create_barcode(text, form, **options).to_image(scale=3)).convert("L")
    paper = Image.new("L", (code.width + 80, code.height + 80), 250)
    paper.paste(code, (40, 40))
    return paper


ELEMENTS = "(01)07290000000015(10)A7(21)99"
F = zxingcpp.BarcodeFormat


@pytest.mark.parametrize(
    ("form", "symbology_id", "angle"),
    [
        (F.Code128, "]C1", 0),
        (F.Code128, "]C1", 90),
        (F.Code128, "]C1", 180),
        (F.DataMatrix, "]d2", 0),
        (F.DataMatrix, "]d2", 17),
        (F.QRCode, "]Q3", 0),
        (F.QRCode, "]Q3", 200),
    ],
)
def test_element_strings_keep_their_separators_and_mean_what_a_reader_says(
    form: zxingcpp.BarcodeFormat, symbology_id: str, angle: int
) -> None:
    image = label(ELEMENTS, form, gs1=True).rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=250)
    [code] = codes_in(image, "ab" * 32)
    assert (code.kind, code.value) == (Kind.CODE, "010729000000001510A7\x1d2199")
    assert code.details["symbology_id"] == symbology_id
    assert (code.details["ai.10"], code.details["ai.21"], code.details["gtin"]) == ("A7", "99", "07290000000015")
    assert code.details["image"] == "ab" * 32
    assert code.raw == f"{symbology_id}010729000000001510A7\x1d2199".encode()


def test_code_that_stands_there_twice_is_one_code_and_others_come_from_top_to_bottom() -> None:
    one, two = label("7290000000015", F.EAN13), label("PALLET-7", F.Code128)
    sheet = Image.new("L", (700, 900), 250)
    for at, image in enumerate((one, two, one)):
        sheet.paste(image, (20, 20 + at * 280))
    found = codes_in(sheet, "00")
    assert [(code.value, code.details["symbology_id"]) for code in found] == [("7290000000015", "]E0"), ("PALLET-7", "]C0")]


def test_picture_without_codes_gives_none() -> None:
    assert codes_in(chart(), "00") == []
