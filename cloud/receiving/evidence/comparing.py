"""What a receipt's rows say against what its steps say: head, lines and what belongs to them, nothing more and nothing less."""

from collections.abc import Iterator, Mapping
from typing import Any

from cloud.receiving.fold import Draft, DraftLine
from cloud.receiving.models import Receipt, ReceiptLine


def compare(receipt: Receipt, draft: Draft) -> list[str]:
    """`head_differs:<column>`, `line_differs:<number>`, `line_missing:<number>`, `line_not_in_steps:<number>`,
    `evidence_missing:<place>`, `evidence_not_in_steps:<place>`, `evidence_twice:<place>`."""
    problems = [f"head_differs:{name}" for name in _differing(receipt, _head(draft))]
    rows = {line.number: line for line in receipt.lines}
    said = {line.number: line for line in draft.lines}
    problems += [f"line_not_in_steps:{number}" for number in sorted(rows.keys() - said.keys())]
    problems += [f"line_missing:{number}" for number in sorted(said.keys() - rows.keys())]
    both = sorted(rows.keys() & said.keys())
    problems += [f"line_differs:{number}" for number in both if any(line_differences(rows[number], said[number]))]
    return problems + _evidence(receipt, draft)


def _head(draft: Draft) -> Mapping[str, Any]:
    return {
        "uid": draft.job,
        "operator": draft.operator,
        "station_code": draft.station,
        "order_ref": draft.opened.order,
        "document_no": draft.document.value.value if draft.document else None,
        "no_document_reason": draft.opened.no_document_reason,
    }


def _differing(row: object, said: Mapping[str, Any]) -> list[str]:
    return [name for name, value in said.items() if getattr(row, name) != value]


def line_differences(row: ReceiptLine, said: DraftLine) -> Iterator[str]:
    """Columns in which a line's row and its steps differ."""
    amount = said.amount
    columns = {
        "sku": said.item.product,
        "product_rev": said.item.product_rev,
        "lot": said.lot.value.value if said.lot else None,
        "expiry": said.expiry_date,
        "quantity": amount.value if amount else None,
        "unit": amount.unit if amount else None,
        "standing": said.standing,
    }
    yield from _differing(row, columns)
    if row.product is not None and row.product.sku != row.sku:
        yield "product_id"


def _evidence(receipt: Receipt, draft: Draft) -> list[str]:
    claimed: set[tuple[int | None, str]] = {(None, name) for name in draft.claims()}
    claimed |= {(line.number, name) for line in draft.lines for name in line.claims()}
    there = [(row.line.number if row.line else None, row.field) for row in receipt.evidence]
    problems = [f"evidence_missing:{_place(*key)}" for key in sorted(claimed - set(there), key=str)]
    problems += [f"evidence_not_in_steps:{_place(*key)}" for key in sorted(set(there) - claimed, key=str)]
    twice = sorted({key for key in there if there.count(key) > 1}, key=str)
    return problems + [f"evidence_twice:{_place(*key)}" for key in twice]


def _place(line: int | None, field: str) -> str:
    return field if line is None else f"{line}.{field}"
