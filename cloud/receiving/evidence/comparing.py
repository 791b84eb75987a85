"""What a receipt's rows say against what its steps say: head, lines and what belongs to them, nothing more and nothing less."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.clock import from_wall_ns
from cloud.receiving import said
from cloud.receiving.evidence.fields import Proves
from cloud.receiving.fold import AMOUNTS, Approval, Claim, Draft, DraftLine, Stage, Step
from cloud.receiving.models import Receipt, ReceiptException, ReceiptLine
from cloud.receiving.rows import MINUTE_MS
from sync_protocol.entries import Clk

POSTED = frozenset({"posted", "done", "reversed"})


def compare(receipt: Receipt, draft: Draft) -> list[str]:
    """`head_differs:<column>`, `line_differs:<number>`, `line_missing:<number>`, `line_not_in_steps:<number>`,
    `evidence_missing:<place>`, `evidence_not_in_steps:<place>`, `evidence_twice:<place>`, `photos_differ`,
    `learned_codes_differ`, `remainders_differ`, `approval_differs:<check>`."""
    problems = [f"head_differs:{name}" for name in _differing(receipt, _head(receipt, draft))]
    problems += [f"head_differs:{name}" for name in _links(receipt)]
    rows = {line.number: line for line in receipt.lines}
    lines = {line.number: line for line in draft.lines}
    problems += [f"line_not_in_steps:{number}" for number in sorted(rows.keys() - lines.keys())]
    problems += [f"line_missing:{number}" for number in sorted(lines.keys() - rows.keys())]
    both = sorted(rows.keys() & lines.keys())
    problems += [f"line_differs:{number}" for number in both if any(line_differences(receipt, rows[number], lines[number]))]
    return [*problems, *_evidence(receipt, draft), *_beside(receipt, draft)]


def compare_times(receipt: Receipt, steps: Iterable[Step], prover: Proves) -> list[str]:
    """`head_differs:<column>` for the times that the head copies from its first and last step."""
    expected: dict[str, Any] = {"finished_at": None, "finished_received_at": None}
    for step in steps:
        stored = prover.stored(step.at)
        received = None if stored is None else stored.received_at
        at = from_wall_ns(step.entry.wall_ns)
        if step.entry.n == 0:
            clock_set = _says_the_day(step.entry.clk)
            expected |= {"opened_at": at, "opened_received_at": received, "clock_set": clock_set}
        if step.entry.step == "finish":
            expected |= {"finished_at": at, "finished_received_at": received}
    return [f"head_differs:{name}" for name in _differing(receipt, expected)]


def _says_the_day(clk: Clk) -> bool:
    return clk.s in {"ntp", "rtc"} or (clk.s == "cloud" and clk.err_ms is not None and clk.err_ms <= MINUTE_MS)


def _head(receipt: Receipt, draft: Draft) -> Mapping[str, Any]:
    opened, arrival = draft.opened, draft.arrival
    measured = {name: said.measure(arrival[name].value) for name in ("temperature", "weighbridge") if name in arrival}
    return {
        "uid": draft.job,
        "operator": draft.operator,
        "station_code": draft.station,
        "order_ref": opened.order,
        "notice_ref": opened.notice,
        "owner_ref": opened.owner,
        "number": opened.number,
        "document_no": _text(draft.document),
        "no_document_reason": opened.no_document_reason,
        **{name: _text(arrival.get(name)) for name in ("container", "seal", "vehicle")},
        **{name: measured[name].value if name in measured else None for name in ("temperature", "weighbridge")},
        **{f"{name}_unit": measured[name].unit if name in measured else None for name in ("temperature", "weighbridge")},
        **{name: _moment(arrival.get(name), receipt) for name in ("arrived_at", "shipped_at")},
    }


def _text(claim: Claim | None) -> str | None:
    return claim.value.value if claim is not None else None


def _moment(claim: Claim | None, receipt: Receipt) -> datetime | None:
    """A day alone is its begin at the site."""
    if claim is None:
        return None
    found = said.moment(claim.value)
    if isinstance(found, datetime):
        return found.astimezone(UTC)
    return _begin(found, receipt.site.tz if receipt.site else "UTC")


def _begin(day: date, zone: str) -> datetime:
    try:
        return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.combine(day, time(), UTC)


def _links(receipt: Receipt) -> Iterator[str]:
    """Rows of master data that are linked are those whose codes the steps name."""
    if receipt.station is not None and receipt.station.code != receipt.station_code:
        yield "station_id"
    if receipt.order is not None and receipt.order.ref != receipt.order_ref:
        yield "order_id"
    if receipt.station is not None and receipt.site_id != receipt.station.site_id:
        yield "site_id"


def _differing(row: object, expected: Mapping[str, Any]) -> list[str]:
    return [name for name, value in expected.items() if getattr(row, name) != value]


def line_differences(receipt: Receipt, row: ReceiptLine, line: DraftLine) -> Iterator[str]:
    """Columns in which a line's row and its steps differ."""
    amounts = {"quantity": line.amount} | {name: line.amounts.get(name) for name in AMOUNTS}
    units = {"quantity": "unit"} | {name: f"{name}_unit" for name in AMOUNTS}
    item = line.item
    yield from _differing(
        row,
        {
            "sku": item.product,
            "product_rev": item.product_rev,
            "pack": item.pack,
            "notice_line": item.notice_line,
            "lot": _text(line.lot),
            "expiry": line.expiry_date,
            "sscc": _text(line.unit),
            "packaging": line.packaging,
            "condition": line.condition,
            "condition_reason": line.condition_reason,
            "standing": line.standing,
            "discard_reason": line.discard_reason,
            "kept_reason": line.kept_reason,
            **{name: amount.value if amount else None for name, amount in amounts.items()},
            **{units[name]: amount.unit if amount else None for name, amount in amounts.items()},
        },
    )
    yield from _line_links(receipt, row, line)
    if sorted((each.n, each.serial) for each in row.serials) != sorted((n, each.value.value) for n, each in line.serials):
        yield "serials"


