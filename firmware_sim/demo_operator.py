"""An operator for the demo: works the kiosk's own HTTP interface and the simulated instruments, and keeps the times."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from firmware_sim.errors import SimError

WAIT_S = 20.0
"""For any one thing to happen; the slowest, a scale coming to rest, takes about three seconds."""


def now_ns() -> int:
    """Nanoseconds since boot as the box stamps its entries: not slewed, with the sleep between the two clocks that are."""
    slept_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) + slept_ns


class DemoFailed(SimError):
    """The demo did not go as it must; the message says what was awaited."""


@dataclass(slots=True)
class Instruments:
    """The site's control port: puts loads and scans labels."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    @asynccontextmanager
    async def connect(cls, port: int) -> AsyncIterator[Self]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async def act(self, **action: object) -> dict[str, Any]:
        """Do one action; raises DemoFailed when the site refuses."""
        self.writer.write(json.dumps(action).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self.reader.readline())
        if not answer.get("ok"):
            raise DemoFailed(f"the simulated site refused {action}: {answer.get('error')}")
        return answer

    async def scan(self, text: str, symbology_id: str) -> int:
        """Scan a label; the time (`now_ns`) when it was asked for: the wire has its last byte a little later."""
        asked_ns = now_ns()
        await self.act(device="reader-1", action="scan", text=text, symbology_id=symbology_id)
        return asked_ns


@dataclass(slots=True)
class Kiosk:
    """The kiosk as its page uses it. `seen` keeps the arrival time and name of every event of the page's stream."""

    client: httpx.AsyncClient
    seen: list[tuple[int, str]] = field(default_factory=list)
    _live: dict[str, Any] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator[Self]:
        headers = {"x-tallybox": "1", "accept": "application/json"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=WAIT_S, trust_env=False) as client:
            kiosk = cls(client)
            try:
                yield kiosk
            finally:
                for listening in kiosk._tasks:
                    listening.cancel()
                await asyncio.gather(*kiosk._tasks, return_exceptions=True)

    async def sign_in(self, login: str, pin: str) -> None:
        """Sign in and open the page's event stream."""
        await self.post("/api/signin", login=login, pin=pin)
        self._tasks.append(asyncio.create_task(self._listen()))

    async def state(self) -> dict[str, Any]:
        return await self._json(await self.client.get("/api/state"))

    async def post(self, path: str, **fields: object) -> dict[str, Any]:
        return await self._json(await self.client.post(path, json=fields))

    async def act(self, action: str, **fields: object) -> dict[str, Any]:
        """Do something with the open job."""
        job = (await self.state())["job"]
        if job is None:
            raise DemoFailed(f"there is no open job to {action}")
        return await self.post(f"/api/jobs/{job['id']}/{action}", **fields)

    async def until(self, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the station's state is as asked; woken by the event stream. Raises DemoFailed."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    self._news.clear()
                    state = await self.state()
                    if holds(state):
                        return state
                    await self._news.wait()
        except TimeoutError as exc:
            raise DemoFailed(f"waited {WAIT_S:.0f} s for {what}") from exc

    async def until_live(self, value: str) -> None:
        """Wait until the page's stream shows this live weight. Raises DemoFailed."""
        try:
            async with asyncio.timeout(WAIT_S):
                while self._live.get("value") != value:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as exc:
            raise DemoFailed(f"waited {WAIT_S:.0f} s for {value} on the screen") from exc

    async def _listen(self) -> None:
        async with self.client.stream("GET", "/events", timeout=None) as response:
            name = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.seen.append((now_ns(), name))
                    if name == "live":
                        self._live = json.loads(line.removeprefix("data: "))
                    self._news.set()

    @staticmethod
    async def _json(response: httpx.Response) -> dict[str, Any]:
        if response.is_error:
            raise DemoFailed(f"the kiosk answered {response.status_code} to {response.request.url.path}: {response.text[:200]}")
        found: dict[str, Any] = response.json()
        return found


@dataclass(slots=True)
class Staff:
    """The staff's JSON, read by the demo to see the record arrive."""

    client: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, login: str, password: str) -> AsyncIterator[Self]:
        async with httpx.AsyncClient(
            base_url=url, timeout=WAIT_S, trust_env=False, headers={"accept": "application/json"}
        ) as client:
            response = await client.post(
                "/api/sign-in", json={"login": login, "password": password}, headers={"x-tallybox": "1"}
            )
            if response.is_error:
                raise DemoFailed(f"sign-in at the cloud: {response.status_code} {response.text[:200]}")
            yield cls(client)

    async def receipts(self, order: str) -> list[dict[str, Any]]:
        response = await self.client.get("/api/receipts", params={"order": order})
        if response.is_error:
            raise DemoFailed(f"the cloud answered {response.status_code} for the receipts: {response.text[:200]}")
        rows: list[dict[str, Any]] = response.json()["rows"]
        return rows

    async def receipt(self, ref: str) -> dict[str, Any]:
        response = await self.client.get(f"/api/receipts/{ref}")
        if response.is_error:
            raise DemoFailed(f"the cloud answered {response.status_code} for {ref}: {response.text[:200]}")
        found: dict[str, Any] = response.json()
        return found

    async def until(self, what: str, order: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a receipt of the order that is as asked. Raises DemoFailed."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    for row in await self.receipts(order):
                        if holds(found := await self.receipt(row["ref"])):
                            return found
                    await asyncio.sleep(0.01)
        except TimeoutError as exc:
            raise DemoFailed(f"waited {WAIT_S:.0f} s for {what} in the cloud") from exc
