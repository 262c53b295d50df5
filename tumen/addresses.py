"""Which addresses Tumen may speak to.  Pure: addresses and ports in, a reason to refuse or None out.

`ipaddress.is_global` alone is not enough: it is True for addresses that carry a private one inside them (NAT64, 6to4, Teredo) and for
multicast.  The ranges below are those that have been missed elsewhere (IANA special-purpose registries).
"""

import ipaddress
from collections.abc import Collection, Sequence

_MORE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "100.64.0.0/10",  # carrier-grade NAT
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "::/96",  # IPv4-compatible
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "2001::/32",  # Teredo
        "2001:20::/28",
        "2002::/16",  # 6to4
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)

PORTS = (80, 443)


def refusal(address: str) -> str | None:
    """Why this IP address (as `getaddrinfo` writes it) is not a public unicast one, or None.  Raises `ValueError` if it is no address."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_multicast or ip.is_reserved or not ip.is_global:
        return "not a public address"
    if any(ip in net for net in _MORE if net.version == ip.version):
        return "a special-purpose address"
    return None


def blocked(host: str, port: int, addresses: Sequence[str], allow_private: Collection[str]) -> str | None:
    """Why `host`:`port`, resolved to `addresses`, must not be spoken to, or None.

    `allow_private` names the exceptions, exactly, as "host:port" with the host as the URL has it.  One bad address among
    several is enough to refuse: a name that is partly private is an attack or a mistake.
    """
    if f"{host}:{port}" in allow_private:
        return None
    if port not in PORTS:
        return f"port {port} is not one of {', '.join(map(str, PORTS))}"
    for address in addresses:
        reason = refusal(address)
        if reason is not None:
            return f"{host} is {address}: {reason}"
    return None
