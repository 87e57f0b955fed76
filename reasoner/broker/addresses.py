"""Which addresses may be connected to: those of the public internet, written plainly.

The lists are the special-purpose registries of IANA, written out because `ipaddress.is_global` differs between versions
of Python. It does not know this machine's own public address, nor what a router does with a packet.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

_SPECIAL_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a carrier's NAT, and metadata of one cloud
            "127.0.0.0/8",
            "168.63.129.16/32",  # metadata of another cloud, in public space
            "169.254.0.0/16",  # link-local, and metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",  # multicast, reserved, broadcast
        ),
    )
)
_UNICAST_6 = IPv6Network("2000::/3")
"""All that is routed. Loopback, ::ffff:0:0/96, 64:ff9b::/96, fc00::/7, fe80::/10 and multicast lie outside it."""
_SPECIAL_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo, ORCHID and other protocols
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address inside
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)


def is_public(text: str) -> bool:
    """Whether `text` is an address of the public internet. An IPv6 address with a scope is not."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    return address.scope_id is None and address in _UNICAST_6 and not any(address in network for network in _SPECIAL_6)
