"""Which addresses a message may be sent to: public ones, unless the channel says otherwise."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from core.errors import KizashiError

Resolver = Callable[[str, int], Awaitable[tuple[str, ...]]]
# Addresses of these networks carry an IPv4 address that a gateway would send the request on to.
_NAT64 = IPv6Network("64:ff9b::/96")


class RefusedAddressError(KizashiError):
    """The name leads to an address inside one's own network."""

    def __init__(self) -> None:
        super().__init__(
            "the receiver's name leads to an address that is not public",
            "an address on the Internet",
            "set allow_private_addresses: true for the channel if the receiver is your own",
        )


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """All addresses of a name, in the order in which the system would try them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether anybody on the Internet could be reached there, tunnels and translations looked through.

    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("169.254.169.254"), is_public("::ffff:127.0.0.1")
    (True, False, False, False)
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and (inner := _carried(ip)) is not None:
        ip = inner
    return ip.is_global and not ip.is_multicast


def _carried(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


async def usable_addresses(host: str, port: int, *, allow_private: bool, resolver: Resolver) -> tuple[str, ...]:
    """The addresses to connect to. The name is looked up once, here: a second look-up could answer otherwise.

    Raises:
        RefusedAddressError: one of them is private, loopback, link-local or otherwise not public.
        OSError: the name is not known.
    """
    addresses = await resolver(host, port)
    if not allow_private and not all(is_public(address) for address in addresses):
        raise RefusedAddressError
    return addresses
