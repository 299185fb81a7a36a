"""Where the certificate of a caller is found: in the connection, or in the header of a proxy that has checked it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import ssl
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Literal
from urllib.parse import unquote

from starlette.requests import Request

from gateway import certificates
from gateway.errors import Refusal

Source = Literal["none", "tls", "proxy"]
Network = IPv4Network | IPv6Network


class Certificates:
    """Reads the certificates of callers as the operator has set: from nowhere, from TLS, or from a proxy.

    A proxy's header is believed only when the connection comes from one of its addresses; else anybody could write it.
    """

    def __init__(self, source: Source = "none", header: str = "", proxies: Sequence[Network] = ()) -> None:
        self.required = source != "none"
        self._source, self._header, self._proxies = source, header.lower(), tuple(proxies)

    def names(self, request: Request) -> frozenset[str]:
        """The names of the caller's certificate, none if it showed none.

        Raises:
            Refusal: ACCESS_DENIED, when what the proxy sent is not a certificate.
        """
        der = self._of_connection(request) if self._source == "tls" else self._of_proxy(request)
        if not der:
            return frozenset()
        try:
            return certificates.names(der)
        except ValueError:
            raise _unreadable() from None

    def _of_connection(self, request: Request) -> bytes:
        chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain") or [""]
        return ssl.PEM_cert_to_DER_cert(chain[0]) if chain[0] else b""

    def _of_proxy(self, request: Request) -> bytes:
        if self._source != "proxy" or not self._is_proxy(request):
            return b""
        given = request.headers.getlist(self._header)
        if len(given) > 1:
            raise Refusal.because("ACCESS_DENIED", "there is more than one client certificate", self._header)
        return _der(given[0]) if given else b""

    def _is_proxy(self, request: Request) -> bool:
        try:
            address = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        # On a socket for both, IPv4 callers have an IPv6 address.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._proxies)


def _der(header: str) -> bytes:
    """The certificate in a header: PEM, percent-encoded or not, or base64 of DER, between colons (RFC 9440) or not."""
    text = unquote(header).strip()
    if text.startswith("-----"):
        text = "".join(part for part in text.split("-----") if "CERTIFICATE" not in part)
    try:
        return base64.b64decode("".join(text.strip(":").split()), validate=True)
    except (binascii.Error, ValueError):
        raise _unreadable() from None


def _unreadable() -> Refusal:
    return Refusal.because("ACCESS_DENIED", "the client certificate cannot be read")
