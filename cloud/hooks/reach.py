"""Where webhooks may go: addresses of the open network, and those of the house that a setting names.

The name is resolved here, and the connection goes to the very address that was checked: a name that answers differently the
second time (DNS rebinding) leads nowhere else.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from cloud.errors import CloudError, SettingsFault

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052, 2.1: the last 32 bits are an IPv4 address."""

MAX_ADDRESSES = 3
"""Of a name, tried one after the other."""


class OutOfReach(CloudError):
    """The address of a webhook cannot be resolved, or leads where webhooks must not go; `code` says which."""

    def __init__(self, code: str, host: str) -> None:
        super().__init__(f"{code}: {host[:100]}")
        self.code = code


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name. Raises OSError."""


async def resolve(host: str, port: int) -> list[str]:
    """As the system resolves names."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(frozen=True, slots=True)
class Reach:
    """`networks` are allowed besides the open network."""

    networks: tuple[Network, ...] = ()
    resolve: Resolve = resolve

    @classmethod
    def of(cls, networks: Iterable[str]) -> "Reach":
        """From texts such as `10.1.0.0/16`. Raises SettingsFault."""
        try:
            return cls(tuple(ip_network(text) for text in networks))
        except ValueError as exc:
            raise SettingsFault(f"webhook_networks: {exc}") from exc

    def allows(self, address: Address) -> bool:
        """Whether a connection may go there; an IPv4 address inside an IPv6 one is what is judged."""
        inner = _inner(address)
        if any(inner in network for network in self.networks if network.version == inner.version):
            return True
        return inner.is_global and not (inner.is_multicast or inner.is_reserved or inner.is_unspecified or _old_site(inner))

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect to. Raises OutOfReach: `not_resolved`, or `not_allowed` when no address may be gone to."""
        try:
            found = [ip_address(text.partition("%")[0]) for text in await self.resolve(host.strip("[]"), port)]
        except (OSError, ValueError) as exc:
            raise OutOfReach("not_resolved", host) from exc
        allowed = [str(one) for one in found if self.allows(one)]
        if not allowed:
            raise OutOfReach("not_allowed", host)
        return allowed[:MAX_ADDRESSES]


def _old_site(address: Address) -> bool:
    return isinstance(address, IPv6Address) and address.is_site_local


def _inner(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
