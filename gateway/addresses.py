"""Which addresses a webhook may reach: those of the open internet, unless the operator allows more."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_webhook_url(url: str) -> bool:
    """Whether `url` is one to post to: http or https, with a host, without credentials or fragment."""
    try:
        parts = urlsplit(url)
        well_formed = parts.port != 0
    except ValueError:
        return False
    whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isascii() and url.isprintable()
    return well_formed and whole and " " not in url and "@" not in parts.netloc and not parts.fragment


def is_public(address: str) -> bool:
    """Whether `address` is one of the open internet: not this machine, a private network, or a cloud's metadata
    service.

    Raises:
        ValueError: it is not an IP address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return is_public(str(mapped)) if mapped else ip.is_global and not ip.is_multicast


def names_forbidden_address(url: str) -> bool:
    """Whether the host of `url` is written as an address, not a name, and is not public; a resolver never sees
    those.
    """
    try:
        return not is_public(urlsplit(url).hostname or "")
    except ValueError:
        return False
