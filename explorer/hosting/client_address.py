"""Whose address a request counts for: the client's, as far as nobody can choose it."""

import ipaddress

from starlette.types import Scope

FORWARDED_FOR = b"x-forwarded-for"
NETWORK_BITS = 64  # of an IPv6 address: whoever has one has every address of its network


def address_of(scope: Scope) -> str:
    """The client's address; behind a proxy in the local network, the one that the proxy names.

    Addresses named by other clients are not trusted: the last one is the proxy's own word, which
    may stand on a line of its own and with a port. An IPv6 address counts as its network.
    """
    client = (scope.get("client") or ("", 0))[0]
    named = [value for key, value in scope["headers"] if key == FORWARDED_FOR]
    nearest = named[-1].decode("latin-1").rpartition(",")[2].strip() if named else ""
    if nearest and _is_neighbour(client):
        return _network(_without_port(nearest)) or client
    return _network(client) or client


def _without_port(text: str) -> str:
    """An address as proxies name it: `192.0.2.1:443` and `[2001:db8::1]:443` have a port."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _network(text: str) -> str:
    """An IPv4 address as it is, of an IPv6 one its network; "" for what is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    left = 128 - NETWORK_BITS
    return str(ipaddress.IPv6Address(int(address) >> left << left))


def _is_neighbour(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address).is_global
    except ValueError:
        return False