def _line_links(receipt: Receipt, row: ReceiptLine, line: DraftLine) -> Iterator[str]:
    if (row.product is not None and row.product.sku != row.sku) or (row.product is None and receipt.state in POSTED):
        yield "product_id"
    order_line = row.order_line
    if order_line is None:
        return
    named = line.item.order_line
    # Where a step names no line, or none of this product, the core picks one of the order by the product.
    of_product = order_line.product_id == row.product_id and order_line.order_id == receipt.order_id
    there = receipt.order is not None and any(
        each.line == named and each.product_id == row.product_id for each in receipt.order.lines
    )
    if not of_product or (there and order_line.line != named):
        yield "order_line_id"


def _evidence(receipt: Receipt, draft: Draft) -> list[str]:
    claimed: set[tuple[int | None, str]] = {(None, name) for name in draft.claims()}
    claimed |= {(line.number, name) for line in draft.lines for name in line.claims()}
    there = Counter((row.line.number if row.line else None, row.field) for row in receipt.evidence)
    problems = [f"evidence_missing:{_place(*key)}" for key in sorted(claimed - set(there), key=str)]
    problems += [f"evidence_not_in_steps:{_place(*key)}" for key in sorted(set(there) - claimed, key=str)]
    twice = sorted((key for key, count in there.items() if count > 1), key=str)
    return problems + [f"evidence_twice:{_place(*key)}" for key in twice]


def _place(line: int | None, field: str) -> str:
    return field if line is None else f"{line}.{field}"


def _beside(receipt: Receipt, draft: Draft) -> Iterator[str]:
    photos = [
        (one.photo.line, one.photo.subject, one.photo.sha256, one.by, _at(one.reading), _at(one.step)) for one in draft.photos
    ]
    rows = [
        (one.line_number, one.subject, one.sha256, one.by, (one.run, one.seq), (one.step_run, one.step_seq))
        for one in receipt.photos
    ]
    if Counter(photos) != Counter(rows):
        yield "photos_differ"
    learned = [
        (one.learn.scheme, one.learn.code, one.learn.product, one.learn.pack, one.by, _at(one.reading), _at(one.step))
        for one in draft.learned
    ]
    codes = [
        (one.scheme, one.code, one.sku, one.pack, one.by, (one.run, one.seq), (one.step_run, one.step_seq))
        for one in receipt.learned
    ]
    if Counter(learned) != Counter(codes):
        yield "learned_codes_differ"
    remainders = [(one.order_line, one.policy, one.reason) for one in draft.remainders]
    if draft.stage is Stage.FINISHED and Counter(remainders) != Counter(
        (one.order_line, one.policy, one.reason) for one in receipt.remainders
    ):
        yield "remainders_differ"
    for row in receipt.exceptions:
        if row.via is not None and not any(_same_approval(row, one) for one in draft.approvals):
            yield f"approval_differs:{row.check}"


def _at(at: Any) -> tuple[str | None, int | None]:
    return (None, None) if at is None else (at.run, at.seq)


def _same_approval(row: ReceiptException, approval: Approval) -> bool:
    approve = approval.approve
    decided = (approve.check, approve.line, approve.decision, approve.reason, approve.method, approval.by)
    return decided == (row.check, row.line_number, row.decision, row.reason, row.method, row.by)
