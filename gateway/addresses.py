"""Peer addresses: the text a client's limits and bans are counted under.

An IPv4 address counts alone, 127.0.0.0/8 included, so that several clients on one machine need
not share a ban. An IPv6 address counts by its /64, which one subscriber holds as a whole.
Forwarded headers count only when the peer is a listed proxy.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

UNKNOWN_ADDRESS: Final = "unknown"
"""Peers without an internet address (a Unix socket): they share one."""


@lru_cache(maxsize=65_536)
def address_text(host: str) -> str | None:
    """Return the text that `host` is counted under, None when it is no address.

    An IPv4 address mapped into IPv6 is the IPv4 address; a zone (`%eth0`) is left out.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


class PeerAddresses:
    """Finds the address a request is counted under."""

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        """Take the proxies whose `X-Forwarded-For` counts: addresses or networks.

        Raises ValueError when one is neither.
        """
        self._proxies: tuple[Network, ...] = tuple(ip_network(proxy) for proxy in proxies)

    def of(self, host: str, forwarded_for: str | None = None) -> str:
        """Return the address of a request whose peer is `host`.

        Each proxy appends the peer it saw, so the header is read from its end for as long as the
        one who wrote the entry is a listed proxy. An entry that is no address ends the reading:
        the last one that was found counts.
        """
        found = host
        if self._proxies and forwarded_for and self._listed(host):
            for entry in reversed(forwarded_for.split(",")):
                claimed = _entry_host(entry)
                if address_text(claimed) is None:
                    break
                found = claimed
                if not self._listed(claimed):
                    break
        return address_text(found) or UNKNOWN_ADDRESS

    def _listed(self, host: str) -> bool:
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._proxies)


def _entry_host(entry: str) -> str:
    """Return the host of one `X-Forwarded-For` entry, without a port."""
    entry = entry.strip()
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    if entry.count(":") == 1:
        return entry.partition(":")[0]
    return entry
