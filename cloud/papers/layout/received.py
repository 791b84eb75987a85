"""Goods-received note and discrepancy report on paper."""

from cloud.papers.layout import cells, parts
from cloud.papers.layout.cells import Cell, Run
from cloud.papers.layout.parts import Part
from cloud.papers.views import Amount, Differing, Discrepancy, GoodsReceived, ReceivedLine
from cloud.papers.words import Words

Facts = list[tuple[str, Cell]]

FINAL = frozenset({"posted", "done"})
"""States in which a goods-received note says that goods were received."""


def received_facts(view: GoodsReceived, words: Words) -> Facts:
    """The head of the note."""
    fact = cells.fact
    site = f" · {words.name(view.site)}" if view.site else ""
    posted = [cells.code(words.moment(view.posted_at))] if view.posted_at else []
    return [
        *fact(words, "supplier", *cells.side(view.supplier, words)),
        *fact(words, "order", cells.code(view.order)),
        *fact(words, "notice", cells.code(view.notice)),
        *fact(words, "document", cells.code(view.document_no)),
        *fact(words, "no_document", cells.text(words.code("reason", view.no_document_reason))),
        *fact(words, "number", cells.code(view.number)),
        *fact(words, "site", [cells.code(view.station), cells.text(site)]),
        *fact(words, "operator", cells.text(view.operator)),
        *fact(words, "opened", cells.code(words.moment(view.opened_at))),
        *fact(words, "received", cells.code(words.moment(view.received_at))),
        *fact(words, "posted", posted, cells.text(view.posted_by, small=True)),
        *fact(words, "container", cells.code(view.container)),
        *fact(words, "seal", cells.code(view.seal)),
        *fact(words, "vehicle", cells.code(view.vehicle)),
        *fact(words, "temperature", cells.amount(view.temperature, words)),
    ]


def received_parts(view: GoodsReceived, words: Words) -> list[Part]:
    """What was received, what was decided, and what it rests on."""
    heads = [
        (words.say("column.line"), "auto", False),
        (words.say("column.product"), "2.6fr", False),
        (words.say("column.lot"), "1.4fr", False),
        (words.say("column.quantity"), "1.3fr", True),
        (words.say("column.origin"), "1fr", False),
        (words.say("column.where"), "1.6fr", False),
    ]
    not_posted = [parts.notes("", [cells.cell(cells.text(words.say("note.not_posted"), bold=True))], loud=True)]
    return [
        *(not_posted if view.state not in FINAL else []),
        parts.table(words.say("part.lines"), heads, [_line(one, words) for one in view.lines]),
        parts.exceptions(words, view.exceptions),
        parts.proof(words, view.proof),
        parts.signatures(words, "delivered", "received", "approved"),
    ]


def _line(one: ReceivedLine, words: Words) -> list[Cell]:
    mark = words.code("origin", one.origin)
    typed = words.say("line.typed", fields=cells.joined(_field(words, field) for field in one.typed)) if one.typed else ""
    weights: list[Run] = []
    if one.gross and one.tare:
        said = words.say("line.gross", gross=_said(one.gross, words), tare=_said(one.tare, words))
        weights = [cells.text(said, small=True)]
    condition = [] if one.condition == "good" else [cells.badge(words.code("condition", one.condition))]
    standing = [
        [cells.text(f"{words.code('bucket', name)}: ", small=True), *_small(value, words)] for name, value in one.buckets
    ]
    return [
        cells.cell(cells.code(one.number)),
        cells.goods(one.goods, words),
        cells.cell(cells.code(one.goods.lot), cells.code(words.day(one.goods.expiry), small=True)),
        cells.cell(cells.amount(one.quantity, words, bold=True), cells.amount(one.pieces, words), weights),
        cells.cell(
            cells.text(mark, small=True) if one.origin in {"device", "derived"} else cells.badge(mark),
            cells.text(typed, small=True),
        ),
        cells.cell(condition, cells.text(words.code("reason", one.condition_reason), small=True), *standing),
    ]


def _field(words: Words, field: str) -> str:
    return words.code("field", field.partition(":")[0])


def _said(value: Amount, words: Words) -> str:
    return f"{value.value} {words.unit(value.unit)}".strip()


def _small(value: Amount, words: Words) -> list[Run]:
    return [{**run, "s": True} for run in cells.amount(value, words)]


def discrepancy_facts(view: Discrepancy, words: Words) -> Facts:
    """The head of the report."""
    fact = cells.fact
    return [
        *fact(words, "supplier", *cells.side(view.supplier, words)),
        *fact(words, "order", cells.code(view.order)),
        *fact(words, "notice", cells.code(view.notice)),
        *fact(words, "document", cells.code(view.document_no)),
        *fact(words, "received", cells.code(words.moment(view.received_at))),
    ]


def discrepancy_parts(view: Discrepancy, words: Words) -> list[Part]:
    """What differs, why, and the pictures."""
    amounts = ("ordered", "announced", "received", "rejected", "difference")
    heads = [
        (words.say("column.product"), "2.4fr", False),
        *((words.say(f"column.{one}"), "1.1fr", True) for one in amounts),
        (words.say("column.reasons"), "2fr", False),
    ]
    shown = [parts.photos(words, view.photos)] if view.photos else []
    rows = [_differing(one, words) for one in view.lines]
    return [
        parts.table(words.say("part.differences"), heads, rows, words.say("note.no_differences")),
        parts.exceptions(words, view.exceptions),
        *shown,
        parts.proof(words, view.proof),
        parts.signatures(words, "received", "approved", "delivered"),
    ]


def _differing(one: Differing, words: Words) -> list[Cell]:
    lot = cells.code(one.goods.lot, small=True)
    reasons = [cells.text(words.code("check", reason), small=True) for reason in one.reasons]
    plain = [cells.cell(cells.amount(value, words)) for value in (one.ordered, one.announced, one.received, one.rejected)]
    difference = cells.cell(cells.amount(one.difference, words, bold=True))
    return [cells.goods(one.goods, words, lot), *plain, difference, cells.cell(*reasons)]
