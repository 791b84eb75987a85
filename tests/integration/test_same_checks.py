"""Box and core find the same in the same receipt: random receipts, judged by the box from its mirror before it sends them, and
by the core from its rows."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.kernel.actor import Actor, Taken
from cloud.masters.models import OrderLine, Product, ProductCode, Site
from cloud.mirror.rows import desired_rows
from cloud.receiving.models import Receipt
from cloud.receiving.projection import project_all
from cloud.stock.lots import lot_of
from cloud.trade.models import CheckSetting, Packaging
from edge.jobs.facts import facts_of
from edge.jobs.moment import Context
from edge.jobs.receive import Moment, ReceiveJob, fold
from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry, parse
from sync_protocol.identifiers import check_digit
from sync_protocol.mirror import Row
from sync_protocol.receiving.checks import findings
from sync_protocol.steps import (
    Amount,
    Arrival,
    Condition,
    Confirm,
    FieldValue,
    Finish,
    Item,
    Open,
    Photo,
    Serial,
)

STATION = "receiving-1"
ROUNDS = 12

Told = set[tuple[Any, ...]]

AGAIN = {"sscc_again", "document_again"}

CORE_ALONE = {"not_verified", "steps_contradict"}
"""What the box cannot know of itself."""


def typed(value: str, unit: str | None = None, reason: str = "counted") -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason)


async def prepare(sessions: Sessions, clock) -> None:
    """Things that checks are about: bounds, tolerances, a blocked lot, a setting of the house."""
    taken = Taken(Actor.user("noa", "supervisor"), clock.now)
    async with sessions.write() as session:
        chicken = (await session.scalars(select(Product).where(Product.sku == "CHK-CUB"))).one()
        salmon = (await session.scalars(select(Product).where(Product.sku == "SLM-FIL"))).one()
        chicken.under_tolerance, chicken.tare = Decimal("0.1"), Decimal("0.5")
        salmon.quarantine, salmon.weight_policy = True, "required"
        held = await lot_of(session, chicken, "L-HELD", taken=taken, state="hold")
        held.expires_on = clock.now.date() + timedelta(days=90)
        session.add(CheckSetting(check="damaged", product_id=salmon.id, severity="stop"))
        session.add(CheckSetting(check="lot_missing", severity="info"))
        session.add(Packaging(code="EUR", name="Pallet", tare=Decimal(25)))


async def mirror(sessions: Sessions, now: Any) -> MasterView:
    async with sessions.read() as session:
        rows = await desired_rows(session, STATION, now)
    return MasterView.of(Row(table, key, 1, value) for (table, key), value in rows.items())


def pallet(drawn: random.Random) -> str:
    body = f"3401234500000{drawn.randrange(4):04d}"
    return body + (check_digit(body) if drawn.random() < 0.8 else "x"[:0] + str((int(check_digit(body)) + 1) % 10))


class Receiver:
    """Writes one random receipt."""

    def __init__(self, box, drawn: random.Random, gtins: dict[str, str]) -> None:
        self.box, self.drawn, self.gtins = box, drawn, gtins
        self.job = box.new_job()
        self.first = len(box.run.entries)

    def write(self) -> None:
        drawn = self.drawn
        order = drawn.choice(["PO-2026-0041", "PO-2026-0041", None])
        document = drawn.choice(["DN-1", "DN-2", f"DN-{drawn.randrange(100)}", None])
        self.box.step(
            self.job,
            Open(
                order=order,
                supplier=drawn.choice(["SUP-014", "SUP-014", "SUP-014", "SUP-027"]),
                document=typed(document, reason="typed") if document else None,
                no_document_reason=None if document or drawn.random() < 0.5 else "not_supplied",
            ),
        )
        if drawn.random() < 0.6:
            self.arrival()
        numbers = [self.line(number, order) for number in range(1, drawn.randint(1, 3) + 1)]
        self.box.step(self.job, Finish(lines=numbers))

    def arrival(self) -> None:
        drawn = self.drawn
        self.box.step(
            self.job,
            Arrival(
                temperature=typed(drawn.choice(["2", "4.0", "4.1", "-1"]), "Cel", "from_display")
                if drawn.random() < 0.7
                else None,
                container=typed(drawn.choice(["CSQU3054383", "CSQU3054384"])) if drawn.random() < 0.5 else None,
            ),
        )

    def line(self, number: int, order: str | None) -> int:
        drawn, box = self.drawn, self.box
        sku = drawn.choice(["CHK-CUB", "CHK-CUB", "SLM-FIL"])
        named = {"CHK-CUB": "1", "SLM-FIL": "2"}[sku]
        scanned = drawn.random() < 0.7
        text = self.gtins[sku] if drawn.random() < 0.9 else self.gtins["CHK-CUB"]
        identity = (
            FieldValue(value=text, mode="device", reading=box.scan(text, gtin=text))
            if scanned
            else typed(sku, reason="no_barcode")
        )
        lot = drawn.choice([None, "L-77", "L-HELD", f"L-{drawn.randrange(3)}"])
        expiry = drawn.choice([None, *(box.clock.now.date() + timedelta(days=days) for days in (-1, 0, 5, 90, 91))])
        box.step(
            self.job,
            Item(
                line=number,
                product=sku,
                product_rev=1,
                order_line=named if order else None,
                identity=identity,
                lot=typed(lot, reason="typed") if lot else None,
                expiry=typed(expiry.isoformat(), reason="typed") if expiry else None,
                unit=typed(pallet(drawn), reason="typed") if drawn.random() < 0.3 else None,
            ),
        )
        self.amount(number)
        if drawn.random() < 0.2:
            box.step(self.job, Condition(line=number, condition="damaged", reason="crushed"))
            if drawn.random() < 0.5:
                box.step(self.job, Photo(line=number, subject="damage", sha256="b" * 64))
        kept = {"kept_because": "checked_again"} if drawn.random() < 0.2 else {}
        box.step(self.job, Confirm(line=number), **kept)
        return number

    def amount(self, number: int) -> None:
        drawn, box = self.drawn, self.box
        net = drawn.choice(["1", "12.340", "60", "63", "126.001"])
        way = drawn.randrange(4)
        if way == 0:
            given = Amount(line=number, quantity=typed(net, "kg", "scale_down"))
        elif way == 1:
            reading = box.weight(net)
            given = Amount(line=number, quantity=FieldValue(value=net, unit="kg", mode="device", reading=reading))
        else:
            tare = drawn.choice(["25", "0.5", "3"])
            gross = format(Decimal(net) + Decimal(tare), "f")
            quantity = FieldValue(value=net, unit="kg", mode="derived", formula="gross - tare")
            given = Amount(
                line=number,
                quantity=quantity,
                gross=FieldValue(value=gross, unit="kg", mode="device", reading=box.weight(gross)),
                tare=typed(tare, "kg", "packaging" if tare == "25" else "label_weight"),
                packaging="EUR" if tare == "25" else None,
            )
        if drawn.random() < 0.1:
            box.step(self.job, Serial(line=number, serial=typed("S-1", reason="typed")))
        box.step(self.job, given)

    def entries(self) -> list[StepEntry]:
        found = [parse(each) for each in self.box.run.entries[self.first :]]
        return [each for each in found if isinstance(each, StepEntry) and each.job == self.job]


def told(found: Any) -> Told:
    return {_row(one.check, one.line, one.expected, one.found, str(one.severity)) for one in found}


def _row(check: str, line: int | None, expected: str | None, found: str | None, severity: str) -> tuple[Any, ...]:
    # The box knows a receipt by its job, the core by its number.
    return (check, line, severity) if check in AGAIN else (check, line, expected, found, severity)


async def said_by_core(sessions: Sessions, job: str) -> Told:
    async with sessions.read() as session:
        receipt = (await session.scalars(select(Receipt).where(Receipt.uid == job))).one()
        waiting = set(await session.scalars(select(Receipt.ref).where(Receipt.state == "check")))
    # Units of what waits for a decision are not in the ledger yet, and no box has heard of them.
    rows = [row for row in receipt.exceptions if row.check != "sscc_again" or row.expected not in waiting]
    return {
        _row(row.check, row.line_number, row.expected, row.found, str(row.severity))
        for row in rows
        if row.check not in CORE_ALONE
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_box_and_core_find_the_same(sessions: Sessions, box, demo, clock, seed: int) -> None:
    await prepare(sessions, clock)
    async with sessions.read() as session:
        rows = await session.scalars(select(ProductCode).where(ProductCode.scheme == "gtin"))
        gtins = {row.product.sku: row.code for row in rows}
        assert (await session.scalars(select(Site))).first() is not None
        assert (await session.scalars(select(OrderLine))).first() is not None
    seen: set[str] = set()
    for number in range(ROUNDS):
        clock.go(minutes=1)
        masters = await mirror(sessions, clock.now)
        receiver = Receiver(box, random.Random(f"{seed} {number}"), gtins)
        receiver.write()
        await box.deliver(sessions)
        await project_all(sessions)
        job = fold(ReceiveJob(id=receiver.job), receiver.entries())
        at = clock.now
        here = told(findings(facts_of(job, Context(masters, at.date(), Moment("b", 0), at))))
        there = await said_by_core(sessions, receiver.job)
        assert here == there, (seed, number)
        seen |= {check for check, *_ in here}
    assert len(seen) > 10
