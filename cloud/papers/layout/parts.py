"""The parts that documents are made of: tables, exceptions, proof, signatures."""

from collections.abc import Sequence
from typing import Any

from cloud.papers.layout import cells
from cloud.papers.layout.cells import Cell
from cloud.papers.views import Exceptional, Photo, Proof, Side
from cloud.papers.words import Words

Part = dict[str, Any]


def table(title: str, columns: Sequence[tuple[str, str, bool]], rows: Sequence[Sequence[Cell]], empty: str = "") -> Part:
    """Columns are (head, width, whether it holds amounts). Without rows only the `empty` note stands there."""
    return {
        "is": "table",
        "title": title,
        "heads": [head for head, _, _ in columns],
        "widths": [width for _, width, _ in columns],
        "amounts": [holds for _, _, holds in columns],
        "rows": [list(row) for row in rows],
        "empty": empty,
    }


def notes(title: str, lines: Sequence[Cell], *, loud: bool = False) -> Part:
    """Lines of text; `loud` ones stand in a frame."""
    return {"is": "notes", "title": title, "lines": list(lines), "loud": loud}


def exceptions(words: Words, rows: Sequence[Exceptional]) -> Part:
    """Every check that did not come out clean, with what was decided, by whom and why."""
    heads = [
        (words.say("column.check"), "2.2fr", False),
        (words.say("column.expected"), "1.2fr", False),
        (words.say("column.found"), "1.2fr", False),
        (words.say("column.decision"), "2fr", False),
    ]
    return table(words.say("part.exceptions"), heads, [_exception(words, one) for one in rows], words.say("note.no_exceptions"))


def _exception(words: Words, one: Exceptional) -> list[Cell]:
    place = cells.text(words.say("line.of", line=one.line), small=True) if one.line is not None else cells.text("")
    said = one.decision or ("info" if one.severity == "info" else "none")
    decided = words.code("decision", said)
    who = [cells.text(one.by, small=True), cells.text(" "), cells.code(words.moment(one.at), small=True)] if one.by else []
    reason = words.code("reason", one.reason)
    return [
        cells.cell(cells.text(words.code("check", one.check)), place),
        cells.cell(cells.found(one.expected, words)),
        cells.cell(cells.found(one.found, words)),
        cells.cell(
            cells.badge(decided) if said in {"none", "refuse"} else cells.text(decided),
            who,
            cells.text(reason, small=True),
        ),
    ]


def proof(words: Words, value: Proof) -> Part:
    """How many values rest on what, and whether all was verified."""
    lines = [words.say(f"proof.{kind}", count=getattr(value, kind)) for kind in ("device", "manual", "other")]
    verdict = words.say("proof.ok") if value.ok else words.say("proof.bad", count=value.problems)
    shown = [cells.cell(cells.text(line)) for line in lines[: 3 if value.other else 2]]
    return notes(words.say("part.proof"), [*shown, cells.cell(cells.text(verdict, bold=True))])


def photos(words: Words, values: Sequence[Photo]) -> Part:
    """Places for pictures; their bytes are put in when the paper is typeset (`cloud.papers.pictures`)."""
    rows = [
        {
            "sha256": one.sha256,
            "says": " · ".join(
                part
                for part in (words.code("subject", one.subject), words.say("line.of", line=one.line) if one.line else "")
                if part
            ),
            "away": words.say("note.photo_away"),
        }
        for one in values
    ]
    return {"is": "photos", "title": words.say("part.photos"), "rows": rows}


def signatures(words: Words, *roles: str) -> Part:
    """Room for names, dates and signatures."""
    return {
        "is": "signatures",
        "title": words.say("part.signatures"),
        "roles": [words.say(f"sign.{role}") for role in roles],
        "under": words.say("sign.name_date"),
    }


def house_lines(words: Words, house: Side) -> Cell:
    """What stands below our own name."""
    number = words.say("head.reg_no", number=house.reg_no) if house.reg_no else ""
    return cells.cell(
        *(
            maker(line, small=True)
            for maker, line in ((cells.text, house.address), (cells.text, number), (cells.code, house.phone))
        )
    )
