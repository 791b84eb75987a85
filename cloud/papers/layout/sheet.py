"""A whole document as data for the typesetter: its head, its parts, and the code by which it is checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloud.papers.barcodes import Symbology, draw_text
from cloud.papers.layout import moving, parts, received
from cloud.papers.layout.parts import Part
from cloud.papers.layout.received import Facts
from cloud.papers.snapshot import CHECKED_UNDER, Head, code_text
from cloud.papers.views import Discrepancy, GatePass, GoodsReceived, PutAwayList, ReturnNote, View
from cloud.papers.words import Words, isolated
from sync_protocol.wiretext import clean

CODE_MM = 30
"""Side of the paper's code: its modules are half a millimetre and read from a hand's distance, by a telephone too."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which paper it is. `address`: the house's public one, empty where there is none."""

    head: Head
    sha256: str
    address: str


def sheet(view: View, words: Words, stamp: Stamp) -> dict[str, Any]:
    """Everything that the template shows."""
    facts, shown = _of(view, words)
    head = stamp.head
    title = words.say(f"title.{head.kind}")
    where = f"{stamp.address.rstrip('/')}{CHECKED_UNDER}{head.uid}"
    check = words.say("proof.check", address=where) if stamp.address else words.say("proof.check_here")
    return {
        "rtl": words.rtl,
        "heading": title,
        "ref": head.record_ref,
        "state": words.code("state", view.state),
        "house": words.name(view.house.name),
        "house_lines": parts.house_lines(words, view.house),
        "facts": [[label, value] for label, value in facts],
        "parts": shown,
        "made": words.say("head.made", at=isolated(words.moment(head.made_at)), by=head.made_by),
        "page": words.say("head.page", page="{page}", pages="{pages}"),
        "check": check,
        "hash_word": words.say("proof.hash"),
        "hash": [stamp.sha256[start : start + 8] for start in range(0, len(stamp.sha256), 8)],
        "paper_word": words.say("proof.paper"),
        "paper": head.uid,
        "code": draw_text(Symbology.QR, code_text(head.uid, stamp.sha256, stamp.address)).svg,
        "code_mm": CODE_MM,
    }


def _of(view: View, words: Words) -> tuple[Facts, list[Part]]:
    for kind, (facts, shown) in _LAYOUTS.items():
        if isinstance(view, kind):
            return facts(view, words), shown(view, words)
    raise TypeError(type(view).__name__)


_LAYOUTS: Mapping[type[Any], tuple[Callable[[Any, Words], Facts], Callable[[Any, Words], list[Part]]]] = {
    GoodsReceived: (received.received_facts, received.received_parts),
    Discrepancy: (received.discrepancy_facts, received.discrepancy_parts),
    ReturnNote: (moving.return_facts, moving.return_parts),
    PutAwayList: (moving.put_away_facts, moving.put_away_parts),
    GatePass: (moving.gate_facts, moving.gate_parts),
}


def title_of(words: Words, head: Head) -> str:
    """The document's title as programs that open it show it."""
    return f"{words.say(f'title.{head.kind}')} {clean(head.record_ref)}"
