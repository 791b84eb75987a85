"""Return note, put-away list and gate pass on paper."""

from cloud.papers.layout import cells, parts
from cloud.papers.layout.cells import Cell, Run
from cloud.papers.layout.parts import Part
from cloud.papers.layout.received import Facts
from cloud.papers.views import Amount, GatePass, MovedLine, PutAwayLine, PutAwayList, ReturnNote
from cloud.papers.words import Words


def return_facts(view: ReturnNote, words: Words) -> Facts:
    """The head of the note."""
    fact = cells.fact
    return [
        *fact(words, "supplier", *cells.side(view.supplier, words)),
        *fact(words, "receipt", cells.code(view.receipt)),
        *fact(words, "return_no", cells.code(view.document_no)),
        *fact(words, "reason", cells.text(words.code("reason", view.reason))),
        *fact(words, "site", cells.name(view.site, words)),
        *fact(words, "approved", cells.code(words.moment(view.approved_at)), cells.text(view.approved_by, small=True)),
        *fact(words, "shipped", cells.code(words.moment(view.shipped_at))),
    ]


def return_parts(view: ReturnNote, words: Words) -> list[Part]:
    """What goes back, and who hands it over to whom."""
    return [_moved(words, "part.lines", view.lines), parts.signatures(words, "approved", "driver", "received")]


def put_away_facts(view: PutAwayList, words: Words) -> Facts:
    """The head of the list."""
    fact = cells.fact
    return [
        *fact(words, "receipt", cells.code(view.ref), cells.bars(view.ref)),
        *fact(words, "supplier", *cells.side(view.supplier, words)),
        *fact(words, "site", cells.name(view.site, words)),
    ]


def put_away_parts(view: PutAwayList, words: Words) -> list[Part]:
    """Each line with the codes of where it lies and where it should go, and a box to tick."""
    heads = [
        (words.say("column.line"), "auto", False),
        (words.say("column.product"), "2.4fr", False),
        (words.say("column.lot"), "1.2fr", False),
        (words.say("column.quantity"), "1.1fr", True),
        (words.say("column.from"), "1.9fr", False),
        (words.say("column.to"), "1.9fr", False),
        (words.say("column.done"), "auto", False),
    ]
    rows = [_waiting(one, words) for one in view.lines]
    return [parts.table(words.say("part.lines"), heads, rows, words.say("note.nothing_waits"))]


def _waiting(one: PutAwayLine, words: Words) -> list[Cell]:
    target = cells.code(one.target, bold=True) if one.target else cells.text("")
    return [
        cells.cell(cells.code(one.number)),
        cells.goods(one.goods, words),
        cells.cell(cells.code(one.goods.lot), cells.code(words.day(one.goods.expiry), small=True)),
        cells.cell(cells.amount(one.quantity, words, bold=True)),
        cells.cell(cells.code(one.source), cells.bars(one.source)),
        cells.cell(target, cells.bars(one.target or ""), {**cells.name(one.target_name, words), "s": True}),
        [[{"tick": True, "t": " "}]],
    ]


def gate_facts(view: GatePass, words: Words) -> Facts:
    """The head of the pass."""
    fact = cells.fact
    laden = "" if view.laden is None else words.say(f"laden.{'yes' if view.laden else 'no'}")
    gate: list[Run] = [cells.text(words.code("state", view.gate)), cells.text(" "), cells.code(words.moment(view.gate_at))]
    return [
        *fact(words, "container", cells.code(view.number, bold=True), cells.bars(view.number)),
        *fact(words, "client", *cells.side(view.client, words)),
        *fact(words, "direction", cells.text(words.code("direction", view.direction))),
        *fact(words, "iso_type", cells.code(view.iso_type)),
        *fact(words, "line", cells.text(view.line)),
        *fact(words, "booking", cells.code(view.booking)),
        *fact(words, "bill", cells.code(view.bill)),
        *fact(words, "location", [cells.code(view.location), cells.text(f" {words.name(view.site)}")]),
        *fact(words, "seals", cells.code(cells.joined(view.seals))),
        *fact(words, "laden", cells.text(laden)),
        *fact(words, "condition", cells.text(words.code("condition", view.condition))),
        *fact(words, "gross", cells.amount(view.gross, words)),
        *fact(words, "tare", cells.amount(view.tare, words)),
        *fact(words, "vehicle", cells.code(view.vehicle)),
        *fact(words, "driver", cells.text(view.driver)),
        *fact(words, "gate", *([gate] if view.gate else [])),
        *fact(words, "visit", cells.code(view.visit)),
    ]


def gate_parts(view: GatePass, words: Words) -> list[Part]:
    """What stands against leaving, what is inside, and who let it pass."""
    loud = []
    if view.holds:
        names = cells.joined(words.code("hold", one) for one in view.holds)
        loud.append(cells.cell(cells.text(f"{words.say('note.holds')} {names}", bold=True)))
    if not view.number_good:
        loud.append(cells.cell(cells.text(words.say("note.bad_number"), bold=True)))
    warned = [parts.notes("", loud, loud=True)] if loud else []
    inside = [_moved(words, "part.contents", view.contents)] if view.contents else []
    return [*warned, *inside, parts.signatures(words, "driver", "gate")]


def _moved(words: Words, title: str, lines: tuple[MovedLine, ...]) -> Part:
    heads = [
        (words.say("column.line"), "auto", False),
        (words.say("column.product"), "3fr", False),
        (words.say("column.lot"), "1.6fr", False),
        (words.say("column.quantity"), "1.4fr", True),
        (words.say("column.from"), "1.4fr", False),
        (words.say("column.reasons"), "2fr", False),
    ]
    return parts.table(words.say(title), heads, [_line(one, words) for one in lines])


def _line(one: MovedLine, words: Words) -> list[Cell]:
    goods = one.goods
    what = cells.goods(goods, words) if goods else cells.cell(cells.text(words.say("line.whole")))
    amount: Amount | None = one.quantity
    whole = cells.text(words.say("line.whole"), small=True) if one.whole and goods else cells.text("")
    return [
        cells.cell(cells.code(one.number)),
        what,
        cells.cell(cells.code(goods.lot), cells.code(words.day(goods.expiry), small=True)) if goods else [],
        cells.cell(cells.amount(amount, words, bold=True), whole),
        cells.cell(cells.code(one.source)),
        cells.cell(cells.text(words.code("reason", one.reason))),
    ]
