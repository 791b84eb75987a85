"""Connections that several devices use together: a Modbus line, a broker, a Bluetooth adapter.

The first device opens one, the last closes it. One `Shared` belongs to one event loop and one box.
"""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, cast


class Connection(Protocol):
    """What is shared. `open` raises LinkLost and nothing else; `close` never raises and may be called twice."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


ConnectionT = TypeVar("ConnectionT", bound=Connection)


@dataclass(slots=True)
class _Held(Generic[ConnectionT]):
    connection: ConnectionT
    users: int = 0
    opened: bool = False
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class Shared:
    """Connections by key; a key names everything that makes two devices share one (kind, port, line settings)."""

    def __init__(self) -> None:
        self._held: dict[Hashable, _Held[Connection]] = {}

    async def hold(self, key: Hashable, make: Callable[[], ConnectionT]) -> ConnectionT:
        """The connection of that key, open; made by `make` when there is none. Raises LinkLost when it cannot be opened."""
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(make())
        held.users += 1
        try:
            async with held.opening:
                if not held.opened:
                    await held.connection.open()
                    held.opened = True
        except BaseException:
            await self._leave(held)
            raise
        # The key says what kind of connection lies under it; two kinds never share one.
        return cast("ConnectionT", held.connection)

    async def release(self, key: Hashable, connection: Connection) -> None:
        """Give back what `hold` gave. Never raises; the last one closes it."""
        held = self._find(key, connection)
        if held is not None:
            await self._leave(held)

    def drop(self, key: Hashable, connection: Connection) -> None:
        """The connection is broken: whoever holds next gets a fresh one. Those who have it still give it back."""
        held = self._held.get(key)
        if held is not None and held.connection is connection:
            self._held[("dropped", id(held), key)] = self._held.pop(key)

    def _find(self, key: Hashable, connection: Connection) -> _Held[Connection] | None:
        held = self._held.get(key)
        if held is not None and held.connection is connection:
            return held
        return next((one for one in self._held.values() if one.connection is connection), None)

    async def _leave(self, held: _Held[Connection]) -> None:
        held.users -= 1
        if held.users > 0:
            return
        for name in [name for name, one in self._held.items() if one is held]:
            del self._held[name]
        await held.connection.close()
