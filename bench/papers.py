"""Papers and labels: from frozen text to PDF, by length and language, and labels by the hundred, as PDF and for printers."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cloud.papers.barcodes import Symbology, draw_elements
from cloud.papers.fonts import load_fonts
from cloud.papers.gs1 import Element, day
from cloud.papers.labels.pdf import label_data
from cloud.papers.labels.shapes import LOT, SSCC
from cloud.papers.labels.template import Label
from cloud.papers.labels.zpl import labels_zpl
from cloud.papers.layout.sheet import Stamp, sheet
from cloud.papers.snapshot import Head, content_of, digest, frozen
from cloud.papers.typesetting import Typesetter
from cloud.papers.views import Amount, Goods, GoodsReceived, Name, Proof, ReceivedLine, Side
from cloud.papers.words import LANGUAGES, Language, Words

LIBRARIES = Path(__file__).resolve().parent.parent / "node_modules"
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
LENGTHS, ROUNDS, LABELS = (5, 50, 200), 7, 100
GTIN = "07290001234570"


def note(lines: int) -> GoodsReceived:
    """A receipt of so many lines, no two of them the same text."""
    ours, theirs = Side(Name("Galil", "גליל מזון")), Side(Name("Carmel", "עופות הכרמל"), "SUP-014")
    rows = tuple(
        ReceivedLine(
            n,
            Goods(f"SKU-{n}", Name(f"Product {n}", f"מוצר {n}"), f"L-{n}", date(2026, 12, 1)),
            Amount(f"{n}.340", "kg"),
            "device",
        )
        for n in range(1, lines + 1)
    )
    return GoodsReceived(
        house=ours, ref="GR-1", number=None, state="posted", supplier=theirs, site=None, station="receiving-1", order="PO-1",
        notice=None, document_no="DN-1", no_document_reason=None, operator="dana", opened_at=NOW, received_at=NOW,
        posted_at=NOW, posted_by="noa", container=None, seal=None, vehicle=None, temperature=None, lines=rows, exceptions=(),
        proof=Proof(ok=True, device=lines, manual=0, other=0, problems=0),
    )  # fmt: skip


def paper(setter: Typesetter, lines: int, language: Language, turn: int) -> int:
    """All that happens once a record is read: frozen, hashed, laid out, typeset. `turn` keeps it from being the one before."""
    view = note(lines)
    head = Head(f"{turn:032x}", "goods_received", "receipt", "uid", "GR-1", turn, language, NOW, "noa")
    text = frozen(head, content_of(view))
    words = Words(language, ZoneInfo("Asia/Jerusalem"))
    data = sheet(view, words, Stamp(head, digest(text), "https://stock.example"))
    return len(setter.pdf_now("document.typ", data, title="GR-1", made_at=NOW))


def lot(turn: int, *, hebrew: bool) -> Label:
    texts = {"name": f"פילה סלמון {turn}" if hebrew else f"Salmon fillet {turn}", "sku": "SLM-FIL", "lot": f"S-{turn}"}
    return Label(texts, {"gs1": (Element("01", GTIN), day("17", NOW.date()), Element("10", f"S-{turn}"))}, rtl=hebrew)


def pallet(turn: int) -> Label:
    serial = f"10614141{turn:09}"
    digit = -sum(int(one) * (3 if place % 2 == 0 else 1) for place, one in enumerate(reversed(serial))) % 10
    content = (Element("02", GTIN), day("17", NOW.date()), Element("37", "48"))
    codes = {"content": content, "batch": (Element("10", f"S-{turn}"),), "sscc": (Element("00", f"{serial}{digit}"),)}
    return Label({"name": "פילה סלמון", "sku": "SLM-FIL"}, codes, rtl=True)


def timed(work: Callable[[int], object], rounds: int = ROUNDS) -> list[float]:
    found = []
    for turn in range(rounds):
        before = time.perf_counter()
        work(turn)
        found.append((time.perf_counter() - before) * 1000)
    return found


def row(what: str, times: list[float], **more: Any) -> dict[str, Any]:
    return {
        "bench": "papers",
        "what": what,
        "ms_p50": round(statistics.median(times), 1),
        "ms_worst": round(max(times), 1),
        **more,
    }


def run() -> list[dict[str, Any]]:
    first = timed(lambda _turn: load_fonts(LIBRARIES), 1)
    setter = Typesetter(LIBRARIES)
    rows = [row("fonts, once a process", first)]
    for language in LANGUAGES:
        for lines in LENGTHS:
            size = paper(setter, lines, language, 10_000)
            times = timed(lambda turn, lines=lines, language=language: paper(setter, lines, language, turn))  # type: ignore[misc]
            rows.append(row(f"goods-received note, {language}", times, lines=lines, kilobytes=round(size / 1000)))
    hundred = {
        "lot labels": (LOT, lambda turn: [lot(turn * LABELS + n, hebrew=True) for n in range(LABELS)]),
        "lot labels, Latin": (LOT, lambda turn: [lot(turn * LABELS + n, hebrew=False) for n in range(LABELS)]),
        "pallet labels": (SSCC, lambda turn: [pallet(turn * LABELS + n) for n in range(LABELS)]),
    }
    for what, (shape, made) in hundred.items():
        pdf = timed(
            lambda turn, shape=shape, made=made: setter.pdf_now(
                "label.typ", label_data(shape, made(turn)), title="", made_at=NOW
            )  # type: ignore[misc]
        )
        zpl = timed(lambda turn, shape=shape, made=made: labels_zpl(setter, shape, made(turn)))  # type: ignore[misc]
        rows += [row(f"{what}, PDF", pdf, labels=LABELS), row(f"{what}, ZPL", zpl, labels=LABELS)]
    codes = timed(lambda turn: draw_elements(Symbology.GS1_128, (Element("10", f"S-{turn}"),)), 1000)
    return [*rows, row("one GS1-128 drawn", codes)]


if __name__ == "__main__":
    for found in run():
        print(found)
