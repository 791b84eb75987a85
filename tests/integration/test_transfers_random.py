"""Whatever staff and boxes do with the goods of a receipt: nothing of it is lost, and every sum agrees with the moves."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cloud.db.engine import open_sessions
from cloud.errors import Refused
from cloud.kernel.actor import Actor, Taken
from cloud.stock.checking import check
from cloud.stock.models import LineBucket, Quant
from cloud.transfers.work import retry_waiting
from sync_protocol.movements import Done, Moved, MoveOpen
from sync_protocol.steps import FieldValue
from tests.integration.transfer_world import RECEIPT, Warehouse, make_warehouse

POSTED = Decimal(12)
PLACES = ("RCV", "A1", "A2", "REJ")

amounts = st.sampled_from(["1", "2.5", "4", "12", "0.000001"])
places = st.sampled_from(PLACES)
deeds = st.one_of(
    st.tuples(st.just("put_away"), amounts, places, places),
    st.tuples(st.just("internal"), amounts, places, places),
    st.tuples(st.just("supplier_return"), amounts, places, places),
    st.tuples(st.just("scrap"), amounts, places, places),
    st.tuples(st.just("count"), amounts, places, places),
    st.tuples(st.just("box"), amounts, places, places),
    st.tuples(st.just("reverse"), amounts, places, places),
)


class Doer:
    """Does one thing after the other; what the core refuses is not done."""

    def __init__(self, house: Warehouse) -> None:
        self.house = house
        self.done: list[str] = []
        self.jobs = 0

    async def transfer(self, kind: str, amount: str, source: str, target: str) -> None:
        head: dict[str, object] = {"from_place": source, "receipt_ref": "GR-1", "reason": "r"}
        head |= {"party": "SUP"} if kind == "supplier_return" else {}
        head |= {"to_place": target} if kind in {"put_away", "internal"} else {}
        line: dict[str, object] = {"product": "K", "lot": "LOT-L1", "given_quantity": amount, "receipt_line": 1}
        made = await self.house.transfer(kind, line, **head)
        steps = {"supplier_return": ("approve", "pack", "ship"), "scrap": ("scrap",)}.get(kind, ("post",))
        for action in steps:
            await self.house.do("transfer", made.ref, action)
        self.done.append(made.ref)

    async def count(self, amount: str, place: str) -> None:
        sheet = await self.house.make("count_sheet", location=place, tolerance="1000")
        await self.house.do("count_sheet", sheet.ref, "begin")
        await self.house.make("count_line", sheet=sheet.ref, product="K", lot="LOT-L1", counted=amount)
        await self.house.do("count_sheet", sheet.ref, "finish")
        await self.house.do("count_sheet", sheet.ref, "post")
        there = {key: found for key, found in (await self.house.stock()).items() if f" {place} " in key}
        assert there == {f"K L1 {place} - HOUSE": Decimal(amount)}

    async def box(self, amount: str, source: str, target: str) -> None:
        self.jobs += 1
        job = f"01930000-0000-7000-8000-{self.jobs:012}"
        said = [FieldValue(value=word, mode="manual", reason="r") for word in (amount, source, target)]
        act = Moved(n=1, product="K", lot="L1", quantity=said[0], source=said[1], target=said[2], receipt=RECEIPT)
        await self.house.say(job, "put_away", "open", 0, MoveOpen(number=f"B-{self.jobs}", receipt=RECEIPT))
        for _ in range(2):
            await self.house.say(job, "put_away", "moved", 1, act)
        await self.house.say(job, "put_away", "finish", 2, Done())
        self.done.append(f"B-{self.jobs}")

    async def reverse(self) -> None:
        if self.done:
            await self.house.do("transfer", self.done[-1], "reverse")
            self.done.pop()

    async def do(self, deed: tuple[str, str, str, str]) -> None:
        kind, amount, source, target = deed
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "count": lambda: self.count(amount, source),
            "box": lambda: self.box(amount, source, target),
            "reverse": self.reverse,
        }
        try:
            await ways.get(kind, lambda: self.transfer(kind, amount, source, target))()
        except Refused:
            return
        finally:
            self.house.later(minutes=1)


async def nothing_is_lost(house: Warehouse) -> None:
    async with house.sessions.read() as session:
        found = await check(session)
        assert found.ok, found.differences
        line = await session.scalar(select(func.sum(LineBucket.quantity)).where(LineBucket.receipt == RECEIPT))
        assert line == POSTED
        everywhere = await session.scalar(select(func.sum(Quant.quantity)))
        assert everywhere == 0
        below = await session.scalar(select(func.count()).where(Quant.internal.is_(True), Quant.quantity < Decimal(0)))
        assert below == 0


async def play(url: str, done: list[tuple[str, str, str, str]]) -> None:
    sessions = open_sessions(url)
    try:
        house = await make_warehouse(sessions)
        await house.put("K", "RCV", "8", lot="L1", bucket="released")
        await house.put("K", "REJ", "4", lot="L1", bucket="rejected")
        doer = Doer(house)
        for deed in done:
            await doer.do(deed)
            await nothing_is_lost(house)
        await retry_waiting(sessions, Taken(Actor.system("test"), house.now))
        await nothing_is_lost(house)
    finally:
        await sessions.engine.dispose()


@pytest.mark.deep
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(done=st.lists(deeds, min_size=3, max_size=8))
def test_nothing_of_a_receipt_is_lost(
    done: list[tuple[str, str, str, str]], sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("play") / "play.db"
    shutil.copyfile(sqlite_template, path)
    asyncio.run(play(f"sqlite:///{path}", done))
