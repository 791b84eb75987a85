"""Reads `receipt.json` and `audit.json` back into rows that belong to no database. Raises BundleFault for another form.

Rows refer to each other by numbers that are drawn here from their names: equal names, equal numbers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloud.kernel.models import Event
from cloud.masters.models import Product, Site
from cloud.receiving.bundle.columns import read
from cloud.receiving.models import (
    Evidence,
    LearnedCode,
    Receipt,
    ReceiptException,
    ReceiptLine,
    ReceiptPhoto,
    ReceiptRemainder,
    ReceiptSerial,
    ReceiptStep,
)
from cloud.stock.models import LineBucket, Move
from sync_protocol.bundle.form import AUDIT, RECEIPT
from sync_protocol.errors import BundleFault


@dataclass(slots=True)
class Numbers:
    """Numbers for names, by what they name."""

    known: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, kind: str, name: Any) -> int | None:
        if name is None:
            return None
        return self.known.setdefault((kind, str(name)), len(self.known) + 1)


def _rows(said: Mapping[str, Any], key: str, member: str = RECEIPT) -> Iterator[Mapping[str, Any]]:
    found = said.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BundleFault(f"has another form at {key}", member)
    yield from found


def read_receipt(said: Mapping[str, Any]) -> Receipt:
    """The receipt with all that belongs to it."""
    head = said.get("receipt")
    if not isinstance(head, dict):
        raise BundleFault("says nothing of a receipt", RECEIPT)
    numbers = Numbers()
    receipt: Receipt = read(Receipt, head)
    if isinstance(head.get("tz"), str):
        receipt.site = Site(tz=head["tz"])
    lines = [_line(one, numbers) for one in _rows(said, "lines")]
    receipt.lines = lines
    by_number = {line.number: line for line in lines}
    receipt.evidence = [_evidence(one, by_number) for one in _rows(said, "evidence")]
    receipt.exceptions = [read(ReceiptException, one) for one in _rows(said, "exceptions")]
    receipt.photos = [read(ReceiptPhoto, one) for one in _rows(said, "photos")]
    receipt.learned = [read(LearnedCode, one) for one in _rows(said, "learned")]
    receipt.remainders = [read(ReceiptRemainder, one) for one in _rows(said, "remainders")]
    if any(getattr(receipt, name) is None for name in ("uid", "ref", "state", "box_id")):
        raise BundleFault("does not say which receipt it is", RECEIPT)
    return receipt


def _line(said: Mapping[str, Any], numbers: Numbers) -> ReceiptLine:
    line: ReceiptLine = read(ReceiptLine, said)
    if line.number is None:
        raise BundleFault("has a line without number", RECEIPT)
    unit = said.get("product_unit")
    if isinstance(unit, str):
        line.product = Product(sku=line.sku, unit=unit)
    line.product_id = numbers.of("product", line.sku)
    line.owner_id = numbers.of("owner", said.get("owner"))
    line.location_id = numbers.of("place", said.get("location"))
    line.handling_unit_id = numbers.of("unit", said.get("handling_unit"))
    line.lot_id = numbers.of("lot", said.get("stock_lot"))
    line.serials = [_serial(one, numbers) for one in _rows(said, "serials")]
    return line


def _serial(said: Mapping[str, Any], numbers: Numbers) -> ReceiptSerial:
    serial: ReceiptSerial = read(ReceiptSerial, said)
    serial.lot_id = numbers.of("lot", said.get("stock_lot"))
    return serial


def _evidence(said: Mapping[str, Any], lines: Mapping[int, ReceiptLine]) -> Evidence:
    number = said.get("line")
    if number is not None and number not in lines:
        raise BundleFault(f"has evidence of line {str(number)[:20]}, which is not there", RECEIPT)
    row: Evidence = read(Evidence, said)
    row.line = lines[number] if number is not None else None
    return row


def read_steps(said: Mapping[str, Any]) -> list[ReceiptStep]:
    return [read(ReceiptStep, one) for one in _rows(said, "steps")]


def read_buckets(said: Mapping[str, Any]) -> list[LineBucket]:
    return [read(LineBucket, one) for one in _rows(said, "buckets")]


def read_moves(said: Mapping[str, Any], receipt: Receipt) -> list[Move]:
    """The moves, with the same numbers for the same names as the receipt's lines."""
    numbers = Numbers()
    for one in _rows(said, "lines"):
        _line(one, numbers)
    found: list[Move] = []
    for one in _rows(said, "moves"):
        move: Move = read(Move, one)
        move.product_id = numbers.of("product", one.get("product")) or 0
        move.owner_id = numbers.of("owner", one.get("owner")) or 0
        move.lot_id = numbers.of("lot", one.get("lot"))
        move.source_id = numbers.of("place", one.get("source")) or 0
        move.target_id = numbers.of("place", one.get("target")) or 0
        move.unit_id, move.to_unit_id = numbers.of("unit", one.get("unit")), numbers.of("unit", one.get("to_unit"))
        if move.quantity is None or (move.document != receipt.uid and move.receipt is None):
            raise BundleFault("has a move of something else", RECEIPT)
        found.append(move)
    return found


def read_events(said: Mapping[str, Any]) -> list[tuple[Event, str | None]]:
    """Events with the hash before each."""
    found: list[tuple[Event, str | None]] = []
    for one in _rows(said, "events", AUDIT):
        before = one.get("before")
        row: Event = read(Event, one)
        if row.id is None or row.at is None or not isinstance(before, str):
            raise BundleFault("has an event without its place", AUDIT)
        found.append((row, before))
    return found
