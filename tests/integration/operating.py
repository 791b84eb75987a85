"""An operator who works the kiosk as its page does: every act has an id, and is asked for again with that id until answered."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx

from firmware_sim.demo import Load, label_of
from firmware_sim.demo_operator import Instruments

WAIT_S = 45.0
"""For any one thing to happen on a machine that does other work too; nothing here is a measurement."""

LOOK_EVERY_S = 0.05

ORDER = "PO-2026-0041"

State = dict[str, Any]

Standing = tuple[Any, ...]
"""Where a person would say that the job stands: what is awaited, order, delivery note, and every line with its state."""

NO_JOB: Standing = ("order", None, None, ())


def standing(state: State) -> Standing:
    job = state["job"]
    if job is None:
        return NO_JOB
    lines = tuple((line["product"], line["lot"], line["quantity"], line["state"]) for line in job["lines"])
    return job["awaits"], job["order"], job["document"], lines


async def until(
    what: str, look: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool], *, every_s: float = LOOK_EVERY_S
) -> Any:
    """Look again and again; gives what was seen when it is as asked, fails with what was seen last."""
    seen: Any = None
    try:
        async with asyncio.timeout(WAIT_S):
            while not holds(seen := await look()):  # noqa: ASYNC110 - what is awaited happens in another process
                await asyncio.sleep(every_s)
    except TimeoutError as exc:
        raise AssertionError(f"waited {WAIT_S:.0f} s for {what}; last seen: {str(seen)[:1500]}") from exc
    return seen


@dataclass(slots=True)
class Operator:
    """One signed-in page and the hands of the person before it."""

    client: httpx.AsyncClient
    hands: Instruments

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, hands: Instruments) -> AsyncIterator[Self]:
        headers = {"x-tallybox": "1", "accept": "application/json"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=WAIT_S, trust_env=False) as client:
            yield cls(client, hands)

    async def sign_in(self, login: str, pin: str) -> None:
        """As soon as the mirror has brought the people."""

        async def knock() -> int:
            return (await self.client.post("/api/signin", json={"login": login, "pin": pin})).status_code

        await until("the sign-in", knock, lambda status: status == 200, every_s=0.3)

    async def state(self) -> State:
        response = await self.client.get("/api/state")
        assert response.status_code == 200, response.text
        found: State = response.json()
        return found

    async def until(self, what: str, holds: Callable[[State], bool]) -> State:
        found: State = await until(what, self.state, holds)
        return found

    async def ask(self, path: str, cmd: str, **fields: str) -> State | None:
        """Ask once; None when the box went away before it answered."""
        try:
            response = await self.client.post(path, json={"cmd": cmd, **fields})
        except httpx.TransportError:
            return None
        assert response.status_code == 200, (path, fields, response.text)
        found: State = response.json()
        return found

    async def give_up(self) -> None:
        """Abandon whatever receipt is open."""
        job = (await self.state())["job"]
        if job is not None:
            await self.ask(f"/api/jobs/{job['id']}/abandon", uuid.uuid4().hex, reason="started_by_mistake")

    async def put(self, grams: str) -> None:
        """Put exactly this on the scale."""
        await self.hands.act(device="scale-1", action="remove")
        await self.hands.act(device="scale-1", action="put", grams=grams)

    async def sees_at_rest(self, grams: str) -> None:
        """Wait until the page would let this be taken."""
        wanted = f"{int(grams) / 1000:.3f}"
        await self.until(
            f"a stable {wanted} kg", lambda state: state["live"]["state"] == "stable" and state["live"]["value"] == wanted
        )


@dataclass(slots=True)
class Act:
    """One thing the operator does: a press (with its id) or a scan. `after` is where the job must stand then."""

    name: str
    after: Standing
    grams: str | None = None
    scan: tuple[str, str] | None = None
    fields: dict[str, str] | None = None
    cmd: str = ""
    path: str = ""

    async def prepare(self, operator: Operator) -> None:
        """Everything that does not change the job: the load is put, the page gives the press its address and id.

        A second time the load stays and only its rest is awaited, and the id is the same.
        """
        if self.grams is not None:
            if not self.cmd:
                await operator.put(self.grams)
            await operator.sees_at_rest(self.grams)
        if self.scan is None and not self.cmd:
            job = (await operator.state())["job"]
            self.path = f"/api/jobs/{job['id']}/{self.name}" if job else "/api/jobs"
            self.cmd = uuid.uuid4().hex

    async def start(self, operator: Operator) -> State | None:
        """Scan, or press once. A scan has no answer of its own."""
        if self.scan is not None:
            await operator.hands.scan(*self.scan)
            return None
        return await operator.ask(self.path, self.cmd, **(self.fields or {}))

    async def finish(self, operator: Operator) -> State:
        """Press or scan until the job stands where it must."""
        state = await self.start(operator)
        if state is None:
            state = await operator.until(f"{self.name} to be done", lambda seen: standing(seen) == self.after)
        assert standing(state) == self.after, self.name
        return state


def receipt_acts(document: str, loads: tuple[Load, ...], *, by_touch: bool = False) -> Iterator[Act]:
    """A whole receipt as the acts of an operator."""
    begin: dict[str, Any] = {"fields": {"order": ORDER}} if by_touch else {"scan": (ORDER, "]C0")}
    yield Act("begin", ("document", ORDER, None, ()), **begin)
    yield Act("document", ("item", ORDER, document, ()), fields={"number": document})
    lines: tuple[tuple[str | None, ...], ...] = ()
    for load in loads:
        named = (load.product, load.lot)
        amount = f"{int(load.grams) / 1000:.3f}"
        yield Act("item", ("weight", ORDER, document, (*lines, (*named, None, "begun"))), scan=(label_of(load), "]C1"))
        whole = (*lines, (*named, amount, "whole"))
        yield Act("take", ("confirm", ORDER, document, whole), grams=load.grams, fields={})
        lines = (*lines, (*named, amount, "confirmed"))
        yield Act("confirm", ("item", ORDER, document, lines), fields={})
    yield Act("finish", NO_JOB, fields={})


async def receive(operator: Operator, document: str, loads: tuple[Load, ...]) -> None:
    """A whole receipt without disturbance."""
    for act in receipt_acts(document, loads):
        await act.prepare(operator)
        await act.finish(operator)
