"""Which papers there are, of which records, and how each is read."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cloud.errors import NotFound
from cloud.papers.reads.common import Reading
from cloud.papers.reads.moving import gate_pass, put_away, return_note
from cloud.papers.reads.received import discrepancy, goods_received
from cloud.papers.views import Discrepancy, GatePass, GoodsReceived, PutAwayList, ReturnNote, View
from cloud.receiving.models import Receipt
from cloud.trade.models import Container
from cloud.transfers.models import Transfer


@dataclass(frozen=True, slots=True)
class PaperKind:
    """One document. `model` is the table of its records; `read` makes its view from a row of it, `receipt` gives the uid of the
    receipt whose goods it speaks of."""

    key: str
    record_kind: str
    model: type[Any]
    view: type[View]
    read: Callable[[Reading, Any], Awaitable[View]]
    receipt: Callable[[Any], str | None]


def _itself(row: Receipt) -> str:
    return row.uid


def _named(row: Transfer) -> str | None:
    return row.receipt


def _none(_row: Container) -> None:
    return None


PAPERS: Mapping[str, PaperKind] = {
    one.key: one
    for one in (
        PaperKind("goods_received", "receipt", Receipt, GoodsReceived, goods_received, _itself),
        PaperKind("discrepancy", "receipt", Receipt, Discrepancy, discrepancy, _itself),
        PaperKind("put_away", "receipt", Receipt, PutAwayList, put_away, _itself),
        PaperKind("return_note", "transfer", Transfer, ReturnNote, return_note, _named),
        PaperKind("gate_pass", "container", Container, GatePass, gate_pass, _none),
    )
}

LABELS: Mapping[str, str] = {
    "lot": "lot",
    "sscc": "handling_unit",
    "location": "location",
    "product": "product",
    "receipt_lots": "receipt",
    "receipt_units": "receipt",
}
"""Labels by the kind of record that they are printed from."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A paper or label that a record's page can link to. `title` is a key of this package's words; a paper is made by a POST to
    `href` and then shown there, labels are files to be loaded."""

    key: str
    title: str
    href: str
    made: bool


def papers_of(record_kind: str, ref: str) -> tuple[Offer, ...]:
    """Everything that can be printed of a record."""
    at = quote(ref, safe="")
    papers = [
        Offer(one.key, f"title.{one.key}", f"/papers/{one.key}/{at}.pdf", made=True)
        for one in PAPERS.values()
        if one.record_kind == record_kind
    ]
    labels = [
        Offer(key, f"title.label_{key}", f"/labels/{key}/{at}.{form}", made=False)
        for key, kind in LABELS.items()
        if kind == record_kind
        for form in ("pdf", "zpl")
    ]
    return (*papers, *labels)


def paper_kind(key: str) -> PaperKind:
    """Raises NotFound."""
    if key not in PAPERS:
        raise NotFound("paper", key)
    return PAPERS[key]
