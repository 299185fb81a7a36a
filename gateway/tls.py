"""TLS of the gateway's own HTTP server, and the certificates that its clients show."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from gateway.errors import ConfigurationError
from gateway.protocol import BoundedProtocol
from gateway.settings import Http

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Those of TLS 1.2; the ones of TLS 1.3 are always on."""


class CertificateProtocol(BoundedProtocol):
    """HTTP whose requests carry the client's certificate, where the ASGI TLS extension has it: uvicorn does not yet."""

    _tls: dict[object, object] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        # Without an authority to trust it would be a certificate that nobody has checked.
        if connection is not None and connection.context.verify_mode != ssl.CERT_NONE:
            der = connection.getpeercert(binary_form=True)
            self._tls = {"client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)] if der else []}

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}


def check(http: Http) -> None:
    """Try the certificate, the key and the authority.

    Raises:
        ConfigurationError: they cannot be used.
    """
    if not http.tls_cert_file:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(http.tls_cert_file, http.tls_key_file, password="")  # or it would ask on the terminal
        if http.tls_client_ca_file:
            context.load_verify_locations(http.tls_client_ca_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(f"http.tls_cert_file, tls_key_file or tls_client_ca_file: {error}") from None


def options(http: Http) -> dict[str, Any]:
    """uvicorn's settings for TLS; empty if the gateway does not speak it.

    A certificate is asked for and, if one is shown, must come from the authority. The NEMS face insists on one;
    probes and callers with bearer tokens need none.
    """
    if not http.tls_cert_file:
        return {}
    served = {"ssl_certfile": http.tls_cert_file, "ssl_keyfile": http.tls_key_file, "ssl_ciphers": CIPHERS}
    if not http.tls_client_ca_file:
        return served
    return served | {"ssl_ca_certs": http.tls_client_ca_file, "ssl_cert_reqs": ssl.CERT_OPTIONAL}
