"""What stands before a simulated camera, drawn: a carton with labels, sharp or not, lit or covered."""

import io
from dataclasses import dataclass

import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

SYMBOLS = {
    "]C0": zxingcpp.BarcodeFormat.Code128,
    "]C1": zxingcpp.BarcodeFormat.Code128,
    "]E0": zxingcpp.BarcodeFormat.EAN13,
    "]E4": zxingcpp.BarcodeFormat.EAN8,
    "]d1": zxingcpp.BarcodeFormat.DataMatrix,
    "]d2": zxingcpp.BarcodeFormat.DataMatrix,
    "]Q1": zxingcpp.BarcodeFormat.QRCode,
    "]Q3": zxingcpp.BarcodeFormat.QRCode,
}
"""What can be drawn, by AIM identifier (ISO/IEC 15424)."""

GS1 = frozenset({"]C1", "]d2", "]Q3"})
"""Drawn of element strings in brackets: `(01)07290000000015(10)A7`."""

QUALITY = 88


@dataclass(frozen=True, slots=True)
class Shown:
    """One label in view: its text and the AIM identifier of its symbol."""

    text: str
    symbology_id: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that makes a picture. `light` is 1 in a lit hall and 0 behind a covered lens."""

    width: int
    height: int
    labels: tuple[Shown, ...] = ()
    light: float = 1.0
    blurred: bool = False
    number: int = 0
    """Counts pictures; it is printed in a corner, so that no two are the same."""


def symbol(label: Shown) -> Image.Image:
    """The code alone, black on white. Raises ValueError for a text that its symbol cannot hold."""
    options = {"gs1": True} if label.symbology_id in GS1 else {}
    code = zxingcpp.create_barcode(label.text, SYMBOLS[label.symbology_id], **options)
    return Image.fromarray(code.to_image(scale=3)).convert("L")


def picture(scene: Scene) -> bytes:
    """The scene as JPEG. Raises ValueError as `symbol`."""
    image = Image.new("RGB", (scene.width, scene.height), (92, 96, 88))
    draw = ImageDraw.Draw(image)
    margin = scene.width // 12
    draw.rectangle(
        (margin, margin, scene.width - margin, scene.height - margin), fill=(176, 138, 92), outline=(90, 66, 40), width=4
    )
    for line in range(margin, scene.width - margin, 9):  # the fluting of the cardboard
        draw.line((line, margin, line, margin + 26), fill=(140, 106, 66))
    top = margin + 60
    for label in scene.labels:
        code = symbol(label)
        paper = Image.new("RGB", (code.width + 60, code.height + 70), (244, 244, 240))
        paper.paste(code, (30, 20))
        ImageDraw.Draw(paper).text((30, code.height + 34), label.text[:40], fill=(10, 10, 10))
        image.paste(paper, (margin + 60, top))
        top += paper.height + 40
    draw.text((12, 8), f"CAM {scene.number:06d}", fill=(250, 250, 250))
    if scene.blurred:
        image = image.filter(ImageFilter.GaussianBlur(12))
    if scene.light < 1:
        image = image.point([int(value * scene.light) for value in range(256)] * 3)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
