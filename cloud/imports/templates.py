"""Empty workbooks to be filled in: a sheet for a kind, or one for every kind in the order in which they are imported."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.datavalidation import DataValidation

from cloud.errors import Forbidden
from cloud.imports.heads import COMMENT, REF, REF_LABEL, Head, takes_ref, writable
from cloud.imports.workbook import KEYS, NAMES, SHADE, SHEET_NAME, TEXT, WIDTH
from cloud.kernel.access import CREATE
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, Label, ObjectDef

NEEDED = PatternFill("solid", fgColor="F3E3B3")
EXAMPLE = Font(italic=True, color="808080")
LAST_ROW = 5000
"""Down to here a sheet offers the choices of a column."""
INLINE = 250
"""Characters of choices that a validation holds itself (Excel: 255); more of them lie on a hidden sheet."""
LISTS = "lists"
MAX_COMMENT = 800

EXAMPLE_LABEL = Label("example, not imported", "דוגמה, לא תיובא")
GROUPS = ("masters", "records", "work", "admin")
"""Order of kinds that do not depend on each other."""

_EXAMPLES: Mapping[str, Any] = {
    "int": "1",
    "decimal": "12.5",
    "money": "99.90",
    "bool": "true",
    "date": "2026-01-31",
    "datetime": "2026-01-31 14:30",
    "json": "[]",
}


def template(caller: Caller, kind: str, locale: str) -> bytes:
    """An XLSX workbook with the heads of a kind: its fields that the caller may fill in, in row 1 their keys and in row 2 their
    names, then an example that an import passes over. Raises NotFound, Forbidden."""
    definition = caller.rows(kind).definition
    if definition.read_only or not caller.access.may(kind, CREATE):
        raise Forbidden("forbidden", action=CREATE, role=caller.taken.actor.role)
    return _book(caller, [(kind, definition)], locale)


def templates_all(caller: Caller, locale: str) -> bytes:
    """One workbook with a sheet for each kind that the caller may make records of; each after those that it leads to."""
    wanted = [one for one in in_order(caller.objects.definitions.values()) if not one.read_only and not one.archived]
    sheets = [one for one in wanted if caller.access.may(one.key, CREATE)]
    if not sheets:
        raise Forbidden("forbidden", action=CREATE, role=caller.taken.actor.role)
    return _book(caller, [(f"{number:02} {one.key}", one) for number, one in enumerate(sheets, 1)], locale)


def in_order(definitions: Iterable[ObjectDef]) -> list[ObjectDef]:
    """Kinds so that each comes behind those that its references lead to, as far as no circle forbids it: then references that
    need not be filled in give way."""
    ordered = sorted(definitions, key=lambda one: (GROUPS.index(one.group), bool(_before(one)), one.key))
    left = {one.key: one for one in ordered}
    found: list[ObjectDef] = []
    while left:
        free = next((one for one in left.values() if not _before(one) & left.keys()), None)
        free = free or next((one for one in left.values() if not _before(one, needed=True) & left.keys()), None)
        free = free or next(iter(left.values()))
        found.append(left.pop(free.key))
    return found


def _before(definition: ObjectDef, *, needed: bool = False) -> set[str]:
    wanted = (one for one in definition.live if one.target and (one.required or not needed))
    return {one.target for one in wanted} - {definition.key}


def _book(caller: Caller, sheets: Sequence[tuple[str, ObjectDef]], locale: str) -> bytes:
    book = Workbook()
    book.remove(book["Sheet"])
    lists: list[Sequence[str]] = []
    for name, definition in sheets:
        heads = [Head(REF, REF_LABEL)] if takes_ref(definition) else []
        heads += [Head(one.key, one.label, one) for one in writable(caller, definition) if one.type != "file"]
        sheet = book.create_sheet(name[:SHEET_NAME])
        sheet.sheet_view.rightToLeft = locale == "he"
        sheet.freeze_panes = "B3"
        _column(sheet, 1, (COMMENT, "", EXAMPLE_LABEL.in_(locale)))
        for number, head in enumerate(heads, 2):
            _fill(sheet, number, head, locale, lists)
    if lists:
        held = book.create_sheet(LISTS)
        held.sheet_state = "hidden"
        for column, values in enumerate(lists, 1):
            for row, value in enumerate(values, 1):
                held.cell(row, column, value)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _column(sheet: Any, number: int, texts: tuple[str, str, str]) -> None:
    for row, (text, font) in enumerate(zip(texts, (KEYS, NAMES, EXAMPLE), strict=True), 1):
        cell = sheet.cell(row, number, text)
        cell.data_type, cell.number_format, cell.font = "s", TEXT, font
    sheet.cell(2, number).fill = SHADE
    sheet.column_dimensions[get_column_letter(number)].width = WIDTH


def _fill(sheet: Any, number: int, head: Head, locale: str, lists: list[Sequence[str]]) -> None:
    one = head.field
    star = " *" if one is not None and one.required else ""
    _column(sheet, number, (head.key, head.label.in_(locale) + star, "" if one is None else _example(one)))
    if one is None:
        return
    if star:
        sheet.cell(2, number).fill = NEEDED
    comment = Comment(_help(one, locale)[:MAX_COMMENT], "Tallybox")
    comment.width, comment.height = 320, 140
    sheet.cell(2, number).comment = comment
    # Numbers may be typed as numbers; everything else stays as it is typed: 007 is not 7.
    if one.type not in {"int", "decimal", "money", "date", "datetime"}:
        sheet.column_dimensions[get_column_letter(number)].number_format = TEXT
    choices = ("true", "false") if one.type == "bool" else tuple(each.key for each in one.options if not each.archived)
    if one.type in {"bool", "choice"} and choices:
        _offer(sheet, number, choices, lists)


def _offer(sheet: Any, number: int, choices: Sequence[str], lists: list[Sequence[str]]) -> None:
    formula = f'"{",".join(choices)}"'
    if len(formula) > INLINE or any("," in each or '"' in each for each in choices):
        lists.append(choices)
        letter = get_column_letter(len(lists))
        formula = f"{quote_sheetname(LISTS)}!${letter}$1:${letter}${len(choices)}"
    offered = DataValidation(type="list", formula1=formula, allow_blank=True)
    letter = get_column_letter(number)
    offered.add(f"{letter}3:{letter}{LAST_ROW}")
    sheet.add_data_validation(offered)


def _example(one: FieldDef) -> str:
    if one.type in {"choice", "choices"}:
        return one.options[0].key if one.options else ""
    if one.target:
        return f"{one.target.upper()}-1"
    return str(_EXAMPLES.get(one.type, one.label.en))


def _help(one: FieldDef, locale: str) -> str:
    """What may stand in the column, in the language of the sheet; the words are the definition's own and field types."""
    lines = [one.help.in_(locale)] if one.help is not None else []
    lines += [f"{each.key}: {each.label.in_(locale)}" for each in one.options if not each.archived]
    if one.target:
        lines.append(f"→ {one.target}")
    if one.unit or one.currency:
        lines.append(one.unit or one.currency)
    if one.min is not None or one.max is not None:
        lines.append(f"{'' if one.min is None else one.min} … {'' if one.max is None else one.max}")
    return "\n".join([*lines, one.type])
