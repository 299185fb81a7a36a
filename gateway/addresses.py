"""Which addresses a webhook may reach: those of the open internet, and this machine's own where that is allowed."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# IPv6 addresses that stand for the IPv4 address in their last 32 bits: NAT64 (RFC 6052), and the compatible and mapped
# forms (RFC 4291, section 2.5.5).
_CARRIERS = tuple(ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "::ffff:0:0/96", "::/96"))


def is_webhook_url(url: str) -> bool:
    """Whether `url` is one to post to: http or https, with a host, without credentials or fragment."""
    try:
        parts = urlsplit(url)
        well_formed = parts.port != 0
    except ValueError:
        return False
    whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isascii() and url.isprintable()
    return well_formed and whole and " " not in url and "@" not in parts.netloc and not parts.fragment


def may_reach(address: str, *, loopback: bool) -> bool:
    """Whether a webhook may go to `address`; never to a private network or a cloud's metadata service.

    Raises:
        ValueError: it is not an IP address.
    """
    ip = _behind(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_loopback:
        return loopback
    return ip.is_global and not ip.is_multicast and not getattr(ip, "is_site_local", False)


def names_forbidden_address(url: str, *, loopback: bool) -> bool:
    """Whether the host of `url` is written as an address that must not be reached; a resolver never sees those."""
    try:
        return not may_reach(urlsplit(url).hostname or "", loopback=loopback)
    except ValueError:
        return False


def _behind(ip: _Address) -> _Address:
    """The address that packets to `ip` end at."""
    if not isinstance(ip, ipaddress.IPv6Address) or ip == ipaddress.IPv6Address("::1"):
        return ip
    if ip.sixtofour:
        return ip.sixtofour
    if any(ip in carrier for carrier in _CARRIERS):
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip
